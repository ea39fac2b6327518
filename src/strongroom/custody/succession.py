"""The next master key: every data key goes under it at once, and whoever holds the one before is led to it.

All of it is one change: at any moment the data lie under one master key whole, and say under which. Where processes run
that hold the one before, the next is left sealed under it (the handover) until they have taken it over.
"""

from datetime import datetime
from typing import Protocol

from strongroom.custody.master import Description, MasterKey, decode_description
from strongroom.custody.sealing import Custodian
from strongroom.custody.store import KeyringStore, Purpose

MASTER_FACT = "custody.master"
HANDOVER_FACT = "custody.handover"
NOTHING = b""


class Facts(Protocol):
    """Named byte strings of the server."""

    async def get(self, name: str) -> bytes | None:
        """Return a fact."""

    async def put(self, name: str, value: bytes) -> None:
        """Set a fact."""


def describe(custodian: Custodian, now: datetime) -> bytes:
    """Return what new data say of the master key that they begin under; of one in a file they need not say anything."""
    return Description(master_id=custodian.master_id, since=now, derivation=custodian.derivation).encode()


async def succeed(
    keyring: KeyringStore,
    facts: Facts,
    custodian: Custodian,
    successor: MasterKey,
    *,
    place: str | None,
    hand_over: bool,
    now: datetime,
) -> int:
    """Lay every data key under the next master key, inside a change; return how many there are.

    place: where the next key was written, if not where it is looked for. hand_over: leave it for those who hold this
    one. The custodian holds this one until the change has committed: then call its `succeed`.
    """
    keys = await keyring.list_all()
    for key in keys:
        await keyring.replace(custodian.rewrap(key, successor.key))
    description = Description(master_id=successor.master_id, since=now, derivation=successor.derivation, place=place)
    await facts.put(MASTER_FACT, description.encode())
    await facts.put(HANDOVER_FACT, custodian.hand_over(successor.key) if hand_over else NOTHING)
    return len(keys)


async def is_handing_over(facts: Facts) -> bool:
    """Answer whether a handover waits for those who hold the master key before."""
    return bool(await facts.get(HANDOVER_FACT))


async def take_over(keyring: KeyringStore, facts: Facts, custodian: Custodian) -> None:
    """Hold the master key that the keyring lies under and put the handover away, inside a change."""
    rows = await keyring.newest(Purpose.ROWS)
    if rows is not None:
        custodian.hold_master_of(rows)
    kept = await facts.get(MASTER_FACT)
    if kept:
        custodian.derivation = decode_description(kept).derivation
    await facts.put(HANDOVER_FACT, NOTHING)
