"""The start of a server, step by step, so that one that must not start has changed nothing: place, key, storage, CA."""

import asyncio
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from strongroom.audit.event import Record
from strongroom.audit.local import local_record
from strongroom.bootstrap import Installation, begin
from strongroom.cli.data import require_master_key
from strongroom.cli.failure import CommandFailed
from strongroom.custody.master import load_master_key, make_master_key
from strongroom.custody.sealing import Custodian
from strongroom.hosting.ca import Authority, TrustFiles, find_authority, make_authority
from strongroom.planes.stores import Stores
from strongroom.resources.locations import Locations
from strongroom.sensitive import Sensitive
from strongroom.settings import Settings
from strongroom.storage.directory import prepare, schema_version
from strongroom.storage.sqlite import SqliteStorage

PROBE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a server starts with. new_authority: the CA was made just now, so that nobody trusts it yet."""

    custodian: Custodian
    installation: Installation
    authority: Authority
    trust: TrustFiles
    new_authority: bool


def make_data_folder(data_dir: Path) -> None:
    """Make the data directory, for its owner only; CommandFailed when that cannot be."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_something(data_dir / ".writable")
    except OSError as error:
        raise CommandFailed(f"the data directory {data_dir} cannot be written: {error.strerror}") from None


def _write_something(probe: Path) -> None:
    """Write as much as a start needs, and take it away again; OSError when that cannot be, on a full disk for one."""
    try:
        with os.fdopen(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)


def require_usable(settings: Settings) -> None:
    """Raise unless the data directory, if there is one, is of this version and has its key; changes nothing.

    CommandFailed, MasterKeyExposed, MasterKeyWrong, or DataDirectoryNewer.
    """
    if schema_version(settings.data_dir) is not None:
        require_master_key(settings.master_key_file, settings.data_dir)


def begin_server(settings: Settings, now: datetime) -> Beginning:
    """Prepare the data directory, of which the lock is held: its key, its schema, what a first start makes, its CA."""
    custodian = Custodian(_master_key(settings))
    prepare(settings.data_dir)
    return asyncio.run(_begin(settings, custodian, now))


def _master_key(settings: Settings) -> Sensitive[bytes]:
    """Return the master key; one is made only where there is neither data nor key."""
    if schema_version(settings.data_dir) is not None:
        return require_master_key(settings.master_key_file, settings.data_dir)
    if settings.master_key_file.exists():
        return load_master_key(settings.master_key_file)
    try:
        return make_master_key(settings.master_key_file)
    except OSError as error:
        raise CommandFailed(f"the master key {settings.master_key_file} cannot be written: {error.strerror}") from None


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
        )
    finally:
        storage.close()


async def _make_authority(storage: SqliteStorage, custodian: Custodian, domain: str, now: datetime) -> Authority:
    async def work(stores: Stores) -> tuple[Authority, Record]:
        authority = await make_authority(stores.facts, stores.keyring, custodian, domain, now)
        properties = {"domain": domain, "subject": authority.certificate.subject.rfc4514_string()}
        return authority, local_record("Strongroom.Authority/create", now=now, properties=properties, actor="server")

    return await storage.change(work)
