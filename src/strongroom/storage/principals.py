"""Users, groups and memberships in SQL: part of `access.identity.store.IdentityStore`."""

from collections import defaultdict
from functools import partial

from strongroom.access.identity.membership import closure
from strongroom.access.identity.model import Group, Membership, Relation, User
from strongroom.errors import Conflict, NotFound
from strongroom.storage.session import Documents, Session

USERS = Documents("users", User, "object_id", "principal_name")
SECURITY_GROUPS = Documents("security_groups", Group, "object_id")
MEMBERSHIPS = Documents("memberships", Membership, "group_id", "relation", "member_id", keys=3)
PRINCIPALS = (USERS, SECURITY_GROUPS, MEMBERSHIPS)

# Every membership that is met on the way from a member up through all its groups. `UNION` ends circles.
ABOVE = f"""WITH RECURSIVE up(id) AS (SELECT ? UNION
    SELECT group_id FROM memberships JOIN up ON member_id = up.id WHERE relation = 'member')
    {MEMBERSHIPS.select} WHERE relation = 'member' AND member_id IN (SELECT id FROM up)"""  # noqa: S608 - ours


class SqlPrincipals:
    """Users, groups and memberships, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find_user(self, object_id: str) -> User | None:
        """Return a user."""
        return self._find_user("object_id", object_id.lower())

    async def find_user_named(self, user_principal_name: str) -> User | None:
        """Return the user of that principal name, in any case."""
        return self._find_user("principal_name", user_principal_name.lower())

    async def list_users(self) -> tuple[User, ...]:
        """Return every user, oldest first."""
        return self._session.remember(("users",), lambda: USERS.read(self._session, "ORDER BY rowid"))

    async def add_user(self, user: User) -> None:
        """Add a user; Conflict when the id or the principal name is taken."""
        if not USERS.insert(self._session, _columns(user), user):
            raise Conflict(f"The user '{user.user_principal_name}' exists already.")

    async def replace_user(self, user: User) -> None:
        """Replace a user that exists; NotFound when it does not."""
        if not USERS.update(self._session, _columns(user), user):
            raise NotFound(f"There is no user '{user.user_principal_name}'.")

    async def remove_user(self, object_id: str) -> None:
        """Remove a user; NotFound when there is none."""
        if not USERS.delete(self._session, (object_id.lower(),)):
            raise NotFound(f"There is no user '{object_id}'.")

    async def find_group(self, object_id: str) -> Group | None:
        """Return a group."""
        wanted = object_id.lower()

        def load() -> Group | None:
            return next(iter(SECURITY_GROUPS.read(self._session, "WHERE object_id = ?", (wanted,))), None)

        return self._session.remember(("security group", wanted), load)

    async def list_groups(self) -> tuple[Group, ...]:
        """Return every group, oldest first."""
        return self._session.remember(
            ("security groups",), lambda: SECURITY_GROUPS.read(self._session, "ORDER BY rowid")
        )

    async def add_group(self, group: Group) -> None:
        """Add a group; Conflict when its id is taken."""
        if not SECURITY_GROUPS.insert(self._session, (group.object_id.lower(),), group):
            raise Conflict(f"The group '{group.object_id}' exists already.")

    async def replace_group(self, group: Group) -> None:
        """Replace a group that exists; NotFound when it does not."""
        if not SECURITY_GROUPS.update(self._session, (group.object_id.lower(),), group):
            raise NotFound(f"There is no group '{group.object_id}'.")

    async def remove_group(self, object_id: str) -> None:
        """Remove a group; NotFound when there is none."""
        if not SECURITY_GROUPS.delete(self._session, (object_id.lower(),)):
            raise NotFound(f"There is no group '{object_id}'.")

    async def list_memberships(self, group_id: str, relation: Relation) -> tuple[Membership, ...]:
        """Return who belongs to a group itself, oldest first."""
        where = "WHERE group_id = ? AND relation = ? ORDER BY rowid"
        return MEMBERSHIPS.read(self._session, where, (group_id.lower(), relation.value))

    async def list_memberships_of(self, member_id: str, relation: Relation) -> tuple[Membership, ...]:
        """Return which groups a principal belongs to itself, oldest first."""
        where = "WHERE member_id = ? AND relation = ? ORDER BY rowid"
        return MEMBERSHIPS.read(self._session, where, (member_id.lower(), relation.value))

    async def groups_of(self, object_id: str) -> frozenset[str]:
        """Return the ids of all groups that a principal is a member of, through others too; every row is checked."""
        wanted = object_id.lower()
        return self._session.remember(("groups of", wanted), lambda: self._groups_of(wanted))

    async def add_membership(self, membership: Membership) -> None:
        """Add a membership; Conflict when it is there."""
        if not MEMBERSHIPS.insert(self._session, _key(membership), membership):
            raise Conflict(f"'{membership.member_id}' is {membership.relation} of the group already.")

    async def remove_membership(self, group_id: str, relation: Relation, member_id: str) -> None:
        """Remove a membership; NotFound when there is none."""
        if not MEMBERSHIPS.delete(self._session, (group_id.lower(), relation.value, member_id.lower())):
            raise NotFound(f"'{member_id}' is no {relation} of the group.")

    async def remove_memberships(self, object_id: str) -> None:
        """Remove every membership of a principal, and every one in it where it is a group: it is gone."""
        gone = object_id.lower()
        for membership in MEMBERSHIPS.read(self._session, "WHERE group_id = ? OR member_id = ?", (gone, gone)):
            MEMBERSHIPS.delete(self._session, _key(membership))

    def _groups_of(self, object_id: str) -> frozenset[str]:
        opened = partial(MEMBERSHIPS.open, self._session.seal)
        above: defaultdict[str, list[str]] = defaultdict(list)
        for row in self._session.connection.rows(ABOVE, (object_id,)):
            self._session.verified(row, opened)
            group_id, _, member_id, *_ = row
            above[member_id].append(group_id)
        return closure(object_id, lambda member: above.get(member, ()))

    def _find_user(self, column: str, value: str) -> User | None:
        def load() -> User | None:
            return next(iter(USERS.read(self._session, f"WHERE {column} = ?", (value,))), None)

        return self._session.remember(("user", column, value), load)


def _columns(user: User) -> tuple[str, str]:
    return user.object_id.lower(), user.user_principal_name.lower()


def _key(membership: Membership) -> tuple[str, str, str]:
    return membership.group_id.lower(), membership.relation.value, membership.member_id.lower()
