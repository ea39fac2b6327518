"""What a first start makes: a tenant, a subscription, the application that owns it; with `--dev` a vault to talk to.

Later starts find it again. All of it is made in one transaction with its record: there is no half a beginning.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import msgspec

from strongroom.access.authorization.assignments import AssignmentRequest, assign_role
from strongroom.access.authorization.roles import OWNER
from strongroom.access.identity.applications import Applications
from strongroom.access.identity.model import Application, Tenant
from strongroom.access.identity.signing import make_signing_key
from strongroom.audit.event import Record
from strongroom.audit.local import local_record
from strongroom.clock import whole_seconds
from strongroom.custody.sealing import Context, Custodian, sealing_key_id
from strongroom.custody.store import DataKey, Purpose
from strongroom.errors import ServiceUnavailable, SignInFailed, StrongroomError
from strongroom.ids import new_guid, subscription_scope
from strongroom.planes.stores import Storage, Stores
from strongroom.resources.facts import clock_offset
from strongroom.resources.locations import Locations
from strongroom.resources.service import Author, put_group
from strongroom.resources.subscriptions import create_subscription
from strongroom.sensitive import Sensitive
from strongroom.vaults.model import AccessPolicy
from strongroom.vaults.policies import PERMISSIONS
from strongroom.vaults.request import VaultRequest
from strongroom.vaults.service import VaultChange, put_vault

INSTALLATION_FACT = "installation"
SECRET_FACT = "installation.secret"  # noqa: S105 - the name of a fact
DEV_FACT = "dev"
DEV_NAME = "dev"
SERVER_AUTHOR = Author("strongroom", "Application")


class ClockIsAhead(StrongroomError):
    """The data directory lives on a rehearsal clock, and the server was to start without --dev."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What this server began with.

    client_secret: of the bootstrap application, where it is known: just made, or kept sealed by `--dev`.
    vault: the rehearsal vault's name while there is one; its resource group has the same name.
    """

    tenant_id: str
    subscription_id: str
    client_id: str
    client_secret: Sensitive[str] | None = None
    vault: str | None = None
    is_new: bool = False


class _Ids(msgspec.Struct, frozen=True):
    tenant_id: str
    subscription_id: str
    client_id: str


async def find_installation(stores: Stores, custodian: Custodian, now: datetime) -> Installation | None:
    """Return what this server began with, None before its first start."""
    ids = await _find_ids(stores)
    if ids is None:
        return None
    return Installation(
        tenant_id=ids.tenant_id,
        subscription_id=ids.subscription_id,
        client_id=ids.client_id,
        client_secret=await _known_secret(stores, custodian, ids, now),
        vault=await _dev_vault(stores),
    )


async def begin(
    storage: Storage, custodian: Custodian, *, dev: bool, locations: Locations, now: datetime
) -> Installation:
    """Make what a first start makes, find it on later ones, and return it.

    dev: also make the rehearsal vault and keep the application's secret sealed, so that it can be shown again.
    ClockIsAhead when the rehearsal clock was moved and `dev` is not asked for.
    """
    stores = storage.read()
    installation = await find_installation(stores, custodian, now)
    if not dev and await clock_offset(stores.facts):
        raise ClockIsAhead(
            "this data directory lives on a rehearsal clock: start with --dev, or run `strongroom clock reset` first"
        )
    is_dev = await stores.facts.get(DEV_FACT) == b"1"
    work = _Work(custodian, locations, now, dev=dev)
    if installation is None:
        return await storage.change(work.first_start)
    if dev and (not is_dev or (installation.client_secret is None and await _application(stores, installation))):
        return await storage.change(partial(work.turn_dev, installation))
    if is_dev and not dev:
        return await storage.change(partial(work.leave_dev, installation))
    return installation


async def keep_secret(stores: Stores, custodian: Custodian, application: Application, secret: Sensitive[str]) -> None:
    """Keep a new secret of the bootstrap application sealed, on a rehearsal server; forget the old one elsewhere."""
    ids = await _find_ids(stores)
    if ids is None or ids.client_id != application.app_id:
        return
    if await stores.facts.get(DEV_FACT) == b"1":
        key = await _server_key(stores)
        sealed = custodian.seal(key, Sensitive(secret.reveal().encode()), _secret_place(application.app_id))
        await stores.facts.put(SECRET_FACT, sealed)


class _Work:
    """A unit of work for `Storage.change`, with what it needs bound to it."""

    def __init__(self, custodian: Custodian, locations: Locations, now: datetime, *, dev: bool) -> None:
        self.custodian = custodian
        self.locations = locations
        self.now = now
        self.dev = dev

    async def first_start(self, stores: Stores) -> tuple[Installation, Record]:
        """Make tenant, subscription, signing key and the application that owns the subscription."""
        tenant_id, subscription_id = new_guid(), new_guid()
        await self._make_places(stores, tenant_id, subscription_id)
        application, secret = await self._make_owner(stores, tenant_id, subscription_id)
        ids = _Ids(tenant_id=tenant_id, subscription_id=subscription_id, client_id=application.app_id)
        await stores.facts.put(INSTALLATION_FACT, msgspec.json.encode(ids))
        installation = Installation(
            tenant_id=tenant_id,
            subscription_id=subscription_id,
            client_id=application.app_id,
            client_secret=secret,
            is_new=True,
        )
        if self.dev:
            installation = await self._make_dev(stores, installation, application, secret)
        return installation, _record("Strongroom.Installation/create", installation, self.now, dev=self.dev)

    async def turn_dev(self, installation: Installation, stores: Stores) -> tuple[Installation, Record]:
        """Make a rehearsal server of one that was none. What the application signs in with now goes on to work."""
        applications = Applications(stores.identity, stores.keyring, self.custodian)
        before = await _application(stores, installation)
        if before is None:  # its operator removed it: there is nobody to make a vault for
            await stores.facts.put(DEV_FACT, b"1")
            return installation, _record("Strongroom.Installation/dev", installation, self.now, dev=True)
        after, secret = await applications.reset_secret(before.app_id, now=self.now)
        await stores.identity.replace_application(replace(after, secrets=(*before.secrets, *after.secrets)))
        installation = await self._make_dev(stores, installation, after, secret)
        return installation, _record("Strongroom.Installation/dev", installation, self.now, dev=True)

    async def leave_dev(self, installation: Installation, stores: Stores) -> tuple[Installation, Record]:
        """Make an ordinary server of a rehearsal server. Its vault stays as it is; the sealed secret is not shown."""
        await stores.facts.put(DEV_FACT, b"0")
        installation = replace(installation, client_secret=None, vault=None)
        return installation, _record("Strongroom.Installation/dev", installation, self.now, dev=False)

    async def _make_places(self, stores: Stores, tenant_id: str, subscription_id: str) -> None:
        moment = whole_seconds(self.now)
        await stores.identity.add_tenant(Tenant(tenant_id=tenant_id, display_name="Strongroom", created=moment))
        await create_subscription(
            stores.resources,
            stores.keyring,
            self.custodian,
            subscription_id=subscription_id,
            tenant_id=tenant_id,
            name="Strongroom",
            now=moment,
        )
        server_key = await _server_key(stores)
        await stores.identity.add_signing_key(make_signing_key(self.custodian, server_key, moment))

    async def _make_owner(
        self, stores: Stores, tenant_id: str, subscription_id: str
    ) -> tuple[Application, Sensitive[str]]:
        applications = Applications(stores.identity, stores.keyring, self.custodian)
        application, secret = await applications.create("bootstrap", tenant_id=tenant_id, now=self.now)
        asked = AssignmentRequest(
            principal_id=application.object_id, role=OWNER.role_id, scope=subscription_scope(subscription_id)
        )
        await assign_role(stores, asked, now=self.now)
        return application, secret

    async def _make_dev(
        self, stores: Stores, installation: Installation, application: Application, secret: Sensitive[str]
    ) -> Installation:
        await stores.facts.put(DEV_FACT, b"1")
        await keep_secret(stores, self.custodian, application, secret)
        if await stores.vaults.find(DEV_NAME) is None:
            await self._make_dev_vault(stores, installation, application.object_id)
        vault = await _dev_vault(stores)
        return replace(installation, client_secret=secret, vault=vault)

    async def _make_dev_vault(self, stores: Stores, installation: Installation, owner: str) -> None:
        location = self.locations.all[0].name
        await put_group(
            stores.resources,
            self.locations,
            subscription_id=installation.subscription_id,
            name=DEV_NAME,
            location=location,
            tags={},
            author=SERVER_AUTHOR,
            now=self.now,
        )
        subscription = await stores.resources.find_subscription(installation.subscription_id)
        assert subscription is not None  # every installation has its subscription
        policy = AccessPolicy(
            tenant_id=subscription.tenant_id,
            object_id=owner,
            keys=PERMISSIONS["keys"],
            secrets=PERMISSIONS["secrets"],
            certificates=PERMISSIONS["certificates"],
            storage=PERMISSIONS["storage"],
        )
        vault, _ = await put_vault(
            stores,
            self.custodian,
            self.locations,
            subscription=subscription,
            group=DEV_NAME,
            name=DEV_NAME,
            request=VaultRequest(
                location=location,
                tenant_id=subscription.tenant_id,
                sku_family="A",
                sku="premium",
                access_policies=(policy,),
                rbac=False,
            ),
            rbac_by_default=False,
            change=VaultChange(author=SERVER_AUTHOR, object_id=owner, may_assign_roles=False, now=self.now),
        )
        await stores.vaults.replace(replace(vault, throttled=False))


async def _find_ids(stores: Stores) -> _Ids | None:
    kept = await stores.facts.get(INSTALLATION_FACT)
    return None if kept is None else msgspec.json.decode(kept, type=_Ids)


async def _application(stores: Stores, installation: Installation) -> Application | None:
    return await stores.identity.find_application(installation.client_id)


async def _server_key(stores: Stores) -> DataKey:
    key = await stores.keyring.newest(Purpose.SERVER)
    if key is None:
        raise ServiceUnavailable("The keyring has no key for the server itself.")
    return key


def _secret_place(app_id: str) -> Context:
    return Context("", "installation", app_id, "", "client-secret")


async def _known_secret(stores: Stores, custodian: Custodian, ids: _Ids, now: datetime) -> Sensitive[str] | None:
    """Return the sealed secret of a rehearsal server's application, if it still signs in."""
    sealed = await stores.facts.get(SECRET_FACT)
    application = await stores.identity.find_application(ids.client_id)
    if sealed is None or application is None or await stores.facts.get(DEV_FACT) != b"1":
        return None
    key = await stores.keyring.find(sealing_key_id(sealed))
    if key is None:
        return None
    secret = Sensitive(custodian.open(key, sealed, _secret_place(ids.client_id)).reveal().decode())
    try:
        await Applications(stores.identity, stores.keyring, custodian).require_secret(application, secret, now)
    except SignInFailed:
        return None
    return secret


async def _dev_vault(stores: Stores) -> str | None:
    if await stores.facts.get(DEV_FACT) != b"1":
        return None
    vault = await stores.vaults.find(DEV_NAME)
    return DEV_NAME if vault is not None and vault.deletion is None else None


def _record(operation: str, installation: Installation, now: datetime, *, dev: bool) -> Record:
    return local_record(
        operation,
        now=now,
        properties={"clientId": installation.client_id, "tenantId": installation.tenant_id, "dev": dev},
        resource_id=subscription_scope(installation.subscription_id),
    )
