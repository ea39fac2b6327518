"""A row that was set back, taken away or put back behind the server's back is found by what its changes noted."""

import pytest
import structlog

from directory_doubles import a_membership, a_security_group, a_user
from jwk_doubles import a_policy
from storage_doubles import (
    CUSTODIAN,
    NOON,
    a_connection,
    a_group,
    a_lock,
    a_network,
    a_role,
    a_signing_key,
    a_state,
    a_subscription,
    a_tenant,
    a_version,
    adding,
    an_application,
    an_assignment,
    discrepancies,
)
from storage_kinds import is_whole
from strongroom.custody.store import Purpose
from strongroom.storage.baseline import NOTED
from strongroom.storage.connection import MAIN_FILE
from strongroom.storage.history import Difference
from strongroom.storage.sqlite import SqliteStorage
from vault_doubles import a_vault

UNNOTED = {"alembic_version", "epoch", "outbox", "marks", "sqlite_sequence"}
"""Tables that hold no state of what is kept: a version, a counter, records on their way, places in the chain."""

KEY = CUSTODIAN.new_key(Purpose.VAULT, "vault-1", 1, NOON)
FIRST = adding(
    lambda stores: stores.identity.add_tenant(a_tenant()),
    lambda stores: stores.identity.add_application(an_application()),
    lambda stores: stores.identity.add_signing_key(a_signing_key()),
    lambda stores: stores.resources.add_subscription(a_subscription()),
    lambda stores: stores.resources.put_group(a_group()),
    lambda stores: stores.facts.put("fact", b"value"),
    lambda stores: stores.vaults.add(a_vault("kv1")),
    lambda stores: stores.assignments.add(an_assignment()),
    lambda stores: stores.roles.put(a_role()),
    lambda stores: stores.locks.put(a_lock()),
    lambda stores: stores.networks.put(a_network()),
    lambda stores: stores.connections.put(a_connection()),
    lambda stores: stores.secrets.add_version(a_state("Secret"), a_version(1)),
    lambda stores: stores.keys.put_policy("vault-1", "key", a_policy(), NOON),
    lambda stores: stores.keyring.add(KEY),
    lambda stores: stores.identity.add_user(a_user()),
    lambda stores: stores.identity.add_group(a_security_group()),
    lambda stores: stores.identity.add_membership(a_membership()),
)


@pytest.fixture
async def filled(storage):
    await storage.change(FIRST)
    return storage


def found(place):
    return [(each.table, each.difference, each.change) for each in discrepancies(place)]


def test_every_table_is_noted_with_every_column(sql):
    tables = {name for (name,) in sql("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables - UNNOTED == {shape.table for shape in NOTED}
    for shape in NOTED:
        columns = sql(f"PRAGMA table_info({shape.table})")
        assert {name for _, name, *_ in columns} - {"seq"} == set(shape.columns)


async def test_rows_as_they_were_written_are_as_they_are_noted(filled, place):
    assert found(place) == []
    await filled.change(adding(lambda stores: stores.secrets.purge("vault-1", "secret")))
    await filled.change(adding(lambda stores: stores.facts.put("fact", b"other")))
    await filled.change(adding(lambda stores: stores.assignments.remove_principal("object-1")))
    assert found(place) == []


@pytest.mark.parametrize("shape", NOTED, ids=lambda shape: shape.table)
async def test_a_row_that_was_taken_away_is_found(filled, place, sql, shape):
    where = "WHERE purpose = 'vault'" if shape.table == "data_keys" else ""
    sql(f"DELETE FROM {shape.table} {where}")
    assert found(place) == [(shape.table, Difference.GONE, 1)]


@pytest.mark.parametrize("shape", NOTED, ids=lambda shape: shape.table)
async def test_a_row_that_was_put_in_is_found(filled, place, sql, shape):
    names = {"vaults": ("vault_id", "name"), "applications": ("object_id", "app_id"), "data_keys": ("key_id", "scope")}
    names |= {"assignments": ("assignment_id", "scope"), "users": ("object_id", "principal_name")}
    names |= {"private_endpoint_connections": ("name", "address")}
    changed = names.get(shape.table, shape.columns[shape.keys - 1 : shape.keys])
    columns = ", ".join(f"{name} || 'x'" if name in changed else name for name in shape.columns)
    where = "WHERE purpose = 'vault'" if shape.table == "data_keys" else ""
    sql(f"INSERT INTO {shape.table} ({', '.join(shape.columns)}) SELECT {columns} FROM {shape.table} {where}")
    assert found(place) == [(shape.table, Difference.UNKNOWN, None)]


@pytest.mark.parametrize(("shape", "column"), [(shape, column) for shape in NOTED for column in shape.columns])
async def test_a_change_of_any_column_is_found(filled, place, sql, shape, column):
    where = "WHERE purpose = 'vault'" if shape.table == "data_keys" else ""
    other = f"CASE typeof({column}) WHEN 'blob' THEN zeroblob(9) WHEN 'text' THEN {column} || 'x' ELSE 7 END"
    sql(f"UPDATE {shape.table} SET {column} = {other} {where}")
    expected = {Difference.UNKNOWN, Difference.GONE} if column in shape.columns[: shape.keys] else {Difference.OTHER}
    assert {(table, difference) for table, difference, _ in found(place)} == {(shape.table, each) for each in expected}


async def test_a_row_that_was_set_back_is_found_with_the_change_that_it_denies(filled, place, sql):
    old = sql("SELECT document, mac FROM applications")[0]
    off = an_application(enabled=False)
    await filled.change(adding(lambda stores: stores.identity.replace_application(off)))
    sql("UPDATE applications SET document = ?, mac = ?", old)
    sql("UPDATE epoch SET value = value + 1")
    assert (await filled.read().identity.find_application("app-1")).enabled  # believed: it is authentic
    assert found(place) == [("applications", Difference.OTHER, 2)]


async def test_a_secret_that_was_set_back_is_found(filled, place, sql):
    columns = "vault_id, kind, name, version, document, mac, sealed"
    old = sql(f"SELECT {columns} FROM versions")[0]
    await filled.change(
        adding(lambda stores: stores.secrets.replace_version(a_state("Secret"), a_version(1, enabled=False)))
    )
    assert found(place) == []
    sql("UPDATE versions SET document = ?, mac = ?", old[4:6])
    assert found(place) == [("versions", Difference.OTHER, 2)]


async def test_a_row_that_was_removed_and_put_back_is_found(filled, place, sql):
    kept = sql("SELECT * FROM assignments")[0]
    await filled.change(adding(lambda stores: stores.assignments.remove("assignment-1")))
    assert found(place) == []
    sql("INSERT INTO assignments VALUES (?, ?, ?, ?, ?, ?)", kept)
    assert found(place) == [("assignments", Difference.UNKNOWN, None)]


async def test_what_was_purged_and_put_back_is_found(filled, place, sql):
    objects, versions = sql("SELECT * FROM objects")[0], sql("SELECT * FROM versions")[0]
    await filled.change(adding(lambda stores: stores.secrets.purge("vault-1", "secret")))
    sql(f"INSERT INTO objects VALUES ({', '.join('?' * len(objects))})", objects)
    sql(f"INSERT INTO versions VALUES ({', '.join('?' * len(versions))})", versions)
    assert found(place) == [("objects", Difference.UNKNOWN, None), ("versions", Difference.UNKNOWN, None)]


async def test_a_change_that_was_undone_notes_nothing(filled, place):
    async def fail(stores):
        await stores.facts.put("fact", b"other")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await filled.change(fail)
    await filled.change(adding(lambda stores: stores.facts.put("other", b"x")))
    assert found(place) == []


ALL_BUT_RECORDS = ("facts", "sqlite_sequence")
"""What the newest change of the tests below touched in the main file, and the count of changes."""


async def set_back(place, sql):
    """Set back what the second change did, and the count of changes with it."""
    storage = SqliteStorage.open(place, CUSTODIAN)
    before = {table: sql(f"SELECT * FROM {table}") for table in ALL_BUT_RECORDS}
    await storage.change(adding(lambda stores: stores.facts.put("fact", b"2")))
    storage.close()
    for table, rows in before.items():
        sql(f"DELETE FROM {table}")
        for row in rows:
            sql(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    sql("DELETE FROM outbox")


@pytest.fixture
async def older(place, sql):
    storage = SqliteStorage.open(place, CUSTODIAN)
    await storage.change(FIRST)
    storage.close()
    await set_back(place, sql)


async def test_a_change_that_was_set_back_with_the_count_of_changes_is_found(older, place):
    assert found(place) == [("change", Difference.AHEAD, 2)]
    with structlog.testing.capture_logs() as lines:
        SqliteStorage.open(place, CUSTODIAN).close()
    assert [(line["event"], line["error"]) for line in lines] == [("alarm", "OlderData")]
    assert "change 2 and any later" in lines[0]["reason"]


@pytest.mark.parametrize("edit", ["DELETE FROM sqlite_sequence", "UPDATE sqlite_sequence SET seq = 'none'"])
async def test_a_count_of_changes_that_is_gone_is_found(older, place, sql, edit):
    sql(edit)
    assert ("change", Difference.AHEAD, 1) in found(place)


async def test_a_change_that_was_set_back_is_found_when_others_came_since(older, place):
    storage = SqliteStorage.open(place, CUSTODIAN)
    await storage.change(adding(lambda stores: stores.facts.put("fact", b"3")))
    storage.close()
    assert found(place) == [("change", Difference.TWICE, 2)]


async def test_a_file_of_data_that_is_older_than_its_records_is_found(place, tmp_path):
    SqliteStorage.open(place, CUSTODIAN).close()
    older = (place / MAIN_FILE).read_bytes()
    storage = SqliteStorage.open(place, CUSTODIAN)
    await storage.change(FIRST)
    storage.close()
    (place / MAIN_FILE).write_bytes(older)
    assert found(place) == [("change", Difference.AHEAD, 1)]


async def test_changes_count_in_the_order_in_which_they_were_made_not_in_which_their_records_came(place):
    """Two workers: the record of the later change is in the log first."""
    first, second = (SqliteStorage.open(place, CUSTODIAN) for _ in range(2))
    await first.change(adding(lambda stores: stores.facts.put("fact", b"1")))
    await second.change(adding(lambda stores: stores.facts.put("fact", b"2")))
    second._hand_on()
    second.close()
    first.close()
    assert found(place) == []
    storage = SqliteStorage.open(place, CUSTODIAN)
    assert [entry.record.change for entry in storage.records.after(0, 9)] == [2, 1]
    assert is_whole(storage)
    storage.close()


async def test_notes_of_records_that_are_on_their_way_count(filled, place):
    filled._hold = lambda _: None
    await filled.change(adding(lambda stores: stores.facts.put("fact", b"2")))
    assert found(place) == []


async def test_progress_is_told(filled, place, monkeypatch):
    monkeypatch.setattr("strongroom.storage.history.PROGRESS_ROWS", 7)
    told = []
    assert discrepancies(place, told.append) == []
    assert told == [7, 14, 21, 24]
