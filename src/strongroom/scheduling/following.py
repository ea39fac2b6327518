"""How whoever holds the data takes over the master key that a rotation left for it."""

from strongroom.audit.event import Record
from strongroom.audit.local import local_record
from strongroom.clock import real_now
from strongroom.custody.sealing import Custodian
from strongroom.custody.succession import take_over
from strongroom.scheduling.store import SweptStorage, SweptStores


async def follow_master_key(storage: SweptStorage, custodian: Custodian, actor: str = "server") -> None:
    """Hold the master key that the data lie under and put the handover away: all workers hold it then."""

    async def work(stores: SweptStores) -> tuple[None, Record]:
        await take_over(stores.keyring, stores.facts, custodian)
        properties = {"masterKeyId": custodian.master_id}
        return None, local_record("Strongroom.MasterKey/follow", now=real_now(), properties=properties, actor=actor)

    await storage.change(work)
