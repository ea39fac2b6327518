"""The library under every Azure SDK for Python signs in, with nothing between it and the plane but its transport."""

import asyncio
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

import msal
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from doubles import TENANT, MemoryStorage, sign_up
from strongroom.access.identity.applications import Applications
from strongroom.access.identity.audiences import Service
from strongroom.access.identity.verifier import Verifier
from strongroom.clock import real_now
from strongroom.planes.gate import Gate
from strongroom.planes.http import Request
from strongroom.planes.identity.plane import IdentityPlane

AUTHORITY = f"https://login.localhost:8443/{TENANT.tenant_id}"
VAULT = "https://vault.localhost:8443"
MANAGEMENT = "https://management.localhost:8443"


class Transport:
    """What msal asks of an HTTP client, straight into the gate."""

    def __init__(self, gate):
        self.gate = gate
        self.posts = []

    def get(self, url, headers=None, params=None, **_):
        return self._send("GET", url, headers, params, b"")

    def post(self, url, headers=None, params=None, data=None, **_):
        self.posts.append(data)
        form = {b"content-type": b"application/x-www-form-urlencoded"}
        return self._send("POST", url, headers, params, urlencode(data).encode(), form)

    def close(self):
        pass

    def _send(self, method, url, headers, params, body, more=None):
        parts = urlsplit(url)
        sent = {name.lower().encode(): str(value).encode() for name, value in (headers or {}).items()} | (more or {})
        query = "&".join(filter(None, [parts.query, urlencode(params or {})]))
        request = Request(method, parts.netloc, parts.path, query.encode(), sent, "127.0.0.1")

        async def read(_):
            return body

        return Answer(asyncio.run(self.gate.serve(request, read)))


class Answer:
    def __init__(self, response):
        self.status_code = response.status
        self.text = response.body.decode()
        self.headers = {name.decode(): value.decode() for name, value in (*response.headers, *response.always)}

    def raise_for_status(self):
        assert self.status_code < 400


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def known(storage):
    return asyncio.run(sign_up(storage))


def client(storage, app_id, credential):
    gate = Gate(IdentityPlane(storage.custodian), storage, storage.custodian, "localhost")
    transport = Transport(gate)
    return transport, msal.ConfidentialClientApplication(
        app_id, client_credential=credential, authority=AUTHORITY, instance_discovery=False, http_client=transport
    )


def caller_of(storage, answer, service):
    assert "access_token" in answer, answer
    verify = Verifier("localhost").verify(
        answer["access_token"], service=service, store=storage.stores.identity, now=real_now()
    )
    return asyncio.run(verify)


def test_a_secret(storage, known):
    application, secret = known
    _, app = client(storage, application.app_id, secret)
    answer = app.acquire_token_for_client([f"{VAULT}/.default"])
    assert caller_of(storage, answer, Service.VAULT).app_id == application.app_id


def test_a_wrong_secret(storage, known):
    application, _ = known
    _, app = client(storage, application.app_id, "wrong")
    answer = app.acquire_token_for_client([f"{VAULT}/.default"])
    assert answer["error"] == "invalid_client"
    assert answer["error_codes"] == [7000215]


def certify(now):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([])
    ends = now + timedelta(days=1)
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 7, now, ends).sign(key, hashes.SHA256())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), certificate


@pytest.mark.parametrize("chain", [False, True])
def test_a_certificate_proves_for_two_resources_with_one_assertion(storage, known, chain):
    application, _ = known
    private, certificate = certify(real_now())
    pem = certificate.public_bytes(Encoding.PEM)
    applications = Applications(storage.stores.identity, storage.stores.keyring, storage.custodian)
    asyncio.run(applications.add_certificate(application.app_id, pem, now=real_now()))
    credential = {"private_key": private.decode(), "thumbprint": certificate.fingerprint(hashes.SHA1()).hex()}
    credential |= {"public_certificate": pem.decode()} if chain else {}
    transport, app = client(storage, application.app_id, credential)
    for resource, service in ((VAULT, Service.VAULT), (MANAGEMENT, Service.MANAGEMENT)):
        answer = app.acquire_token_for_client([f"{resource}/.default"])
        assert caller_of(storage, answer, service).app_id == application.app_id
    assert len({post["client_assertion"] for post in transport.posts}) == 1


def test_an_unknown_tenant_is_told_before_any_credential_is_sent(storage, known):
    application, secret = known
    gate = Gate(IdentityPlane(storage.custodian), storage, storage.custodian, "localhost")
    transport = Transport(gate)
    with pytest.raises(ValueError, match="authority configuration"):
        msal.ConfidentialClientApplication(
            application.app_id,
            client_credential=secret,
            authority=AUTHORITY.replace(TENANT.tenant_id, "11111111-2222-3333-4444-555555555555"),
            instance_discovery=False,
            http_client=transport,
        )
    assert not transport.posts
