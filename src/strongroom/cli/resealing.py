"""The rotation of vaults' data keys: the next keys at once, old values batch by batch, with progress."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from strongroom.audit.event import Record
from strongroom.audit.local import local_record
from strongroom.cli.custody import rotating
from strongroom.cli.data import Data, on_data
from strongroom.cli.failure import CommandFailed
from strongroom.cli.shown import progress_bar
from strongroom.clock import real_now
from strongroom.custody.software import SoftwareProvider
from strongroom.custody.store import Purpose
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.keys.service import Keys
from strongroom.objects.lifecycle import Kind
from strongroom.objects.resealing import Batch, begin, finish, reseal, unfinished
from strongroom.objects.secrets.service import Secrets
from strongroom.objects.service import Objects
from strongroom.objects.store import every_kind
from strongroom.planes.stores import Stores
from strongroom.settings import Settings
from strongroom.storage.archive import Progress
from strongroom.vaults.census import list_all
from strongroom.vaults.model import Vault, id_of_vault

T = TypeVar("T")
Kinds = Sequence[Objects[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What was done. resumed: what an earlier command had begun was finished, and nothing new begun."""

    vaults: int
    values: int
    resumed: bool


class _Gone(Exception):
    """The vault was purged meanwhile, with all that it held."""


def rotate_vaults(settings: Settings, names: Sequence[str]) -> Rotation:
    """Give vaults new data keys, all vaults when no names are given; deleted ones too.

    If the rotation of one of them was cut short, such are finished instead, and no other is begun. CommandFailed when
    there is no vault of a name, or another rotation is under way.
    """

    async def work(data: Data) -> Rotation:
        stores = data.storage.read()
        begun = await unfinished(stores.keyring)
        chosen = await _chosen(stores, names)
        vaults = [vault for vault in chosen if vault.vault_id in begun] or chosen
        if vaults and vaults[0].vault_id not in begun:
            await _begin(data, vaults)
        values = await _follow_all(data, vaults)
        return Rotation(vaults=len(vaults), values=values, resumed=bool(vaults) and vaults[0].vault_id in begun)

    with rotating(settings.data_dir):
        return on_data(settings, work)


async def _chosen(stores: Stores, names: Sequence[str]) -> list[Vault]:
    if names:
        found = [(name, await stores.vaults.find(name)) for name in names]
        missing = [name for name, vault in found if vault is None]
        if missing:
            raise CommandFailed(f"there is no vault '{missing[0]}'; a vault goes by its name alone")
        return [vault for _, vault in found if vault is not None]
    return sorted(await list_all(stores), key=lambda vault: vault.name)


async def _begin(data: Data, vaults: Sequence[Vault]) -> None:
    async def work(stores: Stores) -> tuple[None, Record]:
        now = real_now()
        there = [vault for vault in vaults if await _is_there(stores, vault)]
        keys = await begin(stores.keyring, data.custodian, there, now)
        made = {vault.name: key.key_id for vault, key in zip(there, keys, strict=True)}
        return None, local_record("Strongroom.VaultKey/rotate", now=now, properties={"dataKeyIds": made})

    await data.storage.change(work)


async def _follow_all(data: Data, vaults: Sequence[Vault]) -> int:
    """Seal every value of vaults under their newest keys; return how many there were."""
    done = 0
    with progress_bar(
        "sealing values anew", sum([sum((await _left(data, vault)).values()) for vault in vaults])
    ) as reach:
        for vault in vaults:
            done += await _follow_through(data, vault, done, reach)
    return done


async def _follow_through(data: Data, vault: Vault, before: int, reach: Progress) -> int:
    """Seal every value of a vault under its newest key and remove the others; return how many values there were.

    before: how many of other vaults are done; reach is told the sum.
    """
    done = 0
    with suppress(_Gone):
        for kind, total in (await _left(data, vault)).items():
            goal, batch = done + total, Batch(0, None)
            while done < goal:
                batch = await _reseal(data, vault, kind, batch.last)
                if not batch.count:
                    break
                done += batch.count
                reach(before + done)
        await _end(data, vault)
    return done


async def _left(data: Data, vault: Vault) -> dict[Kind, int]:
    stores = data.storage.read()
    key = await stores.keyring.newest(Purpose.VAULT, vault.vault_id)
    if key is None:
        return {}
    return {store.kind: await store.count_sealed_before(vault.vault_id, key.key_id) for store in every_kind(stores)}


async def _reseal(data: Data, vault: Vault, kind: Kind, after: tuple[str, str] | None) -> Batch:
    async def step(kinds: Kinds) -> tuple[Batch, dict[str, Any]]:
        objects = next(each for each in kinds if each.kind is kind)
        batch = await reseal(objects, after)
        key = await objects.vault_key()
        return batch, {"dataKeyId": key.key_id, "values": batch.count}

    return await _change(data, vault, "Strongroom.VaultKey/reseal", step)


async def _end(data: Data, vault: Vault) -> None:
    async def step(kinds: Kinds) -> tuple[None, dict[str, Any]]:
        removed = await finish(kinds)
        return None, {"dataKeyId": (await kinds[0].vault_key()).key_id, "removedDataKeyIds": removed}

    await _change(data, vault, "Strongroom.VaultKey/finish", step)


async def _change(
    data: Data, vault: Vault, operation: str, step: Callable[[Kinds], Awaitable[tuple[T, dict[str, Any]]]]
) -> T:
    """Run one step on a vault as a change with its record; _Gone when the vault is gone."""

    async def work(stores: Stores) -> tuple[T, Record]:
        now = real_now()
        if not await _is_there(stores, vault):
            raise _Gone
        result, said = await step(_kinds(data, stores, vault, now))
        return result, local_record(
            operation,
            now=now,
            properties=said,
            resource_id=id_of_vault(vault),
        )

    return await data.storage.change(work)


def _kinds(data: Data, stores: Stores, vault: Vault, now: datetime) -> Kinds:
    """Return all that a vault holds. Keys move as those who keep them do it."""
    keepers = Keepers(software=SoftwareProvider(data.custodian))
    return (
        Keys(stores.keys, stores.keyring, data.custodian, keepers=keepers, vault=vault, now=now),
        Secrets(stores.secrets, stores.keyring, data.custodian, vault=vault, now=now),
    )


async def _is_there(stores: Stores, vault: Vault) -> bool:
    found = await stores.vaults.find(vault.name)
    return found is not None and found.vault_id == vault.vault_id
