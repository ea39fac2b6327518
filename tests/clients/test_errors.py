"""Every error that a client can meet today, provoked against a server started by the real command, field by field.

Through an unmodified SDK wherever an SDK can be brought to it, else by plain HTTPS. A row: who provokes it and how,
then what must be answered. In a message `…` stands for any text and `{}` for facts of the world (`World.facts`).
`NOT_MET` names what the documents of errors have and this server cannot be brought to, each with its reason.
"""

import re
from dataclasses import dataclass
from types import SimpleNamespace

import jwt
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.keyvault.models import (
    Permissions,
    Sku,
    VaultAccessPolicyParameters,
    VaultAccessPolicyProperties,
    VaultCreateOrUpdateParameters,
    VaultPatchParameters,
    VaultPatchProperties,
    VaultProperties,
)

from clients.direct import (
    GROUP_VERSION,
    Direct,
    claims_in,
    forge,
    make_applications,
    object_id_in,
    seconds_from_now,
    unique,
)

pytestmark = [pytest.mark.xdist_group("errors"), pytest.mark.usefixtures("client_environ")]

NOWHERE = "99999999-9999-4999-8999-999999999999"
RECOVERY_HELP = (
    "If you recently deleted this secret you may be able to recover it using the correct recovery command. For help "
    "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
)
NEWEST = "Consider using the latest supported version (2026-04-01)."

# Rows of the documents that no client of this version can be brought to.
NOT_MET = {
    "AccessDenied": "an older wording of ForbiddenByPolicy, which is what we answer",
    "ForbiddenByFirewall": "a vault that would restrict the network is refused with 400 until that is enforced",
    "ForbiddenByConnection": "as ForbiddenByFirewall",
    "KeyOperationForbidden": "no keys yet",
    "KeyDisabled": "no keys yet",
    "KeyNotYetValid": "no keys yet",
    "KeyExpired": "no keys yet",
    "KeyNotFound": "no keys yet",
    "CertificateNotFound": "no certificates yet",
    "ObjectIsBeingDeleted": "a deletion is complete when it is answered: there is no time in which it is under way",
    "ObjectIsBeingRecovered": "as ObjectIsBeingDeleted",
    "BadArgument": "the form of a documented example; everything observed says BadParameter",
    "ForbiddenByRbac of a vault's keys": "the management plane's sub-resources of a vault come with keys",
    "RoleAssignmentExists": "role assignments are made by command; their API is yet to come",
    "RoleAssignmentNotFound": "as RoleAssignmentExists",
    "RoleDefinitionDoesNotExist": "as RoleAssignmentExists",
    "PrincipalNotFound": "as RoleAssignmentExists",
    "InvalidScope": "as RoleAssignmentExists",
    "InvalidPrincipalId": "as RoleAssignmentExists",
    "AADSTS50126": "no users yet, and so no passwords, codes, devices and refresh tokens of theirs",
    "AADSTS70021": "no federated credentials yet",
    "304": "no conditional requests in the service's own clients either",
    "ServiceUnavailable": "no client can bring it about: see the tests of the storage and of the gate",
    "RequestTimeout": "takes the client's slowness of ten seconds: see tests/hosting/test_protocol.py",
}


@dataclass(frozen=True)
class Met:
    """An error as it was met."""

    status: int
    code: str
    inner: str | None
    message: str
    headers: dict


class World:
    """Vaults in every state that an error asks for, and clients with every kind of credential."""

    def __init__(self, server, connection):
        self.server = server
        self.direct = Direct(connection)
        self.connection = connection
        self.applications = make_applications(
            server, ("guest", "contributor"), roles={"contributor": "Key Vault Contributor"}
        )
        self.policy_vault, self.rbac_vault, self.protected_vault = unique("erp"), unique("err"), unique("erx")
        self.deleted_vault, self.deleted_protected_vault = unique("erd"), unique("ere")
        self.group = unique("errors-")
        self._clients = []
        self._make_places()
        self._make_secrets()

    def _make_places(self):
        direct = self.direct
        everything = direct.policy(object_id_in(direct.owner()), "all", "purge")
        direct.make_group(self.group)
        for name in (self.policy_vault, self.deleted_vault):
            direct.make_vault(name, accessPolicies=[everything])
        for name in (self.protected_vault, self.deleted_protected_vault):
            direct.make_vault(name, accessPolicies=[everything], enablePurgeProtection=True)
        direct.make_vault(self.rbac_vault, enableRbacAuthorization=True)
        for name in (self.deleted_vault, self.deleted_protected_vault):
            assert direct.manage("DELETE", direct.vault_path(name)).status == 200

    def _make_secrets(self):
        for vault in (self.policy_vault, self.protected_vault):
            for name in ("living", "disabled", "deleted"):
                body = {"value": "v", "attributes": {"enabled": name != "disabled"}}
                assert self.direct.secret("PUT", self.direct.vault_url(vault), f"/secrets/{name}", body).status == 200
            assert self.direct.secret("DELETE", self.direct.vault_url(vault), "/secrets/deleted").status == 200

    @property
    def facts(self):
        guest_id, guest_object, _ = self.applications["guest"]
        contributor_id, contributor_object, _ = self.applications["contributor"]
        return vars(self.connection) | {
            "domain": self.connection.managementUrl.partition("//management.")[2],
            "guest": f"appid={guest_id};oid={guest_object};iss=https://sts.localhost/{self.connection.tenantId}/",
            "owner": self.connection.clientId,
            "guest_id": guest_id,
            "guest_object": guest_object,
            "contributor": contributor_id,
            "contributor_object": contributor_object,
            "vault": self.policy_vault,
            "rbac_vault": self.rbac_vault,
            "protected_vault": self.protected_vault,
            "deleted_vault": self.deleted_vault,
            "vaults": f"/subscriptions/{self.connection.subscriptionId}/resourcegroups/dev/providers/microsoft.keyvault",
            "NEWEST": NEWEST,
            "RECOVERY_HELP": RECOVERY_HELP,
        }

    def close(self):
        self.direct.close()
        for client in self._clients:
            client.close()

    def credential(self, who="owner", **changes):
        """Return the SDK's own credential of an application, `changes` made to its arguments."""
        client_id, _, secret = self.applications.get(who, (self.connection.clientId, "", self.connection.clientSecret))
        asked = {"tenant_id": self.connection.tenantId, "client_id": client_id, "client_secret": secret} | changes
        made = ClientSecretCredential(
            **asked, authority=self.connection.authority, disable_instance_discovery=True, retry_total=0
        )
        self._clients.append(made)
        return made

    def secrets(self, vault=None, who="owner", credential=None, **kwargs):
        """Return the SDK's client of a vault, that of the policies unless another is named."""
        url = self.direct.vault_url(vault or self.policy_vault)
        client = SecretClient(url, credential or self.credential(who), retry_total=0, **kwargs)
        self._clients.append(client)
        return client

    def vaults(self, who="owner", **kwargs):
        """Return the vault operations of the SDK's management client."""
        client = KeyVaultManagementClient(
            self.credential(who),
            kwargs.pop("subscription", self.connection.subscriptionId),
            base_url=self.connection.managementUrl,
            credential_scopes=[f"{self.connection.managementUrl}/.default"],
            polling_interval=0,
            retry_total=0,
            **kwargs,
        )
        self._clients.append(client)
        return client.vaults

    def parameters(self, *, location=None, sku="standard", **properties):
        """Return what a vault is asked to be."""
        wanted = {"access_policies": [], "enable_rbac_authorization": False} | properties
        return VaultCreateOrUpdateParameters(
            location=location or self.connection.location,
            properties=VaultProperties(tenant_id=self.connection.tenantId, sku=Sku(name=sku, family="A"), **wanted),
        )

    def make(self, name=None, group="dev", who="owner", **wanted):
        """Ask the SDK for a vault, a new one unless it is named."""
        asked = self.parameters(**wanted)
        return self.vaults(who).begin_create_or_update(group, name or unique("ern"), asked).result()

    def get(self, path, **kwargs):
        """Ask the vault of the policies by plain HTTPS."""
        return self.direct.secret("GET", self.direct.vault_url(self.policy_vault), path, **kwargs)

    def put(self, name, body):
        return self.direct.secret("PUT", self.direct.vault_url(self.policy_vault), f"/secrets/{name}", body)


class HeldToken:
    """A credential of the SDK's that has one token and no other."""

    def __init__(self, token):
        self._token = token

    def get_token(self, *scopes, **kwargs):
        return AccessToken(self._token, seconds_from_now(600))


@pytest.fixture(scope="module")
def world(server, connection):
    made = World(server, connection)
    yield made
    made.close()


def meet(world, provoke):
    """Return the error that `provoke` meets: what the SDK raised, or what stands in an answer."""
    try:
        answer = provoke(world)
        if hasattr(answer, "by_page"):
            answer = list(answer)
    except HttpResponseError as error:
        inner = (error.error.innererror or {}).get("code")
        headers = {name.lower(): value for name, value in error.response.headers.items()}
        return Met(error.status_code, error.error.code, inner, error.error.message, headers)
    error = answer.error
    assert set(error) <= {"code", "message", "innererror"}
    return Met(answer.status, error["code"], error.get("innererror", {}).get("code"), error["message"], answer.headers)


def fits(template, text, facts):
    pieces = [re.escape(piece.format(**facts)) for piece in template.split("…")]
    return re.fullmatch(".*".join(pieces), text, re.DOTALL) is not None


def held(make_token):
    return lambda w: w.secrets(credential=HeldToken(make_token(w))).get_secret("living")


def forged(**changes):
    return held(lambda w: forge(w.server, w.direct.owner(), **{k: v() for k, v in changes.items()}))


# name → how, status, code, inner code, message
UNAUTHENTICATED = {
    "no token": (
        lambda w: w.direct.ask("GET", f"{w.direct.vault_url(w.policy_vault)}/secrets/living?api-version=7.6"),
        "AKV10000: Request is missing a Bearer or PoP token.",
    ),
    "another scheme": (
        lambda w: w.direct.ask(
            "GET",
            f"{w.direct.vault_url(w.policy_vault)}/secrets/living?api-version=7.6",
            headers={"authorization": "Basic dTpw"},
        ),
        "AKV10000: Request is missing a Bearer or PoP token.",
    ),
    "a token for another service": (
        held(lambda w: w.direct.owner("management")),
        "AKV10022: Invalid audience. Expected https://vault.localhost, found: https://management.{domain}.",
    ),
    "a token of another tenant": (
        forged(tid=lambda: NOWHERE, iss=lambda: f"https://sts.localhost/{NOWHERE}/"),
        "AKV10032: Invalid issuer. Expected one of https://sts.localhost/{tenantId}/, "
        f"found https://sts.localhost/{NOWHERE}/.",
    ),
    "a token of another issuer": (
        forged(iss=lambda: "https://sts.windows.net/other/"),
        "AKV10032: Invalid issuer. Expected one of https://sts.localhost/{tenantId}/, "
        "found https://sts.windows.net/other/.",
    ),
    "a key that nobody here has": (
        held(lambda w: forge(w.server, w.direct.owner(), own_key=True)),
        "AKV10046: Unable to resolve the key used for signature validation.",
    ),
    "an expired token": (
        forged(exp=lambda: seconds_from_now(-1)),
        "Error validating token: IDX10223. The token has expired.",
    ),
    "a token from the future": (
        forged(nbf=lambda: seconds_from_now(60)),
        "Error validating token: IDX10222. The token is not yet valid.",
    ),
    "no signed token": (held(lambda _: "nonsense"), "Error validating token: IDX12741. It is no signed token."),
    "a signature of something else": (
        held(lambda w: w.direct.owner().rpartition(".")[0] + "." + "A" * 342),
        "Error validating token: IDX10511. The signature does not match.",
    ),
    "an algorithm of the client's choice": (
        held(lambda w: jwt.encode(claims_in(w.direct.owner()), "k" * 32, algorithm="HS256", headers={"kid": "k"})),
        "Error validating token: IDX10696. The algorithm is not accepted.",
    ),
    "a token longer than any": (
        held(lambda w: w.direct.owner() + "A" * 16384),
        "Error validating token: IDX10209. The token is too long.",
    ),
}


@pytest.mark.parametrize("name", UNAUTHENTICATED)
def test_a_vault_asks_who_does_not_prove_it_to_sign_in(world, name):
    provoke, message = UNAUTHENTICATED[name]
    met = meet(world, provoke)
    assert (met.status, met.code, met.inner) == (401, "Unauthorized", None)
    assert fits(message, met.message, world.facts), met.message
    expected = 'Bearer authorization="https://login.{domain}/{tenantId}", resource="https://vault.{domain}"'
    assert met.headers["www-authenticate"] == expected.format(**world.facts)


DATA = {
    "ForbiddenByPolicy": (
        lambda w: w.secrets(who="guest").get_secret("living"),
        (403, "Forbidden", "ForbiddenByPolicy"),
        "The user, group or application '{guest}' does not have secrets get permission on key vault "
        "'{vault};location={location}'. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125287",
    ),
    "ForbiddenByRbac": (
        lambda w: w.secrets(w.rbac_vault, who="guest").get_secret("living"),
        (403, "Forbidden", "ForbiddenByRbac"),
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
        "definitions were changed recently, please observe propagation time.\r\nCaller: {guest}\r\n"
        "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n"
        "Resource: '{vaults}/vaults/{rbac_vault}/secrets/living'\r\nAssignment: (not found)\r\n"
        "DenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {rbac_vault};location={location}\r\n",
    ),
    "ForbiddenByRbac of the subscription's owner": (
        lambda w: w.secrets(w.rbac_vault).set_secret("any", "v"),
        (403, "Forbidden", "ForbiddenByRbac"),
        "Caller is not authorized to perform action on resource.\r\n…\r\n",
    ),
    "SecretDisabled": (
        lambda w: w.secrets().get_secret("disabled"),
        (403, "Forbidden", "SecretDisabled"),
        "Operation get is not allowed on a disabled secret.",
    ),
    "purge under purge protection": (
        lambda w: w.secrets(w.protected_vault).purge_deleted_secret("deleted"),
        (403, "Forbidden", None),
        'Operation "purge" is not allowed because purge protection is enabled for this vault. …',
    ),
    "SecretNotFound": (
        lambda w: w.secrets().get_secret("none"),
        (404, "SecretNotFound", None),
        "A secret with (name/id) none was not found in this key vault. {RECOVERY_HELP}",
    ),
    "SecretNotFound of a version": (
        lambda w: w.secrets().get_secret("living", "0" * 32),
        (404, "SecretNotFound", None),
        "A secret with (name/id) living/00000000000000000000000000000000 was not found in this key vault. …",
    ),
    "SecretNotFound of a deleted one": (
        lambda w: w.secrets().get_secret("deleted"),
        (404, "SecretNotFound", None),
        "A secret with (name/id) deleted was not found in this key vault. {RECOVERY_HELP}",
    ),
    "SecretNotFound at an update": (
        lambda w: w.secrets().update_secret_properties("none", enabled=True),
        (404, "SecretNotFound", None),
        "A secret with (name/id) none was not found in this key vault. …",
    ),
    "SecretNotFound at a deletion": (
        lambda w: w.secrets().begin_delete_secret("none"),
        (404, "SecretNotFound", None),
        "A secret with (name/id) none was not found in this key vault. …",
    ),
    "SecretNotFound at a backup": (
        lambda w: w.secrets().backup_secret("none"),
        (404, "SecretNotFound", None),
        "A secret with (name/id) none was not found in this key vault. …",
    ),
    "SecretNotFound among the deleted": (
        lambda w: w.secrets().get_deleted_secret("living"),
        (404, "SecretNotFound", None),
        "Deleted Secret not found: living",
    ),
    "SecretNotFound at a purge": (
        lambda w: w.secrets().purge_deleted_secret("none"),
        (404, "SecretNotFound", None),
        "Deleted Secret not found: none",
    ),
    "SecretNotFound at a recovery": (
        lambda w: w.direct.secret("POST", w.direct.vault_url(w.policy_vault), "/deletedsecrets/none/recover"),
        (404, "SecretNotFound", None),
        "Deleted Secret not found: none",
    ),
    "VaultNotFound": (
        lambda w: w.secrets("no-such-vault").get_secret("any"),
        (404, "VaultNotFound", None),
        "There is no vault of the name 'no-such-vault' here.",
    ),
    "VaultNotFound of a deleted one": (
        lambda w: w.secrets(w.deleted_vault).get_secret("any"),
        (404, "VaultNotFound", None),
        "There is no vault of the name '{deleted_vault}' here.",
    ),
    "NotFound": (
        lambda w: w.get("/nothing/here"),
        (404, "NotFound", None),
        "The request path names nothing that this service has.",
    ),
    "MethodNotAllowed": (
        lambda w: w.direct.secret("POST", w.direct.vault_url(w.policy_vault), "/secrets/living"),
        (405, "MethodNotAllowed", None),
        "The method 'POST' is not allowed on this path.",
    ),
    "ObjectIsDeletedButRecoverable": (
        lambda w: w.secrets().set_secret("deleted", "v"),
        (409, "Conflict", "ObjectIsDeletedButRecoverable"),
        "Secret deleted is currently in a deleted but recoverable state, and its name cannot be reused; in this "
        "state, the secret can only be recovered or purged.",
    ),
    "ObjectIsDeletedButRecoverable at a restore": (
        lambda w: w.secrets().restore_secret_backup(w.secrets(w.protected_vault).backup_secret("living") and _old(w)),
        (409, "Conflict", "ObjectIsDeletedButRecoverable"),
        "Secret … is currently in a deleted but recoverable state, …",
    ),
    "Conflict at a restore": (
        lambda w: w.secrets().restore_secret_backup(w.secrets().backup_secret("living")),
        (409, "Conflict", None),
        "A secret with the name living already exists in this key vault; restore never overwrites.",
    ),
    "BadParameter: name": (
        lambda w: w.secrets().set_secret("no_name!", "v"),
        (400, "BadParameter", None),
        "The request URI contains an invalid name: no_name!",
    ),
    "BadParameter: a name too long": (
        lambda w: w.secrets().get_secret("n" * 128),
        (400, "BadParameter", None),
        "The request URI contains an invalid name: nnn…",
    ),
    "BadParameter: value too long": (
        lambda w: w.secrets().set_secret("living", "v" * 25601),
        (400, "BadParameter", "SecretTooLarge"),
        "Secret is beyond the maximum permitted length of 25600 characters.",
    ),
    "BadParameter: content type": (
        lambda w: w.secrets().set_secret("living", "v", content_type="c" * 256),
        (400, "BadParameter", None),
        "Property contentType has invalid value: it has at most 255 characters.",
    ),
    "BadParameter: tags": (
        lambda w: w.secrets().set_secret("living", "v", tags={str(number): "" for number in range(16)}),
        (400, "BadParameter", None),
        "Property tags has invalid value: there are at most 15.",
    ),
    "BadParameter: length of a tag": (
        lambda w: w.secrets().update_secret_properties("living", tags={"t": "v" * 513}),
        (400, "BadParameter", None),
        "Property tags has invalid value: a name or a value has at most 512 characters.",
    ),
    "BadParameter: time": (
        lambda w: w.put("living", {"value": "v", "attributes": {"exp": -1}}),
        (400, "BadParameter", None),
        "Property exp has invalid value: …",
    ),
    "BadParameter: body without its value": (
        lambda w: w.put("living", {}),
        (400, "BadParameter", None),
        "The request body does not fit: …`value`…",
    ),
    "BadParameter: no JSON": (
        lambda w: w.put("living", "{nonsense"),
        (400, "BadParameter", None),
        "The request body does not fit: …",
    ),
    "BadParameter: page size": (
        lambda w: w.secrets().list_properties_of_secrets(max_page_size=26),
        (400, "BadParameter", None),
        "Property maxresults has invalid value: a page has 1 to 25 items.",
    ),
    "BadParameter: page token": (
        lambda w: w.get("/secrets?$skiptoken=made-up"),
        (400, "BadParameter", None),
        "The paging token is invalid for this collection; …",
    ),
    "BadParameter: backup": (
        lambda w: w.secrets().restore_secret_backup(b"nonsense"),
        (400, "BadParameter", None),
        "Cannot decrypt backup blob.",
    ),
    "BadParameter: api-version": (
        lambda w: w.secrets(api_version="1999-01-01").get_secret("living"),
        (400, "BadParameter", None),
        "The specified version (1999-01-01) is not recognized. {NEWEST}",
    ),
    "BadParameter: no api-version": (
        lambda w: w.get("/secrets/living", version=None),
        (400, "BadParameter", None),
        "The api-version must be specified. {NEWEST}",
    ),
    "BadParameter: a parameter twice": (
        lambda w: w.get("/secrets?maxresults=1&maxresults=2"),
        (400, "BadParameter", None),
        "The query parameter 'maxresults' is given more than once.",
    ),
    "RequestEntityTooLarge": (
        lambda w: w.secrets().set_secret("living", "v" * 524288),
        (413, "RequestEntityTooLarge", None),
        "The request body is too large; this operation takes at most 524288 bytes.",
    ),
}


def _old(world):
    """Return a backup of a secret that has been deleted since."""
    secrets, name = world.secrets(), unique("old-")
    secrets.set_secret(name, "v")
    backup = secrets.backup_secret(name)
    secrets.begin_delete_secret(name).wait()
    return backup


@pytest.mark.parametrize("name", DATA)
def test_a_vault_answers_an_error_as_its_row_says(world, name):
    provoke, expected, message = DATA[name]
    met = meet(world, provoke)
    assert (met.status, met.code, met.inner) == expected, met
    assert fits(message, met.message, world.facts), met.message
    assert "www-authenticate" not in met.headers
    assert met.headers["content-type"] == "application/json; charset=utf-8"


def test_a_vault_asked_too_often_says_throttled(world):
    """4,000 transactions in ten seconds are the limit: many are asked for at once, until one is refused."""
    name = unique("ert")
    world.direct.make_vault(name, accessPolicies=[world.direct.policy(object_id_in(world.direct.owner()), "all")])
    url, token, crowd = world.direct.vault_url(name), world.direct.owner(), 40
    head = f"GET /secrets/none?api-version=7.6 HTTP/1.1\r\nHost: {url[8:]}\r\nAuthorization: Bearer {token}\r\n\r\n"
    refused = None
    client = world.secrets(name)
    flood = world.direct.open(url)
    flood.connect()
    stream = flood.sock.makefile("rb")
    for _ in range(2000):
        flood.sock.sendall(head.encode() * crowd)
        if 429 in [_read_status(stream) for _ in range(crowd)]:
            refused = meet(world, lambda _: client.get_secret("none"))
            if refused.status == 429:  # else a new ten seconds began just now
                break
    flood.close()
    assert (refused.status, refused.code, refused.inner) == (429, "Throttled", None)
    assert refused.message == (
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
    )
    assert "retry-after" not in refused.headers


def _read_status(stream):
    """Read one answer off a connection and return its status."""
    status, length = int(stream.readline().split()[1]), 0
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    stream.read(length)
    return status
