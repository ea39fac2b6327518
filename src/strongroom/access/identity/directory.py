"""Users and groups: made, listed, disabled, deleted; who belongs to which group; who is meant by a name.

Changes are made inside a storage transaction. Nobody signs in by what is made here.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from strongroom.access.identity.applications import Grants
from strongroom.access.identity.membership import OWNERS, closure, make_membership
from strongroom.access.identity.model import (
    Application,
    Group,
    Membership,
    Principal,
    PrincipalType,
    Relation,
    User,
)
from strongroom.access.identity.naming import require_description, require_display_name, require_principal_name
from strongroom.access.identity.store import IdentityStore
from strongroom.clock import whole_seconds
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.ids import new_guid

USER, GROUP = PrincipalType.USER, PrincipalType.GROUP
KINDS = {USER: "user", GROUP: "group", PrincipalType.SERVICE_PRINCIPAL: "application"}


class Directory:
    """The users and groups of a directory, and its applications as principals, over the store."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    # --- users

    async def create_user(
        self, principal_name: str, display_name: str, *, tenant_id: str, now: datetime, mail: str | None = None
    ) -> User:
        """Return a new user; BadRequest for a bad name, Conflict when the principal name is taken."""
        user = User(
            object_id=new_guid(),
            tenant_id=tenant_id,
            user_principal_name=require_principal_name(principal_name),
            display_name=require_display_name(display_name),
            created=whole_seconds(now),
            mail=None if mail is None else require_principal_name(mail),
        )
        await self._store.add_user(user)
        return user

    async def get_user(self, reference: str) -> User:
        """Return the user with that object id, principal name or display name; raises as `get_principal` does."""
        principal = await self.get_principal(reference, USER)
        user = await self._store.find_user(principal.object_id)
        assert user is not None  # it was found just now
        return user

    async def update_user(
        self,
        reference: str,
        *,
        principal_name: str | None = None,
        display_name: str | None = None,
        mail: str | None = None,
    ) -> User:
        """Change the names of a user, and return it as it is then; None leaves one as it is, mail "" is none.

        BadRequest for a bad name, Conflict when the principal name is another's.
        """
        user = await self.get_user(reference)
        if principal_name is not None:
            user = replace(user, user_principal_name=require_principal_name(principal_name))
            named = await self._store.find_user_named(user.user_principal_name)
            if named is not None and named.object_id != user.object_id:
                raise Conflict(f"The user '{user.user_principal_name}' exists already.")
        if display_name is not None:
            user = replace(user, display_name=require_display_name(display_name))
        if mail is not None:
            user = replace(user, mail=require_principal_name(mail) if mail else None)
        await self._store.replace_user(user)
        return user

    async def set_user_enabled(self, reference: str, *, enabled: bool) -> User:
        """Enable or disable a user, and return it as it is then."""
        user = replace(await self.get_user(reference), enabled=enabled)
        await self._store.replace_user(user)
        return user

    async def delete_user(self, reference: str, grants: Grants) -> User:
        """Remove a user with its memberships and all that was granted to it, and return what it was."""
        user = await self.get_user(reference)
        await self._store.remove_user(user.object_id)
        await self._forget(user.object_id, grants)
        return user

    # --- groups

    async def create_group(self, display_name: str, *, tenant_id: str, now: datetime, description: str = "") -> Group:
        """Return a new group; BadRequest for a bad name or description."""
        group = Group(
            object_id=new_guid(),
            tenant_id=tenant_id,
            display_name=require_display_name(display_name),
            created=whole_seconds(now),
            description=require_description(description),
        )
        await self._store.add_group(group)
        return group

    async def require_new_group_name(self, display_name: str) -> None:
        """Raise Conflict when a group is called so: commands could not tell the two apart by name."""
        wanted = display_name.strip().lower()
        found = next((each for each in await self._store.list_groups() if each.display_name.lower() == wanted), None)
        if found is not None:
            raise Conflict(f"A group is called '{found.display_name}' already: {found.object_id}. Choose another name.")

    async def get_group(self, reference: str) -> Group:
        """Return the group with that object id or display name; raises as `get_principal` does."""
        principal = await self.get_principal(reference, GROUP)
        group = await self._store.find_group(principal.object_id)
        assert group is not None  # it was found just now
        return group

    async def update_group(
        self, reference: str, *, display_name: str | None = None, description: str | None = None
    ) -> Group:
        """Change the name or the description of a group, and return it as it is then; None leaves one as it is.

        BadRequest for bad ones, Conflict when another group is called so.
        """
        before = await self.get_group(reference)
        group = replace(
            before,
            display_name=before.display_name if display_name is None else require_display_name(display_name),
            description=before.description if description is None else require_description(description),
        )
        if group.display_name.lower() != before.display_name.lower():
            await self.require_new_group_name(group.display_name)
        await self._store.replace_group(group)
        return group

    async def delete_group(self, reference: str, grants: Grants) -> Group:
        """Remove a group with all memberships and all that was granted to it, and return what it was."""
        group = await self.get_group(reference)
        await self._store.remove_group(group.object_id)
        await self._forget(group.object_id, grants)
        return group

    # --- who belongs to which group

    async def add_to_group(
        self, group: str, relation: Relation, member: str, *, now: datetime
    ) -> tuple[Group, Principal]:
        """Make a principal a member or an owner of a group, both by reference, and return the two.

        BadRequest for a group as owner or as its own member, and past 100 owners; Conflict when it is one already.
        """
        joined, principal = await self.get_group(group), await self.get_principal(member)
        membership = make_membership(joined, relation, principal, now)
        if relation is Relation.OWNER and len(await self._store.list_memberships(joined.object_id, relation)) >= OWNERS:
            raise BadRequest(f"A group has at most {OWNERS} owners.")
        if any(each.group_id == joined.object_id for each in await self._of(principal.object_id, relation)):
            raise Conflict(f"'{principal.display_name}' is {_a(relation)} of '{joined.display_name}' already.")
        await self._store.add_membership(membership)
        return joined, principal

    async def remove_from_group(self, group: str, relation: Relation, member: str) -> tuple[Group, Principal]:
        """Take a principal out of a group, both by reference, and return the two; NotFound when it is not in it."""
        left, principal = await self.get_group(group), await self.get_principal(member)
        if all(each.group_id != left.object_id for each in await self._of(principal.object_id, relation)):
            raise NotFound(f"'{principal.display_name}' is not {_a(relation)} of '{left.display_name}'.")
        await self._store.remove_membership(left.object_id, relation, principal.object_id)
        return left, principal

    async def list_in(self, group_id: str, relation: Relation) -> tuple[Principal, ...]:
        """Return the members or owners of a group itself, oldest membership first."""
        found = await self._store.list_memberships(group_id, relation)
        return await self.principals([each.member_id for each in found])

    async def list_all_members(self, group_id: str) -> tuple[Principal, ...]:
        """Return every member of a group, and of the groups in it to their end, by kind and name."""
        return _sorted(await self.principals(await self.reached(group_id)))

    async def reached(self, group_id: str) -> frozenset[str]:
        """Return the ids of all members of a group, and of the groups in it. A group may be reached from itself."""
        known: dict[str, list[str]] = {}
        due = [group_id]
        while due:
            inside = due.pop()
            if inside not in known:
                found = await self._store.list_memberships(inside, Relation.MEMBER)
                known[inside] = [each.member_id for each in found]
                due += [each.member_id for each in found if each.member_type is GROUP]
        return closure(group_id, lambda inside: known.get(inside, ()))

    async def list_groups_of(self, object_id: str) -> tuple[Group, ...]:
        """Return the groups that a principal is a member of itself, oldest membership first."""
        return await self.groups([each.group_id for each in await self._of(object_id, Relation.MEMBER)])

    async def list_all_groups_of(self, object_id: str) -> tuple[Group, ...]:
        """Return every group that a principal is a member of, through others too, by name."""
        found = await self.groups(await self._store.groups_of(object_id))
        return tuple(sorted(found, key=lambda group: (group.display_name.lower(), group.object_id)))

    # --- who is meant

    async def find_object(self, object_id: str) -> User | Group | Application | None:
        """Return the user, group or application of that object id."""
        return (
            await self._store.find_user(object_id)
            or await self._store.find_group(object_id)
            or await self._store.find_principal(object_id)
        )

    async def find_principal(self, object_id: str) -> Principal | None:
        """Return who has that object id, of whichever kind."""
        found = await self.find_object(object_id)
        return None if found is None else principal_of(found)

    async def get_principal(self, reference: str, kind: PrincipalType | None = None) -> Principal:
        """Return who is meant: by object id, user principal name, application id, else by display name.

        kind: the only one that is meant, any when None. NotFound when there is nobody, BadRequest when several are.
        """
        wanted = reference.strip().lower()
        found = _of_kind([await self._find_by_id(wanted)], kind) or await self._named(wanted, kind)
        if not found:
            raise NotFound(f"There is no {_kinds(kind)} '{reference}'.")
        if len(found) > 1:
            ids = ", ".join(f"{each.object_id} ({KINDS[each.type]})" for each in found)
            raise BadRequest(f"{len(found)} are called '{reference}'; name one by its id: {ids}.")
        return found[0]

    async def list_principals(self) -> tuple[Principal, ...]:
        """Return every user, group and application."""
        users, groups = await self._store.list_users(), await self._store.list_groups()
        applications = await self._store.list_applications()
        return (*map(principal_of, users), *map(principal_of, groups), *map(principal_of, applications))

    async def principals(self, object_ids: Iterable[str]) -> tuple[Principal, ...]:
        """Return the principals of these object ids that there are, in this order."""
        return tuple([each for id_ in object_ids if (each := await self.find_principal(id_)) is not None])

    async def objects(self, object_ids: Iterable[str]) -> tuple[User | Group | Application, ...]:
        """Return the users, groups and applications of these object ids that there are, in this order."""
        return tuple([each for id_ in object_ids if (each := await self.find_object(id_)) is not None])

    async def groups(self, object_ids: Iterable[str]) -> tuple[Group, ...]:
        """Return the groups of these object ids that there are, in this order."""
        return tuple([each for id_ in object_ids if (each := await self._store.find_group(id_)) is not None])

    async def _find_by_id(self, wanted: str) -> Principal | None:
        found = await self.find_principal(wanted)
        if found is not None:
            return found
        named = await self._store.find_user_named(wanted) or await self._store.find_application(wanted)
        return None if named is None else principal_of(named)

    async def _named(self, lower_name: str, kind: PrincipalType | None) -> list[Principal]:
        return [
            each for each in _of_kind(await self.list_principals(), kind) if each.display_name.lower() == lower_name
        ]

    async def _of(self, object_id: str, relation: Relation) -> tuple[Membership, ...]:
        return await self._store.list_memberships_of(object_id, relation)

    async def _forget(self, object_id: str, grants: Grants) -> None:
        await self._store.remove_memberships(object_id)
        await grants.remove_principal(object_id)


def principal_of(found: User | Group | Application) -> Principal:
    """Return a user, a group or an application as the principal that it is."""
    if isinstance(found, User):
        kind, name = USER, found.user_principal_name
    elif isinstance(found, Group):
        kind, name = GROUP, found.object_id
    else:
        kind, name = PrincipalType.SERVICE_PRINCIPAL, found.app_id
    return Principal(object_id=found.object_id, type=kind, display_name=found.display_name, name=name)


def _of_kind(found: Iterable[Principal | None], kind: PrincipalType | None) -> list[Principal]:
    return [each for each in found if each is not None and kind in (None, each.type)]


def _sorted(found: Iterable[Principal]) -> tuple[Principal, ...]:
    return tuple(sorted(found, key=lambda each: (each.type, each.display_name.lower(), each.object_id)))


def _kinds(kind: PrincipalType | None) -> str:
    return "user, group or application" if kind is None else KINDS[kind]


def _a(relation: Relation) -> str:
    return "an owner" if relation is Relation.OWNER else "a member"
