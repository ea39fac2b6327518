import base64
import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubles import TENANT, MemoryStorage, a_signing_key, sign_up
from strongroom.access.identity.applications import Applications
from strongroom.access.identity.audiences import Service
from strongroom.access.identity.signing import TOKEN_LIFETIME
from strongroom.access.identity.verifier import Verifier
from strongroom.audit.event import Category
from strongroom.clock import real_now
from strongroom.errors import StrongroomError
from strongroom.ids import new_guid
from strongroom.planes.call import Call
from strongroom.planes.gate import Gate
from strongroom.planes.http import Request
from strongroom.planes.identity.plane import IdentityPlane

HOST = "login.localhost:8443"
BASE = f"https://{HOST}"
FORM = b"application/x-www-form-urlencoded"
SECOND = f"/{TENANT.tenant_id}/oauth2/v2.0/token"
FIRST = f"/{TENANT.tenant_id}/oauth2/token"
VAULT = "https://vault.localhost:8443"


class Server:
    def __init__(self, storage, application, secret):
        self.storage = storage
        self.application = application
        self.secret = secret
        self.gate = Gate(IdentityPlane(storage.custodian), storage, storage.custodian, "localhost")

    async def ask(self, method, path, body=b"", *, headers=None, query=b"", host=HOST, repeated=()):
        request = Request(method, host, path, query, headers or {}, "127.0.0.1", repeated=frozenset(repeated))

        async def read(limit):
            return body

        return await self.gate.serve(request, read)

    def form(self, **changes):
        fields = {
            "grant_type": "client_credentials",
            "client_id": self.application.app_id,
            "client_secret": self.secret,
            "scope": f"{VAULT}/.default",
        } | changes
        return {name: value for name, value in fields.items() if value is not None}

    async def sign_in(self, path=SECOND, *, headers=None, query=b"", **changes):
        body = urlencode(self.form(**changes)).encode()
        return await self.ask("POST", path, body, headers={b"content-type": FORM} | (headers or {}), query=query)


@pytest.fixture
async def server():
    storage = MemoryStorage()
    return Server(storage, *await sign_up(storage))


def body_of(response, status=200):
    assert response.status == status, response.body
    return json.loads(response.body)


def headers_of(response):
    return dict((*response.headers, *response.always))


async def test_a_secret_gets_a_token_that_the_verifier_takes(server):
    answer = body_of(await server.sign_in())
    assert {**answer, "access_token": ""} == {
        "token_type": "Bearer",
        "expires_in": 3599,
        "ext_expires_in": 3599,
        "access_token": "",
    }
    caller = await Verifier("localhost").verify(
        answer["access_token"], service=Service.VAULT, store=server.storage.stores.identity, now=real_now()
    )
    assert caller.object_id == server.application.object_id
    assert caller.audience == VAULT


async def test_the_first_endpoint_takes_a_resource_and_answers_in_text(server):
    answer = body_of(await server.sign_in(FIRST, scope=None, resource="https://vault.azure.net"))
    assert answer["resource"] == "https://vault.azure.net"
    assert answer["expires_in"] == answer["ext_expires_in"] == "3599"
    assert int(answer["expires_on"]) - int(answer["not_before"]) == TOKEN_LIFETIME.total_seconds() + 300
    assert jwt.decode(answer["access_token"], options={"verify_signature": False})["aud"] == "https://vault.azure.net"


@pytest.mark.parametrize(
    "resource",
    [
        "https://vault.localhost",
        "https://vault.localhost:8443",
        "https://management.localhost:8443",
        "https://management.localhost:8443/",
        "https://graph.localhost:8443/",
        "https://managedhsm.localhost",
        "https://vault.azure.net",
        "https://management.core.windows.net/",
        "https://management.azure.com",
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
    ],
)
async def test_the_audience_is_the_resource_as_it_was_asked_for(server, resource):
    answer = body_of(await server.sign_in(scope=f"{resource}/.default"))
    assert jwt.decode(answer["access_token"], options={"verify_signature": False})["aud"] == resource


@pytest.mark.parametrize(
    "scope", [f"{VAULT}/.default openid offline_access profile", f"openid  profile email {VAULT}/.default "]
)
async def test_scopes_of_people_beside_the_resource_say_nothing(server, scope):
    answer = body_of(await server.sign_in(scope=scope))
    assert jwt.decode(answer["access_token"], options={"verify_signature": False})["aud"] == VAULT
    assert not set(answer) & {"id_token", "refresh_token"}


@pytest.mark.parametrize(
    "path",
    [
        SECOND,
        SECOND + "/",
        "/" + SECOND,
        SECOND.replace("/oauth2", "//oauth2"),
        SECOND.upper(),
        SECOND.replace(TENANT.tenant_id, "localhost"),
        SECOND.replace(TENANT.tenant_id, "LocalHost"),
    ],
)
async def test_a_tenant_goes_by_its_id_and_the_first_by_the_domain(server, path):
    assert body_of(await server.sign_in(path))["token_type"] == "Bearer"


async def test_what_clients_send_beside_is_ignored(server):
    answer = await server.sign_in(
        client_info="1",
        claims='{"access_token":{"xms_cc":{"values":["CP1"]}}}',
        query=b"client-request-id=x",
        **{"x-client-SKU": "msal.js.node", "empty": ""},
    )
    token = body_of(answer)["access_token"]
    assert "xms_cc" not in jwt.decode(token, options={"verify_signature": False})


async def test_basic_proves_as_well(server):
    pair = base64.b64encode(f"{server.application.app_id}:{server.secret}".encode())
    for client_id in (None, server.application.app_id):
        headers = {b"authorization": b"Basic " + pair}
        assert body_of(await server.sign_in(client_id=client_id, client_secret=None, headers=headers))["access_token"]


def an_assertion(server, key, certificate, **claims):
    said = {
        "aud": BASE + SECOND,
        "iss": server.application.app_id,
        "sub": server.application.app_id,
        "exp": real_now().timestamp() + 600,
        "jti": new_guid(),
    } | claims
    thumbprint = base64.urlsafe_b64encode(certificate.sha256).decode()
    return jwt.encode(said, key, algorithm="PS256", headers={"x5t#S256": thumbprint})


JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
async def certified(server):
    """The application with a certificate, and the certificate's key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = real_now()
    builder = x509.CertificateBuilder(
        x509.Name([]), x509.Name([]), key.public_key(), 7, now - timedelta(days=1), now + timedelta(days=1)
    )
    pem = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    stores = server.storage.stores
    applications = Applications(stores.identity, stores.keyring, server.storage.custodian)
    changed = await applications.add_certificate(server.application.app_id, pem, now=now)
    return key, changed.certificates[0]


async def test_an_assertion_gets_a_token_too(server, certified):
    proof = {"client_secret": None, "client_assertion_type": JWT_BEARER}
    answer = body_of(await server.sign_in(client_assertion=an_assertion(server, *certified), **proof))
    assert jwt.decode(answer["access_token"], options={"verify_signature": False})["appidacr"] == "2"
    (record,) = server.storage.bodies()
    assert record["properties"]["clientCredentialType"] == "certificate"
    assert record["properties"]["servicePrincipalCredentialKeyId"] == certified[1].key_id


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"client_assertion_type": None}, 900144),
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, 90023),
        ({"client_assertion": "x"}, 50027),
        ({"client_secret": "x"}, 90023),
    ],
)
async def test_an_assertion_is_sent_rightly_or_refused(server, certified, changes, number):
    sent = {"client_secret": None, "client_assertion_type": JWT_BEARER}
    answer = await server.sign_in(**(sent | {"client_assertion": an_assertion(server, *certified)} | changes))
    assert json.loads(answer.body)["error_codes"] == [number]


STRANGER = "11111111-2222-3333-4444-555555555555"
# What is sent; then status, OAuth error and AADSTS number.
REFUSALS = {
    "wrong secret": ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
    "no credential": ({"client_secret": None}, 401, "invalid_client", 7000216),
    "empty secret": ({"client_secret": ""}, 401, "invalid_client", 7000216),
    "unknown application": ({"client_id": STRANGER}, 400, "unauthorized_client", 700016),
    "no application id": ({"client_id": "' OR 1=1 --"}, 400, "unauthorized_client", 700016),
    "no client": ({"client_id": None}, 400, "invalid_request", 900144),
    "unknown resource": ({"scope": "https://example.test/.default"}, 400, "invalid_resource", 500011),
    "one vault as resource": ({"scope": "https://my.vault.localhost/.default"}, 400, "invalid_resource", 500011),
    "suffix taken off once": ({"scope": f"{VAULT}/.default/.default"}, 400, "invalid_resource", 500011),
    "no scope": ({"scope": None}, 400, "invalid_request", 900144),
    "no suffix": ({"scope": VAULT}, 400, "invalid_scope", 1002012),
    "two scopes": ({"scope": f"{VAULT}/.default https://graph.localhost/.default"}, 400, "invalid_scope", 1002012),
    "no resource": ({"scope": "openid profile"}, 400, "invalid_scope", 1002012),
    "scopes of people in other letters": ({"scope": f"{VAULT}/.default OpenID"}, 400, "invalid_scope", 1002012),
    "no grant": ({"grant_type": None}, 400, "invalid_request", 900144),
    "grant of a password": ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    "grant of a code": ({"grant_type": "authorization_code"}, 400, "unsupported_grant_type", 70003),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_says_why_as_the_directory_does(server, name):
    changes, status, error, number = REFUSALS[name]
    correlation_id = "5d3ab1a4-0000-4000-8000-9f6b5c8a7e11"
    response = await server.sign_in(headers={b"client-request-id": correlation_id.encode()}, **changes)
    body = body_of(response, status)
    assert list(body) == [
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
        "error_uri",
    ]
    assert (body["error"], body["error_codes"]) == (error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    tail = f"Trace ID: {body['trace_id']} Correlation ID: {correlation_id} Timestamp: {body['timestamp']}"
    assert body["error_description"].endswith(tail)
    assert body["correlation_id"] == correlation_id
    assert body["error_uri"] == f"{BASE}/error?code={number}"
    assert headers_of(response)[b"x-ms-request-id"].decode() == body["trace_id"]
    (record,) = server.storage.bodies(Category.SIGN_IN)
    assert record["operationName"] == "Sign-in activity"
    assert (record["resultType"], record["properties"]["errorCode"]) == ("Failed", number)
    assert record["properties"]["correlationId"] == correlation_id


@pytest.mark.parametrize("name", REFUSALS)
async def test_no_secret_is_in_an_answer_or_a_record(server, name):
    response = await server.sign_in(query=b"client_secret=canary-in-the-query", **REFUSALS[name][0])
    told = response.body + server.storage.records[0].body
    assert server.secret.encode() not in told
    assert b"canary" not in told


async def test_no_secret_is_in_the_record_of_a_success(server):
    response = await server.sign_in(query=b"client_secret=canary", state="canary")
    recorded = server.storage.records[0].body
    assert server.secret.encode() not in recorded
    assert b"canary" not in recorded
    assert json.loads(response.body)["access_token"].encode() not in recorded


async def test_the_record_of_a_sign_in_says_who_for_what(server):
    token = body_of(await server.sign_in())["access_token"]
    (record,) = server.storage.bodies()
    assert record["category"] == "SignInLogs"
    assert record["resourceId"] == f"/TENANTS/{TENANT.tenant_id.upper()}/PROVIDERS/MICROSOFT.AADIAM"
    assert (record["resultType"], record["resultSignature"]) == ("Success", "OK")
    said = record["properties"]
    assert said["appId"] == server.application.app_id
    assert said["servicePrincipalId"] == server.application.object_id
    assert said["servicePrincipalName"] == "app"
    assert said["tenantId"] == TENANT.tenant_id
    assert said["resource"] == VAULT
    assert said["errorCode"] == 0
    assert said["clientCredentialType"] == "clientSecret"
    assert said["servicePrincipalCredentialKeyId"] == server.application.secrets[0].key_id
    assert said["uniqueTokenIdentifier"] == jwt.decode(token, options={"verify_signature": False})["uti"]
    assert said["requestUri"] == BASE + SECOND


async def test_a_token_that_cannot_be_recorded_is_not_given(server):
    server.storage.broken = True
    body = body_of(await server.sign_in(), 503)
    assert "access_token" not in body


async def test_who_does_not_prove_learns_nothing_of_the_application_s_state(server):
    await server.storage.stores.identity.replace_application(replace(server.application, enabled=False))
    wrong = body_of(await server.sign_in(client_secret="wrong"), 401)
    assert wrong["error_codes"] == [7000215]
    right = body_of(await server.sign_in(), 400)
    assert (right["error"], right["error_codes"]) == ("unauthorized_client", [7000112])


async def test_an_application_of_another_tenant_is_unknown(server):
    other = replace(TENANT, tenant_id=new_guid())
    await server.storage.stores.identity.add_tenant(other)
    body = body_of(await server.sign_in(SECOND.replace(TENANT.tenant_id, other.tenant_id)), 400)
    assert body["error_codes"] == [700016]


@pytest.mark.parametrize("segment", ["common", "organizations"])
async def test_an_application_signs_in_at_its_own_tenant(server, segment):
    body = body_of(await server.sign_in(f"/{segment}/oauth2/v2.0/token"), 400)
    assert body["error_codes"] == [50059]


@pytest.mark.parametrize("segment", [STRANGER, "consumers", "adfs", "example.test", "%00", "a b"])
async def test_an_unknown_tenant_is_told_at_once(server, segment):
    for path, error in (
        (f"/{segment}/v2.0/.well-known/openid-configuration", "invalid_tenant"),
        (f"/{segment}/discovery/v2.0/keys", "invalid_tenant"),
        (f"/{segment}/oauth2/v2.0/token", "invalid_request"),
    ):
        response = await (server.sign_in(path) if path.endswith("token") else server.ask("GET", path))
        body = body_of(response, 400)
        assert (body["error"], body["error_codes"]) == (error, [90002])


@pytest.mark.parametrize(
    ("body", "content_type", "number"),
    [
        (b"", FORM, 900144),
        (b'{"grant_type":"client_credentials"}', b"application/json", 900144),
        (b"grant_type=client_credentials", b"text/plain", 900144),
        (b"grant_type=client_credentials", b"", 900144),
        (b"grant_type=client_credentials&grant_type=client_credentials", FORM, 9000411),
        (b"client_secret=a&client_secret=b", FORM, 9000411),
        (b"grant_type=%FF", FORM, 90013),
        ("grant_type=é".encode(), FORM, 90013),
        (b"&".join(b"p%d=1" % i for i in range(65)), FORM, 90013),
        (b"\xff\xfe", FORM, 90013),
    ],
)
async def test_a_form_is_read_strictly(server, body, content_type, number):
    response = await server.ask("POST", SECOND, body, headers={b"content-type": content_type})
    assert body_of(response, 400)["error_codes"] == [number]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (b"Basic !", 90013),
        (b"Basic " + base64.b64encode(b"no-colon"), 90013),
        (b"Basic " + base64.b64encode(b":secret"), 90013),
        (b"Basic " + base64.b64encode(b"id:"), 90013),
        (b"Basic " + base64.b64encode(b"\xff:\xff"), 90013),
        (b"Basic " + base64.b64encode(STRANGER.encode() + b":secret"), 90023),
    ],
)
async def test_basic_is_read_strictly(server, value, number):
    response = await server.sign_in(client_secret=None, headers={b"authorization": value})
    assert body_of(response, 400)["error_codes"] == [number]


async def test_one_proof_is_enough(server):
    pair = b"Basic " + base64.b64encode(f"{server.application.app_id}:{server.secret}".encode())
    assert body_of(await server.sign_in(headers={b"authorization": pair}), 400)["error_codes"] == [90023]
    headers = {b"content-type": FORM, b"authorization": pair}
    response = await server.ask("POST", SECOND, b"", headers=headers, repeated=[b"authorization"])
    assert body_of(response, 400)["error_codes"] == [9000411]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=st.binary(max_size=300), content_type=st.sampled_from([FORM, b"application/json", b"x"]))
async def test_no_body_breaks_the_endpoint(server, body, content_type):
    response = await server.ask("POST", SECOND, body, headers={b"content-type": content_type})
    assert response.status == 400


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    fields=st.dictionaries(
        st.sampled_from(["grant_type", "client_id", "client_secret", "scope", "client_assertion"]), st.text(max_size=60)
    )
)
async def test_no_field_breaks_the_endpoint(server, fields):
    response = await server.sign_in(**({"client_secret": None} | fields))
    assert response.status in (400, 401)


@pytest.mark.parametrize("correlation", [b"", b"no-guid", b"<script>"])
async def test_a_client_s_id_of_its_request_is_a_guid_or_ours(server, correlation):
    response = await server.sign_in(client_secret="x", headers={b"client-request-id": correlation})
    assert body_of(response, 401)["correlation_id"] != correlation.decode()


@pytest.mark.parametrize(
    ("query", "echoed"),
    [
        (b"client-request-id=5d3ab1a4-0000-4000-8000-9f6b5c8a7e11", True),
        (b"client-request-id=1&client-request-id=2", False),
    ],
)
async def test_a_client_may_give_its_id_in_the_query(server, query, echoed):
    body = body_of(await server.sign_in(client_secret="x", query=query), 401)
    assert (body["correlation_id"] == "5d3ab1a4-0000-4000-8000-9f6b5c8a7e11") is echoed


async def test_the_configuration_tells_the_endpoints_by_the_host_that_was_asked(server):
    for host in ("login.localhost:8443", "login.localhost", "login.localhost:9"):
        path = f"/{TENANT.tenant_id.upper()}/v2.0/.well-known/openid-configuration"
        body = body_of(await server.ask("GET", path, host=host))
        authority = f"https://{host}/{TENANT.tenant_id}"
        assert body["issuer"] == f"{authority}/v2.0"
        assert body["token_endpoint"] == f"{authority}/oauth2/v2.0/token"
        assert body["authorization_endpoint"] == f"{authority}/oauth2/v2.0/authorize"
        assert body["device_authorization_endpoint"] == f"{authority}/oauth2/v2.0/devicecode"
        assert body["jwks_uri"] == f"{authority}/discovery/v2.0/keys"
        assert body["msgraph_host"] == host.replace("login", "graph")


async def test_the_first_configuration_has_the_issuer_of_the_tokens(server):
    body = body_of(await server.ask("GET", f"/{TENANT.tenant_id}/.well-known/openid-configuration"))
    token = body_of(await server.sign_in())["access_token"]
    assert body["issuer"] == jwt.decode(token, options={"verify_signature": False})["iss"]
    assert body["token_endpoint"] == BASE + FIRST
    assert body["jwks_uri"] == f"{BASE}/{TENANT.tenant_id}/discovery/keys"


@pytest.mark.parametrize("segment", ["common", "organizations"])
async def test_any_tenant_has_a_template_for_an_issuer(server, segment):
    second = body_of(await server.ask("GET", f"/{segment}/v2.0/.well-known/openid-configuration"))
    assert second["issuer"] == f"{BASE}/{{tenantid}}/v2.0"
    assert second["token_endpoint"] == f"{BASE}/{segment}/oauth2/v2.0/token"
    first = body_of(await server.ask("GET", f"/{segment}/.well-known/openid-configuration"))
    assert first["issuer"] == "https://sts.localhost/{tenantid}/"


@pytest.mark.parametrize("path", ["discovery/v2.0/keys", "discovery/keys"])
@pytest.mark.parametrize("segment", [TENANT.tenant_id, "common"])
async def test_the_keys_that_are_told_verify_the_tokens(server, path, segment):
    body = body_of(await server.ask("GET", f"/{segment}/{path}"))
    token = body_of(await server.sign_in())["access_token"]
    (key,) = jwt.PyJWKSet.from_dict(body).keys
    assert jwt.decode(token, key, algorithms=["RS256"], audience=VAULT)["oid"] == server.application.object_id
    assert set(body["keys"][0]) == {"kty", "use", "kid", "alg", "n", "e"}


async def test_a_key_whose_tokens_are_dead_is_not_told(server):
    keys = server.storage.stores.identity.signing_keys
    keys[:] = [replace(a_signing_key(2), retired=real_now() - TOKEN_LIFETIME), a_signing_key()]
    body = body_of(await server.ask("GET", f"/{TENANT.tenant_id}/discovery/keys"))
    assert [key["kid"] for key in body["keys"]] == [a_signing_key().kid]


async def test_instance_discovery_knows_this_host_only(server):
    query = urlencode({"api-version": "1.1", "authorization_endpoint": f"{BASE}/{TENANT.tenant_id}/oauth2/authorize"})
    body = body_of(await server.ask("GET", "/common/discovery/instance", query=query.encode()))
    assert body["tenant_discovery_endpoint"] == f"{BASE}/{TENANT.tenant_id}/v2.0/.well-known/openid-configuration"
    assert body["metadata"] == [{"preferred_network": HOST, "preferred_cache": HOST, "aliases": [HOST]}]


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "https://login.microsoftonline.com/common/oauth2/authorize",
        f"http://{HOST}/common",
        f"{BASE}/{STRANGER}/oauth2/authorize",
        "https://[",
    ],
)
async def test_another_authority_is_none_of_ours(server, endpoint):
    query = urlencode({"authorization_endpoint": endpoint}).encode()
    body = body_of(await server.ask("GET", "/common/discovery/instance", query=query), 400)
    assert (body["error"], body["error_codes"]) == ("invalid_instance", [50049])


async def test_every_user_is_at_home_here(server):
    body = body_of(await server.ask("GET", "/common/userrealm/alice@localhost"))
    assert body == {
        "ver": "1.0",
        "account_type": "Managed",
        "domain_name": "localhost",
        "cloud_instance_name": "login.localhost",
        "cloud_audience_urn": "urn:federation:MicrosoftOnline",
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/nothing", 404),
        ("POST", "/../../etc/passwd", 404),
        ("GET", SECOND, 405),
        ("PUT", FIRST, 405),
        ("POST", f"/{TENANT.tenant_id}/discovery/keys", 405),
    ],
)
async def test_other_paths_and_verbs_are_refused_and_recorded(server, method, path, status):
    response = await server.ask(method, path)
    assert body_of(response, status)["error"] in {"NotFound", "MethodNotAllowed"}
    assert (b"allow" in headers_of(response)) == (status == 405)
    (record,) = server.storage.bodies(Category.SIGN_IN)
    assert record["properties"]["httpStatusCode"] == status


async def test_answers_with_tokens_are_not_kept(server):
    for response in (await server.sign_in(), await server.sign_in(client_secret="x")):
        headers = headers_of(response)
        assert b"no-store" in headers[b"cache-control"]
        assert headers[b"pragma"] == b"no-cache"
        assert headers[b"content-type"].startswith(b"application/json")
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert b"strict-transport-security" in headers
        assert headers[b"x-ms-request-id"]


async def test_nothing_of_this_plane_asks_for_a_token(server):
    plane = IdentityPlane(server.storage.custodian)
    assert all(operation.anonymous for operation in plane.table.operations)
    call = Call(
        Request("POST", HOST, SECOND, b"", {}, ""), server.storage.stores, server.storage.custodian, *[None] * 3
    )
    with pytest.raises(StrongroomError):
        await plane.authenticate(call)
