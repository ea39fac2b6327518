"""The store of tenants, applications and signing keys, in memory; of users and groups with `principals`."""

from memory.principals import MemoryPrincipals
from memory.store import MemoryStore
from strongroom.errors import Conflict, NotFound


class MemoryIdentity(MemoryPrincipals, MemoryStore):
    held = ("tenants", "applications", "signing_keys", *MemoryPrincipals.held)

    def __init__(self):
        super().__init__()
        self.tenants = {}
        self.applications = {}
        self.signing_keys = []

    async def list_tenants(self):
        return tuple(self.tenants.values())

    async def add_tenant(self, tenant):
        if tenant.tenant_id in self.tenants:
            raise Conflict("The tenant exists.")
        self.tenants[tenant.tenant_id] = tenant

    async def find_application(self, app_id):
        return next((row for row in self.applications.values() if row.app_id == app_id.lower()), None)

    async def find_principal(self, object_id):
        return self.applications.get(object_id.lower())

    async def list_applications(self):
        return tuple(self.applications.values())

    async def add_application(self, application):
        if application.object_id in self.applications or await self.find_application(application.app_id):
            raise Conflict("The application exists.")
        self.applications[application.object_id] = application

    async def replace_application(self, application):
        if application.object_id not in self.applications:
            raise NotFound("There is no such application.")
        self.applications[application.object_id] = application

    async def remove_application(self, object_id):
        if self.applications.pop(object_id.lower(), None) is None:
            raise NotFound("There is no such application.")

    async def list_signing_keys(self):
        return tuple(reversed(self.signing_keys))

    async def add_signing_key(self, key):
        if any(each.kid == key.kid for each in self.signing_keys):
            raise Conflict("The signing key exists.")
        self.signing_keys.append(key)

    async def replace_signing_key(self, key):
        self._require_signing_key(key.kid)
        self.signing_keys = [key if each.kid == key.kid else each for each in self.signing_keys]

    async def remove_signing_key(self, kid):
        self._require_signing_key(kid)
        self.signing_keys = [each for each in self.signing_keys if each.kid != kid]

    def _require_signing_key(self, kid):
        if all(each.kid != kid for each in self.signing_keys):
            raise NotFound("There is no such signing key.")
