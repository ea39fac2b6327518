"""All that decides access, as commands read it, and how they show what they found of it."""

from typing import TYPE_CHECKING

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.shown import columns

if TYPE_CHECKING:
    from strongroom.access.authorization.world import Atlas, World
    from strongroom.cli.data import Data
    from strongroom.vaults.model import Vault


async def read_atlas(data: "Data") -> "Atlas":
    """Return all that decides access as it is now, in the time that vaults live in."""
    from strongroom.access.authorization.world import Atlas, read_world
    from strongroom.clock import real_now, shift
    from strongroom.resources.facts import clock_offset

    stores = data.storage.read()
    now = shift(real_now(), await clock_offset(stores.facts))
    return Atlas(await read_world(stores, now=now))


def vault_named(world: "World", name: str) -> "Vault":
    """Return a living vault; CommandFailed when there is none of that name."""
    found = next((each for each in world.vaults if each.name.lower() == name.lower()), None)
    if found is None:
        known = ", ".join(sorted(each.name for each in world.vaults)[:10])
        raise CommandFailed(f"there is no vault '{name}'; there are: {known or 'none'}")
    return found


def show_table(head: list[str], rows: list[list[str]]) -> None:
    """Print rows under their heads, a word where there are none."""
    if not rows:
        click.echo("nobody" if head[0] == "who" else "nothing")
        return
    for line in columns([head, *rows]):
        click.echo(line)
