"""A Graph plane to talk to without sockets: real gate and tokens, a storage of dictionaries."""

import json
from urllib.parse import quote, urlencode

from doubles import TENANT, MemoryStorage, a_custodian, sign_up, token_for
from management_doubles import ask_gate
from strongroom.access.identity.directory import Directory
from strongroom.access.identity.model import Relation
from strongroom.access.identity.verifier import Verifier
from strongroom.clock import real_now
from strongroom.planes.gate import Gate
from strongroom.planes.graph.plane import GraphPlane

DOMAIN = "localhost"
HOST = "graph.localhost:8443"
AUDIENCE = "https://graph.localhost:8443/"


class GraphWorld:
    """A tenant with two users, two groups, one in the other, and an application that asks."""

    def __init__(self):
        self.storage = MemoryStorage(a_custodian())
        self.gate = Gate(GraphPlane(Verifier(DOMAIN)), self.storage, self.storage.custodian, DOMAIN)
        self.directory = Directory(self.storage.stores.identity)

    async def furnish(self):
        self.application, _ = await sign_up(self.storage, "payments")
        self.token = await token_for(self.storage, self.application, audience=AUDIENCE)
        self.anna = await self.user("anna", "Anna O'Neill", mail="anna@mail.example")
        self.bert = await self.user("bert", "Bert")
        self.team, self.inner = await self.group("Team", "All of us"), await self.group("Inner")
        await self.join(self.team, self.inner)
        await self.join(self.inner, self.anna)
        await self.join(self.team, self.application)
        await self.join(self.team, self.bert, Relation.OWNER)
        return self

    async def user(self, alias, display_name, **more):
        return await self.directory.create_user(
            f"{alias}@example.com", display_name, tenant_id=TENANT.tenant_id, now=real_now(), **more
        )

    async def group(self, name, description=""):
        return await self.directory.create_group(
            name, tenant_id=TENANT.tenant_id, now=real_now(), description=description
        )

    async def join(self, group, member, relation=Relation.MEMBER):
        await self.directory.add_to_group(group.object_id, relation, member.object_id, now=real_now())

    async def ask(self, path, method="GET", body=None, *, token="own", headers=None, **query):
        """Send a request; `query` names options without their dollar sign."""
        sent = {"authorization": f"Bearer {self.token if token == 'own' else token}"} if token else {}
        asked = urlencode({f"${name}": value for name, value in query.items()}, quote_via=quote, safe="$'")
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.send(method, f"/v1.0{path}", asked, headers=sent | (headers or {}), body=raw)

    async def send(self, method, path, query="", **sent):
        return await ask_gate(self.gate, method, path, query, host=HOST, **sent)
