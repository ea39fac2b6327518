from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from doubles import TENANT, MemoryStorage
from strongroom.access.authorization.model import RoleAssignment
from strongroom.access.identity.applications import SECRET_LIFETIME, Applications
from strongroom.access.identity.model import PrincipalType
from strongroom.custody.sealing import SealBroken
from strongroom.custody.store import Purpose
from strongroom.errors import BadRequest, Conflict, NotFound, ServiceUnavailable, SignInFailed
from strongroom.sensitive import Sensitive

NOW = datetime(2026, 5, 1, 12, 0, 0, 500_000, tzinfo=UTC)


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def applications(storage):
    return Applications(storage.stores.identity, storage.stores.keyring, storage.custodian)


async def create(applications, name="app", **options):
    return await applications.create(name, tenant_id=TENANT.tenant_id, now=NOW, **options)


async def require(applications, application, secret, now=NOW):
    return await applications.require_secret(application, Sensitive(secret), now)


async def test_a_new_application_proves_itself_by_its_secret(applications):
    application, secret = await create(applications)
    text = secret.reveal()
    kept = await require(applications, application, text)
    assert kept in application.secrets
    assert len(text) == 43
    assert kept.hint == text[:3]
    assert kept.expires == NOW.replace(microsecond=0) + SECRET_LIFETIME
    assert application.created == NOW.replace(microsecond=0)
    assert application.enabled
    assert await applications.list() == (application,)


async def test_no_two_secrets_and_no_two_ids_are_alike(applications):
    made = [await create(applications) for _ in range(5)]
    assert len({secret.reveal() for _, secret in made}) == 5
    assert len({each for application, _ in made for each in (application.app_id, application.object_id)}) == 10


async def test_no_secret_begins_as_an_option_of_a_command_does(applications, monkeypatch):
    drawn = iter(["-a", "--b", "c-d"])
    monkeypatch.setattr("strongroom.access.identity.applications.secrets.token_urlsafe", lambda _: next(drawn))
    _, secret = await create(applications)
    assert secret.reveal() == "c-d"


async def test_the_secret_itself_is_nowhere(applications, storage):
    application, secret = await create(applications)
    stored = repr(storage.stores.identity.applications)
    assert secret.reveal() not in stored
    assert secret.reveal() not in repr(application)
    kept = application.secrets[0]
    assert all(secret.reveal().encode() not in bytes(str(getattr(kept, f.name)), "utf-8") for f in fields(kept))


@pytest.mark.parametrize("change", ["", "x", "{}x", "x{}", " {}", "{}\n", "{}\x00", "\ud800", "é" * 43, "x" * 513])
async def test_any_other_secret_is_wrong(applications, change):
    application, secret = await create(applications)
    with pytest.raises(SignInFailed) as caught:
        await require(applications, application, change.format(secret.reveal()))
    assert (caught.value.number, caught.value.status, caught.value.code) == (7000215, 401, "invalid_client")
    assert secret.reveal() not in caught.value.message


async def test_a_secret_is_of_one_application(applications):
    one, secret = await create(applications)
    two, _ = await create(applications)
    with pytest.raises(SignInFailed):
        await require(applications, two, secret.reveal())
    moved = replace(two, secrets=one.secrets)
    with pytest.raises(SignInFailed):
        await require(applications, moved, secret.reveal())


async def test_a_secret_ends(applications):
    application, secret = await create(applications, lifetime=timedelta(hours=1))
    end = application.secrets[0].expires
    assert await require(applications, application, secret.reveal(), end - timedelta(seconds=1))
    with pytest.raises(SignInFailed) as caught:
        await require(applications, application, secret.reveal(), end)
    assert caught.value.number == 7000222


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=-1), timedelta(days=40000)])
async def test_a_lifetime_is_some_time_and_not_for_ever(applications, lifetime):
    with pytest.raises(BadRequest):
        await create(applications, lifetime=lifetime)


async def test_reset_replaces_every_secret(applications):
    application, old = await create(applications)
    changed, new = await applications.reset_secret(application.app_id, now=NOW)
    assert len(changed.secrets) == 1
    assert await require(applications, changed, new.reveal())
    with pytest.raises(SignInFailed):
        await require(applications, changed, old.reveal())
    assert await applications.get(application.app_id) == changed


async def test_a_secret_outlives_the_change_of_its_key(applications, storage):
    application, secret = await create(applications)
    newer = storage.custodian.new_key(Purpose.CLIENT_SECRETS, "", 2, NOW)
    await storage.stores.keyring.add(newer)
    assert await require(applications, application, secret.reveal())
    changed, _ = await applications.reset_secret(application.app_id, now=NOW)
    assert changed.secrets[0].digest_key == newer.key_id


async def test_without_its_key_a_secret_is_neither_made_nor_compared(applications, storage):
    application, secret = await create(applications)
    await storage.stores.keyring.remove_scope(Purpose.CLIENT_SECRETS, "")
    with pytest.raises(SealBroken):
        await require(applications, application, secret.reveal())
    with pytest.raises(ServiceUnavailable):
        await create(applications)


async def test_an_application_goes_by_its_ids_and_its_name(applications):
    application, _ = await create(applications, "Payments")
    for reference in (application.app_id, application.object_id.upper(), "payments", " Payments "):
        assert await applications.get(reference) == application


async def test_a_name_that_says_too_little_is_refused(applications):
    ids = [(await create(applications, name))[0].app_id for name in ("twin", "Twin")]
    with pytest.raises(BadRequest, match=f"2 applications are called 'twin'; name one by its id: {', '.join(ids)}"):
        await applications.get("twin")
    with pytest.raises(NotFound):
        await applications.get("nobody")


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x1b[31m", "a\u202eb", "x" * 257])
async def test_a_name_is_printable_and_not_endless(applications, name):
    with pytest.raises(BadRequest):
        await create(applications, name)


async def test_disable_and_enable(applications):
    application, _ = await create(applications)
    assert not (await applications.disable(application.app_id)).enabled
    assert not (await applications.get(application.app_id)).enabled
    assert await applications.enable(application.app_id) == application


async def test_delete_takes_the_grants_along(applications, storage):
    application, _ = await create(applications)
    other, _ = await create(applications)
    for principal in (application, other):
        await storage.stores.assignments.add(
            RoleAssignment(
                assignment_id=f"a-{principal.object_id}",
                scope="/",
                role_id="owner",
                principal_id=principal.object_id,
                principal_type=PrincipalType.SERVICE_PRINCIPAL,
                created=NOW,
            )
        )
    assert await applications.delete(application.app_id, storage.stores.assignments) == application
    assert await applications.list() == (other,)
    assert [each.principal_id for each in await storage.stores.assignments.list_all()] == [other.object_id]
    with pytest.raises(NotFound):
        await applications.delete(application.app_id, storage.stores.assignments)


def a_certificate(key=None, *, ends=NOW + timedelta(days=30)):
    key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "payments")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, ends - timedelta(days=60), ends)
    return builder.sign(key, hashes.SHA256())


async def test_a_certificate_is_kept_with_its_thumbprints(applications):
    application, _ = await create(applications)
    certificate = a_certificate()
    changed = await applications.add_certificate(application.app_id, certificate.public_bytes(Encoding.PEM), now=NOW)
    (kept,) = changed.certificates
    assert kept.der == certificate.public_bytes(Encoding.DER)
    assert kept.sha256 == certificate.fingerprint(hashes.SHA256())
    assert kept.sha1 == certificate.fingerprint(hashes.SHA1())
    assert kept.display_name == "CN=payments"
    assert changed.secrets == application.secrets
    with pytest.raises(Conflict):
        await applications.add_certificate(application.app_id, certificate.public_bytes(Encoding.PEM), now=NOW)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        a_certificate(ec.generate_private_key(ec.SECP256R1())).public_bytes(Encoding.PEM),
        a_certificate(rsa.generate_private_key(public_exponent=65537, key_size=1024)).public_bytes(Encoding.PEM),
        a_certificate(ends=NOW - timedelta(days=1)).public_bytes(Encoding.PEM),
    ],
    ids=["nothing", "text", "garbage", "EC", "RSA-1024", "expired"],
)
async def test_only_a_living_rsa_certificate_is_taken(applications, pem):
    application, _ = await create(applications)
    with pytest.raises(BadRequest):
        await applications.add_certificate(application.app_id, pem, now=NOW)
