"""Plain HTTPS straight to a server's port, where no SDK goes: kept connections, raw answers, made-up tokens.

Nothing here goes through the built-in proxy: the TCP connection is opened to 127.0.0.1, the name stands in TLS and in
the Host header.
"""

import base64
import json
import socket
import ssl
import uuid
from datetime import UTC, datetime, timedelta
from http.client import HTTPResponse, HTTPSConnection
from urllib.parse import urlencode, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from canaries import plant
from strongroom.access.authorization.assignments import AssignmentRequest, assign_role
from strongroom.access.identity.signing import SigningKeys
from strongroom.audit.local import local_record
from strongroom.cli.data import on_data
from strongroom.clock import real_now
from strongroom.ids import subscription_scope
from strongroom.settings import load_settings
from strongroom.storage.records import SqlRecords
from strongroom.storage.rows import RowSeal
from strongroom.storage.serverkeys import server_keys

DATA_VERSION = "7.6"
VAULT_VERSION = "2023-07-01"
GROUP_VERSION = "2021-04-01"
TIMEOUT_SECONDS = 60
# Headers that differ from answer to answer.
FRESH = {"x-ms-request-id", "x-ms-correlation-request-id", "date"}


class Answer:
    """An answer as it came: status, headers (pairs in order, names in lower case), raw body."""

    def __init__(self, response):
        self.status = response.status
        self.pairs = tuple((name.lower(), value) for name, value in response.getheaders())
        self.headers = dict(self.pairs)
        self.raw = response.read()

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def error(self):
        return self.json["error"]

    @property
    def lasting(self):
        """All that must be the same when the same is asked again: status, headers but for fresh ids, body."""
        return self.status, tuple(pair for pair in self.pairs if pair[0] not in FRESH), self.raw

    def __repr__(self):
        return f"<{self.status} {self.raw[:300]!r}>"


class Connection(HTTPSConnection):
    """One kept-alive connection to a host of the server. address: where the server is sought."""

    address = "127.0.0.1"

    def __init__(self, connection, url, context):
        parts = urlsplit(url)
        super().__init__(parts.hostname, parts.port, context=context, timeout=TIMEOUT_SECONDS)
        self.base = f"{parts.scheme}://{parts.netloc}"

    def connect(self):
        plain = socket.create_connection((self.address, self.port), TIMEOUT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)

    def send_request(self, method, path, *, token=None, body=None, headers=None):
        """Send a request, its answer to be read with `read`."""
        sent = {} if token is None else {"authorization": f"Bearer {token}"}
        if isinstance(body, (dict, list)):
            body, sent["content-type"] = json.dumps(body), "application/json"
        self.request(method, path, body=body, headers=sent | (headers or {}))

    def read(self):
        return Answer(self.getresponse())

    def ask(self, method, path, **kwargs):
        self.send_request(method, path, **kwargs)
        return self.read()


class Direct:
    """Asks a server, each host of it over one kept-alive connection. connection: facts of the connection file."""

    def __init__(self, connection):
        self.facts = connection
        self._context = ssl.create_default_context(cafile=connection.caBundle)
        self._kept = {}
        self._tokens = {}

    def open(self, url):
        """Return a connection of its own to the host of a URL."""
        return Connection(self.facts, url, self._context)

    def close(self):
        for kept in self._kept.values():
            kept.close()

    def ask(self, method, url, **kwargs):
        """Ask for a URL over the connection kept for its host."""
        parts = urlsplit(url)
        kept = self._kept.get(parts.netloc)
        if kept is None:
            kept = self._kept[parts.netloc] = self.open(url)
        return kept.ask(method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), **kwargs)

    def send(self, url, sent):
        """Send bytes as they are to the host of a URL, over a connection of their own; return the first answer."""
        connection = self.open(url)
        connection.connect()
        with connection.sock:
            connection.sock.sendall(sent)
            response = HTTPResponse(connection.sock)
            response.begin()
            return Answer(response)

    # --- tokens

    def post_form(self, form, *, tenant=None, path="oauth2/v2.0/token", headers=None):
        """Ask the token endpoint. form: a mapping or pairs, or a body as it is."""
        body = form if isinstance(form, (str, bytes)) else urlencode(form)
        sent = {"content-type": "application/x-www-form-urlencoded"} | (headers or {})
        url = f"{self.facts.authority}/{tenant or self.facts.tenantId}/{path}"
        return self.ask("POST", url, body=body, headers=sent)

    def sign_in(self, client_id, secret, service="vault"):
        """Return a new access token of an application, for `vault` or `management`."""
        answer = self.post_form(
            {
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": secret,
                "scope": f"{self.service_url(service)}/.default",
            }
        )
        assert answer.status == 200, answer
        return answer.json["access_token"]

    def service_url(self, service):
        return self.facts.managementUrl.replace("//management.", f"//{service}.")

    def owner(self, service="vault"):
        """Return a token of the bootstrap application."""
        if service not in self._tokens:
            self._tokens[service] = self.sign_in(self.facts.clientId, self.facts.clientSecret, service)
        return self._tokens[service]

    @property
    def owner_id(self):
        """The object id of the bootstrap application."""
        return claims_in(self.owner())["oid"]

    # --- the management plane

    @property
    def subscription(self):
        return f"/subscriptions/{self.facts.subscriptionId}"

    def manage(self, method, path, body=None, *, token=None, version=VAULT_VERSION):
        """Ask the management plane, as the owner unless a token is given. path: below the host."""
        joint = "&" if "?" in path else "?"
        query = f"{joint}api-version={version}" if version else ""
        url = f"{self.facts.managementUrl}{path}{query}"
        return self.ask(method, url, token=token or self.owner("management"), body=body)

    def group_path(self, group):
        return f"{self.subscription}/resourceGroups/{group}"

    def vault_path(self, name, group="dev"):
        return f"{self.group_path(group)}/providers/Microsoft.KeyVault/vaults/{name}"

    def vault_url(self, name):
        return self.facts.managementUrl.replace("//management.", f"//{name}.vault.")

    def make_group(self, name):
        body = {"location": self.facts.location}
        answer = self.manage("PUT", self.group_path(name), body, version=GROUP_VERSION)
        assert answer.status == 201, answer

    def vault_body(self, **properties):
        known = {"tenantId": self.facts.tenantId, "sku": {"family": "A", "name": "standard"}}
        if not properties.get("enableRbacAuthorization"):
            known |= {"accessPolicies": [], "enableRbacAuthorization": False}
        return {"location": self.facts.location, "properties": known | properties}

    def make_vault(self, name, group="dev", **properties):
        """Make a vault (in access-policy mode, open to nobody, unless told otherwise) and return its URL."""
        answer = self.manage("PUT", self.vault_path(name, group), self.vault_body(**properties))
        assert answer.status == 200, answer
        return self.vault_url(name)

    def policy(self, object_id, *permissions, **others):
        """Return an access policy; permissions: those for secrets."""
        return {
            "tenantId": self.facts.tenantId,
            "objectId": object_id,
            "permissions": {"secrets": list(permissions)} | others,
        }

    def change_policies(self, kind, name, *policies, group="dev"):
        body = {"properties": {"accessPolicies": list(policies)}}
        answer = self.manage("PUT", f"{self.vault_path(name, group)}/accessPolicies/{kind}", body)
        assert answer.status == 200, answer

    # --- the data plane

    def secret(self, method, vault_url, path, body=None, *, token=None, version=DATA_VERSION):
        """Ask a vault, as the owner unless a token is given. path: below the vault's URL, without api-version."""
        joint = "&" if "?" in path else "?"
        query = f"{joint}api-version={version}" if version else ""
        return self.ask(method, f"{vault_url}{path}{query}", token=token or self.owner(), body=body)


def unique(prefix):
    """Return a name that no other test has: all of them may share one server."""
    return f"{prefix}{uuid.uuid4().hex[:12]}"


def claims_in(token):
    """Return what a token says, unverified."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def object_id_in(token):
    return claims_in(token)["oid"]


# --- what only the one who holds the master key can do


def on_server_data(server, work):
    """Run `work(data)` on a server's data directory, beside it, as its commands do."""
    return on_data(load_settings({"data-dir": str(server.data_dir)}, {}), work)


def log_of(server):
    """Return the records of a server's data directory, to be read beside it; close them in the end."""

    async def load(data):
        return data.custodian

    custodian = on_server_data(server, load)
    keys = server_keys(server.data_dir, custodian, real_now())
    return SqlRecords(server.data_dir, RowSeal(custodian.authenticator(keys.rows)))


def forge(server, token, *, own_key=False, **changes):
    """Return `token` with claims changed, signed by the server's own key; by a stranger's when `own_key`."""

    async def load(data):
        stores = data.storage.read()
        return await SigningKeys(data.custodian).current(stores.identity, stores.keyring, real_now())

    if own_key:
        private, kid = generate_private_key(public_exponent=65537, key_size=2048), "stranger"
    else:
        key = on_server_data(server, load)
        private, kid = key.private, key.kid
    return jwt.encode(claims_in(token) | changes, private, algorithm="RS256", headers={"kid": kid})


def make_applications(server, names, *, roles=None, lifetime=timedelta(days=1)):
    """Make an application for each of `names`, in one change; return {name: (client id, object id, secret)}.

    roles: {name: role}, given at the subscription.
    """

    async def work(data):
        installation = await data.installation()

        async def unit(stores):
            made = {}
            for name in names:
                application, secret = await data.applications(stores).create(
                    unique(name), tenant_id=installation.tenant_id, now=real_now(), lifetime=lifetime
                )
                made[name] = (application.app_id, application.object_id, secret.reveal())
                if roles and name in roles:
                    await assign_role(
                        stores,
                        AssignmentRequest(
                            principal_id=application.object_id,
                            role=roles[name],
                            scope=subscription_scope(installation.subscription_id),
                        ),
                        now=real_now(),
                    )
            return made, local_record("Test/applications/create", now=real_now(), properties={})

        return await data.storage.change(unit)

    made = on_server_data(server, work)
    plant(server.data_dir.parent, *[secret for _, _, secret in made.values()])
    return made


def disable(server, app_id):
    """Disable an application, as `strongroom app disable` does."""

    async def work(data):
        async def unit(stores):
            await data.applications(stores).disable(app_id)
            return None, local_record("Test/applications/disable", now=real_now(), properties={})

        await data.storage.change(unit)

    on_server_data(server, work)


def make_certificate(subject="robot"):
    """Return a new RSA key and a certificate of it, signed by itself."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, now - timedelta(days=1), now + timedelta(days=1))
    return key, builder.sign(key, SHA256())


def add_certificate(server, app_id, certificate):
    """Let a certificate's key sign in as an application, as `strongroom app add-certificate` does."""

    async def work(data):
        async def unit(stores):
            await data.applications(stores).add_certificate(
                app_id, certificate.public_bytes(Encoding.PEM), now=real_now()
            )
            return None, local_record("Test/applications/certificate", now=real_now(), properties={})

        await data.storage.change(unit)

    on_server_data(server, work)


def seconds_from_now(seconds):
    return int((datetime.now(UTC) + timedelta(seconds=seconds)).timestamp())
