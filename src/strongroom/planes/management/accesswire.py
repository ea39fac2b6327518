"""What is told of who can reach what, field by field: over the API, and by `strongroom access --json`."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from msgspec import UNSET, UnsetType

from strongroom.access.authorization.operations import OPERATIONS, Operations
from strongroom.access.authorization.reach import Reached, Road, find_roads, find_writers
from strongroom.access.authorization.selfgrant import find_self_grants
from strongroom.access.authorization.steps import SelfGrant, Step, Way
from strongroom.access.authorization.world import Atlas, Subject, path_of
from strongroom.access.identity.model import PrincipalType
from strongroom.planes.management.wire import Wire
from strongroom.vaults.model import Vault
from strongroom.vaults.network import DENY, DISABLED, NetworkRules

OPERATOR = (
    "Whoever may run strongroom's commands on this machine with the master key can give anybody anything; so can "
    "whoever is root there."
)
OWNERS = (
    "Owners of a group may add members to it in Entra; here its members are changed by the operator's commands alone."
)


class PrincipalAnswer(Wire, kw_only=True):
    """Who it is. known: whether the directory has it; grants may name ids that it has not."""

    id: str
    type: str
    display_name: str
    name: str
    enabled: bool
    known: bool


class ThroughAnswer(Wire, kw_only=True):
    """A group between a principal and what it has."""

    id: str
    display_name: str


class RoadAnswer(Wire, kw_only=True):
    """One grant by which somebody may: an access policy or a role assignment.

    place: where, a resource id; scope: where it was given. condition: as it was written, and in `standing` whether it
    holds. through: the groups between, nearest first. onBehalfOf: the application that a policy is for.
    """

    by: str
    operations: list[str]
    place: str
    standing: str
    through: list[ThroughAnswer]
    role_name: str | UnsetType = UNSET
    role_definition_id: str | UnsetType = UNSET
    role_assignment_id: str | UnsetType = UNSET
    scope: str | UnsetType = UNSET
    condition: str | UnsetType = UNSET
    on_behalf_of: str | UnsetType = UNSET


class AbleAnswer(Wire, kw_only=True):
    """What somebody may do, and by which roads. operations: what it may do as things are, "" for nothing."""

    principal: PrincipalAnswer
    operations: list[str]
    roads: list[RoadAnswer]


class StepAnswer(Wire, kw_only=True):
    """One thing that somebody could do, in words too. roleAssignmentId: what allows it now, if it is allowed now."""

    way: str
    text: str
    place: str
    role_definition_id: str | UnsetType = UNSET
    role_assignment_id: str | UnsetType = UNSET


class SelfGrantAnswer(Wire, kw_only=True):
    """What somebody could give itself, and how."""

    principal: PrincipalAnswer
    operations: list[str]
    place: str
    steps: list[StepAnswer]


class WriterAnswer(Wire, kw_only=True):
    """What somebody may do over the resource manager, whatever decides on the data of the vault."""

    principal: PrincipalAnswer
    operations: list[str]


class ReachAnswer(Wire, kw_only=True):
    """Who can reach a vault, or one object in it. ableAsResource: who writes there over the resource manager."""

    id: str
    permission_model: str
    able: list[AbleAnswer]
    able_as_resource: list[WriterAnswer]
    could_give_itself: list[SelfGrantAnswer]
    notes: list[str]


class VaultReachAnswer(Wire, kw_only=True):
    """What somebody reaches of one vault. control: what it may do with the vault itself, in words."""

    id: str
    permission_model: str
    operations: list[str]
    roads: list[RoadAnswer]
    control: list[str]
    conditional_control: list[str]


class PrincipalReachAnswer(Wire, kw_only=True):
    """What one principal reaches."""

    principal: PrincipalAnswer
    vaults: list[VaultReachAnswer]


def reach_answer(
    atlas: Atlas, vault: Vault, *, shown_id: str, place: str | None = None, operations: Operations = OPERATIONS
) -> ReachAnswer:
    """Return who can reach a vault or one object of it. place: the object's resource id in lower case."""
    roads: dict[str, list[Road]] = {}
    for road in find_roads(atlas, vault, place=place, operations=operations):
        if road.subject.type is not PrincipalType.GROUP:
            roads.setdefault(road.subject.object_id, []).append(road)
    grants = find_self_grants(atlas, vault, place=place, operations=operations)
    writers = find_writers(atlas, vault, place=place, operations=operations)
    return ReachAnswer(
        id=shown_id,
        permission_model=model_of(vault),
        able=[_able(atlas, found) for found in sorted(roads.values(), key=lambda found: _order(found[0].subject))],
        able_as_resource=[
            WriterAnswer(principal=principal(who), operations=list(allowed))
            for who, allowed in sorted(writers, key=lambda each: _order(each[0]))
        ],
        could_give_itself=[_self_grant(atlas, each) for each in sorted(grants, key=lambda each: _order(each.subject))],
        notes=list(_notes(atlas, vault, place, operations, grants)),
    )


def principal_answer(atlas: Atlas, subject: Subject, found: Iterable[Reached]) -> PrincipalReachAnswer:
    """Return what one principal reaches."""
    return PrincipalReachAnswer(
        principal=principal(subject),
        vaults=[
            VaultReachAnswer(
                id=path_of(each.vault),
                permission_model=model_of(each.vault),
                operations=_counting(each.roads),
                roads=[_road(atlas, road) for road in each.roads],
                control=list(each.control.actions),
                conditional_control=list(each.control.conditional),
            )
            for each in found
        ],
    )


def model_of(vault: Vault) -> str:
    """Return who decides on the data of a vault, in words."""
    return "roles" if vault.rbac else "access policies"


def _notes(
    atlas: Atlas, vault: Vault, place: str | None, operations: Operations, grants: Iterable[SelfGrant]
) -> Iterator[str]:
    yield from _whence(vault)
    other = replace(vault, rbac=not vault.rbac)
    idle = [each for each in find_roads(atlas, other, place=place, operations=operations) if each.counts]
    if idle:
        count = len({each.subject.object_id for each in idle})
        yield f"{count} would have it by {model_of(other)}, which count for nothing here: {model_of(vault)} decide."
    if any(step.way is Way.JOIN for grant in grants for step in grant.steps):
        yield OWNERS
    yield OPERATOR


def _whence(vault: Vault) -> Iterator[str]:
    """Return from where all of them must come, if not from anywhere."""
    rules = vault.network or NetworkRules()
    if vault.public_network_access == DISABLED:
        yield "And only by a private endpoint, or as a trusted service: the vault has no public network access."
    elif rules.default_action == DENY:
        count = len(rules.ip_rules) + len(rules.subnet_rules)
        told = f"strongroom network show --vault {vault.name}"
        yield f"And only from where the vault's network rules say ({count} of them): {told}"


def _able(atlas: Atlas, roads: list[Road]) -> AbleAnswer:
    return AbleAnswer(
        principal=principal(roads[0].subject),
        operations=_counting(roads),
        roads=[_road(atlas, road) for road in roads],
    )


def _counting(roads: Iterable[Road]) -> list[str]:
    return list(dict.fromkeys(operation for road in roads if road.counts for operation in road.operations))


def principal(subject: Subject) -> PrincipalAnswer:
    """Return who it is."""
    return PrincipalAnswer(
        id=subject.object_id,
        type=subject.type.value,
        display_name=subject.display_name,
        name=subject.name,
        enabled=subject.enabled,
        known=subject.known,
    )


def _road(atlas: Atlas, road: Road) -> RoadAnswer:
    answer = RoadAnswer(
        by="accessPolicy" if road.assignment is None else "roleAssignment",
        operations=list(road.operations),
        place=road.place,
        standing=road.standing.value,
        through=[ThroughAnswer(id=each, display_name=atlas.subject(each).display_name) for each in road.through],
    )
    if road.policy is not None and road.policy.application_id is not None:
        answer.on_behalf_of = road.policy.application_id
    if road.assignment is not None:
        role = atlas.world.roles.find(road.assignment.role_id)
        answer.role_name = role.name if role else road.assignment.role_id
        answer.role_definition_id = road.assignment.role_id
        answer.role_assignment_id = road.assignment.assignment_id
        answer.scope = road.assignment.scope
        answer.condition = road.assignment.condition or (role.condition if role else None) or UNSET
    return answer


def _self_grant(atlas: Atlas, grant: SelfGrant) -> SelfGrantAnswer:
    return SelfGrantAnswer(
        principal=principal(grant.subject),
        operations=list(grant.operations),
        place=grant.place,
        steps=[
            StepAnswer(
                way=step.way.value,
                text=_said(atlas, grant, step),
                place=step.place,
                role_definition_id=step.role.role_id if step.role else UNSET,
                role_assignment_id=step.by.assignment_id if step.by else UNSET,
            )
            for step in grant.steps
        ],
    )


def _said(atlas: Atlas, grant: SelfGrant, step: Step) -> str:
    """Return a step in words, with what allows it."""
    role = f"'{step.role.name}'" if step.role else ""
    to = "itself" if step.to == grant.subject.object_id else f"its group '{atlas.subject(step.to).display_name}'"
    place = short(step.place)
    text = {
        Way.JOIN: f"add itself to the group '{atlas.subject(step.place).display_name}', which it owns",
        Way.ASSIGN: f"give {to} the role {role} at {place}",
        Way.POLICY: f"write an access policy of {place}",
        Way.SWITCH: f"let access policies decide in {place}",
        Way.CHANGE: f"let the custom role {role} grant everything",
        Way.MAKE: "make a custom role that grants everything",
    }[step.way]
    if step.by is None:
        return text
    held = atlas.world.roles.find(step.by.role_id)
    return f"{text} (its role '{held.name if held else step.by.role_id}' at {short(step.by.scope)} allows it)"


def short(place: str) -> str:
    """Return where something is, for a person: what the last two segments of a resource id say."""
    kind, _, name = place.rpartition("/")
    segments = kind.rsplit("/", 2)
    named = {"subscriptions": "the subscription", "resourcegroups": "the resource group", "vaults": "the vault"}
    last = segments[-1]
    if last in named:
        return f"{named[last]} '{name}'"
    if last in {"secrets", "keys", "certificates"}:
        return f"the {last[:-1]} '{name}' of the vault '{segments[-2]}'"
    return place


def _order(subject: Subject) -> tuple[str, str]:
    return subject.display_name.lower(), subject.object_id
