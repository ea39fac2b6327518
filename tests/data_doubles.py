"""A data plane to talk to without sockets: real gate and tokens, a storage of dictionaries, a clock that tests move."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache

from cryptography.hazmat.primitives.serialization import load_der_private_key

from canaries import MARK
from doubles import MemoryStorage, a_custodian
from strongroom.access.authorization.model import RoleAssignment
from strongroom.access.identity.audiences import Service, own_audience
from strongroom.access.identity.model import Application, PrincipalType
from strongroom.access.identity.signing import LoadedKey, make_signing_key
from strongroom.access.identity.tokens import Credential, claims_for, sign_token
from strongroom.access.identity.verifier import Verifier
from strongroom.clock import CLOCK_FACT, real_now
from strongroom.custody.sealing import Context
from strongroom.custody.store import Purpose
from strongroom.errors import PayloadTooLarge
from strongroom.planes.data.plane import DataPlane
from strongroom.planes.data.throttling import Limiter
from strongroom.planes.gate import Gate
from strongroom.planes.http import Request
from strongroom.vaults.model import AccessPolicy
from vault_doubles import SUBSCRIPTION, TENANT, a_vault, keepers_of, put_vault

DOMAIN = "localhost"
PORT = ":8443"
NEWEST = "2026-04-01"
SECRET_PERMISSIONS = ("get", "list", "set", "delete", "backup", "restore", "recover", "purge")
KEY_PERMISSIONS = (
    *("get", "list", "create", "import", "update", "delete", "backup", "restore", "recover", "purge", "rotate"),
    *("getrotationpolicy", "setrotationpolicy"),
    *("encrypt", "decrypt", "wrapkey", "unwrapkey", "sign", "verify", "release"),
)


def signing_material():
    """Return a signing key as it is kept and as it signs."""
    return signing_parts()[1:]


@cache
def signing_parts():
    """Return the key that a signing key lies under, and it as it is kept and as it signs: making one takes a while."""
    custodian = a_custodian()
    server_key = custodian.new_key(Purpose.SERVER, "", 2, real_now())
    kept = make_signing_key(custodian, server_key, real_now())
    der = custodian.open(server_key, kept.sealed_private, Context("", "signing-keys", kept.kid, "", "private"))
    return server_key, kept, LoadedKey(kept.kid, load_der_private_key(der.reveal(), None))


def an_application(number=1, *, enabled=True, tenant_id=TENANT):
    return Application(
        app_id=f"aaaaaaaa-aaaa-4aaa-8aaa-{number:012}",
        object_id=f"bbbbbbbb-bbbb-4bbb-8bbb-{number:012}",
        tenant_id=tenant_id,
        display_name=f"app {number}",
        created=real_now(),
        enabled=enabled,
    )


def token_for(application, service=Service.VAULT, now=None, **changes):
    """Return a real access token of `application`; `changes` are claims that differ."""
    claims = claims_for(
        application,
        own_audience(service, DOMAIN),
        domain=DOMAIN,
        credential=Credential.SECRET,
        now=now or real_now(),
    )
    return sign_token(with_claims(claims, changes), signing_material()[1])


def with_claims(claims, changes):
    return type(claims)(**{name: getattr(claims, name) for name in claims.__struct_fields__} | changes)


@dataclass
class Answer:
    status: int
    headers: dict
    raw: bytes

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def error(self):
        return self.json["error"]

    def says(self, status, code, inner=None):
        """Answer whether this is the error of that status, code and inner code, and nothing else."""
        found = self.error
        told = {"code", "message"} | ({"innererror"} if inner else set())
        assert set(found) == told, found
        assert (self.status, found["code"], found.get("innererror", {}).get("code")) == (status, code, inner), found
        return True


class DataWorld:
    """One vault `kv1`, with an application that may do everything with its secrets by an access policy."""

    def __init__(self):
        self.storage = MemoryStorage(a_custodian())
        self.limiter = Limiter()
        self.keepers = keepers_of(self.storage)
        self.plane = DataPlane(Verifier(DOMAIN), self.limiter, self.keepers)
        self.gate = Gate(self.plane, self.storage, self.storage.custodian, DOMAIN)
        self.application = an_application()
        self.token = token_for(self.application)

    async def furnish(self):
        stores = self.storage.stores
        await stores.identity.add_signing_key(signing_material()[0])
        await stores.identity.add_application(self.application)
        await self.add_vault(a_vault(access_policies=(self.policy(),)))
        return self

    async def add_vault(self, vault):
        return await put_vault(self.storage, vault)

    def policy(self, *permissions, application=None):
        return AccessPolicy(
            tenant_id=TENANT,
            object_id=(application or self.application).object_id,
            secrets=frozenset(permissions or SECRET_PERMISSIONS),
            keys=frozenset(permissions or KEY_PERMISSIONS),
        )

    @property
    def vault(self):
        return self.storage.stores.vaults.rows["kv1"]

    async def change_vault(self, **changes):
        await self.storage.stores.vaults.replace(replace(self.vault, **changes))

    async def grant(self, role, scope=None, application=None):
        """Give a role to an application, at the vault unless a scope is given."""
        vault = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/group/providers/microsoft.keyvault/vaults/kv1"
        assignment = RoleAssignment(
            assignment_id=f"assignment-{len(self.storage.stores.assignments.rows)}",
            scope=(scope or vault).lower(),
            role_id=role.role_id,
            principal_id=(application or self.application).object_id,
            principal_type=PrincipalType.SERVICE_PRINCIPAL,
            created=real_now(),
        )
        await self.storage.stores.assignments.add(assignment)
        return assignment

    async def move_clock(self, by: timedelta):
        facts = self.storage.stores.facts
        offset = int(await facts.get(CLOCK_FACT) or 0) + int(by.total_seconds())
        await facts.put(CLOCK_FACT, str(offset).encode())

    async def ask(
        self,
        method,
        path,
        body=None,
        *,
        query=f"api-version={NEWEST}",
        token="",
        headers=None,
        host=f"kv1.vault.{DOMAIN}{PORT}",
        repeated=(),
        client="127.0.0.1",
        arrived=("", 0),
    ):
        """Send a request and return the answer. token: the caller's own when empty, none when None."""
        sent = {b"user-agent": b"tests"} | (headers or {})
        if token is not None and b"authorization" not in sent:
            sent[b"authorization"] = f"Bearer {token or self.token}".encode()
        if "?" in path:
            path, query = path.split("?", 1)
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(method, host, path, query.encode(), sent, client, "TLS1_3", frozenset(repeated))
        request.arrived, request.arrived_port = arrived

        async def read(limit):
            if len(raw) > limit:
                raise PayloadTooLarge("too large")
            return raw

        response = await self.gate.serve(request, read)
        headers = (*response.headers, *response.always)
        found = {name.decode(): value.decode() for name, value in headers}
        assert len(found) == len(headers), "a header stands twice"
        return Answer(response.status, found, response.body)

    async def set(self, name="s", value=f"{MARK}hunter2", **more):
        answer = await self.ask("PUT", f"/secrets/{name}", {"value": value, **more})
        assert answer.status == 200, answer.raw
        return answer.json

    @property
    def last_record(self):
        return self.storage.bodies()[-1]
