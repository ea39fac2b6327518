"""Every error that a client of a vault can meet today, provoked against a server started by the real command.

Through the unmodified SDK wherever it can be brought to it, else by plain HTTPS; compared field by field. The last
tests hold these tables, and those of the other planes beside this file, against `docs/errors.md`: each of its rows is
met here, or has its reason in `NOT_MET`.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import jwt
import pytest
from azure.core.credentials import AccessToken

from clients import (
    test_errors_identity,
    test_errors_keys,
    test_errors_locks,
    test_errors_management,
    test_errors_networks,
    test_errors_resources,
    test_errors_roles,
)
from clients.direct import claims_in, forge, object_id_in, seconds_from_now, unique
from clients.provoking import NOWHERE, fits, meet

pytestmark = [pytest.mark.xdist_group("errors"), pytest.mark.usefixtures("client_environ")]

DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"
RECOVERY_HELP = (
    "If you recently deleted this secret you may be able to recover it using the correct recovery command. For help "
    "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
)
THROTTLED = (
    (429, "Throttled", None),
    "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
)
MANAGEMENT = (test_errors_management, test_errors_resources, test_errors_locks, test_errors_networks, test_errors_roles)
TOO_MANY = (429, "TooManyRequests")
NEWEST = "Consider using the latest supported version (2026-04-01)."


class HeldToken:
    """A credential of the SDK's that has one token and no other."""

    def __init__(self, token):
        self._token = token

    def get_token(self, *scopes, **kwargs):
        return AccessToken(self._token, seconds_from_now(600))


def request(world, line, *headers, host=None):
    """Return a request as bytes, to the vault of the policies unless another host is named."""
    host = host or world.direct.vault_url(world.policy_vault)[8:]
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


def bearer(world):
    return f"Authorization: Bearer {world.direct.owner()}"


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
    "two tokens": (
        lambda w: w.direct.send(
            w.direct.vault_url(w.policy_vault), request(w, "GET /secrets/living?api-version=7.6", *(2 * [bearer(w)]))
        ),
        "AKV10000: Request has more than one Authorization header.",
    ),
    "a token for another service": (
        held(lambda w: w.direct.owner("management")),
        "AKV10022: Invalid audience. Expected https://vault.localhost, found: https://management.{domain}.",
    ),
    "a token of another tenant": (
        forged(tid=lambda: NOWHERE, iss=lambda: f"https://sts.localhost/{NOWHERE}/"),
        (
            "AKV10032: Invalid issuer. Expected one of https://sts.localhost/{tenantId}/, "
            f"found https://sts.localhost/{NOWHERE}/."
        ),
    ),
    "a token of another issuer": (
        forged(iss=lambda: "https://sts.windows.net/other/"),
        (
            "AKV10032: Invalid issuer. Expected one of https://sts.localhost/{tenantId}/, "
            "found https://sts.windows.net/other/."
        ),
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
    "a token of a disabled application": (
        held(lambda w: w.token_of_disabled),
        "Error validating token: the principal that it was issued to is disabled or deleted.",
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


def backup_of_deleted(world):
    """Return a backup of a secret that has been deleted since."""
    secrets, name = world.secrets(), unique("old-")
    secrets.set_secret(name, "v")
    backup = secrets.backup_secret(name)
    secrets.begin_delete_secret(name).wait()
    return backup


def back_up_too_many(world):
    """Back up a secret with more past versions than a backup holds; many are set at once over one connection."""
    path, token = f"/secrets/{unique('many-')}?api-version=7.6", world.direct.owner()
    body = '{"value":"v"}'
    one = request(world, f"PUT {path}", bearer(world), "Content-Type: application/json", f"Content-Length: {len(body)}")
    with flood(world.direct.open(world.direct.vault_url(world.policy_vault))) as send:
        for _ in range(13):
            assert set(send(one + body.encode(), 39)) == {200}
    return world.direct.secret(
        "POST", world.direct.vault_url(world.policy_vault), path.partition("?")[0] + "/backup", token=token
    )


@contextmanager
def flood(connection):
    """Return a function that sends a request many times at once and returns the statuses of the answers, up to 429."""
    connection.connect()
    stream = connection.sock.makefile("rb")

    def send(one, times):
        connection.sock.sendall(one * times)
        statuses = [_read_status(stream)]
        while len(statuses) < times and statuses[-1] != TOO_MANY[0]:
            statuses.append(_read_status(stream))
        return statuses

    with connection.sock, stream:
        yield send


def _read_status(stream):
    """Read one answer off a connection and return its status."""
    status, length = int(stream.readline().split()[1]), 0
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    stream.read(length)
    return status


DATA = {
    "ForbiddenByPolicy": (
        lambda w: w.secrets(who="guest").get_secret("living"),
        (403, "Forbidden", "ForbiddenByPolicy"),
        (
            "The user, group or application '{guest}' does not have secrets get permission on key vault "
            "'{vault};location={location}'. For help resolving this issue, please see "
            "https://go.microsoft.com/fwlink/?linkid=2125287"
        ),
    ),
    "ForbiddenByRbac": (
        lambda w: w.secrets(w.rbac_vault, who="guest").get_secret("living"),
        (403, "Forbidden", "ForbiddenByRbac"),
        (
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
            "definitions were changed recently, please observe propagation time.\r\nCaller: {guest}\r\n"
            "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n"
            "Resource: '{vaults}/vaults/{rbac_vault}/secrets/living'\r\nAssignment: (not found)\r\n"
            "DenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {rbac_vault};location={location}\r\n"
        ),
    ),
    "ForbiddenByRbac of the subscription's owner": (
        lambda w: w.secrets(w.rbac_vault).set_secret("any", "v"),
        (403, "Forbidden", "ForbiddenByRbac"),
        "Caller is not authorized to perform action on resource.\r\n…\r\n",
    ),
    "ForbiddenByFirewall": (
        lambda w: w.shut(networkAcls={"defaultAction": "Deny"}).list_properties_of_secrets(),
        (403, "Forbidden", "ForbiddenByFirewall"),
        (
            "Client address is not authorized and caller is not a trusted service.\r\n"
            "Client address: 127.0.0.1\r\nCaller: appid={clientId};oid=…;iss=https://sts.localhost/{tenantId}/\r\n"
            "Vault: ern…;location={location}"
        ),
    ),
    "ForbiddenByFirewall without bypass": (
        lambda w: w.shut(networkAcls={"defaultAction": "Deny", "bypass": "None"}).get_secret("any"),
        (403, "Forbidden", "ForbiddenByFirewall"),
        (
            "Client address is not authorized and caller was ignored because bypass is set to None\r\n"
            "Client address: 127.0.0.1\r\nCaller: appid={clientId};oid=…;iss=https://sts.localhost/{tenantId}/\r\n"
            "Vault: ern…;location={location}"
        ),
    ),
    "ForbiddenByConnection": (
        lambda w: w.shut(publicNetworkAccess="Disabled").get_secret("any"),
        (403, "Forbidden", "ForbiddenByConnection"),
        (
            "Public network access is disabled and request is not from a trusted service nor via an approved private "
            "link.\r\nCaller: appid={clientId};oid=…;iss=https://sts.localhost/{tenantId}/\r\n"
            "Vault: ern…;location={location}"
        ),
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
        "A secret with (name/id) none was not found in this key vault. " + RECOVERY_HELP,
    ),
    "SecretNotFound of a version": (
        lambda w: w.secrets().get_secret("living", "0" * 32),
        (404, "SecretNotFound", None),
        "A secret with (name/id) living/00000000000000000000000000000000 was not found in this key vault. …",
    ),
    "SecretNotFound of a deleted one": (
        lambda w: w.secrets().get_secret("deleted"),
        (404, "SecretNotFound", None),
        "A secret with (name/id) deleted was not found in this key vault. " + RECOVERY_HELP,
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
        (
            "Secret deleted is currently in a deleted but recoverable state, and its name cannot be reused; in this "
            "state, the secret can only be recovered or purged."
        ),
    ),
    "ObjectIsDeletedButRecoverable at a restore": (
        lambda w: w.secrets().restore_secret_backup(backup_of_deleted(w)),
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
    "BadParameter: too many versions to be backed up": (
        back_up_too_many,
        (400, "BadParameter", None),
        "A secret with more than 500 past versions cannot be backed up.",
    ),
    "BadParameter: api-version": (
        lambda w: w.secrets(api_version="1999-01-01").get_secret("living"),
        (400, "BadParameter", None),
        "The specified version (1999-01-01) is not recognized. " + NEWEST,
    ),
    "BadParameter: no api-version": (
        lambda w: w.get("/secrets/living", version=None),
        (400, "BadParameter", None),
        "The api-version must be specified. " + NEWEST,
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
    url = world.direct.make_vault(name, accessPolicies=[world.direct.policy(object_id_in(world.direct.owner()), "all")])
    one = request(world, "GET /secrets/none?api-version=7.6", bearer(world), host=url[8:])
    client = world.secrets(name)
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        floods = [stack.enter_context(flood(world.direct.open(url))) for _ in range(4)]
        for _ in range(1000):
            if any(429 in statuses for statuses in pool.map(lambda send: send(one, 40), floods)):
                refused = meet(world, lambda _: client.get_secret("none"))
                if refused.status == 429:  # else a new ten seconds began just now
                    break
    assert (refused.status, refused.code, refused.inner) == THROTTLED[0]
    assert refused.message == THROTTLED[1]
    assert "retry-after" not in refused.headers


# Below the planes: how, status, code.
VAULT_LINE = "GET /secrets/living?api-version=7.6"
BELOW = {
    "a host that is not here": (lambda w: request(w, VAULT_LINE, host="kv.vault.elsewhere.test"), (421, "UnknownHost")),
    "no service of the machine itself": (lambda w: request(w, "GET /", host="localhost"), (404, "UnknownHost")),
    "no HTTP": (lambda _: b"nonsense\r\n\r\n", (400, "BadRequest")),
    "no host": (lambda _: b"GET / HTTP/1.1\r\n\r\n", (400, "BadRequest")),
    "two hosts": (lambda w: request(w, VAULT_LINE, "Host: other.vault.localhost"), (400, "BadRequest")),
    "a target that is no path": (lambda w: request(w, "GET https://other.test/"), (400, "BadRequest")),
    "an upgrade": (
        lambda w: request(w, VAULT_LINE, "Connection: Upgrade", "Upgrade: websocket"),
        (400, "UpgradeNotSupported"),
    ),
    "a tunnel": (lambda w: request(w, "CONNECT elsewhere.test:443"), (400, "UpgradeNotSupported")),
    "a body larger than any": (
        lambda w: request(w, "POST /secrets/restore?api-version=7.6", bearer(w), "Content-Length: 20971521"),
        (413, "RequestEntityTooLarge"),
    ),
    "a URL too long": (lambda w: request(w, "GET /" + "x" * 16384), (414, "UriTooLong")),
    "headers too long": (
        lambda w: request(w, VAULT_LINE, *(f"x-{number}: " + "x" * 14000 for number in range(10))),
        (431, "RequestHeaderFieldsTooLarge"),
    ),
    "headers too many": (
        lambda w: request(w, VAULT_LINE, *(f"x-{number}: x" for number in range(256))),
        (431, "RequestHeaderFieldsTooLarge"),
    ),
    "a coding that is not spoken": (
        lambda w: request(w, "PUT /secrets/living?api-version=7.6", "Transfer-Encoding: gzip, chunked"),
        (501, "NotImplemented"),
    ),
    "a version that is not spoken": (
        lambda w: request(w, VAULT_LINE).replace(b"HTTP/1.1", b"HTTP/0.9"),
        (505, "VersionNotSupported"),
    ),
}


@pytest.mark.parametrize("name", BELOW)
def test_what_no_plane_is_asked_is_refused_below(world, name):
    make_request, (status, code) = BELOW[name]
    answer = world.direct.send(world.direct.vault_url(world.policy_vault), make_request(world))
    assert (answer.status, answer.error["code"]) == (status, code)
    assert set(answer.error) == {"code", "message"}


def test_one_connection_may_not_ask_without_waiting(world):
    with flood(world.direct.open(world.direct.vault_url(world.policy_vault))) as send:
        statuses = send(request(world, VAULT_LINE, bearer(world)), 200)  # some are answered while the others come
    assert statuses[:-1] == [200] * (len(statuses) - 1)
    assert len(statuses) >= 66
    assert statuses[-1] == TOO_MANY[0]


# --- the tables against the document

# Rows of the reference and of the document that a client cannot be brought to, with the reason.
NOT_MET = {
    "AccessDenied": "an older wording of ForbiddenByPolicy, which is what we answer",
    "BadArgument": "the form of one documented example; all that was observed says BadParameter",
    "CertificateNotFound": "no certificates yet; so the conflict of their names",
    "ForbiddenByRbac (400)": "what no role grants is refused before the vault is asked: AuthorizationFailed",
    "ObjectIsBeingDeleted": "a deletion is complete when it is answered: nobody can come in between",
    "ObjectIsBeingRecovered": "as ObjectIsBeingDeleted",
    "RoleDefinitionLimitExceeded": "takes 5,000 custom roles: tests/access/authorization/test_definitions.py",
    "The key …, or its vault, was removed while this was asked; try again.": "a race: tests/planes/management",
    "Request was not processed because too many requests were received. …": "on the management plane as on the other",
    "AADSTS50126": "no users yet: so no passwords, codes, devices, refresh tokens and consent",
    "AADSTS70021": "no federated credentials yet; so AADSTS700213",
    "ClockMovesForward": "all tests here live in one server's time: tests/planes/management/test_rehearsal.py",
    "Keys of type AKP cannot be made here: … RSA1_5 cannot decrypt here: …": "of a server with an older OpenSSL",
    "The key … became one of another type while its next version was made; …": "a race: tests/objects/keys",
    "InternalServerError": "no request of a client brings it about: tests/planes/test_gate.py",
    "ServiceUnavailable": "no request of a client brings it about: tests/storage, tests/planes/test_gate.py",
    "Too many requests without valid credentials came from this address.": "tests/clients/test_strangers.py",
    "TooManyRequests": "on the management plane as above",
    "AADSTS90055": "on the identity plane as above",
    "InvalidHeader": "a header twice: tests/planes/management/test_networks.py",
    "LinkedAuthorizationFailed": "takes another caller: tests/planes/management/test_networks.py",
    "NetworkCountLimitReached": "takes 1,000 networks: tests/resources/networks/test_service.py",
    "PreconditionFailed": "tests/planes/management/test_networks.py",
    "The request came by a private endpoint of another vault; a private endpoint leads to its own vault only. …": (
        "takes a second address: tests/planes/data/test_privately.py"
    ),
    "The status of the private endpoint connection '…' cannot be changed from '…' to 'Pending'. …": (
        "takes a private endpoint: tests/planes/management/test_privatelinks.py"
    ),
    "RequestTimeout": "takes ten seconds of slowness: tests/hosting/test_protocol.py",
    "The key … was replaced by another while this one was made; …": "a race: tests/planes/data/test_keyrelease.py",
    "The key exchange key is kept elsewhere than keys of this type are.": "two HSMs: tests/planes/data/test_byok.py",
    "The connection ended before the body of the request did.": "the client has gone: nobody is left to read it",
}
REMARK = re.compile(r" \((?:lines|copied)[^)]*\)$")


def document_rows(section):
    """Return the rows of the tables under a heading of the document, each as its cells without backquotes."""
    found = re.search(rf"^## {section}.*?(?=^## |\Z)", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    lines = [line for line in found.group().splitlines() if re.match(r"\| \d", line)]
    return [[cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in lines]


def is_met(text, templates):
    """Answer whether one of these templates can be the text of a row: its `…` stands for anything."""
    pieces = REMARK.sub("", text).removesuffix(" …").split("…")
    pattern = ".*".join(map(re.escape, pieces))
    return any(re.match(pattern, template, re.DOTALL) for template in templates)


def has_reason(*names):
    return any(name in NOT_MET for name in names)


def test_every_row_of_a_vault_is_met_or_has_its_reason():
    met = {((401, "Unauthorized", None), message) for _, message in UNAUTHENTICATED.values()}
    rows = (*DATA.values(), *test_errors_keys.ROWS.values())
    met |= {(expected, message) for _, expected, message in rows} | {THROTTLED}
    for status, code, inner, _, text, _ in document_rows("Data plane"):
        expected = int(status), code, None if inner == "–" else inner
        texts = [message for what, message in met if what == expected]
        assert has_reason(code, text) or is_met(text, texts), (expected, text)


def test_every_row_of_the_management_plane_is_met_or_has_its_reason():
    unauthenticated = test_errors_management.UNAUTHENTICATED.values()
    rows = [row for each in MANAGEMENT for row in each.ROWS.values()]
    met = {((401, code), message) for _, code, message in unauthenticated}
    met |= {(expected, message) for _, expected, message in rows}
    for status, code, _, text, _ in document_rows("Management plane"):
        texts = [message for what, message in met if what == (int(status), code)]
        as_elsewhere = texts and text == "as on the data plane"
        assert has_reason(code, text) or as_elsewhere or is_met(text, texts), (status, code, text)


def test_every_row_of_the_sign_in_host_is_met():
    met = {expected for _, expected in test_errors_identity.REFUSALS.values()}
    for status, error, number, _, _ in document_rows("Identity plane"):
        assert has_reason(number) or (int(status), error, int(number.removeprefix("AADSTS"))) in met


def test_every_row_below_the_planes_is_met_or_has_its_reason():
    met = {expected for _, expected in BELOW.values()} | {TOO_MANY}
    for status, code, _ in document_rows("Any host"):
        assert has_reason(code) or (int(status), code) in met, (status, code)


def test_what_cannot_be_met_has_a_reason_that_still_holds():
    """A name here that is met after all would hide the next thing that is not."""
    rows = (*DATA.values(), *test_errors_keys.ROWS.values())
    met = {name for _, expected, _ in rows for name in expected[1:] if name}
    met |= {expected[1] for each in MANAGEMENT for _, expected, _ in each.ROWS.values()}
    met |= {f"AADSTS{expected[2]}" for _, expected in test_errors_identity.REFUSALS.values()}
    assert not met & NOT_MET.keys()
