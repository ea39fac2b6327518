"""New data keys: the next version of a purpose and scope, under the master key that the keyring lies under."""

from datetime import datetime

from strongroom.custody.sealing import Custodian, sealing_key_id
from strongroom.custody.store import DataKey, KeyringStore, Purpose


async def add_key(keyring: KeyringStore, custodian: Custodian, purpose: Purpose, scope: str, now: datetime) -> DataKey:
    """Add the next version of a data key and return it; only inside a change.

    The master key may have been replaced since this process last looked; inside the change it cannot be.
    """
    rows = await keyring.newest(Purpose.ROWS)
    if rows is not None:
        custodian.hold_master_of(rows)
    before = await keyring.newest(purpose, scope)
    key = custodian.new_key(purpose, scope, before.version + 1 if before else 1, now)
    await keyring.add(key)
    return key


def lies_under(key: DataKey, rows: DataKey | None) -> bool:
    """Answer whether a new key lies under the master key of the keyring. rows: its key for rows, which every one has.

    Of a keyring from before master keys had ids that cannot be told, and need not: none of them was ever replaced.
    """
    if rows is None or sealing_key_id(rows.sealed) == rows.key_id:
        return True
    return sealing_key_id(key.sealed) == sealing_key_id(rows.sealed)
