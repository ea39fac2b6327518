"""What was edited, moved, swapped or taken away is named; of what is whole nothing is said."""

from contextlib import closing

import pytest

from storage_doubles import CUSTODIAN, NOON, a_record, put_late, seal_of_rows
from strongroom.audit.log import Mark
from strongroom.custody.sealing import Custodian
from strongroom.sensitive import Sensitive
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, Writer
from strongroom.storage.inspection import NAMED, inspect
from strongroom.storage.journal import Journal
from strongroom.storage.marks import PRUNED, put_mark
from strongroom.storage.rows import RowSeal
from strongroom.storage.serverkeys import server_keys
from strongroom.storage.snapshot import take_snapshot
from strongroom.storage.sqlite import SqliteStorage
from whole_doubles import a_whole_directory

EDITS = [
    ("tenants tenant-1", "UPDATE tenants SET document = CAST(replace(document, 'Tenant', 'Tenent') AS BLOB)"),
    ("applications ", "UPDATE applications SET document = CAST(replace(document, 'payments', 'payment5') AS BLOB)"),
    ("applications ", "UPDATE applications SET app_id = 'other'"),
    ("signing_keys ", "UPDATE signing_keys SET mac = zeroblob(32)"),
    ("subscriptions s1", "UPDATE subscriptions SET mac = 'text'"),
    ("resource_groups group", "UPDATE resource_groups SET document = 1"),
    ("facts fact", 'UPDATE facts SET document = \'{"value":""}\''),
    ("vaults kv1", "UPDATE vaults SET deleted = 1 WHERE name = 'kv1'"),
    ("vaults kv1", "UPDATE vaults SET document = (SELECT document FROM vaults WHERE name = 'kv2') WHERE name = 'kv1'"),
    ("vaults kv2: the keyring has no key", "DELETE FROM data_keys WHERE scope = 'id-of-kv2'"),
    ("assignments assignment-1", "UPDATE assignments SET scope = '/'"),
    ("users ", "UPDATE users SET document = CAST(replace(document, 'true', 'null') AS BLOB)"),
    ("security_groups group-1", "UPDATE security_groups SET mac = zeroblob(32)"),
    ("memberships group-1 member user-1", "UPDATE memberships SET document = CAST('{}' AS BLOB)"),
    ("objects id-of-kv1 one", "UPDATE objects SET purge = 1 WHERE name = 'one'"),
    ("objects id-of-kv1 one", "UPDATE objects SET latest = CAST(latest AS BLOB) WHERE name = 'one'"),
    ("versions id-of-kv1 one", "UPDATE versions SET document = CAST('no json' AS BLOB) WHERE name = 'one'"),
    ("versions id-of-kv1 two", "UPDATE versions SET sealed = 1 WHERE name = 'two'"),
    ("versions id-of-kv1 two", "UPDATE versions SET sealed = x'' WHERE name = 'two'"),
    ("does not open", "UPDATE versions SET sealed = (SELECT sealed FROM versions LIMIT 1) WHERE name = 'two'"),
    ("does not open", "UPDATE versions SET sealed = CAST(substr(sealed, 1, 40) || x'00' AS BLOB) WHERE name = 'two'"),
    ("data_keys ", "UPDATE data_keys SET scope = 'elsewhere' WHERE scope = 'id-of-kv1'"),
    ("data_keys ", "UPDATE data_keys SET purpose = 'nothing' WHERE purpose = 'paging'"),
    ("data_keys ", "UPDATE data_keys SET sealed = zeroblob(77) WHERE purpose = 'paging'"),
    ("no key for rows", "DELETE FROM data_keys WHERE purpose = 'rows'"),
    ("a key that the keyring does not have", "DELETE FROM data_keys WHERE purpose = 'client-secrets'"),
    ("a key that the keyring does not have", "DELETE FROM data_keys WHERE purpose = 'server'"),
]
RECORDS = [
    (5, "UPDATE records SET body = CAST(replace(body, 'Success', 'Failure') AS BLOB) WHERE seq = 5"),
    (5, "UPDATE records SET time = time + 1 WHERE seq = 5"),
    (5, "UPDATE records SET time = 'noon' WHERE seq = 5"),
    (5, "UPDATE records SET id = zeroblob(16) WHERE seq = 5"),
    (6, "DELETE FROM records WHERE seq = 5"),
    (2, "DELETE FROM records WHERE seq = 1"),
    (5, "UPDATE records SET link = zeroblob(32) WHERE seq = 5"),
    (-5, "INSERT INTO records (seq, id, time, body, link) VALUES (-5, x'00', 0, x'7b7d', zeroblob(32))"),
]


@pytest.fixture
def place(tmp_path):
    return a_whole_directory(tmp_path / "data")


@pytest.fixture
def whole(place):
    return place


def found(place, master_key=bytes(range(32))):
    custodian = Custodian(Sensitive(master_key))  # a new one, which has opened no key yet
    looked_at = []
    with take_snapshot(place, touching=False) as snapshot:
        problems = inspect(snapshot.items(), custodian, looked_at.append)
        assert looked_at[-1] == sum(count for tables in snapshot.counts().values() for count in tables.values())
    return problems


def test_nothing_is_said_of_what_is_whole(whole):
    assert found(whole) == ()


@pytest.mark.parametrize(("told", "statement"), EDITS, ids=[statement for _, statement in EDITS])
def test_what_was_edited_is_named(whole, sql, told, statement):
    sql(statement)
    problems = found(whole)
    assert any(told in problem for problem in problems), problems


@pytest.mark.parametrize(("sequence", "statement"), RECORDS, ids=[statement for _, statement in RECORDS])
def test_the_first_record_that_does_not_follow_is_named(whole, sql, sequence, statement):
    sql(statement, file=AUDIT_FILE)
    assert found(whole)[0].startswith(f"records {sequence}: ")


def test_two_records_that_changed_places_are_found(whole, sql):
    for old, new in ((5, 99), (6, 5), (99, 6)):
        sql("UPDATE records SET seq = ? WHERE seq = ?", (new, old), file=AUDIT_FILE)
    (problem,) = found(whole)
    assert problem.startswith("records 5: it does not follow the record before it")


def test_records_that_were_cut_off_the_end_are_missed(whole, sql):
    sql("DELETE FROM records WHERE seq > 12", file=AUDIT_FILE)
    (problem,) = found(whole)
    assert problem == "records: the chain does not reach record 15, which was kept: its end was cut"
    sql("DELETE FROM records", file=AUDIT_FILE)
    assert found(whole) == (problem,)


@pytest.mark.parametrize("mark", ["newest", "keyed", "pruned"])
def test_a_mark_that_was_edited_or_taken_away_is_named(whole, sql, mark):
    sql("UPDATE marks SET sequence = 3 WHERE name = ?", (mark,))
    assert f"marks {mark}: a row of marks is not as it was written" in found(whole)
    sql("DELETE FROM marks WHERE name = ?", (mark,))
    assert f"marks: the mark '{mark}' is gone" in found(whole)


POSITION_EDITS = [
    "frame = frame + 1",
    "ending = 0",
    "ending = ending + 0.5",
    "newest = 'noon'",
    "mac = x''",
    "name = CAST(name AS BLOB)",
    "name = substr(name, 2) || '0'",
    "name = x'ff'",
    "frame = x'ff', mac = 0",
]


@pytest.mark.parametrize("edit", POSITION_EDITS)
def test_how_far_a_journal_was_taken_is_looked_at_too(whole, sql, edit):
    with closing(Journal(whole, seal_of_rows(whole))) as journal:
        journal.write([a_record()])
    SqliteStorage.open(whole, CUSTODIAN).close()
    assert found(whole) == ()
    sql(f"UPDATE journals SET {edit}", file=AUDIT_FILE)
    (problem,) = found(whole)
    assert problem.startswith("journals ")
    assert "is not as it was written" in problem


def test_records_that_are_being_pruned_and_those_that_were_are_not_missed(whole, sql):
    seal = RowSeal(CUSTODIAN.authenticator(server_keys(whole, CUSTODIAN, NOON).rows))
    ((sequence, link),) = sql("SELECT seq, link FROM records WHERE seq = 5", file=AUDIT_FILE)
    writer = Writer(whole / MAIN_FILE)
    with writer.transaction():
        put_mark(writer, seal, PRUNED, Mark(sequence, link))
    writer.close()
    for gone in ("seq <= 3", "seq <= 5"):  # a batch at a time
        assert found(whole) == ()
        sql(f"DELETE FROM records WHERE {gone}", file=AUDIT_FILE)
    assert found(whole) == ()
    sql("DELETE FROM records WHERE seq = 6", file=AUDIT_FILE)
    assert found(whole)[0].startswith("records 7: ")


def test_many_of_a_kind_are_counted(whole, sql):
    sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)"
        " INSERT INTO facts SELECT 'fact ' || i, x'', x'' FROM n")  # fmt: skip
    problems = found(whole)
    assert len(problems) == NAMED + 1
    assert problems[-1] == "facts: 45 more rows like these"


def test_another_master_key_opens_no_key(whole):
    problems = found(whole, bytes(32))
    assert "the master key does not open the data key" in problems[0]


def test_every_table_with_a_mac_is_checked(whole, sql):
    put_late(whole, [a_record()])
    tables = [name for (name,) in sql("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    sealed = {name for name in tables if "mac" in [row[1] for row in sql(f"PRAGMA table_info({name})")]}
    assert len(sealed) > 10
    for name in sealed:
        sql(f"UPDATE {name} SET mac = zeroblob(32)")
    problems = found(whole)
    assert {problem.split()[0].rstrip(":") for problem in problems} == sealed
