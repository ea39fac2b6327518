"""What would a change change? The world before and after it, compared; nothing is written."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from strongroom.access.authorization.model import RoleAssignment
from strongroom.access.authorization.reach import Road, Standing, control_of, find_roads, is_asked_there
from strongroom.access.authorization.world import Atlas, Subject, World, path_of
from strongroom.access.identity.model import Membership
from strongroom.vaults.model import AccessPolicy, Vault
from strongroom.vaults.policies import PolicyChange, change_policies

IF_IT_HOLDS = " (if a condition holds)"
THROUGH_IT = " (through one application)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What somebody gains and loses at a place: operations on data, and in words what he may do with a vault itself."""

    subject: Subject
    place: str
    gains: tuple[str, ...]
    loses: tuple[str, ...]


def with_assignment(world: World, assignment: RoleAssignment) -> World:
    """Return a world in which a role has been given."""
    return replace(world, assignments=(*world.assignments, assignment))


def without_assignment(world: World, assignment: RoleAssignment) -> World:
    """Return a world in which a role has been taken back."""
    return replace(world, assignments=tuple(each for each in world.assignments if each != assignment))


def with_membership(world: World, membership: Membership) -> World:
    """Return a world in which somebody has joined a group."""
    return replace(world, memberships=(*world.memberships, membership))


def without_membership(world: World, group_id: str, member_id: str) -> World:
    """Return a world in which somebody has left a group; an owner of it stays one."""
    kept = [
        each
        for each in world.memberships
        if (each.group_id, each.member_id) != (group_id, member_id) or each.relation == "owner"
    ]
    return replace(world, memberships=tuple(kept))


def with_policies(world: World, vault: Vault, change: PolicyChange, *policies: AccessPolicy) -> World:
    """Return a world in which the access policies of a vault have changed as a request for it would have it."""
    changed = change_policies(vault.access_policies, change, policies)
    return _with_vault(world, replace(vault, access_policies=changed))


def with_model(world: World, vault: Vault, *, rbac: bool) -> World:
    """Return a world in which a vault has another permission model."""
    return _with_vault(world, replace(vault, rbac=rbac))


def compare(before: World, after: World) -> tuple[Difference, ...]:
    """Return what everybody gains and loses from one world to another with the same principals, by vault and name."""
    then, now = Atlas(before), Atlas(after)
    whom = [then.subject(each) for each in sorted(_touched(then, now))]
    known = {vault.vault_id: vault for vault in after.vaults}
    found: list[Difference] = []
    for vault in before.vaults:
        for subject in (each for each in whom if each.acts):
            held = _abilities(then, vault, subject)
            holds = _abilities(now, known[vault.vault_id], now.subject(subject.object_id))
            found += _differences(subject, path_of(vault), held, holds)
    return tuple(sorted(found, key=lambda each: (each.place, each.subject.display_name.lower())))


def _with_vault(world: World, vault: Vault) -> World:
    return replace(world, vaults=tuple(vault if each.vault_id == vault.vault_id else each for each in world.vaults))


def _touched(then: Atlas, now: Atlas) -> frozenset[str]:
    """Return the ids of all for whom something may be different."""
    before, after = then.world, now.world
    holders = {each.principal_id for each in set(before.assignments) ^ set(after.assignments)}
    holders |= {each.member_id for each in set(before.memberships) ^ set(after.memberships)}
    for vault, changed in zip(before.vaults, after.vaults, strict=True):
        if vault.rbac != changed.rbac:
            return frozenset(each.object_id for each in then.subjects)
        holders |= {each.object_id for each in set(vault.access_policies) ^ set(changed.access_policies)}
    return frozenset(each for holder in holders for atlas in (then, now) for each in atlas.members(holder))


def _abilities(atlas: Atlas, vault: Vault, subject: Subject) -> dict[str, dict[str, None]]:
    """Return what somebody may do, by place; at single objects with what he may do at the vault."""
    own = path_of(vault)
    found: dict[str, dict[str, None]] = {own: {}}
    for road in find_roads(atlas, vault, subject=subject):
        only = _restricted(road)
        if road.counts or road.standing is Standing.UNDECIDED:
            found.setdefault(road.place, {}).update({f"{name}{only}": None for name in road.operations})
    for place, said in found.items():
        allowed = said | {name: None for name in found[own] if is_asked_there(name, place)}
        found[place] = {name: None for name in allowed if _bare(name) == name or _bare(name) not in allowed}
    found[own].update(dict.fromkeys(control_of(atlas, vault, subject).actions))
    return found


def _restricted(road: Road) -> str:
    """Return what a road asks for beside, in words, "" for nothing."""
    if road.standing is Standing.UNDECIDED:
        return IF_IT_HOLDS
    return THROUGH_IT if road.policy is not None and road.policy.application_id is not None else ""


def _bare(name: str) -> str:
    return name.removesuffix(IF_IT_HOLDS).removesuffix(THROUGH_IT)


def _differences(
    subject: Subject, own: str, held: dict[str, dict[str, None]], holds: dict[str, dict[str, None]]
) -> Iterable[Difference]:
    """Give what is different at the vault, then what is at single objects beside that."""
    told: set[str] = set()
    for place in (own, *sorted((held.keys() | holds.keys()) - {own})):
        then, now = held.get(place, held[own]), holds.get(place, holds[own])
        gains = tuple(name for name in now if name not in then and name not in told)
        loses = tuple(name for name in then if name not in now and name not in told)
        if place == own:
            told = {*gains, *loses}
        if gains or loses:
            yield Difference(subject=subject, place=place, gains=gains, loses=loses)
