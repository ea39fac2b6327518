"""A storage of dictionaries: what every store promises, without a disk. For tests of what stands on a storage."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import msgspec
from msgspec import structs

from directory_doubles import MemoryPrincipals
from strongroom.access.authorization.evaluation import Holdings, Roles
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.access.identity.applications import Applications
from strongroom.access.identity.audiences import Service, own_audience
from strongroom.access.identity.model import Tenant
from strongroom.access.identity.signing import SigningKeys, make_signing_key
from strongroom.access.identity.tokens import Credential, claims_for, sign_token
from strongroom.audit.event import Category
from strongroom.audit.log import LONGEST_REQUEST, Entry
from strongroom.clock import real_now
from strongroom.custody.keyring import lies_under
from strongroom.custody.sealing import Custodian
from strongroom.custody.store import Purpose
from strongroom.errors import Conflict, NotFound, StorageUnavailable
from strongroom.ids import Scope
from strongroom.objects.keys.store import Due
from strongroom.objects.lifecycle import Kind
from strongroom.objects.model import Held
from strongroom.resources.networks.store import key_of_network
from strongroom.sensitive import Sensitive
from strongroom.storage.session import Unchanged
from strongroom.vaults.connections import ANY_PORT

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
        self.secrets = MemoryObjects(Kind.SECRET)
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


class _Memory:
    """Rows are frozen, so that a copy of the containers is a snapshot. `held` names them."""

    held = ()

    def snapshot(self):
        return {name: _copy(getattr(self, name)) for name in self.held}

    def restore(self, state):
        for name, container in state.items():
            setattr(self, name, container)


def _copy(container):
    if isinstance(container, dict):
        return {key: dict(value) if isinstance(value, dict) else value for key, value in container.items()}
    return list(container)


class MemoryAssignments(_Memory):
    held = ("rows",)

    def __init__(self):
        self.rows = []

    async def held_by(self, object_id, principals):
        everybody = (object_id, *sorted(principals - {object_id}))
        return tuple([Holdings(held) for each in everybody if (held := await self.list_for(each))])

    async def list_for(self, principal_id):
        return tuple(row for row in self.rows if row.principal_id == principal_id.lower())

    async def list_around(self, scope, *, below, after="", limit=None):
        place, rows = Scope.parse(scope), sorted(self.rows, key=lambda row: row.assignment_id)
        around = [row for row in rows if place.within(at := Scope(row.scope)) or (below and at.within(place))]
        return tuple([row for row in around if row.assignment_id > after][:limit])

    async def find(self, assignment_id):
        return next((row for row in self.rows if row.assignment_id == assignment_id.lower()), None)

    async def replace(self, assignment):
        if await self.find(assignment.assignment_id) is None:
            raise NotFound("There is no such role assignment.", code="RoleAssignmentNotFound")
        self.rows = [assignment if row.assignment_id == assignment.assignment_id else row for row in self.rows]

    async def list_all(self):
        return tuple(self.rows)

    async def add(self, assignment):
        key = (assignment.principal_id, assignment.role_id, assignment.scope)
        if any((row.principal_id, row.role_id, row.scope) == key for row in self.rows):
            raise Conflict("The role assignment already exists.", code="RoleAssignmentExists")
        self.rows.append(assignment)

    async def remove(self, assignment_id):
        left = [row for row in self.rows if row.assignment_id != assignment_id.lower()]
        if len(left) == len(self.rows):
            raise NotFound("There is no such role assignment.", code="RoleAssignmentNotFound")
        self.rows = left

    async def remove_within(self, scope):
        scope = scope.lower()
        self.rows = [r for r in self.rows if r.scope != scope and not r.scope.startswith(scope.rstrip("/") + "/")]

    async def remove_principal(self, principal_id):
        self.rows = [row for row in self.rows if row.principal_id != principal_id.lower()]


class MemoryRoles(_Memory):
    held = ("kept",)

    def __init__(self):
        self.kept = {}

    async def roles(self):
        return Roles((*BUILT_IN, *self.kept.values()))

    async def put(self, role):
        self.kept[role.role_id] = role

    async def remove(self, role_id):
        if self.kept.pop(role_id.lower(), None) is None:
            raise NotFound("There is no such role.", code="RoleDefinitionDoesNotExist")


class MemoryRecords:
    def __init__(self, storage):
        self._storage = storage

    def _kept(self):
        return [Entry(place, record, b"") for place, record in enumerate(self._storage.records, 1)]

    def position_after(self, moment):
        late = moment.timestamp() + LONGEST_REQUEST.total_seconds()
        return 1 + max((e.sequence for e in self._kept() if e.record.time.timestamp() <= late), default=0)

    def containing(self, before, span, needles):
        spanned = [each for each in self._kept() if before - span <= each.sequence < before]
        return tuple(each for each in spanned[::-1] if all(needle in each.record.body for needle in needles))

    def time_before(self, sequence):
        return next((each.record.time for each in self._kept()[::-1] if each.sequence < sequence), None)


class MemoryLocks(_Memory):
    held = ("rows",)

    def __init__(self):
        self.rows = {}

    async def list_in(self, subscription_id):
        return tuple(self.rows[key] for key in sorted(self.rows) if key[2] == subscription_id.lower())

    async def put(self, lock):
        self.rows[lock.scope.lower(), lock.name.lower(), lock.subscription_id.lower()] = lock

    async def remove(self, scope, name):
        found = [key for key in self.rows if key[:2] == (scope.lower(), name.lower())]
        if not found:
            raise NotFound("There is no such lock.", code="LockNotFound")
        del self.rows[found[0]]

    async def remove_within(self, scope):
        scope = scope.lower().rstrip("/")
        self.rows = {key: row for key, row in self.rows.items() if not f"{key[0]}/".startswith(f"{scope}/")}


class MemoryNetworks(_Memory):
    held = ("rows",)

    def __init__(self):
        self.rows = {}

    async def find(self, subscription_id, group, name):
        return self.rows.get((subscription_id.lower(), group.lower(), name.lower()))

    async def list_in(self, subscription_id, group=None, *, after="", limit=None):
        found = [
            row
            for key, row in self.rows.items()
            if key[0] == subscription_id.lower() and (group is None or key[1] == group.lower())
        ]
        past = [row for row in found if key_of_network(row) > after.lower()]
        return tuple(sorted(past, key=key_of_network)[:limit])

    async def count(self, subscription_id):
        return len(await self.list_in(subscription_id))

    async def put(self, network):
        self.rows[_key_of(network)] = network

    async def remove(self, network):
        if self.rows.pop(_key_of(network), None) is None:
            raise NotFound("There is no such network.", code="ResourceNotFound")

    async def remove_group(self, subscription_id, group):
        gone = (subscription_id.lower(), group.lower())
        self.rows = {key: row for key, row in self.rows.items() if key[:2] != gone}


def _key_of(network):
    return network.subscription_id.lower(), network.resource_group.lower(), network.name.lower()


class MemoryConnections(_Memory):
    held = ("rows",)

    def __init__(self):
        self.rows = {}

    async def list_all(self):
        return tuple(self.rows[key] for key in sorted(self.rows))

    async def find_at(self, address, port):
        found = [row for row in self.rows.values() if row.address == address and row.port in {port, ANY_PORT}]
        return max(found, key=lambda row: row.port, default=None)

    async def put(self, connection):
        key, place = (connection.vault_id, connection.name.lower()), (connection.address, connection.port)
        if any(place == (row.address, row.port) for other, row in self.rows.items() if other != key):
            raise Conflict("The place is taken.")
        self.rows[key] = connection

    async def remove(self, connection):
        if self.rows.pop((connection.vault_id, connection.name.lower()), None) is None:
            raise NotFound("There is no such endpoint.", code="ResourceNotFound")


class MemoryFacts(_Memory):
    held = ("values",)

    def __init__(self):
        self.values = {}

    async def get(self, name):
        return self.values.get(name)

    async def names(self):
        return tuple(self.values)

    async def put(self, name, value):
        self.values[name] = value


class MemoryIdentity(MemoryPrincipals, _Memory):
    held = ("tenants", "applications", "signing_keys", *MemoryPrincipals.held)

    def __init__(self):
        super().__init__()
        self.tenants = {}
        self.applications = {}
        self.signing_keys = []

    async def list_tenants(self):
        return tuple(self.tenants.values())

    async def add_tenant(self, tenant):
        if tenant.tenant_id in self.tenants:
            raise Conflict("The tenant exists.")
        self.tenants[tenant.tenant_id] = tenant

    async def find_application(self, app_id):
        return next((row for row in self.applications.values() if row.app_id == app_id.lower()), None)

    async def find_principal(self, object_id):
        return self.applications.get(object_id.lower())

    async def list_applications(self):
        return tuple(self.applications.values())

    async def add_application(self, application):
        if application.object_id in self.applications or await self.find_application(application.app_id):
            raise Conflict("The application exists.")
        self.applications[application.object_id] = application

    async def replace_application(self, application):
        if application.object_id not in self.applications:
            raise NotFound("There is no such application.")
        self.applications[application.object_id] = application

    async def remove_application(self, object_id):
        if self.applications.pop(object_id.lower(), None) is None:
            raise NotFound("There is no such application.")

    async def list_signing_keys(self):
        return tuple(reversed(self.signing_keys))

    async def add_signing_key(self, key):
        if any(each.kid == key.kid for each in self.signing_keys):
            raise Conflict("The signing key exists.")
        self.signing_keys.append(key)

    async def replace_signing_key(self, key):
        self._require_signing_key(key.kid)
        self.signing_keys = [key if each.kid == key.kid else each for each in self.signing_keys]

    async def remove_signing_key(self, kid):
        self._require_signing_key(kid)
        self.signing_keys = [each for each in self.signing_keys if each.kid != kid]

    def _require_signing_key(self, kid):
        if all(each.kid != kid for each in self.signing_keys):
            raise NotFound("There is no such signing key.")


class MemoryKeyring(_Memory):
    held = ("keys",)

    def __init__(self):
        self.keys = []

    async def newest(self, purpose, scope=""):
        return next(iter(await self.list_versions(purpose, scope)), None)

    async def list_versions(self, purpose, scope=""):
        fitting = [key for key in self.keys if (key.purpose, key.scope) == (purpose, scope)]
        return tuple(sorted(fitting, key=lambda key: -key.version))

    async def find(self, key_id):
        return next((key for key in self.keys if key.key_id == key_id), None)

    async def list_all(self):
        return tuple(self.keys)

    async def add(self, key):
        taken = {(each.purpose, each.scope, each.version) for each in self.keys}
        if await self.find(key.key_id) or (key.purpose, key.scope, key.version) in taken:
            raise Conflict("The data key exists.")
        if not lies_under(key, await self.newest(Purpose.ROWS)):
            raise Conflict("The master key was replaced.")
        self.keys.append(key)

    async def replace(self, key):
        await self._require(key.key_id)
        self.keys = [replace(each, sealed=key.sealed) if each.key_id == key.key_id else each for each in self.keys]

    async def remove(self, key):
        await self._require(key.key_id)
        self.keys = [each for each in self.keys if each.key_id != key.key_id]

    async def _require(self, key_id):
        if await self.find(key_id) is None:
            raise NotFound("There is no such data key.")

    async def remove_scope(self, purpose, scope):
        self.keys = [key for key in self.keys if (key.purpose, key.scope) != (purpose, scope)]


class MemoryResources(_Memory):
    held = ("subscriptions", "groups")

    def __init__(self):
        self.subscriptions = {}
        self.groups = {}

    async def list_subscriptions(self):
        return tuple(self.subscriptions.values())

    async def find_subscription(self, subscription_id):
        return self.subscriptions.get(subscription_id.lower())

    async def add_subscription(self, subscription):
        if subscription.subscription_id in self.subscriptions:
            raise Conflict("The subscription exists.")
        self.subscriptions[subscription.subscription_id] = subscription

    async def replace_subscription(self, subscription):
        if subscription.subscription_id.lower() not in self.subscriptions:
            raise NotFound("There is no such subscription.", code="SubscriptionNotFound")
        self.subscriptions[subscription.subscription_id.lower()] = subscription

    async def find_group(self, subscription_id, name):
        return self.groups.get((subscription_id.lower(), name.lower()))

    async def list_groups(self, subscription_id):
        fitting = [key for key in self.groups if key[0] == subscription_id.lower()]
        return tuple(self.groups[key] for key in sorted(fitting))

    async def put_group(self, group):
        self.groups[group.subscription_id.lower(), group.name.lower()] = group

    async def remove_group(self, subscription_id, name):
        if self.groups.pop((subscription_id.lower(), name.lower()), None) is None:
            raise NotFound("There is no such resource group.", code="ResourceGroupNotFound")


class MemoryVaults(_Memory):
    held = ("rows",)

    def __init__(self, kinds, keyring, connections=None):
        self.rows = {}
        self._connections = connections
        self._kinds = kinds
        self._keyring = keyring

    async def find(self, name):
        return self.rows.get(name.lower())

    def _by_name(self):
        return [self.rows[name] for name in sorted(self.rows)]

    async def list_living(self, subscription_id, group=None, *, after="", limit=None):
        return tuple(
            row
            for row in self._by_name()
            if row.deletion is None
            and row.subscription_id.lower() == subscription_id.lower()
            and (group is None or row.resource_group.lower() == group.lower())
            and row.name.lower() > after.lower()
        )[:limit]

    async def list_deleted(self, subscription_id=None):
        return tuple(
            row
            for row in self._by_name()
            if row.deletion is not None
            and (subscription_id is None or row.subscription_id.lower() == subscription_id.lower())
        )

    async def add(self, vault):
        if vault.name.lower() in self.rows:
            raise Conflict(f"The vault name '{vault.name}' is already in use.", code="VaultAlreadyExists")
        self.rows[vault.name.lower()] = vault

    async def replace(self, vault):
        before = next((row for row in self.rows.values() if row.vault_id == vault.vault_id), None)
        if before is None:
            raise NotFound("There is no such vault.")
        del self.rows[before.name.lower()]
        self.rows[vault.name.lower()] = vault

    async def purge(self, vault):
        self.rows.pop(vault.name.lower(), None)
        if self._connections is not None:
            held = self._connections.rows.items()
            self._connections.rows = {key: row for key, row in held if row.vault_id != vault.vault_id}
        for kind in self._kinds:
            kind.forget_vault(vault.vault_id)
        await self._keyring.remove_scope(Purpose.VAULT, vault.vault_id)


class MemoryObjects(_Memory):
    """One kind. states and versions by (vault id, lower-case name), versions of a name in the order of their making."""

    held = ("states", "versions")

    def __init__(self, kind):
        self.kind = kind
        self.states = {}
        self.versions = {}

    async def find(self, vault_id, name, version=None):
        key = (vault_id, name.lower())
        state = self.states.get(key)
        if state is None:
            return None
        found = self.versions[key].get((version or state.latest).lower())
        return None if found is None else Held(state, found)

    async def find_state(self, vault_id, name):
        return self.states.get((vault_id, name.lower()))

    async def list_newest(self, vault_id, *, deleted, after, limit, now):
        keys = sorted(key for key in self.states if key[0] == vault_id and (after is None or key[1] > after.lower()))
        states = [self.states[key] for key in keys]
        fitting = [s for s in states if s.is_deleted() == deleted and not (deleted and s.is_expired(now))]
        return tuple(
            Held(state, self.versions[vault_id, state.name.lower()][state.latest.lower()]) for state in fitting[:limit]
        )

    async def list_versions(self, vault_id, name, *, after, limit):
        versions = list(self.versions.get((vault_id, name.lower()), {}).items())
        if after is not None:
            places = [place for place, (version, _) in enumerate(versions) if version == after.lower()]
            versions = versions[places[0] + 1 :] if places else []
        return tuple(version for _, version in versions[:limit])

    async def add_version(self, state, version):
        key = (state.vault_id, state.name.lower())
        versions = self.versions.setdefault(key, {})
        if version.version.lower() in versions:
            raise Conflict("The version exists.")
        versions[version.version.lower()] = version
        self.states[key] = structs.replace(state, latest=version.version)

    async def replace_version(self, state, version):
        versions = self.versions.get((state.vault_id, state.name.lower()), {})
        if version.version.lower() not in versions:
            raise NotFound("There is no such version.")
        versions[version.version.lower()] = version

    async def replace_state(self, state):
        key = (state.vault_id, state.name.lower())
        if key not in self.states:
            raise NotFound("There is no such object.")
        self.states[key] = state

    async def purge(self, vault_id, name):
        self.states.pop((vault_id, name.lower()), None)
        self.versions.pop((vault_id, name.lower()), None)

    async def list_sealed_before(self, vault_id, key_id, *, after, limit):
        found = [
            Held(self.states[key], one)
            for key in sorted(self.versions)
            for version, one in sorted(self.versions[key].items())
            if key[0] == vault_id and one.sealed[1:17].hex() != key_id and (key[1], version) > (after or ("", ""))
        ]
        return tuple(found[:limit])

    async def count_sealed_before(self, vault_id, key_id):
        return len(await self.list_sealed_before(vault_id, key_id, after=None, limit=None))

    async def list_expired(self, now, limit):
        expired = [state for state in self.states.values() if state.is_expired(now)]
        return tuple(sorted(expired, key=lambda state: state.scheduled_purge)[:limit])

    def forget_vault(self, vault_id):
        self.states = {key: state for key, state in self.states.items() if key[0] != vault_id}
        self.versions = {key: versions for key, versions in self.versions.items() if key[0] != vault_id}


class MemoryKeys(MemoryObjects):
    """Keys. policies: by (vault id, lower-case name), each with when it is due."""

    held = (*MemoryObjects.held, "policies")

    def __init__(self):
        super().__init__(Kind.KEY)
        self.policies = {}

    async def purge(self, vault_id, name):
        await super().purge(vault_id, name)
        self.policies.pop((vault_id, name.lower()), None)

    async def find_policy(self, vault_id, name):
        return self.policies.get((vault_id, name.lower()), (None, None))[0]

    async def put_policy(self, vault_id, name, policy, due):
        self.policies[vault_id, name.lower()] = (policy, due)

    async def list_due(self, now, *, after, limit):
        found = sorted(
            (due, *key)
            for key, (_, due) in self.policies.items()
            if due is not None and due.timestamp() <= now.timestamp()
        )
        past = (after.moment, after.vault_id, after.name) if after else None
        return tuple([Due(*each) for each in found if past is None or each > past][:limit])

    def forget_vault(self, vault_id):
        super().forget_vault(vault_id)
        self.policies = {key: each for key, each in self.policies.items() if key[0] != vault_id}
