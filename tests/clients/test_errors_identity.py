"""Every refusal of the sign-in host that a client can meet today, provoked against a server started by its command.

Always the answer itself, field by field, by plain HTTPS; and where `azure-identity` can be brought to it, the text of
its own error, since that is what people see and search for. See `test_errors.py`.
"""

import base64
import json
import re
import uuid
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientAssertionCredential
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from clients.direct import add_certificate, make_applications, make_certificate, seconds_from_now
from clients.provoking import NOWHERE, World

pytestmark = [pytest.mark.xdist_group("errors"), pytest.mark.usefixtures("client_environ")]

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FIELDS = {
    "error",
    "error_description",
    "error_codes",
    "timestamp",
    "trace_id",
    "correlation_id",
    "error_uri",
}


class SignIns:
    """An application with every kind of credential, and one of each that may not sign in."""

    def __init__(self, server, connection):
        self.world = World(server, connection)
        self.direct = self.world.direct
        self.connection = connection
        self.app_id, _, self.secret = self.world.applications["guest"]
        self.disabled_id, _, self.disabled_secret = self.world.applications["disabled"]
        expired = make_applications(server, ["expired"], lifetime=timedelta(microseconds=1))["expired"]
        self.expired_id, _, self.expired_secret = expired
        self.key, self.certificate = make_certificate()
        add_certificate(server, self.app_id, self.certificate)

    @property
    def scope(self):
        return f"{self.direct.service_url('vault')}/.default"

    def form(self, *, without=(), **changes):
        """Return the form of a sign-in that would succeed, with changes made to it."""
        right = {
            "grant_type": "client_credentials",
            "client_id": self.app_id,
            "client_secret": self.secret,
            "scope": self.scope,
        }
        return {name: value for name, value in (right | changes).items() if name not in without}

    def post(self, *, tenant=None, without=(), **changes):
        return self.direct.post_form(self.form(without=without, **changes), tenant=tenant)

    def assertion(self, *, key=None, certificate=None, **changes):
        """Return a client assertion that would prove the application, with changes made to its claims."""
        claims = {
            "aud": f"{self.connection.authority}/{self.connection.tenantId}/oauth2/v2.0/token",
            "iss": self.app_id,
            "sub": self.app_id,
            "exp": seconds_from_now(600),
            "jti": str(uuid.uuid4()),
        }
        digest = (certificate or self.certificate).fingerprint(SHA1())
        thumbprint = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        kept = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode(kept, key or self.key, algorithm="RS256", headers={"x5t": thumbprint})

    def prove(self, assertion, **changes):
        changes = {"client_assertion": assertion, "client_assertion_type": JWT_BEARER} | changes
        return self.post(without=("client_secret",), **changes)

    def misdirected(self):
        return self.assertion(aud="https://login.microsoftonline.com/common/oauth2/v2.0/token")

    def sign_in(self, **changes):
        """Ask the SDK's credential for a token."""
        client_id = changes.pop("client_id", self.app_id)
        secret = changes.pop("client_secret", self.secret)
        scope = changes.pop("scope", self.scope)
        return self.world.credential(client_id=client_id, client_secret=secret, **changes).get_token(scope)

    def sign_in_by_assertion(self, assertion):
        made = ClientAssertionCredential(
            self.connection.tenantId,
            self.app_id,
            lambda: assertion,
            authority=self.connection.authority,
            disable_instance_discovery=True,
            retry_total=0,
        )
        with made:
            return made.get_token(self.scope)

    def sign_in_by_stranger(self):
        key, certificate = make_certificate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        made = CertificateCredential(
            self.connection.tenantId,
            self.app_id,
            certificate_data=pem + certificate.public_bytes(Encoding.PEM),
            authority=self.connection.authority,
            disable_instance_discovery=True,
            retry_total=0,
        )
        with made:
            return made.get_token(self.scope)


@pytest.fixture(scope="module")
def signs(server, connection):
    made = SignIns(server, connection)
    yield made
    made.world.close()


def basic(name, secret):
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


# name → how, status, error, AADSTS number
REFUSALS = {
    "tenant unknown, at discovery": (
        lambda s: s.direct.ask("GET", f"{s.connection.authority}/{NOWHERE}/v2.0/.well-known/openid-configuration"),
        (400, "invalid_tenant", 90002),
    ),
    "tenant unknown": (lambda s: s.post(tenant=NOWHERE), (400, "invalid_request", 90002)),
    "tenant unnamed": (lambda s: s.post(tenant="common"), (400, "invalid_request", 50059)),
    "parameter missing": (lambda s: s.post(without=["scope"]), (400, "invalid_request", 900144)),
    "no form": (
        lambda s: s.direct.post_form(json.dumps(s.form()), headers={"content-type": "application/json"}),
        (400, "invalid_request", 900144),
    ),
    "parameter repeated": (
        lambda s: s.direct.post_form([*s.form().items(), ("scope", "any")]),
        (400, "invalid_request", 9000411),
    ),
    "form unreadable": (lambda s: s.direct.post_form(b"client_id=\xff\xfe"), (400, "invalid_request", 90013)),
    "Basic unreadable": (
        lambda s: s.direct.post_form(s.form(), headers={"authorization": "Basic not-base64!"}),
        (400, "invalid_request", 90013),
    ),
    "two proofs": (
        lambda s: s.direct.post_form(s.form(), headers=basic(s.app_id, s.secret)),
        (400, "invalid_request", 90023),
    ),
    "an assertion of another type": (
        lambda s: s.prove("any", client_assertion_type="urn:saml2"),
        (400, "invalid_request", 90023),
    ),
    "grant": (lambda s: s.post(grant_type="password"), (400, "unsupported_grant_type", 70003)),
    "scope": (lambda s: s.post(scope="openid profile"), (400, "invalid_scope", 1002012)),
    "resource": (lambda s: s.post(scope="https://elsewhere.test/.default"), (400, "invalid_resource", 500011)),
    "application unknown": (lambda s: s.post(client_id=NOWHERE), (400, "unauthorized_client", 700016)),
    "application disabled": (
        lambda s: s.post(client_id=s.disabled_id, client_secret=s.disabled_secret),
        (400, "unauthorized_client", 7000112),
    ),
    "secret wrong": (lambda s: s.post(client_secret="wrong"), (401, "invalid_client", 7000215)),
    "secret of another": (lambda s: s.post(client_secret=s.disabled_secret), (401, "invalid_client", 7000215)),
    "secret wrong, of a disabled application": (
        lambda s: s.post(client_id=s.disabled_id, client_secret="wrong"),
        (401, "invalid_client", 7000215),
    ),
    "no credential": (lambda s: s.post(without=["client_secret"]), (401, "invalid_client", 7000216)),
    "secret expired": (
        lambda s: s.post(client_id=s.expired_id, client_secret=s.expired_secret),
        (401, "invalid_client", 7000222),
    ),
    "assertion malformed": (lambda s: s.prove("nonsense"), (400, "invalid_request", 50027)),
    "assertion without a claim": (lambda s: s.prove(s.assertion(exp=None)), (400, "invalid_request", 50027)),
    "assertion signed by another key": (
        lambda s: s.prove(s.assertion(key=make_certificate()[0])),
        (401, "invalid_client", 700027),
    ),
    "assertion under an unknown certificate": (
        lambda s: s.prove(s.assertion(certificate=make_certificate()[1])),
        (401, "invalid_client", 700027),
    ),
    "assertion about another": (lambda s: s.prove(s.assertion(sub=NOWHERE)), (401, "invalid_client", 700021)),
    "assertion for another endpoint": (lambda s: s.prove(s.misdirected()), (401, "invalid_client", 700023)),
    "assertion expired": (
        lambda s: s.prove(s.assertion(exp=seconds_from_now(-1))),
        (401, "invalid_client", 700024),
    ),
    "assertion valid for too long": (
        lambda s: s.prove(s.assertion(exp=seconds_from_now(2 * 3600))),
        (401, "invalid_client", 700024),
    ),
    "instance unknown": (
        lambda s: s.direct.ask(
            "GET",
            f"{s.connection.authority}/common/discovery/instance?api-version=1.1"
            "&authorization_endpoint=https://elsewhere.test/common/oauth2/authorize",
        ),
        (400, "invalid_instance", 50049),
    ),
}
# name → how the SDK is brought to it, AADSTS number in the text of its error
BY_THE_SDK = {
    "secret wrong": (lambda s: s.sign_in(client_secret="wrong"), 7000215),
    "secret expired": (lambda s: s.sign_in(client_id=s.expired_id, client_secret=s.expired_secret), 7000222),
    "application unknown": (lambda s: s.sign_in(client_id=NOWHERE), 700016),
    "application disabled": (lambda s: s.sign_in(client_id=s.disabled_id, client_secret=s.disabled_secret), 7000112),
    "resource": (lambda s: s.sign_in(scope="https://elsewhere.test/.default"), 500011),
    "certificate unknown": (lambda s: s.sign_in_by_stranger(), 700027),
    "assertion expired": (lambda s: s.sign_in_by_assertion(s.assertion(exp=seconds_from_now(-1))), 700024),
    "assertion about another": (lambda s: s.sign_in_by_assertion(s.assertion(sub=NOWHERE)), 700021),
    "assertion for another endpoint": (lambda s: s.sign_in_by_assertion(s.misdirected()), 700023),
    "assertion malformed": (lambda s: s.sign_in_by_assertion("nonsense"), 50027),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_the_sign_in_host_answers_a_refusal_as_its_row_says(signs, name):
    provoke, (status, error, number) = REFUSALS[name]
    answer = provoke(signs)
    body = answer.json
    assert (answer.status, body["error"], body["error_codes"]) == (status, error, [number])
    assert set(body) == FIELDS
    assert GUID.fullmatch(body["trace_id"])
    assert GUID.fullmatch(body["correlation_id"])
    said = datetime.strptime(body["timestamp"], "%Y-%m-%d %H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - said) < timedelta(minutes=1)
    tail = " Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}".format(**body)
    assert re.match(rf"AADSTS{number}: \S", body["error_description"])
    assert body["error_description"].endswith(tail)
    assert body["error_uri"] == f"{signs.connection.authority}/error?code={number}"
    assert "no-store" in answer.headers["cache-control"]
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("name", BY_THE_SDK)
def test_azure_identity_shows_the_number_that_people_search_for(signs, name):
    provoke, number = BY_THE_SDK[name]
    with pytest.raises(ClientAuthenticationError, match=rf"AADSTS{number}: "):
        provoke(signs)


def test_azure_identity_says_which_tenant_it_did_not_find(signs):
    """MSAL reads no refusal of a discovery: it says in its own words what it asked for."""
    with pytest.raises((ClientAuthenticationError, ValueError), match=NOWHERE):
        signs.sign_in(tenant_id=NOWHERE)


def test_what_is_sent_right_signs_in(signs):
    """Else the tables above would pass for another reason than their own."""
    assert signs.post().status == 200
    assert signs.prove(signs.assertion()).status == 200
    assert (
        signs.direct.post_form(
            signs.form(without=("client_id", "client_secret")), headers=basic(signs.app_id, signs.secret)
        ).json["token_type"]
        == "Bearer"
    )
    assert signs.sign_in().token


# What is no OAuth error: name → how, status, code
PLAIN = {
    "NotFound": (lambda s: s.direct.ask("GET", f"{s.connection.authority}/any/thing/else"), (404, "NotFound")),
    "MethodNotAllowed": (
        lambda s: s.direct.ask("GET", f"{s.connection.authority}/{s.connection.tenantId}/oauth2/v2.0/token"),
        (405, "MethodNotAllowed"),
    ),
    "RequestEntityTooLarge": (lambda s: s.post(client_secret="x" * 65536), (413, "RequestEntityTooLarge")),
}


@pytest.mark.parametrize("name", PLAIN)
def test_the_sign_in_host_says_in_plain_words_what_is_no_matter_of_oauth(signs, name):
    provoke, (status, code) = PLAIN[name]
    answer = provoke(signs)
    assert (answer.status, answer.json["error"]) == (status, code)
    assert set(answer.json) == {"error", "error_description"}
