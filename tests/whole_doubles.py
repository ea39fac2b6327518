"""A data directory in which everything there is is there once and opens: for what reads all of it."""

import asyncio
import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from canaries import MARK
from directory_doubles import a_membership, a_security_group, a_user
from storage_doubles import (
    CUSTODIAN,
    NOON,
    a_connection,
    a_data_directory,
    a_group,
    a_lock,
    a_network,
    a_record,
    a_role,
    a_subscription,
    a_tenant,
    adding,
    an_assignment,
)
from strongroom.access.identity.applications import Applications
from strongroom.access.identity.signing import make_signing_key
from strongroom.custody import elliptic
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeptKey, KeyType
from strongroom.custody.software import SoftwareProvider
from strongroom.custody.store import Purpose
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.keys.making import Made
from strongroom.objects.keys.model import KeyEdit
from strongroom.objects.keys.rotation import DEFAULT_POLICY
from strongroom.objects.keys.service import Keys
from strongroom.objects.secrets.model import SecretEdit
from strongroom.objects.secrets.service import Secrets
from strongroom.sensitive import Sensitive
from strongroom.storage.sqlite import SqliteStorage
from vault_doubles import a_vault

VALUE = f"{MARK}a value that no file shows"


async def _add_vault(stores, vault):
    await stores.vaults.add(vault)
    await stores.keyring.add(CUSTODIAN.new_key(Purpose.VAULT, vault.vault_id, 1, NOON))


async def _add_signing_key(stores):
    key = await stores.keyring.newest(Purpose.SERVER)
    await stores.identity.add_signing_key(make_signing_key(CUSTODIAN, key, NOON))


async def _add_application(stores):
    await Applications(stores.identity, stores.keyring, CUSTODIAN).create("payments", tenant_id="tenant-1", now=NOON)


def set_secret(name, value=VALUE, vault=None):
    """Return work that sets a secret and leaves its record."""

    async def work(stores):
        secrets = Secrets(stores.secrets, stores.keyring, CUSTODIAN, vault=vault or a_vault("kv1"), now=NOON)
        return await secrets.set(name, Sensitive(value.encode()), SecretEdit()), a_record(operationName="SecretSet")

    return work


def adding_a_key():
    """Return work that adds a key with a rotation policy and leaves its record."""
    vault, edit = a_vault("kv1"), KeyEdit()
    keepers = Keepers(software=SoftwareProvider(CUSTODIAN))

    async def work(stores):
        keys = Keys(stores.keys, stores.keyring, CUSTODIAN, keepers=keepers, vault=vault, now=NOON)
        key = await keys.vault_key()
        kept = elliptic.generate(spec_of(KeyType.EC))
        version = "0" * 32
        handle = CUSTODIAN.seal(key, kept.material(), keys.place("key", version))
        made = Made(
            version=version,
            key=key,
            kept=KeptKey(spec=kept.spec, handle=handle, public=kept.public),
            hsm=False,
            platform="0",
        )
        await keys.add("key", made, edit)
        await keys.set_policy("key", DEFAULT_POLICY)
        return None, a_record(operationName="KeyCreate")

    return work


async def fill(storage):
    """Put one of everything into a storage, two versions of a secret, and ten records."""
    await storage.change(
        adding(
            lambda stores: stores.identity.add_tenant(a_tenant()),
            _add_application,
            _add_signing_key,
            lambda stores: stores.resources.add_subscription(a_subscription()),
            lambda stores: stores.resources.put_group(a_group()),
            lambda stores: stores.facts.put("fact", b"value"),
            lambda stores: _add_vault(stores, a_vault("kv1")),
            lambda stores: _add_vault(stores, a_vault("kv2")),
            lambda stores: stores.assignments.add(an_assignment()),
            lambda stores: stores.roles.put(a_role()),
            lambda stores: stores.identity.add_user(a_user()),
            lambda stores: stores.identity.add_group(a_security_group()),
            lambda stores: stores.identity.add_membership(a_membership()),
            lambda stores: stores.locks.put(a_lock()),
            lambda stores: stores.networks.put(a_network()),
            lambda stores: stores.connections.put(a_connection()),
        )
    )
    for name in ("one", "one", "two"):
        await storage.change(set_secret(name))
    await storage.change(adding_a_key())
    for number in range(10):
        await storage.record(a_record(number))
    return storage


@functools.cache
def _whole_directory():
    """Return a data directory that was filled: a copy of it is made in no time."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-test-"))
    atexit.register(shutil.rmtree, folder)
    place = a_data_directory(folder / "data")

    async def begin():
        storage = SqliteStorage.open(place, CUSTODIAN)
        await fill(storage)
        storage.close()

    asyncio.run(begin())
    return place


def a_whole_directory(place):
    shutil.copytree(_whole_directory(), place)
    place.chmod(0o700)
    return place
