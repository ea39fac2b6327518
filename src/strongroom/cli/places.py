"""Where something is, as the options of commands name it."""

from typing import TYPE_CHECKING

from strongroom.cli.failure import CommandFailed

if TYPE_CHECKING:
    from strongroom.cli.data import Data
    from strongroom.planes.stores import Stores
    from strongroom.vaults.model import Vault


async def scope_named(data: "Data", *, scope: str | None, group: str | None, vault: str | None) -> str:
    """Return the resource id that the options name: the subscription when they name none."""
    from strongroom.ids import group_scope, subscription_scope
    from strongroom.vaults.model import id_of_vault

    if sum(each is not None for each in (scope, group, vault)) > 1:
        raise CommandFailed("give one of --scope, --group and --vault")
    subscription_id = (await data.installation()).subscription_id
    if vault is not None:
        return id_of_vault(await get_vault(data.storage.read(), vault))
    if group is not None:
        return group_scope(subscription_id, group)
    return scope or subscription_scope(subscription_id)


def object_named(vault: str | None, *, secret: str | None, key: str | None) -> str:
    """Return what follows a vault's resource id for one object of it, "" for none."""
    named = [(kind, name) for kind, name in (("secrets", secret), ("keys", key)) if name is not None]
    if not named:
        return ""
    if vault is None or len(named) > 1:
        raise CommandFailed("give one of --secret and --key, with the --vault that it is in")
    return "/" + "/".join(named[0])


async def get_vault(stores: "Stores", name: str) -> "Vault":
    """Return the living vault of a name; CommandFailed when there is none."""
    found = await stores.vaults.find(name)
    if found is None or found.deletion is not None:
        raise CommandFailed(f"there is no vault '{name}'")
    return found
