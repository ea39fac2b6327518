"""Every error that a client of a vault can meet today, provoked against a server started by the real command.

Through the unmodified SDK wherever it can be brought to it, else by plain HTTPS; compared field by field. The last tests
hold these tables, and those of the other planes beside this file, against `docs/errors.md`: each of its rows is met
here, or has its reason in `NOT_MET`.
"""

import re
from pathlib import Path

import jwt
import pytest
from azure.core.credentials import AccessToken

from clients import test_errors_identity, test_errors_management
from clients.direct import claims_in, forge, object_id_in, seconds_from_now, unique
from clients.provoking import NOWHERE, World, fits, meet

pytestmark = [pytest.mark.xdist_group("errors"), pytest.mark.usefixtures("client_environ")]

DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"
RECOVERY_HELP = (
    "If you recently deleted this secret you may be able to recover it using the correct recovery command. For help "
    "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
)
NEWEST = "Consider using the latest supported version (2026-04-01)."


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
