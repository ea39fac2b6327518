"""What ends by itself: token-signing keys whose last token has expired."""

from datetime import datetime

import structlog

from strongroom.access.identity.model import SigningKey
from strongroom.access.identity.signing import verifying_keys
from strongroom.audit.event import Record
from strongroom.audit.local import local_record
from strongroom.scheduling.store import SweptStorage, SweptStores

log = structlog.get_logger(__name__)


async def sweep_signing_keys(storage: SweptStorage, now: datetime) -> int:
    """Remove the signing keys that verify nothing any more at `now`, in one change; return how many there were.

    now: real time. StorageUnavailable when it cannot be made durable.
    """
    if not _ended(await storage.read().identity.list_signing_keys(), now):
        return 0

    async def work(stores: SweptStores) -> tuple[int, Record]:
        ended = _ended(await stores.identity.list_signing_keys(), now)
        for key in ended:
            await stores.identity.remove_signing_key(key.kid)
        return len(ended), _record(ended, now)

    return await storage.change(work)


def _ended(keys: tuple[SigningKey, ...], now: datetime) -> tuple[SigningKey, ...]:
    verifying = verifying_keys(keys, now)
    return tuple(key for key in keys if key not in verifying)


def _record(ended: tuple[SigningKey, ...], now: datetime) -> Record:
    kids = [key.kid for key in ended]
    log.info("removed signing keys", kids=kids)
    properties = {"reason": "Every token that it signed has expired.", "keyIds": kids}
    return local_record("Strongroom.SigningKey/delete", now=now, properties=properties, actor="server")
