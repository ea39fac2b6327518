"""Who is a trusted service: whom the operator named, while it lives and is enabled."""

import pytest

from doubles import MemoryStorage, sign_up
from strongroom.access.identity.applications import Applications
from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.access.network.trusted import find_trusted_service
from strongroom.clock import real_now


def a_caller(application):
    return Caller(
        object_id=application.object_id,
        app_id=application.app_id,
        tenant_id=application.tenant_id,
        issuer="any",
        type=PrincipalType.SERVICE_PRINCIPAL,
        audience="any",
        token_id="any",
        expires=real_now(),
    )


@pytest.fixture
async def directory():
    storage = MemoryStorage()
    application, _ = await sign_up(storage, "Backup job")
    stores = storage.stores
    return application, stores, Applications(stores.identity, stores.keyring, storage.custodian)


async def test_an_application_is_trusted_while_the_operator_says_so(directory):
    application, stores, applications = directory
    assert await find_trusted_service(stores.identity, a_caller(application)) is None
    await applications.trust("backup job", trusted=True)
    assert await find_trusted_service(stores.identity, a_caller(application)) == "Backup job"
    await applications.trust(application.app_id, trusted=False)
    assert await find_trusted_service(stores.identity, a_caller(application)) is None


async def test_one_that_is_disabled_or_deleted_is_nothing(directory):
    application, stores, applications = directory
    await applications.trust("backup job", trusted=True)
    await applications.disable("backup job")
    assert await find_trusted_service(stores.identity, a_caller(application)) is None
    assert (await applications.enable("backup job")).trusted
    await applications.delete("backup job", stores.assignments)
    assert await find_trusted_service(stores.identity, a_caller(application)) is None
