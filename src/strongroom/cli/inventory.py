"""The keys of an HSM beside those that vaults refer to: what is missing, and what nobody refers to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from strongroom.audit.event import Record
from strongroom.audit.local import local_record
from strongroom.cli.data import Data, on_data, run_on
from strongroom.cli.failure import CommandFailed
from strongroom.cli.running import ServerLock, require_no_server
from strongroom.clock import real_now
from strongroom.custody.handles import open_handle
from strongroom.custody.master import MasterKey
from strongroom.custody.pkcs11 import PLATFORM
from strongroom.custody.token import Opened, Token
from strongroom.custody.tokenkeys import destroy, list_kept
from strongroom.objects.keys.discarding import locate, versions_of
from strongroom.planes.stores import Stores
from strongroom.resources.facts import RESTORED_FACT, is_restored
from strongroom.settings import Settings
from strongroom.vaults.census import list_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What was found. missing: keys by vault, name and version; orphans: objects by their ids and vaults.

    of_others: how many objects are of vaults that these data do not know. removed: how many orphans were destroyed.
    """

    referred: int
    missing: tuple[str, ...]
    orphans: tuple[str, ...]
    of_others: int
    removed: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    """What the data say. vaults: names by unique ids. keys: where each version is, by the id of its objects."""

    vaults: Mapping[str, str]
    keys: Mapping[bytes, str]


def take_inventory(settings: Settings, master: MasterKey, token: Token) -> Inventory:
    """Return what is found. The token is read before the data: a key that is made meanwhile is in both.

    master: opens the data. It was found before the token is begun with: an HSM that opens it is asked by a child.
    """
    kept = token.use(list_kept)
    return _compared(run_on(settings, master, _known), kept, token.use(list_kept))


def remove_orphans(settings: Settings, master: MasterKey, token: Token) -> Inventory:
    """Destroy what nobody refers to, of vaults that these data know; CommandFailed while a server runs on the data.

    A server makes a key before it refers to it: beside one, what looks like an orphan may be just about to be used.
    master: as for `take_inventory`.
    """
    require_no_server(settings.data_dir)
    if run_on(settings, master, _is_restored):
        raise CommandFailed(
            "these data were restored, and others may refer to what looks like an orphan here; once they are the only "
            "ones that use the HSM's keys, run: strongroom hsm adopt"
        )
    with ServerLock(settings.data_dir):
        known, kept = run_on(settings, master, _known), token.use(list_kept)
        orphans = _orphans(known, kept)

        def work(opened: Opened) -> None:
            for id_ in orphans:
                destroy(opened, id_)

        token.use(work)
        return replace(_compared(known, kept, kept), removed=len(orphans))


def adopt_keys(settings: Settings) -> bool:
    """Say in restored data that they are the only ones with their keys; answer whether that was not said before."""

    async def work(data: Data) -> bool:
        if not await _is_restored(data):
            return False
        await data.storage.change(_adopt)
        return True

    return on_data(settings, work)


async def _adopt(stores: Stores) -> tuple[None, Record]:
    await stores.facts.put(RESTORED_FACT, b"")
    return None, local_record("Strongroom.Hsm/adopt", now=real_now(), properties={})


async def _is_restored(data: Data) -> bool:
    return await is_restored(data.storage.read().facts)


def _compared(known: _Known, before: Mapping[bytes, str], after: Mapping[bytes, str]) -> Inventory:
    """Compare. before, after: the token's keys as they were before the data were read, and after that."""
    orphans = _orphans(known, {id_: owner for id_, owner in before.items() if id_ in after})
    return Inventory(
        referred=len(known.keys),
        missing=tuple(sorted(name for id_, name in known.keys.items() if id_ not in before and id_ not in after)),
        orphans=tuple(f"{id_.hex()} of the vault {name}" for id_, name in orphans.items()),
        of_others=sum(owner not in known.vaults for owner in after.values()),
    )


def _orphans(known: _Known, kept: Mapping[bytes, str]) -> dict[bytes, str]:
    return {id_: known.vaults[owner] for id_, owner in kept.items() if id_ not in known.keys and owner in known.vaults}


async def _known(data: Data) -> _Known:
    stores = data.storage.read()
    vaults = await list_all(stores)
    keys: dict[bytes, str] = {}
    for vault in vaults:
        async for key in versions_of(stores.keys, vault.vault_id):
            if key.version.platform != PLATFORM:
                continue
            name = f"{vault.name}/keys/{key.state.name}/{key.version.version}"
            where = open_handle(data.custodian, *await locate(stores.keyring, key))
            keys[where.id] = name
    return _Known({vault.vault_id: vault.name for vault in vaults}, keys)
