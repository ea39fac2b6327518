"""Users, groups and memberships: what tests put into a directory."""

from datetime import UTC, datetime

from strongroom.access.identity.model import Group, Membership, PrincipalType, Relation, User

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_user(number=1, **changes):
    described = {
        "object_id": f"user-{number}",
        "tenant_id": "tenant-1",
        "user_principal_name": f"User.{number}@Example.com",
        "display_name": f"User {number}",
        "created": NOON,
    }
    return User(**described | changes)


def a_security_group(number=1, **changes):
    described = {
        "object_id": f"group-{number}",
        "tenant_id": "tenant-1",
        "display_name": f"Group {number}",
        "created": NOON,
    }
    return Group(**described | changes)


def a_membership(group="group-1", member="user-1", relation=Relation.MEMBER, **changes):
    kind = PrincipalType.GROUP if member.startswith("group") else PrincipalType.USER
    described = {"group_id": group, "member_id": member, "relation": relation, "member_type": kind, "added": NOON}
    return Membership(**described | changes)
