"""The first keys of a data directory, and the one that authenticates its rows."""

from datetime import datetime
from pathlib import Path

from strongroom.custody.sealing import Custodian, SealBroken
from strongroom.custody.store import DataKey, Purpose
from strongroom.storage.commit import drive
from strongroom.storage.connection import Reader, Writer
from strongroom.storage.keyring import SqlKeyring
from strongroom.storage.rows import RowSeal
from strongroom.storage.session import Connection, Session

SERVER_KEYS = (Purpose.ROWS, Purpose.SERVER, Purpose.CLIENT_SECRETS, Purpose.PAGING)
ANY_DATA = "SELECT EXISTS (SELECT 1 FROM tenants) OR EXISTS (SELECT 1 FROM vaults) OR EXISTS (SELECT 1 FROM facts)"


def row_key(main: Path, custodian: Custodian, now: datetime) -> DataKey:
    """Return the key that authenticates rows; where there is no keyring yet and no data, the server's keys are made.

    SealBroken when there is data without its keyring. sqlite3.Error or OSError when the file fails.
    """
    reader = Reader(main)
    try:
        found = drive(_keyring(reader).newest(Purpose.ROWS))
    finally:
        reader.close()
    key: DataKey = found or _make(main, custodian, now)
    return key


def _make(main: Path, custodian: Custodian, now: datetime) -> DataKey:
    writer = Writer(main)
    try:
        with writer.transaction() as connection:
            if connection.execute(ANY_DATA).fetchone()[0]:
                raise SealBroken("the keyring is gone from a data directory that has data")
            key: DataKey = drive(_find_or_add(_keyring(writer), custodian, now))
    finally:
        writer.close()
    return key


async def _find_or_add(keyring: SqlKeyring, custodian: Custodian, now: datetime) -> DataKey:
    """Add the keys of the server, unless another process was first, and return the one for rows."""
    for purpose in SERVER_KEYS:
        if await keyring.newest(purpose) is None:
            await keyring.add(custodian.new_key(purpose, "", 1, now))
    key = await keyring.newest(Purpose.ROWS)
    assert key is not None  # it was there, or was added just now
    return key


def _keyring(connection: Connection) -> SqlKeyring:
    """Return the keyring, whose rows need no seal: they authenticate themselves."""
    return SqlKeyring(Session(connection, RowSeal(lambda _: b""), None))
