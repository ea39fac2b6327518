"""What may be remembered between two changes of the file, and within which bounds."""

from strongroom.storage.session import ROW_BYTES, ROW_ENTRIES, Unchanged


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
