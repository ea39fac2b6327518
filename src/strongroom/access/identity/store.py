"""What identity needs of a storage."""

from typing import Protocol

from strongroom.access.identity.model import Application, SigningKey, Tenant


class IdentityStore(Protocol):
    """Tenants, applications and signing keys. `find_*` answer None for what is not there; ids in lower case."""

    async def list_tenants(self) -> tuple[Tenant, ...]:
        """Return every tenant."""

    async def add_tenant(self, tenant: Tenant) -> None:
        """Add a tenant; Conflict when its id is taken."""

    async def find_application(self, app_id: str) -> Application | None:
        """Return the application that signs in as `app_id`."""

    async def find_principal(self, object_id: str) -> Application | None:
        """Return the application whose service principal is `object_id`."""

    async def list_applications(self) -> tuple[Application, ...]:
        """Return every application, oldest first."""

    async def add_application(self, application: Application) -> None:
        """Add an application; Conflict when its id is taken."""

    async def replace_application(self, application: Application) -> None:
        """Replace an application that exists; NotFound when it does not."""

    async def remove_application(self, object_id: str) -> None:
        """Remove an application; NotFound when there is none."""

    async def list_signing_keys(self) -> tuple[SigningKey, ...]:
        """Return the signing keys, newest first."""

    async def add_signing_key(self, key: SigningKey) -> None:
        """Add a signing key; Conflict when its id is taken."""

    async def replace_signing_key(self, key: SigningKey) -> None:
        """Replace a signing key that exists; NotFound when it does not."""

    async def remove_signing_key(self, kid: str) -> None:
        """Remove a signing key: no token of it is believed any more; NotFound when there is none."""
