"""Vaults and secrets to test with: a vault in a storage of dictionaries, on a clock that tests move."""

from datetime import UTC, datetime, timedelta

from doubles import MemoryStorage
from strongroom.custody.software import SoftwareProvider
from strongroom.custody.store import Purpose
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.keys.service import Keys
from strongroom.objects.secrets.service import Secrets
from strongroom.resources.model import Subscription, SystemData
from strongroom.vaults.model import Vault

NOON = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
TENANT = "11111111-1111-4111-8111-111111111111"
SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
MADE = SystemData(
    created_by="app",
    created_by_type="Application",
    created_at=NOON,
    last_modified_by="app",
    last_modified_by_type="Application",
    last_modified_at=NOON,
)


def a_vault(name="kv1", **changes):
    described = {
        "vault_id": f"id-of-{name}",
        "name": name,
        "subscription_id": SUBSCRIPTION,
        "resource_group": "group",
        "tenant_id": TENANT,
        "location": "local",
        "sku": "standard",
        "system_data": MADE,
    }
    return Vault(**described | changes)


async def a_subscribed_storage():
    """Return a memory storage with the one subscription that vaults are in."""
    storage = MemoryStorage()
    subscription = Subscription(
        subscription_id=SUBSCRIPTION, tenant_id=TENANT, display_name="one", created=MADE.created_at
    )
    await storage.stores.resources.add_subscription(subscription)
    return storage


async def put_vault(storage, vault):
    """Put a vault and its data key into a memory storage."""
    await storage.stores.vaults.add(vault)
    await storage.stores.keyring.add(storage.custodian.new_key(Purpose.VAULT, vault.vault_id, 1, NOON))
    return vault


def secrets_of(storage, vault, now=NOON):
    stores = storage.stores
    return Secrets(stores.secrets, stores.keyring, storage.custodian, vault=vault, now=now)


def keepers_of(storage, *, hsm=True):
    """Return who keeps the keys of a storage: software, and software for an HSM unless there is to be none."""
    software = SoftwareProvider(storage.custodian)
    return Keepers(software=software, hsm=software if hsm else None)


def keys_of(storage, vault, now=NOON, keepers=None):
    stores = storage.stores
    keepers = keepers or keepers_of(storage)
    return Keys(stores.keys, stores.keyring, storage.custodian, keepers=keepers, vault=vault, now=now)


def days(count):
    return timedelta(days=count)


class AnHsm(SoftwareProvider):
    """A keeper that stands for an HSM: it tells another platform, and notes what it was told to destroy."""

    def __init__(self, custodian):
        super().__init__(custodian)
        self.destroyed = []
        self.fails = None

    @property
    def platform(self):
        return "an HSM"

    async def discard(self, key, place):
        if self.fails is not None:
            raise self.fails
        self.destroyed.append((key.public, place.context.name, place.context.version))


def keepers_with_hsm(storage):
    """Return keepers of whom one stands for an HSM, and that one."""
    hsm = AnHsm(storage.custodian)
    return Keepers(software=SoftwareProvider(storage.custodian), hsm=hsm), hsm
