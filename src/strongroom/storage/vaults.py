"""Vaults and role assignments in SQL. Implements `vaults.store.VaultStore` and `AssignmentStore`."""

from strongroom.access.authorization.model import RoleAssignment
from strongroom.custody.store import Purpose
from strongroom.errors import Conflict, NotFound
from strongroom.storage.keyring import SqlKeyring
from strongroom.storage.keys import POLICIES
from strongroom.storage.objects import OBJECTS, VERSIONS
from strongroom.storage.session import Documents, Session
from strongroom.vaults.model import Vault

VAULTS = Documents("vaults", Vault, "vault_id", "name", "subscription_id", "resource_group", "deleted")
ASSIGNMENTS = Documents("assignments", RoleAssignment, "assignment_id", "scope", "role_id", "principal_id")


class SqlVaults:
    """Vaults, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, name: str) -> Vault | None:
        """Return the vault of that name, living or deleted."""
        wanted = name.lower()

        def load() -> Vault | None:
            return next(iter(VAULTS.read(self._session, "WHERE name = ?", (wanted,))), None)

        return self._session.remember(("vault", wanted), load)

    async def list_living(
        self, subscription_id: str, group: str | None = None, *, after: str = "", limit: int | None = None
    ) -> tuple[Vault, ...]:
        """Return the living vaults of a subscription or of one resource group, by name.

        after, limit: only those past this name, and only so many of them.
        """
        inside = "" if group is None else "AND resource_group = ? "
        where = f"WHERE subscription_id = ? AND deleted = 0 {inside}AND name > ? ORDER BY name LIMIT ?"
        place = (subscription_id.lower(),) if group is None else (subscription_id.lower(), group.lower())
        return VAULTS.read(self._session, where, (*place, after.lower(), -1 if limit is None else limit))

    async def list_deleted(self, subscription_id: str | None = None) -> tuple[Vault, ...]:
        """Return the deleted vaults of a subscription, or of all, by name."""
        if subscription_id is None:
            return VAULTS.read(self._session, "WHERE deleted = 1 ORDER BY name")
        return VAULTS.read(
            self._session, "WHERE subscription_id = ? AND deleted = 1 ORDER BY name", (subscription_id.lower(),)
        )

    async def add(self, vault: Vault) -> None:
        """Add a vault; Conflict (VaultAlreadyExists) when its name is taken."""
        if not VAULTS.insert(self._session, _columns(vault), vault):
            raise Conflict(f"The vault name '{vault.name}' is already in use.", code="VaultAlreadyExists")

    async def replace(self, vault: Vault) -> None:
        """Replace the vault of that `vault_id`; NotFound when there is none."""
        if not VAULTS.update(self._session, _columns(vault), vault):
            raise NotFound(f"There is no vault '{vault.name}'.", code="ResourceNotFound")

    async def purge(self, vault: Vault) -> None:
        """Remove a vault with all that it holds, its data keys included."""
        for shape in (VERSIONS, OBJECTS, POLICIES.shape):
            self._session.change(f"DELETE FROM {shape.table} WHERE vault_id = ?", (vault.vault_id,))  # noqa: S608 - ours
            self._session.note_gone(shape, vault.vault_id)
        await SqlKeyring(self._session).remove_scope(Purpose.VAULT, vault.vault_id)
        VAULTS.delete(self._session, (vault.vault_id,))


class SqlAssignments:
    """Role assignments, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list_for(self, principal_id: str) -> tuple[RoleAssignment, ...]:
        """Return the assignments of one principal, at every scope."""
        wanted = principal_id.lower()

        def load() -> tuple[RoleAssignment, ...]:
            return ASSIGNMENTS.read(self._session, "WHERE principal_id = ? ORDER BY rowid", (wanted,))

        return self._session.remember(("assignments", wanted), load)

    async def list_all(self) -> tuple[RoleAssignment, ...]:
        """Return every assignment, oldest first."""
        return ASSIGNMENTS.read(self._session, "ORDER BY rowid")

    async def add(self, assignment: RoleAssignment) -> None:
        """Add an assignment; Conflict (RoleAssignmentExists) when the same principal, role and scope exist."""
        names = (assignment.assignment_id, assignment.scope, assignment.role_id, assignment.principal_id)
        columns = tuple([name.lower() for name in names])
        if not ASSIGNMENTS.insert(self._session, columns, assignment):
            raise Conflict("The role assignment already exists.", code="RoleAssignmentExists")

    async def remove(self, assignment_id: str) -> None:
        """Remove an assignment; NotFound (RoleAssignmentNotFound) when there is none."""
        if not ASSIGNMENTS.delete(self._session, (assignment_id.lower(),)):
            raise NotFound(f"There is no role assignment '{assignment_id}'.", code="RoleAssignmentNotFound")

    async def remove_within(self, scope: str) -> None:
        """Remove every assignment at `scope` or below: the scope is gone."""
        place = scope.lower()
        below = place.rstrip("/") + "/"
        self._remove("scope = ? OR substr(scope, 1, length(?)) = ?", (place, below, below))

    async def remove_principal(self, principal_id: str) -> None:
        """Remove every assignment of a principal: the principal is gone."""
        self._remove("principal_id = ?", (principal_id.lower(),))

    def _remove(self, condition: str, parameters: tuple[str, ...]) -> None:
        select = f"SELECT assignment_id FROM assignments WHERE {condition}"  # noqa: S608 - a condition of our own
        for key in self._session.connection.rows(select, parameters):
            ASSIGNMENTS.delete(self._session, key)


def _columns(vault: Vault) -> tuple[str, str, str, str, int]:
    group = vault.resource_group.lower()
    return vault.vault_id, vault.name.lower(), vault.subscription_id.lower(), group, int(vault.deletion is not None)
