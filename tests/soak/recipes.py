"""Requests that reach every documented answer of every operation, where no fuzzer can be relied on to come."""

import io
import json
import select
import ssl
import uuid
from contextlib import ExitStack, suppress
from types import SimpleNamespace

from clients.direct import Answer, make_applications, object_id_in, unique
from jwk_doubles import digest_of, ec_jwk, encoded
from release_doubles import a_policy, runtime
from soak.networks import live_in_networks
from soak.scoped import live_locked

NOWHERE = "99999999-9999-4999-8999-999999999999"
NO_VERSION = "0" * 32
CORE_VERSION, DATA_VERSION = "2021-04-01", "7.6"
VERSIONS = {
    "/Microsoft.Insights/": "2015-04-01",
    "/Microsoft.Authorization/locks": "2016-09-01",
    "/Microsoft.Authorization/": "2022-04-01",
    "/Microsoft.Resources/tags": CORE_VERSION,
    "/Microsoft.KeyVault/": "2023-07-01",
    "/Microsoft.Network/": "2024-07-01",
}
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
A_DIGEST = encoded(digest_of())
AN_EC_KEY = ec_jwk()
LARGER = b"x"
CHUNK = 64 * 1024
NOT_YET = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Recipes:
    """What the recipes of all planes share. places: what stands in a path for its placeholders unless a recipe says."""

    base = ""
    service = None

    def __init__(self, direct, reach, places):
        self.direct = direct
        self.reach = reach
        self.places = places

    def ask(self, name, /, *, body=None, query=None, token="", base="", headers=None, **places):
        """Ask for an operation, as the owner unless a token is given (None for none), and hold the answer."""
        operation = self.reach.operations[name]
        path = operation.path.format_map(self.places | places)
        said = self.version(operation) | (query or {}) if query is not False else {}
        tail = "?" + "&".join(f"{key}={value}" for key, value in said.items()) if said else ""
        token = self.direct.owner(self.service) if token == "" and self.service else token or None
        answer = self.direct.ask(
            operation.method, f"{base or self.base}{path}{tail}", token=token, body=body, headers=headers
        )
        return self.reach.meet(name, answer)

    def version(self, operation):
        return {}

    def refuse_strangers(self, elsewhere):
        """Ask for each operation without credentials, too often for the server `elsewhere`, which lets one through."""
        own, other = (direct.facts.managementUrl.rpartition(":")[2] for direct in (self.direct, elsewhere))
        base = self.base.replace(own, other)
        for operation in self.reach.operations.values():
            path = operation.path.format_map(self.places)
            for _ in range(3):  # the first of a minute is let through
                answer = self.reach.meet(operation.name, elsewhere.ask(operation.method, f"{base}{path}"))
                if answer.status == 429:
                    break

    def refuse_too_large(self):
        """Send each operation one byte more than it takes."""
        for operation in self.reach.operations.values():
            if "413" not in operation.responses:
                continue
            path = operation.path.format_map(self.places)
            said = self.version(operation)
            tail = "?" + "&".join(f"{key}={value}" for key, value in said.items()) if said else ""
            token = self.direct.owner(self.service) if self.service else None
            answer = _overfeed(self.direct.open(self.base), operation, f"{path}{tail}", token)
            assert answer.status == 413, answer
            self.reach.meet(operation.name, answer)


def _overfeed(connection, operation, path, token):
    """Return the answer to a body that is too large, which may come before all of it was sent."""
    head = f"{operation.method} {path} HTTP/1.1\r\nHost: {connection.base.removeprefix('https://')}\r\n"
    head += f"Authorization: Bearer {token}\r\n" if token else ""
    head += f"Content-Length: {operation.limit + 1}\r\n\r\n"
    connection.connect()
    with connection.sock as stream:
        begun = _pour(stream, head.encode() + LARGER * (operation.limit + 1))
        heard = SimpleNamespace(makefile=lambda _mode: io.BufferedReader(_Resumed(begun, stream)))
        response = connection.response_class(heard, method=operation.method)
        response.begin()
        return Answer(response)


def _pour(stream, sent):
    """Send until all is sent or an answer begins, and return its beginning: in one thread, since two share no TLS."""
    rest, begun, patience = memoryview(sent), b"", stream.gettimeout()
    stream.setblocking(False)
    with suppress(OSError):  # refused before it was all sent
        while rest and not begun:
            select.select([stream], [stream], [], patience)
            with suppress(*NOT_YET):
                begun = stream.recv(CHUNK)
            with suppress(*NOT_YET):
                rest = rest[stream.send(rest[:CHUNK]) :]
    stream.settimeout(patience)
    return begun


class _Resumed(io.RawIOBase):
    """A connection of which the beginning was read already."""

    def __init__(self, begun, stream):
        super().__init__()
        self._begun = begun
        self._stream = stream

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._begun[: len(buffer)] or self._stream.recv(len(buffer))
        self._begun = self._begun[len(data) :]
        buffer[: len(data)] = data
        return len(data)


class DataRecipes(Recipes):
    """Secrets and keys: a vault of its own with policies for the owner only, and one to be asked too much of."""

    service = "vault"

    def __init__(self, server, direct, reach, attestor):
        super().__init__(direct, reach, {"name": "living", "version": NO_VERSION})
        self.attestor = attestor
        guest_id, _, secret = make_applications(server, ("guest",))["guest"]
        self.guest = direct.sign_in(guest_id, secret)
        everything = direct.policy(object_id_in(direct.owner()), "all", "purge", keys=["all", "purge"])
        premium = {"family": "A", "name": "premium"}
        self.base = direct.make_vault(unique("rch"), sku=premium, accessPolicies=[everything])
        self.busy = direct.make_vault(unique("rcb"), accessPolicies=[everything])

    def version(self, operation):
        return {"api-version": DATA_VERSION}

    def follow(self):
        """Reach every documented answer."""
        self.live()
        self.live_as_keys()
        self.use_keys()
        self.release_keys()
        self.refuse()
        self.refuse_too_large()
        self.tire()

    def live(self):
        """The life of two secrets, and the conflicts that it knows."""
        made = self.ask("setSecret", body={"value": "1", "tags": {"a": "b"}})
        version = made.json["id"].rpartition("/")[2]
        self.ask("getSecret")
        self.ask("getSecretVersion", version=version)
        self.ask("updateSecret", body={"contentType": "text/plain"})
        self.ask("updateSecretVersion", body={"attributes": {"enabled": True}}, version=version)
        self.ask("listSecrets", query={"maxresults": 1})
        self.ask("listVersions")
        kept = self.ask("backupSecret").json
        self.ask("deleteSecret")
        self.ask("getDeletedSecret")
        self.ask("listDeletedSecrets")
        self.ask("setSecret", body={"value": "2"})
        self.ask("restoreSecret", body=kept)
        self.ask("recoverSecret")
        self.ask("deleteSecret")
        self.ask("purgeSecret")
        self.ask("restoreSecret", body=kept)

    def live_as_keys(self):
        """The life of two keys, and the conflicts that it knows."""
        version = self.ask("createKey", body={"kty": "EC", "tags": {"a": "b"}}).json["key"]["kid"].rpartition("/")[2]
        self.ask("getKey")
        self.ask("getKeyVersion", version=version)
        self.ask("getKeyAttestation")
        self.ask("getKeyAttestationVersion", version=version)
        self.ask("updateKey", body={"tags": {}})
        self.ask("updateKeyVersion", body={"key_ops": ["sign", "verify"]}, version=version)
        self.ask("rotateKey")
        self.ask("updateRotationPolicy", body={"lifetimeActions": [], "attributes": {"expiryTime": "P90D"}})
        self.ask("getRotationPolicy")
        self.ask("importKey", body={"key": AN_EC_KEY})
        self.ask("listKeys", query={"maxresults": 1})
        self.ask("listKeyVersions")
        kept = self.ask("backupKey").json
        self.ask("deleteKey")
        self.ask("getDeletedKey")
        self.ask("listDeletedKeys")
        self.ask("createKey", body={"kty": "EC"})
        self.ask("importKey", body={"key": AN_EC_KEY})
        self.ask("restoreKey", body=kept)
        self.ask("recoverKey")
        self.ask("deleteKey")
        self.ask("purgeKey")
        self.ask("restoreKey", body=kept)

    def use_keys(self):
        """What two keys do, by their versions and by their names."""
        for kty in ("EC", "RSA"):
            version = self.ask("createKey", body={"kty": kty}, name=kty).json["key"]["kid"].rpartition("/")[2]
            for suffix in ("", "Version"):
                self._use_key(kty, version, suffix)

    def _use_key(self, kty, version, suffix):
        at = {"name": kty, "version": version}
        if kty == "EC":
            signed = self.ask(f"signDigest{suffix}", body={"alg": "ES256", "value": A_DIGEST}, **at).json["value"]
            body = {"alg": "ES256", "digest": A_DIGEST, "value": signed}
            self.ask(f"verifySignature{suffix}", body=body, **at)
            return
        for there, back in (("encryptData", "decryptData"), ("wrapKey", "unwrapKey")):
            made = self.ask(f"{there}{suffix}", body={"alg": "RSA-OAEP", "value": A_DIGEST}, **at).json["value"]
            self.ask(f"{back}{suffix}", body={"alg": "RSA-OAEP", "value": made}, **at)

    def release_keys(self):
        """A key leaves, by its version and by its name."""
        policy = {"data": encoded(json.dumps(a_policy(self.attestor.address)).encode())}
        body = {"kty": "EC-HSM", "attributes": {"exportable": True}, "release_policy": policy}
        made = self.ask("createKey", body=body, name="leaving").json["key"]["kid"].rpartition("/")[2]
        token = self.attestor.attest({"sdk-test": True, "x-ms-runtime": runtime()})
        for suffix in ("", "Version"):
            self.ask(f"releaseKey{suffix}", body={"target": token}, name="leaving", version=made)

    def refuse(self):
        """What every operation refuses: no version, no token, no permission, no such vault."""
        elsewhere = self.direct.vault_url(unique("rcn"))
        for name in self.reach.operations:
            self.ask(name, query=False)
            self.ask(name, token=None)
            self.ask(name, token=self.guest)
            self.ask(name, base=elsewhere)

    def tire(self):
        """Ask one vault for more than a vault may be asked, and then for each operation."""
        left = list(self.reach.operations)
        one = self._one_of_many()
        with ExitStack() as stack:
            streams = [stack.enter_context(self._stream()) for _ in range(4)]
            for _ in range(100):
                _flood(streams, one)
                left = [name for name in left if not self._is_tired(name)]
                if not left:
                    return
        raise AssertionError(f"never throttled: {left}")

    def _is_tired(self, name):
        """Answer whether an operation was throttled; the ten seconds may just have begun anew."""
        operation = self.reach.operations[name]
        path = operation.path.format_map(self.places)
        answer = self.direct.ask(
            operation.method, f"{self.busy}{path}?api-version={DATA_VERSION}", token=self.direct.owner()
        )
        self.reach.meet(name, answer)
        return answer.status == 429

    def _one_of_many(self):
        return (
            f"GET /secrets/none?api-version={DATA_VERSION} HTTP/1.1\r\nHost: {self.busy.removeprefix('https://')}\r\n"
            f"Authorization: Bearer {self.direct.owner()}\r\n\r\n"
        ).encode()

    def _stream(self):
        connection = self.direct.open(self.busy)
        connection.connect()
        return connection.sock


def _flood(streams, one, rounds=30, at_once=40):
    """Send a request 4,800 times over a few connections, some at once on each, reading what comes back."""
    readers = [stream.makefile("rb") for stream in streams]
    for _ in range(rounds):
        for stream in streams:
            stream.sendall(one * at_once)
        if 429 in [_read_status(reader) for reader in readers for _ in range(at_once)]:
            break
    for reader in readers:
        reader.detach()


def _read_status(stream):
    status, length = int(stream.readline().split()[1]), 0
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    stream.read(length)
    return status


class ManagementRecipes(Recipes):
    """Groups and vaults, made and removed. elsewhere: a strict server without a rehearsal clock, asked directly."""

    service = "management"

    def __init__(self, server, direct, reach, elsewhere):
        places = {
            "subscription": direct.facts.subscriptionId,
            "group": unique("reach-"),
            "vault": unique("rch"),
            "location": direct.facts.location,
            "kind": "add",
            "namespace": "Microsoft.KeyVault",
            "operation": "none",
            "lock": "reach",
            "tag": "reach",
            "value": "one",
            "hsm": "none",
            "secret": "living",
            "key": "living",
            "connection": "none",
            "network": "reach",
            "subnet": "reach",
            "version": NO_VERSION,
            "deletedHsm": "none",
            "collection": "secrets",
            "object": "an-object",
            "role": str(uuid.uuid4()),
            "denial": str(uuid.uuid4()),
            "assignment": str(uuid.uuid4()),
            "principal": direct.owner_id,
        }
        super().__init__(direct, reach, places | {"deleted": places["vault"]})
        self.base = direct.facts.managementUrl
        self.elsewhere = elsewhere
        self.server = server
        guest_id, _, secret = make_applications(server, ("guest",))["guest"]
        self.guest = direct.sign_in(guest_id, secret, "management")

    def version(self, operation):
        if "api-version" not in operation.query:
            return {}
        spoken = [version for place, version in VERSIONS.items() if place in operation.path]
        return {"api-version": (spoken or [CORE_VERSION])[0]}

    def follow(self):
        """Reach every documented answer."""
        self.read()
        self.live()
        self.give_roles()
        self.explain()
        live_in_networks(self)
        live_locked(self)
        self.move_the_clock()
        self.refuse()
        self.refuse_too_large()
        self.refuse_strangers(self.elsewhere)

    def read(self):
        """What is there without anything being made."""
        for name in (
            "getMetadata", "listTenants", "listSubscriptions", "getSubscription", "listLocations", "listProviders",
            "listProvidersOfTenant", "getProvider", "getProviderOfTenant", "registerProvider", "unregisterProvider",
            "listOperations", "listHsms", "listDeletedHsms", "listResources", "listVaults", "listDeletedVaults",
            "listGroups", "getClock",
        ):  # fmt: skip
            self.ask(name)
        self.ask("getMetadata", query={"api-version": "2022-09-01"})
        self.ask("checkHsmName", body={"name": "an-hsm"})
        self.ask("checkVaultName", body={"name": "x", "type": "Microsoft.KeyVault/vaults"})

    def live(self):
        """The life of a group and its vaults, and the conflicts that it knows."""
        location = self.direct.facts.location
        self.ask("putGroup", body={"location": location})
        self.ask("putGroup", body={"location": location, "tags": {"a": "b"}})
        self.ask("putGroup", body={"location": "westeurope"})
        for name in ("getGroup", "checkGroup", "listVaultsOfGroup", "listHsmsOfGroup", "listResourcesOfGroup"):
            self.ask(name)
        self.ask("updateGroup", body={"tags": {}})
        self.ask("putVault", body=self.direct.vault_body())
        self.ask("updateVault", body={"tags": {"a": "b"}})
        self.ask("getVault")
        self.ask("changeAccessPolicies", body={"properties": {"accessPolicies": [self.direct.policy(NOWHERE, "get")]}})
        self.ask("listVaults", query={"$top": 1})
        self.live_as_objects()
        self.ask("deleteVault")
        self.ask("deleteVault")
        self.ask("getDeletedVault")
        self.ask("putVault", body=self.direct.vault_body())
        self.ask("getPurgeResult", operation=_last_segment(self.ask("purgeVault")))
        protected = unique("rcp")
        self.ask("putVault", body=self.direct.vault_body(enablePurgeProtection=True), vault=protected)
        self.ask("deleteVault", vault=protected)
        self.ask("purgeVault", deleted=protected)
        self.ask("getDeleteResult", operation=_last_segment(self.ask("deleteGroup")))

    def give_roles(self):
        """The life of a custom role and of assignments at every scope, and the conflicts that they know."""
        self.ask("putGroup", body={"location": self.direct.facts.location})
        self.ask("putVault", body=self.direct.vault_body())
        for name in ("listPermissionsAtGroup", "listPermissionsAtVault", "listClassicAdministrators"):
            self.ask(name)
        for place in ("Subscription", "Group", "Vault"):
            self.ask(f"listDenialsAt{place}")
            self.ask(f"getDenialAt{place}")
        self.ask("listProviderOperations")
        self.ask("getProviderOperations")
        self.ask("listRolesOfTenant")
        self.ask("getRoleOfTenant", role=READER)
        self.ask("getRoleOfTenant")
        for place in ("Subscription", "Group", "Vault", "Object"):
            self.ask(f"listRolesAt{place}")
            self.ask(f"getRoleAt{place}", role=READER)
            self._give_at(place)
        for place, scope in (("Subscription", self.here()), ("Group", self.here(self.places["group"]))):
            name = unique("Role ")
            self.ask(f"putRoleAt{place}", body=_role(name, scope))
            self.ask(f"putRoleAt{place}", body=_role(name, scope), role=str(uuid.uuid4()))
            given = _assignment(role=f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{self.places['role']}")
            self.ask(f"putAssignmentAt{place}", body=given)
            self.ask(f"deleteRoleAt{place}")
            self.ask(f"deleteAssignmentAt{place}")
            self.ask(f"deleteRoleAt{place}")
            self.ask(f"deleteRoleAt{place}")

    def _give_at(self, place):
        self.ask(f"putAssignmentAt{place}", body=_assignment())
        self.ask(f"putAssignmentAt{place}", body=_assignment(description="again"))
        self.ask(f"putAssignmentAt{place}", body=_assignment(), assignment=str(uuid.uuid4()))
        self.ask(f"getAssignmentAt{place}")
        self.ask(f"listAssignmentsAt{place}")
        self.ask(f"deleteAssignmentAt{place}")
        self.ask(f"deleteAssignmentAt{place}")

    def explain(self):
        """Who reaches the vault that roles were given at, and what the owner reaches."""
        self.ask("getReachOfVault")
        self.ask("getReachOfObject", query={"operation": "get"})
        self.ask("getReachOfPrincipal")
        self.ask("getReachOfPrincipal", principal=NOWHERE)
        for place in ("Subscription", "Group", "Vault"):
            given = {"roleDefinitionId": READER, "principalId": self.direct.owner_id}
            self.ask(f"previewChangeAt{place}", body={"roleAssignment": given})
            self.ask(f"putAssignmentAt{place}", body=_assignment(principalId=given["principalId"], principalType=None))
            self.ask(f"previewChangeAt{place}", body={"roleAssignment": given})
            self.ask(f"deleteAssignmentAt{place}")

    def here(self, group=None):
        """Return the resource id of the subscription, or of a group in it."""
        place = f"/subscriptions/{self.direct.facts.subscriptionId}"
        return place if group is None else f"{place}/resourceGroups/{group}"

    def live_as_objects(self):
        """What a vault holds, as resources: also when the vault itself has deleted it."""
        owner = self.direct.policy(object_id_in(self.direct.owner()), "all", keys=["all"])
        self.ask("changeAccessPolicies", body={"properties": {"accessPolicies": [owner]}})
        for value in ("1", "2"):
            self.ask("putVaultSecret", body={"properties": {"value": value}})
        self.ask("updateVaultSecret", body={"tags": {"a": "b"}})
        for name in ("getVaultSecret", "listVaultSecrets"):
            self.ask(name)
        made = self.ask("putVaultKey", body={"properties": {"kty": "EC"}}).json
        self.ask("getVaultKeyVersion", version=made["properties"]["keyUriWithVersion"].rpartition("/")[2])
        for name in ("getVaultKey", "listVaultKeys", "listVaultKeyVersions"):
            self.ask(name)
        for name in ("listPrivateLinkResources", "listPrivateEndpointConnections", "deletePrivateEndpointConnection"):
            self.ask(name)
        self.live_linked()
        for kind in ("secrets", "keys"):
            self.direct.secret("DELETE", self.direct.vault_url(self.places["vault"]), f"/{kind}/living")
        self.ask("putVaultSecret", body={"properties": {"value": "3"}})
        self.ask("putVaultKey", body={"properties": {"kty": "EC"}})

    def live_linked(self):
        """The connection of a private endpoint, from its making by the operator to its end."""
        where = ("--vault", self.places["vault"], "--address", "127.0.0.99")
        self.server.strongroom("network", "endpoint", "add", "reach", *where)
        approval = {"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}}
        self.ask("putPrivateEndpointConnection", connection="reach", body=approval)
        for name in ("getPrivateEndpointConnection", "deletePrivateEndpointConnection"):
            self.ask(name, connection="reach")
        self.server.strongroom("network", "endpoint", "remove", "reach", *where[:2])

    def move_the_clock(self):
        self.ask("putClock", body={"advance": "P1D"})
        self.ask("putClock", body={"offsetSeconds": 1})

    def refuse(self):
        """What operations refuse as their rows say: no version, no token, no role, no such place."""
        for name, operation in self.reach.operations.items():
            if operation.anonymous:
                self.ask(name, query=False)
                continue
            self.ask(name, query={"a": 1, "A": 2})
            self.ask(name, token=None)
            if "403" in operation.responses:
                self.ask(name, token=self.guest)
            if "{subscription}" in operation.path:
                self.ask(name, subscription=NOWHERE)
            elif "{namespace}" in operation.path:
                self.ask(name, namespace="Nobody.Here")
        for name in ("getClock", "putClock"):
            operation = self.reach.operations[name]
            self.reach.meet(name, self.elsewhere.manage(operation.method, operation.path, version=""))


def _assignment(role=f"/providers/Microsoft.Authorization/roleDefinitions/{READER}", **said):
    return {"properties": {"roleDefinitionId": role, "principalId": NOWHERE, "principalType": "User"} | said}


def _role(name, scope):
    permissions = [{"actions": ["Microsoft.KeyVault/vaults/read"]}]
    return {"properties": {"roleName": name, "permissions": permissions, "assignableScopes": [scope]}}


def _last_segment(answer):
    return answer.headers["location"].partition("?")[0].rpartition("/")[2]


class IdentityRecipes(Recipes):
    """Discovery and sign-in, by the bootstrap application."""

    def __init__(self, direct, reach, elsewhere):
        super().__init__(direct, reach, {"tenant": direct.facts.tenantId, "upn": "jo@example.com"})
        self.base = direct.facts.authority
        self.elsewhere = elsewhere

    def follow(self):
        """Reach every documented answer."""
        asked = {"authorization_endpoint": f"{self.base}/common/oauth2/authorize"}
        for name, operation in self.reach.operations.items():
            if operation.method == "POST":
                self._sign_in(name)
                continue
            self.ask(name, query=asked if operation.query[-1:] == ("authorization_endpoint",) else None)
            if "{tenant}" in operation.path:
                self.ask(name, tenant="nobody")
        self.ask("discoverInstance")
        self.refuse_too_large()
        self.refuse_strangers(self.elsewhere)

    def _sign_in(self, name):
        facts = self.direct.facts
        form = {
            "grant_type": "client_credentials",
            "client_id": facts.clientId,
            "client_secret": facts.clientSecret,
            "scope": "https://vault.azure.net/.default",
            "resource": "https://vault.azure.net",
        }
        for changes in ({}, {"client_secret": "wrong"}, {"grant_type": "password"}):
            body = "&".join(f"{key}={value}" for key, value in (form | changes).items())
            self.ask(name, body=body, headers={"content-type": "application/x-www-form-urlencoded"})


def document_of(direct, plane):
    """Return the document that a server serves of a plane."""
    domain = direct.facts.managementUrl.partition("//management.")[2]
    return json.loads(direct.ask("GET", f"https://{domain}/openapi/{plane}.json").raw)
