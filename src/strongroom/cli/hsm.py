"""`strongroom hsm`: what the HSM of a server can do, and whether its keys are those that the server knows."""

from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.shown import columns, format_option, show_one

if TYPE_CHECKING:
    from strongroom.cli.inventory import Inventory
    from strongroom.custody.token import Token
    from strongroom.settings import Settings


@click.group(name="hsm")
def command() -> None:
    """Look at the HSM that keeps the keys of premium vaults.

    \b
    strongroom hsm check --hsm-module /usr/lib/softhsm/libsofthsm2.so --hsm-token vaults --hsm-pin-file pin
    """


@command.command(name="check")
@click.option("--remove-orphans", is_flag=True, help="Destroy keys of this server's vaults that nobody refers to.")
@format_option
@settings_options(*PLACE)
def check(*, remove_orphans: bool, as_json: bool, **flags: Any) -> int:
    """Say what the HSM can do, and compare its keys with the vaults'.

    Each algorithm, each kind of key and the import of wrapped ones are tried, with keys that end with the trial. A key
    that a vault refers to and the HSM does not have is a problem (exit code 1). One that no vault refers to was left by
    a server that was stopped while it made, took or purged a key: --remove-orphans destroys it, while no server runs on
    the data. Keys of vaults that these data do not know are counted and left alone: they may be another server's, or of
    a vault that was purged.
    """
    from strongroom.cli.data import unlock
    from strongroom.cli.inventory import remove_orphans as remove
    from strongroom.cli.inventory import take_inventory
    from strongroom.storage.directory import schema_version

    settings = settings_from(flags)
    token = _required_token(settings)
    master = unlock(settings) if schema_version(settings.data_dir) is not None else None
    look = remove if remove_orphans else take_inventory
    try:
        abilities = find_abilities(token)
        inventory = None if master is None else look(settings, master, token)
    finally:
        token.close()
    if as_json:
        show_one({**abilities, **_counted(inventory)}, as_json=True)
    else:
        _show(abilities, inventory)
    return 1 if inventory is not None and inventory.missing else 0


@command.command(name="adopt")
@settings_options(*PLACE)
def adopt(**flags: Any) -> None:
    """Say of restored data that they alone use the HSM's keys now.

    Until then a server on restored data destroys nothing in the HSM: what is purged there may be a key that the server
    it was copied from goes on to use. Counts from the next start on. Never say it of a rehearsal.
    """
    from strongroom.cli.inventory import adopt_keys

    if adopt_keys(settings_from(flags)):
        click.echo("from the next start on, keys that are purged are destroyed in the HSM")
    else:
        click.echo("nothing to do: these data were not restored, or have their keys already")


def find_abilities(token: "Token") -> dict[str, Any]:
    """Return who made the HSM, and whether it does each kind of key, algorithm and wrapped key; each is tried."""
    from strongroom.custody.abilities import (
        TRANSFERRED,
        all_algorithms,
        all_specs,
        can_make,
        find_mechanism,
        find_transfer,
    )
    from strongroom.custody.token import Opened

    def look(opened: Opened) -> dict[str, Any]:
        found = opened.session.token
        return {
            "token": found.label,
            "serial": found.serial.decode(errors="replace"),
            "model": found.model,
            "manufacturer": found.manufacturer_id,
            "keys": {_name_of(spec): can_make(opened, spec) for spec in all_specs()},
            "algorithms": {row.name: find_mechanism(opened, row) is not None for row in all_algorithms()},
            "wrappedKeys": {f"{type_}-HSM": find_transfer(opened, type_) is not None for type_ in TRANSFERRED},
        }

    return token.use(look)


def _required_token(settings: "Settings") -> "Token":
    from strongroom.cli.token import find_token

    token = find_token(settings)
    if token is None:
        raise CommandFailed("no HSM is configured: --hsm-module, --hsm-token and --hsm-pin-file name one")
    return token


def _name_of(spec: Any) -> str:
    return f"{spec.type}-HSM {spec.curve or spec.bits}"


def _counted(inventory: "Inventory | None") -> dict[str, Any]:
    """Return what is said of the keys, nothing where there are no data to compare with."""
    if inventory is None:
        return {}
    return {
        "referred": inventory.referred,
        "missing": list(inventory.missing),
        "orphans": list(inventory.orphans),
        "removed": inventory.removed,
        "ofOthers": inventory.of_others,
    }


def _show(abilities: dict[str, Any], inventory: "Inventory | None") -> None:
    told = [
        ["token", f"{abilities['token']} ({abilities['manufacturer']} {abilities['model']}, {abilities['serial']})"]
    ]
    told += [[name, "yes" if can else "no"] for part in ("keys", "algorithms") for name, can in abilities[part].items()]
    told += [[f"{name} that comes wrapped", "yes" if can else "no"] for name, can in abilities["wrappedKeys"].items()]
    for line in columns(told):
        click.echo(line)
    if inventory is None:
        click.echo("\nthere are no data to compare the keys with")
        return
    click.echo(f"\n{inventory.referred} keys are referred to, {inventory.of_others} are of vaults not known here")
    for text in inventory.missing:
        click.echo(f"problem: the HSM does not have the key {text}; restore the token from its own backup")
    for text in inventory.orphans:
        click.echo(f"nobody refers to {text}" + ("" if inventory.removed else "; --remove-orphans destroys it"))
    if inventory.removed:
        click.echo(f"{inventory.removed} keys that nobody referred to were destroyed")
