"""A management plane to talk to without sockets: real gate and tokens, a storage of dictionaries, a clock to move."""

import json
from dataclasses import dataclass
from datetime import timedelta

from doubles import TENANT, MemoryStorage, a_custodian, sign_up, token_for
from strongroom.access.authorization.assignments import AssignmentRequest, assign_role
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.access.identity.verifier import Verifier
from strongroom.clock import CLOCK_FACT, real_now
from strongroom.errors import PayloadTooLarge
from strongroom.objects.secrets.service import Secrets
from strongroom.planes.gate import Gate
from strongroom.planes.http import Request
from strongroom.planes.management.plane import ManagementPlane
from strongroom.planes.management.site import Site
from strongroom.resources.locations import Locations
from strongroom.resources.model import Subscription
from vault_doubles import keepers_with_hsm, keys_of

DOMAIN = "localhost"
HOST = "management.localhost:8443"
SUBSCRIPTION = "5b1c7c0e-7f0a-4d0c-9d0e-3f6a2b1c0d9e"
OTHER_TENANT = "99999999-9999-4999-8999-999999999999"
FOREIGN = "66666666-6666-4666-8666-666666666666"
MISSING = "77777777-7777-4777-8777-777777777777"
BASE = f"/subscriptions/{SUBSCRIPTION}"
SITE = Site(locations=Locations("local"), private_ip_rules=True)
KEY_VAULT = "2026-02-01"
RESOURCES = "2024-11-01"
AUTHORIZATION = "2022-04-01"


@dataclass
class Answer:
    status: int
    headers: dict
    raw: bytes

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def code(self):
        return self.json["error"]["code"]

    @property
    def message(self):
        return self.json["error"]["message"]


async def ask_gate(gate, method, path, query, *, host, headers=None, body=b"", repeated=()):
    """Return what a plane's gate answers."""
    request = Request(
        method=method,
        host=host,
        path=path,
        raw_query=query.encode(),
        headers={name.encode(): value.encode() for name, value in (headers or {}).items()},
        client="127.0.0.1",
        tls="TLS1_3",
        repeated=frozenset(repeated),
    )

    async def read(limit):
        if len(body) > limit:
            raise PayloadTooLarge("too large")
        return body

    response = await gate.serve(request, read)
    told = {name.decode(): value.decode() for name, value in (*response.headers, *response.always)}
    return Answer(response.status, told, response.body)


class ManagementWorld:
    """One subscription with an owner; `ask` sends a request as the owner unless told who."""

    def __init__(self):
        self.storage = MemoryStorage(a_custodian())
        self.keepers, self.hsm = keepers_with_hsm(self.storage)
        self.plane = ManagementPlane(Verifier(DOMAIN), SITE, self.keepers)
        self.gate = Gate(self.plane, self.storage, self.storage.custodian, DOMAIN)
        self.tokens = {}

    @property
    def stores(self):
        return self.storage.stores

    async def furnish(self):
        for subscription, tenant in ((SUBSCRIPTION, TENANT.tenant_id), (FOREIGN, OTHER_TENANT)):
            await self.stores.resources.add_subscription(
                Subscription(subscription_id=subscription, tenant_id=tenant, display_name="Own", created=TENANT.created)
            )
        self.owner = await self.someone("Owner")
        return self

    async def someone(self, role=None, scope=BASE):
        """Return a new application, with a role at a scope if one is named."""
        application, _ = await sign_up(self.storage)
        if role is not None:
            await self.give(application, role, scope)
        token = await token_for(self.storage, application, audience=f"https://management.{DOMAIN}:8443")
        self.tokens[application.object_id] = token
        return application

    async def give(self, application, role, scope):
        stores = self.stores
        return await assign_role(
            stores, AssignmentRequest(principal_id=application.object_id, role=role, scope=scope), now=real_now()
        )

    async def send(self, method, target, *, headers=None, body=b"", host=HOST, repeated=()):
        path, _, query = target.partition("?")
        return await ask_gate(self.gate, method, path, query, host=host, headers=headers, body=body, repeated=repeated)

    async def ask(self, method, path, body=None, *, who=None, version=KEY_VAULT, query="", **more):
        application = who or self.owner
        headers = {"authorization": f"Bearer {self.tokens[application.object_id]}", **more.pop("headers", {})}
        parts = [f"api-version={version}"] if version else []
        target = f"{path}?{'&'.join([*parts, query] if query else parts)}"
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.send(method, target, headers=headers, body=raw, **more)

    async def secrets(self, vault="kv1"):
        """Return the secrets of a vault, not asked over the wire."""
        stores = self.stores
        found = await stores.vaults.find(vault)
        return Secrets(stores.secrets, stores.keyring, self.storage.custodian, vault=found, now=real_now())

    async def keys(self, vault="kv1"):
        """Return the keys of a vault, not asked over the wire."""
        found = await self.stores.vaults.find(vault)
        return keys_of(self.storage, found, real_now(), self.keepers)

    async def all_pages(self, path, query, version=KEY_VAULT):
        """Return all items of a list, by following its links; each page has at most as many as the query says."""
        page = (await self.ask("GET", path, query=query, version=version)).json
        found = list(page["value"])
        while "nextLink" in page:
            target = page["nextLink"].removeprefix(f"https://{HOST}")
            path, _, query = target.partition("?")
            page = (await self.ask("GET", path, query=query, version=None)).json
            found += page["value"]
        return found

    async def move_clock(self, **length):
        kept = int(await self.stores.facts.get(CLOCK_FACT) or b"0")
        offset = kept + int(timedelta(**length).total_seconds())
        await self.stores.facts.put(CLOCK_FACT, b"%d" % offset)

    async def a_group(self, name="rg", location="westeurope"):
        answer = await self.ask("PUT", f"{BASE}/resourceGroups/{name}", {"location": location}, version=RESOURCES)
        assert answer.status in {200, 201}, answer.raw
        return answer

    async def a_vault(self, name="kv1", group="rg", **changes):
        answer = await self.ask("PUT", vault_path(name, group), vault_body(**changes))
        assert answer.status == 200, answer.raw
        return answer.json

    def records(self):
        return self.storage.bodies()


def group_path(group="rg"):
    return f"{BASE}/resourceGroups/{group}"


def vault_path(name="kv1", group="rg"):
    return f"{group_path(group)}/providers/Microsoft.KeyVault/vaults/{name}"


def deleted_path(name="kv1", location="westeurope"):
    return f"{BASE}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}"


def vault_body(location="westeurope", tags=None, **properties):
    """Return the body of a vault's PUT; a property that is None is left out."""
    asked = {
        "tenantId": TENANT.tenant_id,
        "sku": {"family": "A", "name": "standard"},
        "accessPolicies": [],
    } | properties
    body = {"location": location, "properties": {name: value for name, value in asked.items() if value is not None}}
    return body if tags is None else body | {"tags": tags}


def an_assignment_body(principal_id="c0ffee00-0000-4000-8000-00000000000a", role="Reader", **said):
    """Return the body of a role assignment's PUT, to a user that the directory need not know."""
    role_id = next(each.role_id for each in BUILT_IN if each.name == role)
    place = f"{BASE}/providers/Microsoft.Authorization/roleDefinitions/{role_id}"
    named = {"roleDefinitionId": place, "principalId": principal_id, "principalType": "User"}
    return {"properties": named | said}


def a_role_body(scope=BASE, name="Watcher", **said):
    """Return the body of a custom role's PUT."""
    permissions = [{"actions": ["Microsoft.KeyVault/vaults/read"], "notActions": [], "dataActions": []}]
    named = {"roleName": name, "type": "CustomRole", "permissions": permissions, "assignableScopes": [scope]}
    return {"properties": named | said}


def a_policy(object_id="c0ffee00-0000-4000-8000-000000000001", **permissions):
    return {
        "tenantId": TENANT.tenant_id,
        "objectId": object_id,
        "permissions": permissions or {"secrets": ["get", "list"]},
    }
