"""The start of a server, step by step, so that one that must not start has changed nothing: place, key, storage, CA."""

import asyncio
import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from strongroom.audit.event import Record
from strongroom.audit.local import local_record
from strongroom.bootstrap import Installation, begin
from strongroom.cli.custody import begin_master_key, find_master_key, rotation_lock, source_of
from strongroom.cli.failure import CommandFailed
from strongroom.custody.master import MasterKey, settle
from strongroom.custody.sealing import Custodian
from strongroom.hosting.ca import Authority, TrustFiles, find_authority, make_authority
from strongroom.planes.stores import Stores
from strongroom.resources.facts import FactStore, is_restored
from strongroom.resources.locations import Locations
from strongroom.settings import Settings
from strongroom.storage.directory import prepare, schema_version
from strongroom.storage.master import find_description, has_keys
from strongroom.storage.sqlite import SqliteStorage

PROBE_BYTES = 1024 * 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a server starts with. new_authority: the CA was made just now, so that nobody trusts it yet.

    restored: the data came out of an archive, and nobody has said since that they are the only ones.
    """

    custodian: Custodian
    installation: Installation
    authority: Authority
    trust: TrustFiles
    new_authority: bool
    restored: bool


def make_data_folder(data_dir: Path) -> None:
    """Make the data directory, for its owner only; CommandFailed when that cannot be."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(data_dir)
        _write_something(data_dir / ".writable")
    except OSError as error:
        raise CommandFailed(f"the data directory {data_dir} cannot be written: {error.strerror}") from None


def _close_to_others(data_dir: Path) -> None:
    """Let nobody else into a data directory of ours, and say so where others could enter."""
    found = data_dir.stat()
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
        data_dir.chmod(0o700)
        log.warning("the data directory was open to others and is closed now", data_dir=str(data_dir))


def _write_something(probe: Path) -> None:
    """Write as much as a start needs, and take it away again; OSError when that cannot be, on a full disk for one."""
    try:
        with os.fdopen(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)


def require_usable(settings: Settings) -> MasterKey | None:
    """Raise unless the data directory, if there is one, is of this version and has its key; changes nothing.

    Returns the master key, None where there are no data. CommandFailed, MasterKeyExposed, MasterKeyWrong, or
    DataDirectoryNewer.
    """
    if _is_unbegun(settings):
        return None
    master = find_master_key(settings)
    if settings.master_key_passphrase_file is not None and master.kind != "passphrase":
        log.warning(
            "the data lie under a key in a file: the passphrase is not used", file=str(settings.master_key_file)
        )
    if settings.master_key_hsm and master.kind != "hsm":
        log.warning(
            "the HSM did not wrap the master key of these data; run: strongroom rotate master-key --to hsm",
            kind=master.kind,
        )
    return master


def begin_server(settings: Settings, known: MasterKey | None, now: datetime) -> Beginning:
    """Prepare the data directory, of which the lock is held: its key, its schema, what a first start makes, its CA.

    known: what `require_usable` returned, so that nobody is asked twice.
    """
    master = _master_key(settings, known)
    custodian = Custodian(master.key, master.derivation)
    prepare(settings.data_dir)
    return asyncio.run(_begin(settings, custodian, now))


def _master_key(settings: Settings, known: MasterKey | None) -> MasterKey:
    """Return the master key; one is made only where there are no data. A rotation that was cut short is settled."""
    if _is_unbegun(settings):
        return begin_master_key(settings)
    description = find_description(settings.data_dir)
    with rotation_lock(settings.data_dir) as is_ours:
        if is_ours:
            settle(source_of(settings), description)
    if known is None or (description is not None and known.master_id != description.master_id):
        return find_master_key(settings)
    return known


def _is_unbegun(settings: Settings) -> bool:
    """Answer whether there are no data yet; a first start that was cut short before its passphrase counted is none."""
    if schema_version(settings.data_dir) is None:
        return True
    return settings.master_key_passphrase_file is not None and not has_keys(settings.data_dir)


async def _begin(settings: Settings, custodian: Custodian, now: datetime) -> Beginning:
    storage = SqliteStorage.open(settings.data_dir, custodian)
    try:
        locations = Locations(settings.location)
        installation = await begin(storage, custodian, dev=settings.dev, locations=locations, now=now)
        stores = storage.read()
        kept = await find_authority(stores.facts, stores.keyring, custodian, settings.domain)
        authority = kept or await _make_authority(storage, custodian, settings.domain, now)
        return Beginning(
            custodian=custodian,
            installation=installation,
            authority=authority,
            trust=authority.write_trust(settings.data_dir),
            new_authority=kept is None,
            restored=await _is_restored(settings, stores.facts),
        )
    finally:
        storage.close()


async def _is_restored(settings: Settings, facts: FactStore) -> bool:
    """Answer whether data were restored, and say what that means where there is an HSM."""
    restored = await is_restored(facts)
    if restored and settings.hsm_module is not None:
        log.warning(
            "these data were restored: keys that are purged stay in the HSM, since others may use them, until you run: "
            "strongroom hsm adopt"
        )
    return restored


async def _make_authority(storage: SqliteStorage, custodian: Custodian, domain: str, now: datetime) -> Authority:
    async def work(stores: Stores) -> tuple[Authority, Record]:
        authority = await make_authority(stores.facts, stores.keyring, custodian, domain, now)
        properties = {"domain": domain, "subject": authority.certificate.subject.rfc4514_string()}
        return authority, local_record("Strongroom.Authority/create", now=now, properties=properties, actor="server")

    return await storage.change(work)
