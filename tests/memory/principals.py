"""Users, groups and memberships: the part of the identity store that the directory is."""

from strongroom.access.identity.membership import closure
from strongroom.access.identity.model import Relation
from strongroom.errors import Conflict, NotFound


class MemoryPrincipals:
    """The part of an identity store that the directory is."""

    held = ("users", "groups", "memberships")

    def __init__(self):
        self.users = {}
        self.groups = {}
        self.memberships = {}

    async def find_user(self, object_id):
        return self.users.get(object_id.lower())

    async def find_user_named(self, user_principal_name):
        wanted = user_principal_name.lower()
        return next((row for row in self.users.values() if row.user_principal_name.lower() == wanted), None)

    async def list_users(self):
        return tuple(self.users.values())

    async def add_user(self, user):
        if user.object_id in self.users or await self.find_user_named(user.user_principal_name):
            raise Conflict("The user exists.")
        self.users[user.object_id] = user

    async def replace_user(self, user):
        if user.object_id not in self.users:
            raise NotFound("There is no such user.")
        self.users[user.object_id] = user

    async def remove_user(self, object_id):
        if self.users.pop(object_id.lower(), None) is None:
            raise NotFound("There is no such user.")

    async def find_group(self, object_id):
        return self.groups.get(object_id.lower())

    async def list_groups(self):
        return tuple(self.groups.values())

    async def add_group(self, group):
        if group.object_id in self.groups:
            raise Conflict("The group exists.")
        self.groups[group.object_id] = group

    async def replace_group(self, group):
        if group.object_id not in self.groups:
            raise NotFound("There is no such group.")
        self.groups[group.object_id] = group

    async def remove_group(self, object_id):
        if self.groups.pop(object_id.lower(), None) is None:
            raise NotFound("There is no such group.")

    async def list_memberships(self, group_id, relation):
        wanted = (group_id.lower(), relation)
        return tuple(row for row in self.memberships.values() if (row.group_id, row.relation) == wanted)

    async def list_memberships_of(self, member_id, relation):
        wanted = (member_id.lower(), relation)
        return tuple(row for row in self.memberships.values() if (row.member_id, row.relation) == wanted)

    async def groups_of(self, object_id):
        members = [row for row in self.memberships.values() if row.relation is Relation.MEMBER]
        return closure(object_id.lower(), lambda member: [row.group_id for row in members if row.member_id == member])

    async def add_membership(self, membership):
        if _key(membership) in self.memberships:
            raise Conflict("The membership exists.")
        self.memberships[_key(membership)] = membership

    async def remove_membership(self, group_id, relation, member_id):
        if self.memberships.pop((group_id.lower(), relation, member_id.lower()), None) is None:
            raise NotFound("There is no such membership.")

    async def remove_memberships(self, object_id):
        gone = object_id.lower()
        kept = {key: row for key, row in self.memberships.items() if gone not in (row.group_id, row.member_id)}
        self.memberships = kept


def _key(membership):
    return membership.group_id, membership.relation, membership.member_id
