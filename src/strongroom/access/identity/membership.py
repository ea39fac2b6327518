"""Groups in groups: which ones a principal belongs to when all are followed to their end.

The directory of Azure lets two groups be members of each other, and tools exist to find such circles; only a group as
its own member is refused. So whoever follows memberships must end whatever they look like.
"""

from collections.abc import Callable, Iterable

from strongroom.access.identity.model import Group, Principal, PrincipalType, Relation
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


def require_fitting(group: Group, relation: Relation, principal: Principal) -> None:
    """Raise BadRequest when a principal cannot be this to a group: its own member, or a group as owner."""
    if relation is Relation.OWNER and principal.type is PrincipalType.GROUP:
        raise BadRequest("The owner of a group is a user or an application, never a group.", code="BadRequest")
    if principal.object_id == group.object_id:
        raise BadRequest(f"The group '{group.display_name}' cannot be its own member.", code="BadRequest")
