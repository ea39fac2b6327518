"""Who could give itself the right? What somebody could do next with the control actions that he has, to its end.

Whoever may assign roles, write access policies or change a custom role may give himself more of that, and so on: each
round asks `evaluation` again with all that was gained. No more than a few rounds are needed, since one role that grants
everything ends them. Switching a vault's permission model is tried too, though whoever may do that may nearly always
do without: only a condition that asks whether it knows the role makes a difference.
"""

from strongroom.access.authorization.climbing import Climb, may_climb
from strongroom.access.authorization.operations import OPERATIONS, Operations
from strongroom.access.authorization.reach import is_asked_there
from strongroom.access.authorization.steps import ESCALATING, Candidates, SelfGrant, is_custom
from strongroom.access.authorization.world import Atlas, Subject, path_of
from strongroom.vaults.model import Vault


def find_self_grants(
    atlas: Atlas, vault: Vault, *, place: str | None = None, operations: Operations = OPERATIONS
) -> tuple[SelfGrant, ...]:
    """Return who could give itself operations in a vault or on one object of it, and how, whether or not it has them.

    place: the object's resource id in lower case. Without it also who could for single objects only.
    """
    own = path_of(vault)
    candidates: dict[tuple[str, ...], Candidates] = {}
    found: list[SelfGrant] = []
    for subject in atlas.subjects:
        if not may_climb(atlas, vault, subject):
            continue
        got: set[str] = set()
        for where in (place,) if place is not None else (own, *_objects(atlas, vault, subject)):
            asked = _asked_at(operations, where)
            key = tuple(asked)
            known = candidates[key] = candidates.get(key) or Candidates(atlas.world.roles, asked)
            grants = list(Climb(atlas, vault, subject, where, known).all_the_way())
            found += [grant for grant in grants if not got.issuperset(grant.operations)]
            if where == own:
                got.update(operation for grant in grants for operation in grant.operations)
    return tuple(found)


def _objects(atlas: Atlas, vault: Vault, subject: Subject) -> tuple[str, ...]:
    """Return the objects of a vault where somebody might climb who cannot at the vault: where he has something itself.

    That is a role that grants control, one that can be changed, or whatever a group has that he owns.
    """
    if not vault.rbac:
        return ()
    roles, below = atlas.world.roles, path_of(vault) + "/"
    joined = {above for owned in atlas.owned_by(subject.object_id) for above in atlas.all_above(owned)}
    held = [
        each
        for holder in sorted(subject.principals | joined)
        for each in atlas.held_by(holder)
        if each.scope.startswith(below)
        and (
            holder not in subject.principals
            or is_custom(roles, each.role_id)
            or any(roles.grants(each.role_id, action, data=False) for action in ESCALATING)
        )
    ]
    return tuple(dict.fromkeys(each.scope for each in held))


def _asked_at(operations: Operations, place: str) -> Operations:
    return {name: action for name, action in operations.items() if is_asked_there(name, place)}
