"""What identity needs of a storage."""

from typing import Protocol

from strongroom.access.identity.model import (
    Application,
    Group,
    Membership,
    Relation,
    SigningKey,
    Tenant,
    User,
)


class IdentityStore(Protocol):
    """Tenants, principals, their memberships, and signing keys. `find_*` answer None for what is not there.

    Ids are in lower case.
    """

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

    async def find_user(self, object_id: str) -> User | None:
        """Return a user."""

    async def find_user_named(self, user_principal_name: str) -> User | None:
        """Return the user of that principal name, in any case."""

    async def list_users(self) -> tuple[User, ...]:
        """Return every user, oldest first."""

    async def add_user(self, user: User) -> None:
        """Add a user; Conflict when the id or the principal name is taken."""

    async def replace_user(self, user: User) -> None:
        """Replace a user that exists; NotFound when it does not."""

    async def remove_user(self, object_id: str) -> None:
        """Remove a user; NotFound when there is none."""

    async def find_group(self, object_id: str) -> Group | None:
        """Return a group."""

    async def list_groups(self) -> tuple[Group, ...]:
        """Return every group, oldest first."""

    async def add_group(self, group: Group) -> None:
        """Add a group; Conflict when its id is taken."""

    async def replace_group(self, group: Group) -> None:
        """Replace a group that exists; NotFound when it does not."""

    async def remove_group(self, object_id: str) -> None:
        """Remove a group; NotFound when there is none."""

    async def list_memberships(self, group_id: str, relation: Relation) -> tuple[Membership, ...]:
        """Return who belongs to a group itself, oldest first."""

    async def list_memberships_of(self, member_id: str, relation: Relation) -> tuple[Membership, ...]:
        """Return which groups a principal belongs to itself, oldest first."""

    async def groups_of(self, object_id: str) -> frozenset[str]:
        """Return the ids of all groups that a principal is a member of, through others too."""

    async def add_membership(self, membership: Membership) -> None:
        """Add a membership; Conflict when it is there."""

    async def remove_membership(self, group_id: str, relation: Relation, member_id: str) -> None:
        """Remove a membership; NotFound when there is none."""

    async def remove_memberships(self, object_id: str) -> None:
        """Remove every membership of a principal, and every one in it where it is a group: it is gone."""

    async def list_signing_keys(self) -> tuple[SigningKey, ...]:
        """Return the signing keys, newest first."""

    async def add_signing_key(self, key: SigningKey) -> None:
        """Add a signing key; Conflict when its id is taken."""

    async def replace_signing_key(self, key: SigningKey) -> None:
        """Replace a signing key that exists; NotFound when it does not."""

    async def remove_signing_key(self, kid: str) -> None:
        """Remove a signing key: no token of it is believed any more; NotFound when there is none."""
