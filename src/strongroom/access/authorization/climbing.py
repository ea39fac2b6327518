"""How far somebody gets who gives himself what he may: one principal, one place, round by round."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from strongroom.access.authorization.actions import (
    ACCESS_POLICY_WRITE,
    ROLE_ASSIGNMENT_WRITE,
    ROLE_DEFINITION_WRITE,
    VAULT_WRITE,
)
from strongroom.access.authorization.conditions import assignment_attributes
from strongroom.access.authorization.definitions import can_be_assigned_at
from strongroom.access.authorization.evaluation import (
    NO_ATTRIBUTES,
    Attributes,
    Holdings,
    Roles,
    decide,
    decide_on_data,
)
from strongroom.access.authorization.model import Decision, RoleAssignment, RoleDefinition
from strongroom.access.authorization.operations import Operations
from strongroom.access.authorization.steps import (
    ESCALATING,
    FRESH,
    Candidates,
    Gain,
    Gains,
    SelfGrant,
    Step,
    Way,
    grants_everything,
    grounds,
)
from strongroom.access.authorization.world import Atlas, Subject, path_of
from strongroom.access.identity.model import PrincipalType
from strongroom.ids import Scope, group_scope, subscription_scope
from strongroom.vaults.model import Vault

ROUNDS = 6
Arrivals = Iterator[tuple[tuple[str, ...], tuple[Step, ...]]]
GROUP_DEPTH = 5


def may_climb(atlas: Atlas, vault: Vault, subject: Subject) -> bool:
    """Answer whether it is worth asking: somebody who owns no group and holds no role that grants control is out."""
    if not subject.acts or subject.tenant_id != vault.tenant_id:
        return False
    if atlas.owned_by(subject.object_id):
        return True
    roles = atlas.world.roles
    held = (each for holder in subject.principals for each in atlas.held_by(holder))
    return any(roles.grants(each.role_id, action, data=False) for each in held for action in ESCALATING)


class Climb:
    """One principal on its way to operations at a place."""

    def __init__(self, atlas: Atlas, vault: Vault, subject: Subject, place: str, candidates: Candidates) -> None:
        self._atlas = atlas
        self._vault = vault
        self._subject = subject
        self._place = place
        self._candidates = candidates
        self._roles = atlas.world.roles
        self._gains = Gains()
        self._own = atlas.holdings(subject.principals)
        self._join_groups()

    def all_the_way(self) -> Iterator[SelfGrant]:
        """Give what the principal could give itself, by as few ways as give it all."""
        left = dict(self._candidates.operations)
        for _ in range(ROUNDS):
            for operations, steps in self._arrivals(left):
                gained = tuple(name for name in operations if name in left)
                if gained:
                    yield SelfGrant(subject=self._subject, place=self._place, operations=gained, steps=steps)
                for name in gained:
                    del left[name]
            if not left or not (self._assign_control() or self._change_roles()):
                return

    # --- what it arrives at

    def _arrivals(self, left: Operations) -> Arrivals:
        """Give the operations that it could do after one more step, with all steps that take it there."""
        if not self._gains.roles:  # with roles that it has changed it is these that do it
            yield from self._by_group(left)
        if not self._vault.rbac:
            yield from self._by_policy(left, ())
            return
        yield from self._by_changed_role(left)
        yield from self._by_role(left)
        yield from self._by_switch(left)

    def _by_group(self, left: Operations) -> Arrivals:
        for group in self._gains.groups:
            alone = replace(self._subject, object_id=group, principals=frozenset({group}))
            allowed = self._allowed(left, self._atlas.holdings((group,)), alone)
            yield allowed, self._gains.steps([group])

    def _by_policy(self, left: Operations, before: tuple[Step, ...]) -> Arrivals:
        own = path_of(self._vault)
        for action in (ACCESS_POLICY_WRITE, VAULT_WRITE):
            decision = self._ask(action, own)
            if decision.allowed:
                step = Step(way=Way.POLICY, place=own, by=self._by(decision))
                yield tuple(left), (*before, *self._gains.steps(self._needs(decision, action), step))
                return

    def _by_role(self, left: Operations) -> Arrivals:
        for role in self._assignable(self._candidates.data) if self._might_assign(self._place) else ():
            if not left:
                return
            found = self._may_assign(role, self._place)
            if found is None:
                continue
            receiver, decision = found
            made = self._assignment(role, self._place, receiver)
            yield self._allowed(left, [Holdings((made,))]), self._steps_to_assign(role, self._place, receiver, decision)

    def _by_changed_role(self, left: Operations) -> Arrivals:
        held = [each for each in self._held() if each.role_id in self._gains.roles]
        for each in held:
            needs = (*self._needs_of(each), each.role_id)
            yield self._allowed(left, [Holdings((each,))]), self._gains.steps(needs)

    def _by_switch(self, left: Operations) -> Arrivals:
        own = path_of(self._vault)
        change, assign = self._ask(VAULT_WRITE, own), self._ask(ROLE_ASSIGNMENT_WRITE, own)
        if change.allowed and assign.allowed:
            needs = (*self._needs(change, VAULT_WRITE), *self._needs(assign, ROLE_ASSIGNMENT_WRITE))
            switch = Step(way=Way.SWITCH, place=own, by=self._by(change))
            yield from self._by_policy(left, self._gains.steps(needs, switch))

    def _allowed(self, left: Operations, holders: list[Holdings], who: Subject | None = None) -> tuple[str, ...]:
        """Return which operations the holdings allow at the place, by the vault's permission model."""
        return tuple(
            name
            for name, action in left.items()
            if decide_on_data(
                self._vault,
                who or self._subject,
                holders,
                self._roles,
                action=action,
                object_scope=self._place,
                now=self._atlas.world.now,
            ).allowed
        )

    # --- what it gains on the way

    def _join_groups(self) -> None:
        """Count the groups that it owns as joined, with all that those are in."""
        for owned in self._atlas.owned_by(self._subject.object_id):
            for group in sorted(self._atlas.all_above(owned) - self._subject.principals):
                self._gains.why.setdefault(group, Gain(Step(way=Way.JOIN, place=owned)))
        self._gains.groups = tuple(self._gains.why)

    def _assign_control(self) -> bool:
        """Have it assign itself roles that grant control; answer whether there were any that it has not."""
        known = {(each.role_id, each.scope) for each in self._gains.assignments}
        before = len(known)
        for place in self._control_places():
            for role in self._assignable(self._candidates.control, place) if self._might_assign(place) else ():
                found = None if (role.role_id, place) in known else self._may_assign(role, place)
                if found is None:
                    continue
                receiver, decision = found
                made = self._assignment(role, place, receiver)
                step = Step(way=Way.ASSIGN, place=place, role=role, to=receiver, by=self._by(decision))
                self._gains.why[made.assignment_id] = Gain(step, self._needs_to_assign(role, decision))
                self._gains.assignments.append(made)
                known.add((role.role_id, place))
                if self._is_free(decision):  # then the first one is as good as any
                    break
        return len(known) > before

    def _change_roles(self) -> bool:
        """Have it change the custom roles that it may, to grant everything; answer whether there were any."""
        if not any(self._ask(ROLE_DEFINITION_WRITE, place).allowed for place in self._control_places()):
            return False
        writable = [role for role in (*self._candidates.custom, FRESH) if self._may_write(role)]
        fresh = [role for role in writable if role.role_id not in self._gains.roles]
        for role in fresh:
            said = [(each, self._ask(ROLE_DEFINITION_WRITE, each)) for each in self._places_of_role(role)]
            needs = [need for _, decision in said for need in self._needs(decision, ROLE_DEFINITION_WRITE)]
            place, decision = said[0]
            way = Way.MAKE if role is FRESH else Way.CHANGE
            step = Step(way=way, place=place, role=role, by=self._by(decision))
            self._gains.why[role.role_id] = Gain(step, tuple(dict.fromkeys(needs)))
        self._gains.roles |= {role.role_id: grants_everything(role) for role in fresh}
        if fresh:
            kept = [role for role in self._roles.all if role.role_id not in self._gains.roles]
            self._roles = Roles((*kept, *self._gains.roles.values()))
        return bool(fresh)

    def _may_write(self, role: RoleDefinition) -> bool:
        """Answer whether it may write a role: wherever that can be assigned, and asked at a subscription or group."""
        places = self._places_of_role(role)
        if not all(self._ask(ROLE_DEFINITION_WRITE, place).allowed for place in places):
            return False
        asked_at = (*places, *self._above())
        return any(
            place.count("/") < GROUP_DEPTH and self._ask(ROLE_DEFINITION_WRITE, place).allowed for place in asked_at
        )

    def _places_of_role(self, role: RoleDefinition) -> tuple[str, ...]:
        scopes = (self._above()[0],) if role is FRESH else role.assignable_scopes
        return tuple(Scope.parse(scope).path for scope in scopes)

    # --- asking

    def _ask(self, action: str, place: str, attributes: Attributes = NO_ATTRIBUTES) -> Decision:
        holders = (*self._own, Holdings(self._gains.assignments), *self._atlas.holdings(self._gains.groups))
        now = self._atlas.world.now
        return decide(holders, self._roles, action, place, data=False, now=now, attributes=attributes)

    def _might_assign(self, place: str) -> bool:
        """Answer whether it may assign any role there, for all that is known without one."""
        decision = self._ask(ROLE_ASSIGNMENT_WRITE, place)
        return decision.allowed or decision.unmet is not None

    def _may_assign(self, role: RoleDefinition, place: str) -> tuple[str, Decision] | None:
        """Return to whom it may assign a role there so that it has it: itself or a group that it is in."""
        for receiver in self._receivers():
            kind = self._subject.type if receiver == self._subject.object_id else PrincipalType.GROUP
            said = assignment_attributes("request", role_id=role.role_id, principal_id=receiver, principal_type=kind)
            decision = self._ask(ROLE_ASSIGNMENT_WRITE, place, said)
            if decision.allowed:
                return receiver, decision
            if decision.unmet is None:
                return None
        return None

    def _assignable(self, roles: Iterable[RoleDefinition], place: str = "") -> Iterator[RoleDefinition]:
        """Give the roles that can be assigned at a place, then those that it has changed or made."""
        where = Scope(place or self._place)
        for role in roles:
            if can_be_assigned_at(role, where):
                yield role
        for role in self._gains.roles.values():
            if role.role_id == FRESH.role_id or can_be_assigned_at(role, where):
                yield role

    def _receivers(self) -> tuple[str, ...]:
        own = self._subject.object_id
        return (own, *sorted(self._subject.principals - {own}))

    def _control_places(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((path_of(self._vault), self._place, *self._above())))

    def _above(self) -> tuple[str, str]:
        vault = self._vault
        group = group_scope(vault.subscription_id, vault.resource_group).lower()
        return group, subscription_scope(vault.subscription_id).lower()

    def _held(self) -> Iterator[RoleAssignment]:
        for holder in (*sorted(self._subject.principals), *self._gains.groups):
            yield from self._atlas.held_by(holder)
        yield from self._gains.assignments

    def _assignment(self, role: RoleDefinition, place: str, receiver: str) -> RoleAssignment:
        return RoleAssignment(
            assignment_id=f"gained:{role.role_id}:{place}",
            scope=place,
            role_id=role.role_id,
            principal_id=receiver,
            principal_type=self._subject.type,
            created=self._atlas.world.now,
        )

    # --- why

    def _steps_to_assign(self, role: RoleDefinition, place: str, receiver: str, decision: Decision) -> tuple[Step, ...]:
        step = Step(way=Way.ASSIGN, place=place, role=role, to=receiver, by=self._by(decision))
        return self._gains.steps(self._needs_to_assign(role, decision), step)

    def _needs_to_assign(self, role: RoleDefinition, decision: Decision) -> tuple[str, ...]:
        changed = (role.role_id,) if role.role_id in self._gains.roles else ()
        return (*self._needs(decision, ROLE_ASSIGNMENT_WRITE), *changed)

    def _needs(self, decision: Decision, action: str) -> tuple[str, ...]:
        """Return what must be gained before a decision is what it is."""
        found = grounds(decision)
        changed = found.role_id in self._gains.roles and not self._atlas.world.roles.grants(
            found.role_id, action, data=False
        )
        return (*self._needs_of(found), *((found.role_id,) if changed else ()))

    def _needs_of(self, assignment: RoleAssignment) -> tuple[str, ...]:
        key = assignment.assignment_id
        if key in self._gains.why:
            return (key,)
        return (assignment.principal_id,) if assignment.principal_id in self._gains.groups else ()

    def _by(self, decision: Decision) -> RoleAssignment | None:
        found = grounds(decision)
        return None if found.assignment_id in self._gains.why else found

    def _is_free(self, decision: Decision) -> bool:
        """Answer whether no condition had a say."""
        found = grounds(decision)
        return found.condition is None and self._roles.condition_of(found.role_id) is None
