"""A directory that is older than keyed links goes on with them, and its data is noted as it is found."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from alembic import command

from storage_doubles import (
    CUSTODIAN,
    a_data_directory,
    a_record,
    a_state,
    a_tenant,
    a_version,
    adding,
    an_application,
    discrepancies,
)
from storage_kinds import counting, is_whole
from strongroom.audit.log import FIRST_LINK, plain_link
from strongroom.custody.sealing import SealBroken
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE
from strongroom.storage.directory import BRANCHES, prepare
from strongroom.storage.history import Difference
from strongroom.storage.marks import KEYED
from strongroom.storage.migrations.configuration import configuration
from strongroom.storage.sqlite import SqliteStorage

OLD_RECORDS = 3


@pytest.fixture
async def older(tmp_path):
    """A directory as the first schema left it: data without notes, plain links, and a record still in the outbox."""
    newer, older = a_data_directory(tmp_path / "newer"), tmp_path / "data"
    storage = SqliteStorage.open(newer, CUSTODIAN)
    await storage.change(
        adding(
            lambda stores: stores.identity.add_tenant(a_tenant()),
            lambda stores: stores.identity.add_application(an_application()),
            *[
                lambda stores, number=number: stores.secrets.add_version(a_state(f"s{number}"), a_version(number))
                for number in range(5)
            ],
        )
    )
    storage.close()
    older.mkdir(mode=0o700)
    for name in (AUDIT_FILE, MAIN_FILE):
        command.upgrade(configuration(older / name, BRANCHES[name]), "0001")
    _copy(newer / MAIN_FILE, older / MAIN_FILE)
    _write_records(older)
    shutil.rmtree(newer)
    return older


def _copy(newer, older):
    with closing(sqlite3.connect(older, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS newer", (str(newer),))
        for table in ("tenants", "applications", "objects", "versions"):
            connection.execute(f"INSERT INTO {table} SELECT * FROM newer.{table}")
        connection.execute("INSERT INTO data_keys SELECT * FROM newer.data_keys WHERE purpose <> 'records'")


def _write_records(older):
    with closing(sqlite3.connect(older / AUDIT_FILE, isolation_level=None)) as connection:
        link = FIRST_LINK
        for number in range(1, OLD_RECORDS + 1):
            record = a_record(number)
            link = plain_link(link, record)
            row = (number, record.record_id, record.began, record.body, link)
            connection.execute("INSERT INTO records (seq, id, time, body, link) VALUES (?, ?, ?, ?, ?)", row)
    with closing(sqlite3.connect(older / MAIN_FILE, isolation_level=None)) as connection:
        record = a_record(9)
        row = (record.record_id, record.began, record.body)
        connection.execute("INSERT INTO outbox (id, time, body) VALUES (?, ?, ?)", row)


async def test_an_older_directory_goes_on_and_stays_verifiable(older, monkeypatch):
    monkeypatch.setattr("strongroom.storage.baseline.ROWS_OF_A_RECORD", 2)
    prepare(older)
    storage = SqliteStorage.open(older, CUSTODIAN)
    assert storage.mark(KEYED).sequence == OLD_RECORDS
    assert await storage.change(counting()) == 1
    assert is_whole(storage)
    assert discrepancies(older) == []
    bodies = [entry.record.body for entry in storage.records.after(0, 99)]
    assert b"Operation9" in bodies[OLD_RECORDS]
    assert sum(b"Strongroom.Records/begin" in body for body in bodies) == 1 + 1 + 2 + 3 + 3
    storage.close()
    again = SqliteStorage.open(older, CUSTODIAN)
    assert is_whole(again)
    again.close()


async def test_what_is_set_back_after_the_upgrade_is_found(older):
    prepare(older)
    SqliteStorage.open(older, CUSTODIAN).close()
    with closing(sqlite3.connect(older / MAIN_FILE, isolation_level=None)) as connection:
        connection.execute("DELETE FROM versions WHERE name = 's1'")
    assert [(each.table, each.difference) for each in discrepancies(older)] == [("versions", Difference.GONE)]


async def test_the_key_of_the_records_is_not_made_anew(place, sql):
    """Else who has no key could link all records plainly and say that they are old."""
    storage = SqliteStorage.open(place, CUSTODIAN)
    await storage.change(counting())
    storage.close()
    sql("DELETE FROM data_keys WHERE purpose = 'records'")
    with pytest.raises(SealBroken, match="keyring is gone"):
        SqliteStorage.open(place, CUSTODIAN)
    assert sql("SELECT count(*) FROM data_keys WHERE purpose = 'records'") == [(0,)]
