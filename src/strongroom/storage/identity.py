"""Tenants, applications and signing keys in SQL. Implements `access.identity.store.IdentityStore`, with principals."""

from strongroom.access.identity.model import Application, SigningKey, Tenant
from strongroom.errors import Conflict, NotFound
from strongroom.storage.principals import SqlPrincipals
from strongroom.storage.session import Documents

TENANTS = Documents("tenants", Tenant, "tenant_id")
APPLICATIONS = Documents("applications", Application, "object_id", "app_id")
SIGNING_KEYS = Documents("signing_keys", SigningKey, "kid")


class SqlIdentity(SqlPrincipals):
    """The directory, through one session."""

    async def list_tenants(self) -> tuple[Tenant, ...]:
        """Return every tenant."""
        return self._session.remember(("tenants",), lambda: TENANTS.read(self._session, "ORDER BY rowid"))

    async def add_tenant(self, tenant: Tenant) -> None:
        """Add a tenant; Conflict when its id is taken."""
        if not TENANTS.insert(self._session, (tenant.tenant_id.lower(),), tenant):
            raise Conflict(f"The tenant '{tenant.tenant_id}' exists already.")

    async def find_application(self, app_id: str) -> Application | None:
        """Return the application that signs in as `app_id`."""
        return self._find("app_id", app_id.lower())

    async def find_principal(self, object_id: str) -> Application | None:
        """Return the application whose service principal is `object_id`."""
        return self._find("object_id", object_id.lower())

    async def list_applications(self) -> tuple[Application, ...]:
        """Return every application, oldest first."""
        return self._session.remember(("applications",), lambda: APPLICATIONS.read(self._session, "ORDER BY rowid"))

    async def add_application(self, application: Application) -> None:
        """Add an application; Conflict when one of its ids is taken."""
        if not APPLICATIONS.insert(self._session, _columns(application), application):
            raise Conflict(f"The application '{application.app_id}' exists already.")

    async def replace_application(self, application: Application) -> None:
        """Replace an application that exists; NotFound when it does not."""
        if not APPLICATIONS.update(self._session, _columns(application), application):
            raise NotFound(f"There is no application '{application.app_id}'.")

    async def remove_application(self, object_id: str) -> None:
        """Remove an application; NotFound when there is none."""
        if not APPLICATIONS.delete(self._session, (object_id.lower(),)):
            raise NotFound(f"There is no application '{object_id}'.")

    async def list_signing_keys(self) -> tuple[SigningKey, ...]:
        """Return the signing keys, newest first."""
        return self._session.remember(
            ("signing_keys",), lambda: SIGNING_KEYS.read(self._session, "ORDER BY rowid DESC")
        )

    async def add_signing_key(self, key: SigningKey) -> None:
        """Add a signing key; Conflict when its id is taken."""
        if not SIGNING_KEYS.insert(self._session, (key.kid,), key):
            raise Conflict(f"The signing key '{key.kid}' exists already.")

    async def replace_signing_key(self, key: SigningKey) -> None:
        """Replace a signing key that exists; NotFound when it does not."""
        if not SIGNING_KEYS.update(self._session, (key.kid,), key):
            raise NotFound(f"There is no signing key '{key.kid}'.")

    async def remove_signing_key(self, kid: str) -> None:
        """Remove a signing key: no token of it is believed any more; NotFound when there is none."""
        if not SIGNING_KEYS.delete(self._session, (kid,)):
            raise NotFound(f"There is no signing key '{kid}'.")

    def _find(self, column: str, value: str) -> Application | None:
        def load() -> Application | None:
            return next(iter(APPLICATIONS.read(self._session, f"WHERE {column} = ?", (value,))), None)

        return self._session.remember(("application", column, value), load)


def _columns(application: Application) -> tuple[str, str]:
    return application.object_id.lower(), application.app_id.lower()
