"""Groups in groups: which ones a principal belongs to when all are followed to their end.

The directory of Azure lets two groups be members of each other, and tools exist to find such circles; only a group as
its own member is refused. So whoever follows memberships must end whatever they look like.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from strongroom.access.identity.model import Group, Membership, Principal, PrincipalType, Relation
from strongroom.clock import whole_seconds
from strongroom.errors import BadRequest

Next = Callable[[str], Iterable[str]]

OWNERS = 100
"""How many owners a group may have. Source: Microsoft Entra service limits."""


def closure(object_id: str, following: Next) -> frozenset[str]:
    """Return every id that is reached from `object_id` by one step of `following` or more; circles end it no later.

    `object_id` itself is among them only where a circle leads back to it.
    """
    found: set[str] = set()
    due = [object_id]
    while due:
        fresh = set(following(due.pop())) - found
        found |= fresh
        due.extend(fresh)
    return frozenset(found)


def make_membership(group: Group, relation: Relation, principal: Principal, now: datetime) -> Membership:
    """Return what a principal would be to a group from now on; BadRequest for its own member, or a group as owner."""
    if relation is Relation.OWNER and principal.type is PrincipalType.GROUP:
        raise BadRequest("The owner of a group is a user or an application, never a group.", code="BadRequest")
    if principal.object_id == group.object_id:
        raise BadRequest(f"The group '{group.display_name}' cannot be its own member.", code="BadRequest")
    return Membership(
        group_id=group.object_id,
        relation=relation,
        member_id=principal.object_id,
        member_type=principal.type,
        added=whole_seconds(now),
    )
