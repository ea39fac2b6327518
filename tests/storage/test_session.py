"""What may be remembered between two changes of the file, and within which bounds."""

from strongroom.storage.rows import RowSeal
from strongroom.storage.session import ROW_BYTES, ROW_ENTRIES, Session, Unchanged


def test_what_was_found_is_kept_until_the_file_changes():
    unchanged = Unchanged(forgetful=False)
    unchanged.keep("asked", "found")
    assert unchanged.get("asked") == "found"
    unchanged.forget()
    assert unchanged.get("asked") is None


def test_inside_a_transaction_nothing_is_kept():
    unchanged = Unchanged(forgetful=True)
    unchanged.keep("asked", "found")
    assert unchanged.get("asked") is None


def test_neither_much_nor_many_are_kept():
    unchanged = Unchanged(forgetful=False)
    unchanged.keep("large", "found", ROW_BYTES + 1)
    assert unchanged.get("large") is None
    for number in range(ROW_ENTRIES):
        unchanged.keep(number, "found", ROW_BYTES)
    assert unchanged.get(0) == "found"
    unchanged.keep("one more", "found")
    assert (unchanged.get(0), unchanged.get("one more")) == (None, "found")


class Connection:
    """What a session works through; it counts what it is told."""

    def __init__(self):
        self.written = []

    def run(self, statement, parameters=()):
        self.written.append((statement, parameters))
        return 1


def test_a_transaction_remembers_what_decides_access_until_it_changes_that_itself():
    session = Session(Connection(), RowSeal(lambda _: b""), {}, transaction=True)
    found = iter(["first", "second"])
    assert [session.remember(("vault", "kv"), lambda: next(found)) for _ in range(2)] == ["first", "first"]
    assert session.change("UPDATE vaults", ()) == 1
    assert session.touched
    assert session.remember(("vault", "kv"), lambda: next(found)) == "second"
