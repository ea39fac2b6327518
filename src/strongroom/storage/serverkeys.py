"""The first keys of a data directory, and those that storage itself works with."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from strongroom.audit.local import local_record
from strongroom.audit.log import BEGINNING, Mark
from strongroom.custody.sealing import Custodian, SealBroken
from strongroom.custody.store import DataKey, Purpose
from strongroom.custody.succession import MASTER_FACT, describe
from strongroom.storage.baseline import note_what_is_there
from strongroom.storage.commit import drive
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, Reader, Writer
from strongroom.storage.keyring import SqlKeyring
from strongroom.storage.marks import KEYED, NEWEST, PRUNED, put_mark
from strongroom.storage.notes import encode_notes
from strongroom.storage.outbox import put_in_outbox, seal_outbox
from strongroom.storage.records import LAST
from strongroom.storage.resources import SqlFacts
from strongroom.storage.rows import RowSeal
from strongroom.storage.session import Connection, Session

SERVER_KEYS = (Purpose.ROWS, Purpose.RECORDS, Purpose.SERVER, Purpose.CLIENT_SECRETS, Purpose.PAGING)
ANY_DATA = "SELECT EXISTS (SELECT 1 FROM tenants) OR EXISTS (SELECT 1 FROM vaults) OR EXISTS (SELECT 1 FROM facts)"
ANY_MARK = "SELECT EXISTS (SELECT 1 FROM marks)"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """The keys that storage works with: one authenticates rows, one links records."""

    rows: DataKey
    records: DataKey


def server_keys(data_dir: Path, custodian: Custodian, now: datetime) -> ServerKeys:
    """Return the keys that storage works with.

    Where there is no keyring yet and no data, the server's keys are made. Where there is data that is older than the
    key for records, that one is made, and the data noted as it is.
    SealBroken when there is data without its keyring. sqlite3.Error or OSError when a file fails.
    """
    reader = Reader(data_dir / MAIN_FILE)
    try:
        found = _find(reader)
    finally:
        reader.close()
    return found or _make(data_dir, custodian, now)


def _find(connection: Connection) -> ServerKeys | None:
    keyring = _keyring(connection)
    rows, records = drive(keyring.newest(Purpose.ROWS)), drive(keyring.newest(Purpose.RECORDS))
    return ServerKeys(rows, records) if rows and records else None


def _make(data_dir: Path, custodian: Custodian, now: datetime) -> ServerKeys:
    last = _last_record(data_dir)
    writer = Writer(data_dir / MAIN_FILE)
    try:
        with writer.transaction() as connection:
            found = _find(writer)
            if found:  # another process was first
                return found
            older = drive(_keyring(writer).newest(Purpose.ROWS))
            has_data = connection.execute(ANY_DATA).fetchone()[0]
            if (has_data and older is None) or connection.execute(ANY_MARK).fetchone()[0]:
                raise SealBroken("the keyring is gone from a data directory that has data")
            if older is not None:
                log.warning(
                    "records are linked with a key from now on, and the data is noted as it is", after=last.sequence
                )
                seal_outbox(connection, RowSeal(custodian.authenticator(older)))
                note_what_is_there(connection, RowSeal(custodian.authenticator(older)), now)
            keys: ServerKeys = drive(_add_missing(_keyring(writer), custodian, now))
            seal = RowSeal(custodian.authenticator(keys.rows))
            for name, mark in ((KEYED, last), (NEWEST, last), (PRUNED, BEGINNING)):
                put_mark(writer, seal, name, mark)
            if custodian.derivation is not None and older is None:
                _describe(connection, writer, seal, custodian, now)
    finally:
        writer.close()
    return keys


def _describe(
    connection: sqlite3.Connection, writer: Writer, seal: RowSeal, custodian: Custodian, now: datetime
) -> None:
    """Say in the data how their master key is made of a passphrase: without that nobody could make it again."""
    session = Session(writer, seal, {}, transaction=True)
    drive(SqlFacts(session).put(MASTER_FACT, describe(custodian, now)))
    properties = {"masterKeyId": custodian.master_id, "kind": "passphrase"}
    record = local_record("Strongroom.MasterKey/begin", now=now, properties=properties, actor="server")
    put_in_outbox(connection, record, encode_notes(session.notes), seal)


async def _add_missing(keyring: SqlKeyring, custodian: Custodian, now: datetime) -> ServerKeys:
    """Add the keys of the server that are missing, and return those that storage works with."""
    for purpose in SERVER_KEYS:
        if await keyring.newest(purpose) is None:
            await keyring.add(custodian.new_key(purpose, "", 1, now))
    rows, records = await keyring.newest(Purpose.ROWS), await keyring.newest(Purpose.RECORDS)
    assert rows is not None  # it was there, or was added just now
    assert records is not None
    return ServerKeys(rows, records)


def _last_record(data_dir: Path) -> Mark:
    """Return the place of the newest record, after which links are keyed."""
    reader = Reader(data_dir / AUDIT_FILE)
    try:
        rows = reader.rows(LAST)
    finally:
        reader.close()
    return Mark(*rows[0]) if rows else BEGINNING


def _keyring(connection: Connection) -> SqlKeyring:
    """Return the keyring, whose rows need no seal: they authenticate themselves."""
    return SqlKeyring(Session(connection, RowSeal(lambda _: b""), {}, transaction=True))
