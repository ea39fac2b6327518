"""A storage of dictionaries: what every store promises, without a disk. For tests of what stands on a storage.

Each store is in `memory/`, in a module of the name that `Stores` gives it.
"""

import json
from datetime import UTC, datetime
from functools import cache

import msgspec

from memory.assignments import MemoryAssignments
from memory.connections import MemoryConnections
from memory.facts import MemoryFacts
from memory.identity import MemoryIdentity
from memory.keyring import MemoryKeyring
from memory.keys import MemoryKeys
from memory.locks import MemoryLocks
from memory.networks import MemoryNetworks
from memory.records import MemoryRecords
from memory.resources import MemoryResources
from memory.roles import MemoryRoles
from memory.secrets import MemorySecrets
from memory.vaults import MemoryVaults
from strongroom.access.identity.applications import Applications
from strongroom.access.identity.audiences import Service, own_audience
from strongroom.access.identity.model import Tenant
from strongroom.access.identity.signing import SigningKeys, make_signing_key
from strongroom.access.identity.tokens import Credential, claims_for, sign_token
from strongroom.audit.event import Category
from strongroom.clock import real_now
from strongroom.custody.sealing import Custodian
from strongroom.custody.store import Purpose
from strongroom.errors import StorageUnavailable
from strongroom.sensitive import Sensitive
from strongroom.storage.session import Unchanged

TENANT = Tenant(
    tenant_id="7a3c1d52-5e0b-4b0e-9a51-0c8f6d2e4b11", display_name="Default", created=datetime(2026, 1, 1, tzinfo=UTC)
)
SERVER_PURPOSES = (Purpose.SERVER, Purpose.CLIENT_SECRETS, Purpose.PAGING, Purpose.ROWS)


@cache
def a_custodian():
    return Custodian(Sensitive(bytes(range(32))))


@cache
def _server_keys():
    return {purpose: a_custodian().new_key(purpose, "", 1, TENANT.created) for purpose in SERVER_PURPOSES}


@cache
def a_signing_key(number=1):
    """Return a signing key sealed under the server key of every `MemoryStorage`; making one takes its time."""
    return make_signing_key(a_custodian(), _server_keys()[Purpose.SERVER], TENANT.created)


async def sign_up(storage, display_name="app"):
    """Return a new application in the default tenant, with its secret; tenant and signing key are made if absent."""
    identity = storage.stores.identity
    if not identity.tenants:
        await identity.add_tenant(TENANT)
        await identity.add_signing_key(a_signing_key())
    applications = Applications(identity, storage.stores.keyring, storage.custodian)
    application, secret = await applications.create(display_name, tenant_id=TENANT.tenant_id, now=real_now())
    return application, secret.reveal()


async def token_for(storage, application, *, audience=None, domain="localhost", now=None, **claims):
    """Return a token for `application`, by default for the vaults of `domain`; `claims` replaces what it says."""
    key = await SigningKeys(storage.custodian).current(storage.stores.identity, storage.stores.keyring, real_now())
    said = claims_for(
        application,
        audience or own_audience(Service.VAULT, domain),
        domain=domain,
        credential=Credential.SECRET,
        now=now or real_now(),
    )
    return sign_token(msgspec.structs.replace(said, **claims), key)


class MemoryStorage:
    """`stores` to look into, `records` in the order in which they were made; what a change raises undoes it.

    broken: when set, nothing can be made durable.
    """

    def __init__(self, custodian=None):
        self.custodian = custodian or a_custodian()
        self.stores = MemoryStores()
        self.records = []
        self.stores.records = MemoryRecords(self)
        self.broken = False
        if custodian is None or custodian is a_custodian():
            self.stores.keyring.keys.extend(_server_keys().values())
        else:
            self.stores.keyring.keys.extend(custodian.new_key(each, "", 1, real_now()) for each in SERVER_PURPOSES)

    def read(self):
        return self.stores

    async def change(self, work):
        before = self.stores.snapshot()
        try:
            result, *records = await work(self.stores)
            if self.broken:
                raise StorageUnavailable("The storage is broken.")
        except BaseException:
            self.stores.restore(before)
            raise
        self.records.extend(records)
        return result

    async def record(self, record):
        if self.broken:
            raise StorageUnavailable("The storage is broken.")
        self.records.append(record)

    def bodies(self, category: Category | None = None):
        """Return the decoded bodies of the records, of one category if given."""
        bodies = [json.loads(record.body) for record in self.records]
        return [body for body in bodies if category is None or body["category"] == category.value]


class MemoryStores:
    def __init__(self):
        self.assignments = MemoryAssignments()
        self.connections = MemoryConnections()
        self.facts = MemoryFacts()
        self.identity = MemoryIdentity()
        self.keyring = MemoryKeyring()
        self.locks = MemoryLocks()
        self.networks = MemoryNetworks()
        self.resources = MemoryResources()
        self.roles = MemoryRoles()
        self.keys = MemoryKeys()
        self.secrets = MemorySecrets()
        self.vaults = MemoryVaults((self.keys, self.secrets), self.keyring, self.connections)
        self.unchanged = Unchanged(forgetful=True)  # tests change things here behind the storage's back

    def _all(self):
        return (
            self.assignments,
            self.connections,
            self.facts,
            self.identity,
            self.keyring,
            self.keys,
            self.locks,
            self.networks,
            self.resources,
            self.roles,
            self.secrets,
            self.vaults,
        )

    def snapshot(self):
        return [store.snapshot() for store in self._all()]

    def restore(self, snapshot):
        for store, state in zip(self._all(), snapshot, strict=True):
            store.restore(state)
