"""Who can reach this? Every principal that may do something with what a vault holds, and by which road.

Each road is found by asking `evaluation` about one grant alone, whose answer for all grants together is what lets a
request through: somebody may do what at least one road lets him do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from strongroom.access.authorization.actions import (
    ACCESS_POLICY_WRITE,
    KEYS_WRITE,
    ROLE_ASSIGNMENT_WRITE,
    ROLE_DEFINITION_WRITE,
    SECRETS_WRITE,
    VAULT_DELETE,
    VAULT_PURGE,
    VAULT_WRITE,
)
from strongroom.access.authorization.evaluation import Holdings, ancestors, decide, decide_on_data
from strongroom.access.authorization.model import Action, Decision, RoleAssignment
from strongroom.access.authorization.operations import OPERATIONS, Operations
from strongroom.access.authorization.world import Atlas, Chain, Subject, path_of
from strongroom.access.identity.model import PrincipalType
from strongroom.ids import subscription_scope
from strongroom.vaults.model import AccessPolicy, Vault

CONTROL: Mapping[str, str] = MappingProxyType(
    {
        "write access policies": ACCESS_POLICY_WRITE,
        "change the vault": VAULT_WRITE,
        "assign roles": ROLE_ASSIGNMENT_WRITE,
        "change custom roles": ROLE_DEFINITION_WRITE,
        "delete the vault": VAULT_DELETE,
        "purge the vault": VAULT_PURGE,
        "set secrets as resources": SECRETS_WRITE,
        "make keys as resources": KEYS_WRITE,
    }
)
"""The control actions that matter to what a vault holds, in words."""
AS_RESOURCE: Mapping[str, str] = MappingProxyType({"secrets/set": SECRETS_WRITE, "keys/create": KEYS_WRITE})
"""What the resource manager lets do with objects too, whatever decides on the vault's data."""


class Standing(StrEnum):
    """Whether a grant counts: its condition holds, does not, or asks what only a request says."""

    HOLDS = "holds"
    UNMET = "does not hold"
    UNDECIDED = "depends on the request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """That somebody may do these operations at a place by one grant.

    place: a resource id in lower case, a vault's or that of an object in it. holder_id: whom the grant names; through:
    the groups that lie between, nearest first, the holder last. Either policy or assignment is there.
    """

    subject: Subject
    place: str
    operations: tuple[str, ...]
    holder_id: str
    through: Chain = ()
    standing: Standing = Standing.HOLDS
    policy: AccessPolicy | None = None
    assignment: RoleAssignment | None = None

    @property
    def counts(self) -> bool:
        """Whether it lets somebody through who can ask at all."""
        return self.standing is Standing.HOLDS and self.subject.acts


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What somebody may do with a vault itself, in words; where: a condition decides on each request."""

    actions: tuple[str, ...]
    conditional: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.actions or self.conditional)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What one principal reaches of one vault."""

    vault: Vault
    roads: tuple[Road, ...]
    control: Control


def find_roads(
    atlas: Atlas,
    vault: Vault,
    *,
    place: str | None = None,
    operations: Operations = OPERATIONS,
    subject: Subject | None = None,
) -> tuple[Road, ...]:
    """Return the roads to a vault, or to one object in it, of everybody or of one principal.

    place: the object's resource id in lower case. Without it what was given for single objects of the vault is found
    too, each at its own place. Those whose grant does not count, or who cannot act, are among them.
    """
    found: list[Road] = []
    own = place or path_of(vault)
    if vault.rbac:
        known, asked = atlas.remembered, tuple(operations)
        for assignment, where in _assignments(atlas, vault, place, subject):
            for who, through in _who(atlas, vault, assignment.principal_id, subject):
                key = (assignment.role_id, assignment.condition, where, who.tenant_id, asked)
                if key not in known:
                    known[key] = _by_assignment(atlas, vault, who, assignment, where=where, operations=operations)
                found += _told(who, where, through, known[key], assignment=assignment)
    else:
        for policy in vault.access_policies:
            for who, through in _who(atlas, vault, policy.object_id, subject):
                allowed = _by_policy(atlas, vault, who, policy, where=own, operations=operations)
                found += _told(who, own, through, allowed, policy=policy)
    return tuple(found)


def find_writers(
    atlas: Atlas, vault: Vault, *, place: str | None = None, operations: Operations = OPERATIONS
) -> tuple[tuple[Subject, tuple[str, ...]], ...]:
    """Return who may do which of these operations over the resource manager: on a vault, or on one object in it."""
    where = place or path_of(vault)
    asked = {name: action for name, action in AS_RESOURCE.items() if name in operations and is_asked_there(name, where)}
    found = []
    for who in atlas.subjects if asked else ():
        if who.type is PrincipalType.GROUP or not who.acts or who.tenant_id != vault.tenant_id:
            continue
        held = atlas.holdings(who.principals)
        allowed = [
            name
            for name, action in asked.items()
            if decide(held, atlas.world.roles, action, where, data=False, now=atlas.world.now).allowed
        ]
        if allowed:
            found.append((who, tuple(allowed)))
    return tuple(found)


def decide_for(atlas: Atlas, vault: Vault, subject: Subject, action: Action, place: str) -> Decision:
    """Return what `evaluation` says of a data action of somebody with all that he has."""
    holders = atlas.holdings(subject.principals)
    return decide_on_data(
        vault, subject, holders, atlas.world.roles, action=action, object_scope=place, now=atlas.world.now
    )


def reach_of(atlas: Atlas, subject: Subject) -> tuple[Reached, ...]:
    """Return the vaults of which a principal reaches something, by name; of a group what its members have by it."""
    found = (
        Reached(vault=vault, roads=find_roads(atlas, vault, subject=subject), control=control_of(atlas, vault, subject))
        for vault in sorted(atlas.world.vaults, key=lambda vault: vault.name.lower())
    )
    return tuple(each for each in found if each.roads or each.control)


def control_of(atlas: Atlas, vault: Vault, subject: Subject) -> Control:
    """Return what a principal may do with a vault itself; purging it is asked as if it had been deleted."""
    held = atlas.holdings(subject.principals)
    if not held or subject.tenant_id != vault.tenant_id:
        return Control(actions=(), conditional=())
    said = {
        name: decide(held, atlas.world.roles, action, control_place(vault, action), data=False, now=atlas.world.now)
        for name, action in CONTROL.items()
    }
    return Control(
        actions=tuple(name for name, decision in said.items() if decision.allowed),
        conditional=tuple(name for name, decision in said.items() if decision.undecided),
    )


def control_place(vault: Vault, action: str) -> str:
    """Return the resource id at which a control action on a vault is asked for."""
    if action == VAULT_PURGE:
        place = f"{subscription_scope(vault.subscription_id)}/providers/microsoft.keyvault/locations/{vault.location}"
        return f"{place}/deletedvaults/{vault.name}".lower()
    return path_of(vault)


def _assignments(
    atlas: Atlas, vault: Vault, place: str | None, subject: Subject | None
) -> Iterator[tuple[RoleAssignment, str]]:
    """Give the assignments that may count at a place, each with the place where it does."""
    own = path_of(vault)
    within = () if place is not None else atlas.scopes_in(own)
    inside = frozenset(within)
    for scope in (*ancestors(place or own), *within):
        for assignment in atlas.assigned_at(scope, subject):
            yield assignment, scope if scope in inside else (place or own)


def _who(atlas: Atlas, vault: Vault, holder: str, subject: Subject | None) -> Iterator[tuple[Subject, Chain]]:
    """Give for whom a grant to `holder` counts, with the way to it; only `subject` when it is given.

    An id that the directory has not is told as if it were of the vault's tenant: it might be yet.
    """
    members = atlas.members(holder)
    for each in members if subject is None else {subject.object_id} & members.keys():
        who = subject or atlas.subject(each)
        yield who if who.known else replace(who, tenant_id=vault.tenant_id), members[each]


def _by_assignment(
    atlas: Atlas, vault: Vault, who: Subject, assignment: RoleAssignment, *, where: str, operations: Operations
) -> Mapping[str, tuple[str, ...]]:
    held = [Holdings((assignment,))]
    said: dict[str, list[str]] = {}
    for name, action in operations.items():
        if not is_asked_there(name, where):
            continue
        decision = decide_on_data(
            vault, who, held, atlas.world.roles, action=action, object_scope=where, now=atlas.world.now
        )
        standing = _standing(decision)
        if standing is not None:
            said.setdefault(standing, []).append(name)
    return {standing: tuple(names) for standing, names in said.items()}


def _by_policy(
    atlas: Atlas, vault: Vault, who: Subject, policy: AccessPolicy, *, where: str, operations: Operations
) -> Mapping[str, tuple[str, ...]]:
    """Return what a policy allows somebody; one for an application that acts for a user is asked through it."""
    alone = replace(vault, access_policies=(policy,))
    if policy.application_id is not None and who.type is PrincipalType.USER:
        who = replace(who, app_id=policy.application_id)
    roles, now = atlas.world.roles, atlas.world.now
    allowed = [
        name
        for name, action in operations.items()
        if is_asked_there(name, where)
        and decide_on_data(alone, who, (), roles, action=action, object_scope=where, now=now).allowed
    ]
    return {Standing.HOLDS: tuple(allowed)} if allowed else {}


def _standing(decision: Decision) -> Standing | None:
    if decision.allowed:
        return Standing.HOLDS
    if decision.unmet is None:
        return None
    return Standing.UNDECIDED if decision.undecided else Standing.UNMET


def is_asked_there(operation: str, place: str) -> bool:
    """Answer whether a request for this operation can be about a place: nothing asks for keys at a secret."""
    segments = place.split("/")
    return len(segments) < OBJECT_DEPTH or operation.partition("/")[0] == segments[OBJECT_DEPTH - 2]


OBJECT_DEPTH = 11


def _told(
    who: Subject,
    place: str,
    through: Chain,
    allowed: Mapping[str, tuple[str, ...]],
    *,
    policy: AccessPolicy | None = None,
    assignment: RoleAssignment | None = None,
) -> Iterator[Road]:
    for standing, operations in allowed.items():
        yield Road(
            subject=who,
            place=place,
            operations=operations,
            holder_id=policy.object_id if policy is not None else (assignment.principal_id if assignment else ""),
            through=through,
            standing=Standing(standing),
            policy=policy,
            assignment=assignment,
        )
