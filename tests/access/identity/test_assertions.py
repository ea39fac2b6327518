import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from doubles import TENANT, MemoryStorage, sign_up
from strongroom.access.identity.applications import Applications
from strongroom.access.identity.assertions import Endpoint, require_assertion
from strongroom.errors import SignInFailed
from strongroom.ids import new_guid

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
URL = f"https://login.localhost:8443/{TENANT.tenant_id}/oauth2/v2.0/token"
ENDPOINT = Endpoint(host="login.localhost", url=URL, tenants=frozenset({TENANT.tenant_id, "localhost"}))
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certify(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    ends = NOW + timedelta(days=30)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, NOW - timedelta(days=1), ends)
    return builder.sign(key, hashes.SHA256())


CERTIFICATE = certify(KEY)


def b64(data, padded=False):
    text = base64.urlsafe_b64encode(data).decode()
    return text if padded else text.rstrip("=")


SHA1 = CERTIFICATE.fingerprint(hashes.SHA1())
SHA256 = CERTIFICATE.fingerprint(hashes.SHA256())


@pytest.fixture
async def application():
    storage = MemoryStorage()
    application, _ = await sign_up(storage)
    applications = Applications(storage.stores.identity, storage.stores.keyring, storage.custodian)
    pem = CERTIFICATE.public_bytes(Encoding.PEM)
    return await applications.add_certificate(application.app_id, pem, now=NOW)


def an_assertion(application, *, key=KEY, algorithm="RS256", header=None, **claims):
    said = {
        "aud": URL,
        "iss": application.app_id,
        "sub": application.app_id,
        "iat": NOW.timestamp(),
        "exp": NOW.timestamp() + 600.5,
        "jti": new_guid(),
    } | claims
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.api_jws.encode(
        json.dumps(said).encode(), key, algorithm=algorithm, headers={"x5t": b64(SHA1)} if header is None else header
    )


def refused(assertion, application, now=NOW):
    with pytest.raises(SignInFailed) as caught:
        require_assertion(assertion, application, ENDPOINT, now)
    assert assertion[:40] not in caught.value.message or not assertion
    return caught.value


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
@pytest.mark.parametrize(
    "header",
    [
        {"x5t": b64(SHA1)},
        {"x5t": b64(SHA1, padded=True)},
        {"x5t#S256": b64(SHA256)},
        {"x5t#S256": b64(SHA256, padded=True)},
        {"x5t": b64(SHA1), "x5t#S256": b64(SHA256), "kid": "anything"},
        {"x5t": b64(SHA1), "x5c": ["MIIB"]},
    ],
)
def test_the_certificate_s_key_proves_the_application(application, algorithm, header):
    assertion = an_assertion(application, algorithm=algorithm, header=header)
    assert require_assertion(assertion, application, ENDPOINT, NOW) == application.certificates[0]


def test_an_assertion_may_be_sent_again_while_it_lives(application):
    assertion = an_assertion(application)
    for _ in range(2):
        assert require_assertion(assertion, application, ENDPOINT, NOW)


@pytest.mark.parametrize(
    "audience",
    [
        URL,
        URL + "/",
        URL.upper().replace("HTTPS", "https"),
        URL.replace(":8443", ""),
        URL.replace(":8443", ":443"),
        URL.replace("/v2.0", ""),
        f"https://login.localhost:8443/{TENANT.tenant_id}/v2.0",
        "https://login.localhost:8443/localhost/oauth2/v2.0/token",
    ],
)
def test_it_may_be_made_for_any_spelling_of_this_endpoint(application, audience):
    assert require_assertion(an_assertion(application, aud=audience), application, ENDPOINT, NOW)


@pytest.mark.parametrize(
    "audience",
    [
        URL.replace("login.", "vault."),
        URL.replace("localhost", "example.test"),
        URL.replace(TENANT.tenant_id, "00000000-0000-4000-8000-000000000001"),
        URL.replace("https", "http"),
        URL + "?x",
        URL + "x",
        "https://vault.localhost",
        "",
        "https://login.localhost/" + "a" * 600,
    ],
)
def test_an_assertion_for_elsewhere_is_refused(application, audience):
    refusal = refused(an_assertion(application, aud=audience), application)
    assert (refusal.number, refusal.status) == (700023, 401)


@pytest.mark.parametrize(
    ("claims", "number"),
    [
        ({"iss": "00000000-0000-4000-8000-000000000001"}, 700021),
        ({"sub": "00000000-0000-4000-8000-000000000001"}, 700021),
        ({"iss": "", "sub": ""}, 700021),
        ({"exp": NOW.timestamp()}, 700024),
        ({"exp": NOW.timestamp() - 1}, 700024),
        ({"exp": NOW.timestamp() + 3600 + 301}, 700024),
        ({"exp": 1e300}, 700024),
        ({"nbf": NOW.timestamp() + 301}, 700024),
        ({"iat": NOW.timestamp() + 301}, 700024),
        ({"exp": None}, 50027),
        ({"aud": None}, 50027),
        ({"aud": [URL]}, 50027),
        ({"iss": None}, 50027),
        ({"exp": "soon"}, 50027),
        ({"exp": True}, 50027),
    ],
)
def test_claims_that_do_not_prove(application, claims, number):
    assert refused(an_assertion(application, **claims), application).number == number


@pytest.mark.parametrize("claims", [{"nbf": NOW.timestamp() + 299}, {"iat": None}, {"jti": None}])
def test_claims_that_may_be_so(application, claims):
    assert require_assertion(an_assertion(application, **claims), application, ENDPOINT, NOW)


@pytest.mark.parametrize(
    "made",
    [
        {"key": STRANGER},
        {"key": STRANGER, "header": {"x5t": b64(certify(STRANGER).fingerprint(hashes.SHA1()))}},
        {"key": STRANGER, "header": {"x5t": b64(SHA1), "x5c": [b64(certify(STRANGER).public_bytes(Encoding.DER))]}},
        {"header": {}},
        {"header": {"kid": SHA1.hex()}},
        {"header": {"x5t": b64(SHA1), "x5t#S256": b64(bytes(32))}},
        {"header": {"x5t": b64(bytes(20)), "x5t#S256": b64(SHA256)}},
        {"header": {"x5t": ""}},
        {"header": {"x5t": b64(SHA1), "crit": ["exp"]}},
        {"algorithm": "RS384"},
        {"algorithm": "HS256", "key": "k" * 64},
    ],
)
def test_a_signature_that_does_not_prove(application, made):
    refusal = refused(an_assertion(application, **made), application)
    assert (refusal.number, refusal.status, refusal.code) == (700027, 401, "invalid_client")


def test_the_algorithm_that_is_named_is_the_one_that_counts(application):
    _, payload, signature = an_assertion(application, algorithm="PS256").split(".")
    named = b64(json.dumps({"alg": "RS256", "typ": "JWT", "x5t": b64(SHA1)}).encode())
    assert refused(f"{named}.{payload}.{signature}", application).number == 700027


@pytest.mark.parametrize(
    "made",
    [
        "",
        "a.b",
        "a.b.c.d",
        "é.b.c",
        "A.A.A",
        "{good}=",
        "{good}\n",
        "x" * 20000,
        b64(b"[]") + ".AAAA.AAAA",
        b64(b'{"alg":"RS256","x5t":"*"}') + ".AAAA.AAAA",
        b64(b'{"alg":"none","x5t":1}') + ".AAAA.AAAA",
        b64(b"[" * 6000) + ".AAAA.AAAA",
    ],
)
def test_what_is_no_assertion(application, made):
    refusal = refused(made.format(good=an_assertion(application)), application)
    assert (refusal.number, refusal.status) == (50027, 400)


def test_an_expired_certificate_proves_nothing(application):
    ended = replace(application, certificates=(replace(application.certificates[0], expires=NOW),))
    assert refused(an_assertion(application), ended).number == 700027


def test_a_certificate_that_is_not_yet_valid_proves_nothing(application):
    early = CERTIFICATE.not_valid_before_utc - timedelta(seconds=1)
    times = {"iat": early.timestamp(), "exp": early.timestamp() + 600}
    refusal = refused(an_assertion(application, **times), application, early)
    assert (refusal.number, "not yet valid" in refusal.message) == (700027, True)
    at_once = early + timedelta(seconds=1)
    assert require_assertion(an_assertion(application, **times), application, ENDPOINT, at_once)


def test_without_a_certificate_nothing_is_proved(application):
    assert refused(an_assertion(application), replace(application, certificates=())).number == 700027
