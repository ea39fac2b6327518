from dataclasses import replace
from itertools import product

from hypothesis import given

from access_worlds import (
    AT_RANDOM,
    CHANGER,
    CONDITIONS,
    CUSTOM,
    GROUP,
    PLACE,
    SCOPES,
    SECRET,
    VAULT,
    a_policy,
    atlas_of,
    places_of,
    worlds,
)
from directory_doubles import a_membership
from strongroom.access.authorization.actions import (
    ACCESS_POLICY_WRITE,
    ROLE_ASSIGNMENT_WRITE,
    ROLE_DEFINITION_WRITE,
    VAULT_WRITE,
)
from strongroom.access.authorization.conditions import assignment_attributes
from strongroom.access.authorization.evaluation import NO_ATTRIBUTES, Roles, decide
from strongroom.access.authorization.model import RoleAssignment
from strongroom.access.authorization.operations import find_operations
from strongroom.access.authorization.reach import decide_for
from strongroom.access.authorization.roles import (
    CONTRIBUTOR,
    KEY_VAULT_DATA_ACCESS_ADMINISTRATOR,
    KEY_VAULT_SECRETS_USER,
    OWNER,
    RBAC_ADMINISTRATOR,
    READER,
    USER_ACCESS_ADMINISTRATOR,
)
from strongroom.access.authorization.selfgrant import find_self_grants
from strongroom.access.authorization.steps import FRESH, Way, grants_everything
from strongroom.access.authorization.world import Atlas, path_of
from strongroom.access.identity.model import PrincipalType
from strongroom.ids import Scope
from vault_doubles import NOON, TENANT

GET = find_operations("secrets", "get")


def grants(atlas, operations=GET, **said):
    found = find_self_grants(atlas, atlas.world.vaults[0], operations=operations, **said)
    return {each.subject.object_id: each for each in found}


def ways(grant):
    return [step.way for step in grant.steps]


class Doing:
    """A world in which somebody does what he may: the same questions as at the gate, one change at a time."""

    def __init__(self, world, subject_id):
        self.world = world
        self.subject_id = subject_id
        self.count = 0

    @property
    def atlas(self):
        return Atlas(self.world)

    @property
    def subject(self):
        return self.atlas.subject(self.subject_id)

    def may(self, action, place, attributes=NO_ATTRIBUTES):
        held, world = self.atlas.holdings(self.subject.principals), self.world
        return decide(held, world.roles, action, place, data=False, now=NOON, attributes=attributes).allowed

    def may_assign(self, role, place, to):
        kind = self.subject.type if to == self.subject_id else PrincipalType.GROUP
        said = assignment_attributes("request", role_id=role.role_id, principal_id=to, principal_type=kind)
        inside = any(Scope(place).within(Scope.parse(scope)) for scope in role.assignable_scopes)
        return inside and self.may(ROLE_ASSIGNMENT_WRITE, place, said)

    def may_write(self, role):
        places = [PLACE, GROUP] if role is FRESH else [*role.assignable_scopes]
        return (any if role is FRESH else all)(self.may(ROLE_DEFINITION_WRITE, place) for place in places)

    def join(self, group):
        joined = a_membership(group, self.subject_id)
        self.world = replace(self.world, memberships=(*self.world.memberships, joined))

    def assign(self, role, place, to):
        self.count += 1
        made = RoleAssignment(
            assignment_id=f"made-{self.count}",
            scope=place,
            role_id=role.role_id,
            principal_id=to,
            principal_type=self.subject.type,
            created=NOON,
        )
        self.world = replace(self.world, assignments=(*self.world.assignments, made))

    def write(self, role):
        kept = [each for each in self.world.roles.all if each.role_id != role.role_id]
        self.world = replace(self.world, roles=Roles((*kept, grants_everything(role))))

    def change_vault(self, vault, **changes):
        kept = [each for each in self.world.vaults if each.name != vault.name]
        self.world = replace(self.world, vaults=(*kept, replace(self.vault(vault.name), **changes)))

    def vault(self, name):
        return next(each for each in self.world.vaults if each.name == name)

    def can(self, name, operation, place):
        return decide_for(self.atlas, self.vault(name), self.subject, operation, place).allowed


def take(doing, vault, step):
    """Take a step, if it may be taken."""
    if step.way is Way.JOIN:
        assert step.place in doing.atlas.owned_by(doing.subject_id)
        doing.join(step.place)
    elif step.way is Way.ASSIGN:
        assert doing.may_assign(step.role, step.place, step.to)
        doing.assign(step.role, step.place, step.to)
    elif step.way is Way.POLICY:
        assert doing.may(ACCESS_POLICY_WRITE, step.place) or doing.may(VAULT_WRITE, step.place)
        doing.change_vault(vault, access_policies=(everything(doing.subject_id),))
    elif step.way is Way.SWITCH:
        assert doing.may(VAULT_WRITE, step.place)
        assert doing.may(ROLE_ASSIGNMENT_WRITE, step.place)
        doing.change_vault(vault, rbac=False)
    else:
        assert doing.may_write(step.role)
        doing.write(step.role)


def everything(object_id):
    granted = frozenset({"all", "purge"})
    return a_policy(object_id, secrets=granted, keys=granted)


@AT_RANDOM
@given(worlds())
def test_who_takes_the_steps_has_the_right(world):
    for vault in world.vaults:
        for place in places_of(vault)[:2]:
            for found in find_self_grants(Atlas(world), vault, place=place, operations=GET):
                doing = Doing(world, found.subject.object_id)
                for step in found.steps:
                    take(doing, vault, step)
                assert all(doing.can(vault.name, GET[operation], place) for operation in found.operations)


def do_all(doing):
    """Write every role that he may, and assign himself every role wherever he may."""
    for role in (*doing.world.roles.all, FRESH):
        unwritten = role not in doing.world.roles.all or role != grants_everything(role)
        if role.custom and unwritten and doing.may_write(role):
            doing.write(role)
    held = {(each.role_id, each.scope, each.principal_id) for each in doing.world.assignments}
    for role, scope, to in product(doing.world.roles.all, SCOPES, sorted(doing.subject.principals)):
        if (role.role_id, scope, to) not in held and doing.may_assign(role, scope, to):
            doing.assign(role, scope, to)


def could_at_most(world, vault, subject_id, place):
    """Answer whether somebody who does all that he may, until nothing is left, has taken a right: an oracle."""
    doing, before = Doing(world, subject_id), None
    for group in doing.atlas.owned_by(subject_id):
        doing.join(group)
    while before != doing.world:
        before = doing.world
        do_all(doing)
    own = path_of(vault)
    if doing.may(VAULT_WRITE, own) and (not vault.rbac or doing.may(ROLE_ASSIGNMENT_WRITE, own)):
        return True
    if not vault.rbac and doing.may(ACCESS_POLICY_WRITE, own):
        return True
    return doing.world != world and doing.can(vault.name, GET["secrets/get"], place)


@AT_RANDOM
@given(worlds())
def test_nobody_else_could(world):
    atlas = Atlas(world)
    vault = world.vaults[0]
    for place in places_of(vault)[:2]:
        found = {each.subject.object_id for each in find_self_grants(atlas, vault, place=place, operations=GET)}
        able = {
            each.object_id
            for each in atlas.subjects
            if each.acts and decide_for(atlas, vault, each, GET["secrets/get"], place).allowed
        }
        actors = [each.object_id for each in atlas.subjects if each.acts]
        oracle = {each for each in actors if could_at_most(world, vault, each, place)}
        assert found <= oracle
        assert oracle <= found | able


def test_a_contributor_writes_a_policy_of_a_vault_that_has_policies():
    atlas = atlas_of(policies=[a_policy("app-3")], assignments=[("app-1", CONTRIBUTOR, PLACE)])
    (step,) = grants(atlas)["app-1"].steps
    assert (step.way, step.place, step.by.scope) == (Way.POLICY, VAULT, PLACE)


def test_a_contributor_gives_itself_nothing_of_a_vault_with_rbac():
    assert grants(atlas_of(assignments=[("app-1", CONTRIBUTOR, PLACE), ("app-2", READER, PLACE)])) == {}


def test_who_may_assign_roles_takes_the_narrowest_that_does():
    for role in (OWNER, RBAC_ADMINISTRATOR, KEY_VAULT_DATA_ACCESS_ADMINISTRATOR):
        (step,) = grants(atlas_of(assignments=[("app-1", role, GROUP)]))["app-1"].steps
        assert (step.way, step.place, step.role, step.to) == (Way.ASSIGN, VAULT, KEY_VAULT_SECRETS_USER, "app-1")


def test_a_condition_holds_back_whom_it_does_not_let_assign_what_grants():
    denied = "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals{%s}"
    atlas = atlas_of(assignments=[("app-1", RBAC_ADMINISTRATOR, VAULT, denied % READER.role_id)])
    assert grants(atlas) == {}


def test_an_access_administrator_takes_two_steps_to_a_vault_with_policies():
    atlas = atlas_of(policies=[a_policy("app-3")], assignments=[("app-1", USER_ACCESS_ADMINISTRATOR, GROUP)])
    grant = grants(atlas)["app-1"]
    assert ways(grant) == [Way.ASSIGN, Way.POLICY]
    assert grant.steps[1].by is None, "the step before allows it"


def test_who_owns_a_group_joins_it_and_what_it_is_in():
    atlas = atlas_of(
        assignments=[("group-1", KEY_VAULT_SECRETS_USER, VAULT)],
        memberships=[("group-1", "group-2")],
        owners=[("group-2", "user-1"), ("group-1", "app-1")],
    )
    found = grants(atlas)
    assert {who: [(step.way, step.place) for step in grant.steps] for who, grant in found.items()} == {
        "user-1": [(Way.JOIN, "group-2")],
        "app-1": [(Way.JOIN, "group-1")],
    }


def test_who_owns_a_group_that_may_assign_roles_joins_and_assigns():
    atlas = atlas_of(assignments=[("group-1", OWNER, GROUP)], owners=[("group-1", "user-1")])
    assert ways(grants(atlas)["user-1"]) == [Way.JOIN, Way.ASSIGN]


def changers(scope, **said):
    return atlas_of(assignments=[("app-1", CHANGER, scope)], **said)


def test_who_may_change_the_custom_role_that_he_has_lets_it_grant_everything():
    (step,) = grants(changers(GROUP))["app-1"].steps
    assert (step.way, step.role.name) == (Way.CHANGE, "Changer")
    assert grants(changers(VAULT)) == {}, "it can be assigned at the whole group, where he may not"


def test_who_changes_his_role_writes_a_policy_with_it():
    assert ways(grants(changers(GROUP, policies=[a_policy("app-3")]))["app-1"]) == [Way.CHANGE, Way.POLICY]


def test_who_may_assign_one_custom_role_and_change_it_does_both():
    only = f"@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] GuidEquals {CUSTOM.role_id}"
    world = atlas_of(
        assignments=[
            ("app-1", RBAC_ADMINISTRATOR, VAULT, only),
            ("app-2", RBAC_ADMINISTRATOR, VAULT, only),
            ("app-2", USER_ACCESS_ADMINISTRATOR, GROUP, CONDITIONS[3].replace("2020", "2099")),
        ]
    )
    sign = find_operations("keys", "sign")
    assert grants(world, sign) == {}
    assert ways(grants(world)["app-1"]) == [Way.ASSIGN]


def test_a_condition_that_only_misses_the_role_lets_him_switch_the_permission_model():
    atlas = atlas_of(assignments=[("app-1", OWNER, VAULT, CONDITIONS[5])])
    assert ways(grants(atlas)["app-1"]) == [Way.SWITCH, Way.POLICY]


def test_who_may_assign_at_one_object_gives_himself_that_object():
    atlas = atlas_of(assignments=[("app-1", OWNER, SECRET)])
    grant = grants(atlas)["app-1"]
    assert (grant.place, ways(grant)) == (SECRET, [Way.ASSIGN])
    assert grants(atlas, place=f"{VAULT}/secrets/another") == {}


def test_who_is_disabled_or_elsewhere_could_nothing():
    given_it = [("app-1", OWNER, VAULT)]
    assert grants(atlas_of(assignments=given_it, disabled=("app-1",))) == {}
    elsewhere = replace(atlas_of(assignments=given_it).world.vaults[0], tenant_id="t" + TENANT[1:])
    assert grants(atlas_of(assignments=given_it, vaults=[elsewhere])) == {}


def test_one_role_gives_all_that_is_asked_for():
    atlas = atlas_of(assignments=[("app-1", OWNER, VAULT)])
    (grant,) = find_self_grants(atlas, atlas.world.vaults[0])
    assert "keys/sign" in grant.operations
    assert "secrets/get" in grant.operations
    assert grant.steps[0].role.name == "Key Vault Administrator"
