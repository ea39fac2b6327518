import json

import pytest

from doubles import MemoryStorage
from strongroom.access.authorization.roles import OWNER
from strongroom.access.identity.applications import Applications
from strongroom.bootstrap import DEV_FACT, SECRET_FACT, ClockIsAhead, begin, find_installation, keep_secret
from strongroom.clock import CLOCK_FACT, real_now
from strongroom.custody.store import Purpose
from strongroom.errors import ServiceUnavailable
from strongroom.resources.locations import Locations
from strongroom.vaults.policies import PERMISSIONS

NOW = real_now()
LOCATIONS = Locations("local")


@pytest.fixture
def storage():
    return MemoryStorage()


def start(storage, *, dev=False):
    return begin(storage, storage.custodian, dev=dev, locations=LOCATIONS, now=NOW)


async def signs_in(storage, installation, secret):
    applications = Applications(storage.stores.identity, storage.stores.keyring, storage.custodian)
    application = await applications.get(installation.client_id)
    return await applications.require_secret(application, secret, NOW)


async def test_a_first_start_makes_an_owner_of_a_subscription_and_nothing_more(storage):
    begun = await start(storage)
    assert begun.is_new
    assert await signs_in(storage, begun, begun.client_secret)
    (assignment,) = await storage.stores.assignments.list_all()
    assert (assignment.role_id, assignment.scope) == (OWNER.role_id, f"/subscriptions/{begun.subscription_id}")
    (subscription,) = await storage.stores.resources.list_subscriptions()
    assert subscription.tenant_id == begun.tenant_id
    assert await storage.stores.vaults.list_living(begun.subscription_id) == ()
    assert await storage.stores.keyring.newest(Purpose.BACKUP, begun.subscription_id)
    assert len(await storage.stores.identity.list_signing_keys()) == 1


async def test_a_later_start_finds_the_same_and_does_not_know_the_secret(storage):
    first = await start(storage)
    later = await start(storage)
    assert (later.tenant_id, later.subscription_id, later.client_id) == (
        first.tenant_id, first.subscription_id, first.client_id,
    )  # fmt: skip
    assert later.client_secret is None
    assert not later.is_new
    assert len(storage.records) == 1


async def test_a_rehearsal_server_has_a_vault_and_shows_its_secret_again(storage):
    first = await start(storage, dev=True)
    later = await start(storage, dev=True)
    assert later.client_secret.reveal() == first.client_secret.reveal()
    assert later.vault == "dev"
    vault = await storage.stores.vaults.find("dev")
    assert (vault.sku, vault.rbac, vault.throttled, vault.resource_group) == ("premium", False, False, "dev")
    (policy,) = vault.access_policies
    assert (policy.keys, policy.secrets, policy.certificates) == (
        PERMISSIONS["keys"], PERMISSIONS["secrets"], PERMISSIONS["certificates"],
    )  # fmt: skip


async def test_no_secret_lies_in_a_fact_or_a_record(storage):
    begun = await start(storage, dev=True)
    secret = begun.client_secret.reveal().encode()
    assert secret not in await storage.stores.facts.get(SECRET_FACT)
    assert secret.decode() not in json.dumps(storage.bodies())
    assert secret.decode() not in repr(begun)


async def test_a_server_that_turns_to_rehearsal_leaves_the_old_secret_good(storage):
    first = await start(storage)
    turned = await start(storage, dev=True)
    assert turned.client_secret.reveal() != first.client_secret.reveal()
    assert await signs_in(storage, turned, first.client_secret)
    assert await signs_in(storage, turned, turned.client_secret)
    assert (await start(storage, dev=True)).client_secret.reveal() == turned.client_secret.reveal()


async def test_a_server_that_leaves_rehearsal_shows_no_secret(storage):
    await start(storage, dev=True)
    left = await start(storage)
    assert (left.client_secret, left.vault) == (None, None)
    assert await storage.stores.facts.get(DEV_FACT) == b"0"
    assert (await start(storage)).client_secret is None


async def test_a_reset_secret_is_shown_from_then_on_by_a_rehearsal_server(storage):
    begun = await start(storage, dev=True)
    applications = Applications(storage.stores.identity, storage.stores.keyring, storage.custodian)
    application, secret = await applications.reset_secret(begun.client_id, now=NOW)
    assert (await find_installation(storage.stores, storage.custodian, NOW)).client_secret is None
    await keep_secret(storage.stores, storage.custodian, application, secret)
    assert (await start(storage, dev=True)).client_secret.reveal() == secret.reveal()


@pytest.mark.parametrize("dev", [False, True])
async def test_only_the_bootstrap_applications_secret_is_kept_and_only_for_rehearsal(storage, dev):
    begun = await start(storage, dev=dev)
    applications = Applications(storage.stores.identity, storage.stores.keyring, storage.custodian)
    other, secret = await applications.create("other", tenant_id=begun.tenant_id, now=NOW)
    before = await storage.stores.facts.get(SECRET_FACT)
    await keep_secret(storage.stores, storage.custodian, other, secret)
    assert await storage.stores.facts.get(SECRET_FACT) == before
    if not dev:
        assert before is None


async def test_a_deleted_rehearsal_vault_is_not_made_again(storage):
    from strongroom.vaults.service import delete_vault

    await start(storage, dev=True)
    await delete_vault(storage.stores, await storage.stores.vaults.find("dev"), NOW)
    assert (await start(storage, dev=True)).vault is None


async def test_a_moved_clock_keeps_an_ordinary_server_from_starting(storage):
    await start(storage, dev=True)
    await storage.stores.facts.put(CLOCK_FACT, b"86400")
    with pytest.raises(ClockIsAhead, match="--dev"):
        await start(storage)
    assert (await start(storage, dev=True)).vault == "dev"


async def test_nothing_is_found_before_the_first_start(storage):
    assert await find_installation(storage.stores, storage.custodian, NOW) is None


async def test_a_removed_bootstrap_application_has_no_known_secret(storage):
    begun = await start(storage, dev=True)
    application = await storage.stores.identity.find_application(begun.client_id)
    await storage.stores.identity.remove_application(application.object_id)
    assert (await find_installation(storage.stores, storage.custodian, NOW)).client_secret is None
    assert (await start(storage, dev=True)).client_secret is None


async def test_a_server_whose_bootstrap_application_is_gone_still_turns_to_rehearsal(storage):
    begun = await start(storage)
    application = await storage.stores.identity.find_application(begun.client_id)
    await storage.stores.identity.remove_application(application.object_id)
    turned = await start(storage, dev=True)
    assert (turned.client_secret, turned.vault) == (None, None)
    assert await storage.stores.facts.get(DEV_FACT) == b"1"


async def test_a_keyring_without_its_key_is_told(storage):
    await storage.stores.keyring.remove_scope(Purpose.SERVER, "")
    with pytest.raises(ServiceUnavailable):
        await start(storage)
