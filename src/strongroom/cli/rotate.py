"""`strongroom rotate`: new keys for old ones, while the server serves. Works on the data directory, beside it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.durations import DURATION
from strongroom.cli.failure import CommandFailed
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.shown import shown_time

if TYPE_CHECKING:
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.cli.succeeding import Succession
    from strongroom.planes.stores import Stores

FILE = click.Path(dir_okay=False, path_type=Path)
IN_THE_DATA = (
    "the new key lies in the data, sealed under the master key, and in every backup from now on: nothing to copy"
)


@click.group(name="rotate")
def command() -> None:
    """Put new keys in the place of old ones, while the server serves; no request fails and no token ends by it.

    A rotation that is cut short, by kill -9 or a power cut, loses nothing: run the same command again, and it goes on
    where it stopped. Each is recorded.

    \b
    strongroom rotate master-key          # the key that opens everything else
    strongroom rotate vault pay           # the key under which a vault's values lie; --all for every vault
    strongroom rotate signing-key         # the key that signs tokens
    """


@command.command(name="master-key")
@click.option(
    "--to", "kind", type=click.Choice(["file", "hsm", "passphrase"]), help="What to go over to. [default: the same]"
)
@click.option("--new-file", type=FILE, help="Write the new key to this file, which must not exist, and leave the old.")
@click.option(
    "--new-passphrase-file", type=FILE, help="The new passphrase lies in this file. [default: asked on the terminal]"
)
@settings_options(*PLACE)
def master_key(*, kind: str | None, new_file: Path | None, new_passphrase_file: Path | None, **flags: Any) -> None:
    """Lay the data under a new master key.

    A key in a file is replaced there, and the old one kept beside it: backups made before open with the old key only. A
    passphrase's file is treated likewise: the new passphrase is written into it, wherever it was read from. With
    --to hsm the file holds a key that only the HSM opens. A running server takes the new key over by itself. Where
    either key lies and what the next start needs is said at the end.

    Values do not change keys by this: whoever had the old master key and the data can still read what they read then.
    """
    from strongroom.cli.succeeding import Wish, rotate_master_key

    if new_file is not None and (kind == "passphrase" or new_passphrase_file is not None):
        raise click.UsageError("--new-file is for a key in a file, not for a passphrase")
    if new_passphrase_file is not None and kind in {"file", "hsm"}:
        raise click.UsageError("--new-passphrase-file is for a passphrase, not for a key in a file")
    if kind is None and new_passphrase_file:
        kind = "passphrase"
    wish = Wish(
        kind=kind,
        new_file=new_file.absolute() if new_file else None,
        new_passphrase_file=new_passphrase_file.absolute() if new_passphrase_file else None,
    )
    _tell_succession(rotate_master_key(settings_from(flags), wish), wish.new_passphrase_file)


@command.command(name="vault")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every vault, deleted ones too.")
@settings_options(*PLACE)
def vault(names: tuple[str, ...], *, every: bool, **flags: Any) -> None:
    """Give vaults a new data key. New values lie under it at once, old ones are sealed anew one batch after another.

    The old key is removed when nothing lies under it any more. Names, versions and ids of secrets stay what they are;
    object backups lie under a key of their own and stay valid.
    """
    from strongroom.cli.resealing import rotate_vaults

    if bool(names) == every:
        raise click.UsageError("name the vaults, or say --all")
    done = rotate_vaults(settings_from(flags), names)
    vaults = "1 vault" if done.vaults == 1 else f"{done.vaults:,} vaults"
    values = "1 value" if done.values == 1 else f"{done.values:,} values"
    if done.resumed:
        click.echo(f"finished what was begun before: {vaults}, {values} sealed anew; to rotate again, run it again")
    else:
        click.echo(f"rotated {vaults}, {values} sealed anew")
    click.echo(IN_THE_DATA)


@command.command(name="signing-key")
@click.option(
    "--overlap",
    type=DURATION,
    default="1h",
    show_default=True,
    help="How long the new key is published before it signs.",
)
@click.option("--now", "at_once", is_flag=True, help="Let the new key sign at once.")
@click.option(
    "--revoke-old", is_flag=True, help="The old key is compromised: refuse its tokens from the next request on."
)
@settings_options(*PLACE)
def signing_key(*, overlap: timedelta, at_once: bool, revoke_old: bool, **flags: Any) -> None:
    """Let a new key sign tokens.

    It is published first, and signs after the overlap. Tokens of the old key stay good until they expire, an hour at
    most; then the old key is removed by itself. With --revoke-old all of them are refused at once, and clients have to
    sign in anew: those that keep a token in memory may have to be restarted.
    """
    from strongroom.cli.data import on_data
    from strongroom.clock import real_now, whole_seconds

    now = real_now()
    begins = whole_seconds(now if at_once or revoke_old else now + overlap)
    kid = on_data(settings_from(flags), lambda data: _rotate_signing_key(data, now, begins, revoke=revoke_old))
    click.echo(f"the key {kid} signs " + ("now" if begins <= now else f"from {shown_time(begins)} on"))
    click.echo("every token signed before is refused" if revoke_old else "tokens signed before live out their lives")
    click.echo(IN_THE_DATA)


async def _rotate_signing_key(data: "Data", now: datetime, begins: datetime, *, revoke: bool) -> str:
    """Make the key that signs from `begins` on, and return its id."""
    from strongroom.access.identity.signing import make_signing_key, rotate_signing_key
    from strongroom.audit.local import local_record
    from strongroom.clock import whole_seconds
    from strongroom.custody.store import Purpose

    server_key = await data.storage.read().keyring.newest(Purpose.SERVER)
    if server_key is None:
        raise CommandFailed("the keyring has no key for the server itself; start the server once to make one")
    made = make_signing_key(
        data.custodian, server_key, whole_seconds(now), begins
    )  # outside of the change, which others wait for

    async def unit(stores: "Stores") -> tuple[str, "Record"]:
        before = await rotate_signing_key(stores.identity, made, revoke=revoke)
        properties = {
            "keyId": made.kid,
            "begins": f"{begins:%Y-%m-%dT%H:%M:%SZ}",
            "previousKeyIds": before,
            "revoked": revoke,
        }
        return made.kid, local_record("Strongroom.SigningKey/rotate", now=now, properties=properties)

    return await data.storage.change(unit)


def _tell_succession(done: "Succession", read: Path | None) -> None:
    """Say what lies where now. read: the file that a new passphrase was read from."""
    click.echo(f"the data lie under the master key {done.after[:8]} now, before under {done.before[:8]}")
    click.echo(_told_new(done))
    if read not in (None, done.place):
        click.echo(f"{read} was only read and is needed no more: remove it")
    click.echo(f"{_told_old(done)}: backups made before open with nothing else, keep it as long as there are any")
    click.echo(_told_start(done))


def _told_new(done: "Succession") -> str:
    copy = "copy it at once to where neither the data nor their backups are; without it they open no more"
    if done.kind == "file":
        return f"the new key lies in {done.place}: {copy}"
    if done.kind == "hsm":
        return f"the new key lies in {done.place}, and only the HSM opens it: {copy}, nor without the HSM or its backup"
    if done.place is not None:
        return f"the new passphrase lies, in clear, in {done.place}: {copy}"
    return "the new passphrase lies nowhere on this machine: keep it in a safe place; without it the data open no more"


def _told_old(done: "Succession") -> str:
    what = "passphrase" if done.old_kind == "passphrase" else "key"
    if done.kept is None:
        return f"the old {what} is kept by no file of ours"
    clear = ", in clear," if what == "passphrase" or (done.old_kind, done.kind) == ("file", "hsm") else ""
    renamed = f" (renamed from {done.old_file})" if done.kept != done.old_file != done.place else ""
    return f"the old {what} lies{clear} in {done.kept}{renamed}"


def _told_start(done: "Succession") -> str:
    option = "--master-key-passphrase-file" if done.kind == "passphrase" else "--master-key-file"
    if not done.configured:
        return f"before the next start: set {option} {done.place}, or make what it holds the credential"
    if done.place is None:
        return "the next start asks for the new passphrase"
    if done.kind != "passphrase" and done.old_kind == "passphrase" and done.old_file is not None:
        return "the next start needs nothing new; --master-key-passphrase-file is not used any more, drop it"
    return "the next start needs nothing new"
