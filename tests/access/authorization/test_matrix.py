"""Everything that can be asked, decided and compared with the oracle: hundreds of thousands of cells.

Every operation of every plane, by every built-in role and every access-policy permission, given at every kind of scope,
to a caller of every kind or to a group that it is in, in vaults of both permission models. The gates are asked the same
in tests/planes/test_matrix.py.
"""

from collections import Counter
from itertools import product

import pytest

from authorization_oracle import (
    CAREFUL,
    GIVING,
    PERMISSIONS,
    ROLES,
    lies_in,
    may_give,
    policy_allows,
    role_allows,
    role_allows_data,
)
from authorization_rows import DATA_ROWS, MANAGEMENT_ROWS, G, O, S, V
from strongroom.access.authorization.conditions import assignment_attributes
from strongroom.access.authorization.evaluation import Holdings, Roles
from strongroom.access.authorization.model import Action, RoleAssignment
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.access.authorization.service import find_data_decision, find_management_decision
from strongroom.access.identity.membership import closure
from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.vaults import policies as rules
from strongroom.vaults.model import AccessPolicy
from vault_doubles import NOON, SUBSCRIPTION, TENANT, a_vault

OTHER_TENANT = "99999999-9999-4999-8999-999999999999"
NAMES = {
    "subscription": SUBSCRIPTION,
    "group": "Group",
    "vault": "kv1",
    "collection": "secrets",
    "object": "one",
    "secret": "one",
    "key": "one",
    "namespace": "Microsoft.KeyVault",
    "location": "local",
    "deleted": "kv1",
    "hsm": "hsm1",
    "lock": "lock1",
    "network": "net1",
    "subnet": "web",
}
PLACE, GROUP, VAULT = (text.format_map(NAMES) for text in (S, G, V))
SECRET, KEY = (O.format_map(NAMES | {"collection": kind}) for kind in ("secrets", "keys"))
SCOPES = (
    *("/", PLACE, GROUP, VAULT, SECRET, KEY),
    PLACE.replace("22222222", "33333333"),
    GROUP.replace("Group", "other"),
    GROUP.replace("Group", "Grou"),  # the beginning of the name of one
    VAULT + "2",
    VAULT[:-1],
    SECRET + "2",
    SECRET[:-1],
    KEY + "2",
    f"{PLACE}/providers/Microsoft.KeyVault/locations/local",
    VAULT.replace("/vaults/", "/managedHSMs/"),
)
ME, APP, TEAM, CLUB, FIRM, OTHER = (f"c0ffee00-0000-4000-8000-00000000000{number}" for number in range(1, 7))
MEMBERS = {ME: {TEAM}, TEAM: {CLUB}, CLUB: {FIRM}}
"""I am in the team, that in the club, that in the firm."""


def a_caller(kind, principals):
    return Caller(
        object_id=ME,
        app_id=APP,
        tenant_id=TENANT,
        issuer="https://sts.localhost/t/",
        type=kind,
        audience="https://vault.localhost",
        token_id="t",
        expires=NOON,
        principals=frozenset(principals),
    )


GROUPS = closure(ME, lambda member: MEMBERS.get(member, ()))
CALLERS = {
    "application": a_caller(PrincipalType.SERVICE_PRINCIPAL, {ME}),
    "user": a_caller(PrincipalType.USER, {ME}),
    "application in groups": a_caller(PrincipalType.SERVICE_PRINCIPAL, {ME, *GROUPS}),
    "user in groups": a_caller(PrincipalType.USER, {ME, *GROUPS}),
}
HOLDERS = (ME, TEAM, FIRM, OTHER, APP)
"""To whom it was given: the caller, its group, the one that its group is in at the third step, and two others."""


def counts_for(who, holder):
    return holder == ME or (holder in {TEAM, CLUB, FIRM} and "groups" in who)


class Known:
    """The roles that there are, as a storage has them."""

    def __init__(self):
        self.kept = Roles(BUILT_IN)

    async def roles(self):
        return self.kept


class Held:
    """One assignment, and nothing for anybody else, as a storage has them."""

    def __init__(self, role_id, scope, holder):
        self.assignment = RoleAssignment(
            assignment_id="a",
            scope=scope.lower(),
            role_id=role_id,
            principal_id=holder,
            principal_type=PrincipalType.GROUP,
            created=NOON,
        )
        self.held = (Holdings([self.assignment]),)

    async def held_by(self, object_id, principals):
        holder = self.assignment.principal_id
        return self.held if holder == object_id or holder in principals else ()


class Grants:
    """What a decision asks the storage for."""

    def __init__(self, role, scope, holder, known):
        self.assignments = Held(ROLES[role][0], scope, holder)
        self.roles = known


@pytest.fixture(scope="module")
def known():
    return Known()


def all_given(role, known):
    """Give a role at every scope to everybody who may be looked at, one at a time; with who it counts for."""
    for scope, holder in product(SCOPES, HOLDERS):
        yield scope, holder, Grants(role, scope, holder, known)


def about(path):
    """Return the resource id that a data request is about, and the object's kind is in the path."""
    collection = path.split("/")[1].removeprefix("deleted")
    return f"{VAULT}/{collection}/one" if "{name}" in path else VAULT


DATA = [(Action(action, policy), policy, action, about(path)) for (_, path), (policy, action, _) in DATA_ROWS.items()]
CONTROL = [
    (action.format_map(NAMES), scope.format_map(NAMES)) for action, scope in filter(None, MANAGEMENT_ROWS.values())
]


def test_the_roles_that_there_are_are_those_that_the_oracle_knows():
    assert {role.name: role.role_id for role in BUILT_IN} == {name: said[0] for name, said in ROLES.items()}


def test_the_permissions_that_there_are_are_those_that_the_oracle_knows():
    assert {kind: set(names) for kind, names in PERMISSIONS.items()} == rules.PERMISSIONS


@pytest.mark.parametrize("role", ROLES)
async def test_roles_on_the_data_plane(role, known):
    vault, answers = a_vault(rbac=True), Counter()
    for scope, holder, grants in all_given(role, known):
        for who, caller in CALLERS.items():
            counts = counts_for(who, holder)
            for action, _, name, place in DATA:
                expected = counts and lies_in(place, scope) and role_allows_data(role, name)
                decision = await find_data_decision(grants, vault, caller, action, place, now=NOON)
                assert decision.allowed is expected, (scope, holder, who, name, place)
                assert (decision.assignment is grants.assignments.assignment) is expected
                answers[expected] += 1
    assert answers.total() == len(SCOPES) * len(HOLDERS) * len(CALLERS) * len(DATA_ROWS)
    assert bool(answers[True]) is any(role_allows_data(role, name) for _, _, name, _ in DATA)


@pytest.mark.parametrize("role", ROLES)
async def test_roles_on_the_management_plane(role, known):
    for scope, holder, grants in all_given(role, known):
        for who, caller in CALLERS.items():
            counts = counts_for(who, holder)
            for action, place in CONTROL:
                granted = counts and lies_in(place, scope) and role_allows(role, action)
                open_question = granted and role == CAREFUL and action.lower() in GIVING
                decision = await find_management_decision(grants, caller, action, place, now=NOON)
                assert decision.allowed is (granted and not open_question), (scope, holder, who, action, place)
                assert decision.undecided is open_question


@pytest.mark.parametrize("verb", ["write", "delete"])
@pytest.mark.parametrize("role", ROLES)
async def test_who_gives_and_takes_back_which_role(role, verb, known):
    """What is given is told by the request, what is taken back by what there is."""
    action = f"Microsoft.Authorization/roleAssignments/{verb}"
    right, wrong = ("request", "resource") if verb == "write" else ("resource", "request")
    for scope, given, source in product(SCOPES, ROLES, (right, wrong)):
        said = assignment_attributes(source, role_id=ROLES[given][0], principal_id=OTHER, principal_type="User")
        grants = Grants(role, scope, TEAM, known)
        caller = CALLERS["user in groups"]
        granted = role_allows(role, action) and lies_in(VAULT, scope)
        decision = await find_management_decision(grants, caller, action, VAULT, now=NOON, attributes=said)
        told = source == right or role != CAREFUL
        assert decision.allowed is (granted and told and may_give(role, given)), (scope, given, source)
        assert decision.undecided is (granted and not told)


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_counts_where_access_policies_decide(role, known):
    vault = a_vault(access_policies=(AccessPolicy(tenant_id=TENANT, object_id=OTHER, secrets=frozenset({"get"})),))
    for scope, holder, grants in all_given(role, known):
        for caller in CALLERS.values():
            for action, _, name, place in DATA:
                decision = await find_data_decision(grants, vault, caller, action, place, now=NOON)
                assert not decision.allowed, (scope, holder, name, place)


APPLICATIONS = (None, APP, OTHER)
"""Whom a policy may want to act on behalf of its principal."""


@pytest.mark.parametrize(("kind", "permission"), [(kind, name) for kind in PERMISSIONS for name in PERMISSIONS[kind]])
async def test_access_policies(kind, permission, known):
    grants = Grants("Key Vault Administrator", "/", OTHER, known)
    for tenant, holder, application in product((TENANT, OTHER_TENANT), HOLDERS, APPLICATIONS):
        said = {kind: frozenset({permission}), "application_id": application}
        policies = (AccessPolicy(tenant_id=tenant, object_id=holder, **said),)
        vaults = {rbac: a_vault(access_policies=policies, rbac=rbac) for rbac in (True, False)}
        for (who, caller), (rbac, vault) in product(CALLERS.items(), vaults.items()):
            fits = tenant == TENANT and counts_for(who, holder) and not rbac
            fits = fits and (application is None or (application == APP and "user" in who))
            for action, (wanted, needed), _, place in DATA:
                expected = fits and kind == wanted and policy_allows(permission, needed)
                decision = await find_data_decision(grants, vault, caller, action, place, now=NOON)
                assert decision.allowed is expected, (tenant, holder, application, who, rbac, needed)
                assert decision.policy_of == (holder if expected else None)


@pytest.mark.parametrize("rbac", [True, False])
async def test_whoever_is_of_another_tenant_gets_nothing(rbac, known):
    everything = {kind: frozenset(names) for kind, names in PERMISSIONS.items()}
    for vaults_tenant, policys_tenant in product((TENANT, OTHER_TENANT), repeat=2):
        policies = (AccessPolicy(tenant_id=policys_tenant, object_id=ME, **everything),)
        vault = a_vault(rbac=rbac, access_policies=policies, tenant_id=vaults_tenant)
        expected = vaults_tenant == TENANT and (rbac or policys_tenant == TENANT)
        for (action, _, _, place), caller in product(DATA, CALLERS.values()):
            grants = Grants("Key Vault Administrator", "/", ME, known)
            decision = await find_data_decision(grants, vault, caller, action, place, now=NOON)
            assert decision.allowed is expected
