"""What holds of every decision, whatever was given to whom: roles, assignments, conditions and policies at random."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorization_oracle import PERMISSIONS, lies_in, matched, policy_allows
from doubles import MemoryAssignments, MemoryRoles
from strongroom.access.authorization.model import Action, RoleAssignment, RoleDefinition
from strongroom.access.authorization.service import find_data_decision, find_management_decision
from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.vaults.model import AccessPolicy
from vault_doubles import NOON, SUBSCRIPTION, TENANT, a_vault

ME, TEAM, CLUB, OTHER = (f"c0ffee00-0000-4000-8000-00000000000{number}" for number in range(1, 5))
APP, OTHER_APP = "c0ffee00-0000-4000-8000-0000000000aa", "c0ffee00-0000-4000-8000-0000000000ab"
OTHER_TENANT = "99999999-9999-4999-8999-999999999999"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv1"
SECRET = "Microsoft.KeyVault/vaults/secrets"
PLACES = (
    f"/subscriptions/{SUBSCRIPTION}",
    GROUP,
    VAULT,
    f"{VAULT}/secrets/a",
    f"{VAULT}/secrets/ab",
    f"{VAULT}/keys/a",
)
ELSEWHERE = ("/", "/subscriptions/s2", f"{GROUP}2", f"{VAULT}2", VAULT[:-1])
ACTIONS = (
    *(f"{SECRET}/{verb}" for verb in ("getSecret/action", "setSecret/action", "readMetadata/action", "delete")),
    *("Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/write"),
    *("Microsoft.Authorization/roleAssignments/write", "Microsoft.KeyVault/vaults/keys/versions/read", "x/read"),
)
CONDITIONS = (
    "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'a'",
    "@Request[Microsoft.KeyVault/vaults/secrets:name] StringNotEquals 'a'",
    "@Resource[Microsoft.KeyVault/vaults:name] StringLike 'k*'",
    "@Environment[UtcNow] DateTimeGreaterThan '2020-01-01'",
    "@Environment[UtcNow] DateTimeLessThan '2020-01-01'",
    "!(ActionMatches{'*/read'})",
    "@Request[Microsoft.Authorization/roleAssignments:PrincipalType] StringEquals 'User'",
    "no condition any more",
)


@st.composite
def patterns(draw):
    """An action some of whose pieces are stars, in any case; what stands between two slashes among them."""
    pieces = draw(st.sampled_from(ACTIONS)).split("/")
    starred = draw(st.sets(st.integers(0, len(pieces) - 1), max_size=1))
    end = draw(st.integers(1, len(pieces)))
    text = "/".join("*" if number in starred else piece for number, piece in enumerate(pieces))
    text = draw(st.sampled_from((text, text, "/".join(text.split("/")[:end]) + "/*", "*", "*/read", "*vaults*")))
    return draw(st.sampled_from((text, text.lower(), text.upper())))


some_patterns = st.lists(patterns(), max_size=3).map(tuple)
role_ids = st.sampled_from(("role-1", "role-2", "role-3"))
roles = st.builds(
    RoleDefinition,
    role_id=role_ids,
    name=st.just("r"),
    description=st.just(""),
    actions=some_patterns,
    not_actions=some_patterns,
    data_actions=some_patterns,
    not_data_actions=some_patterns,
    custom=st.just(True),
)


def assignments(conditions):
    return st.builds(
        RoleAssignment,
        assignment_id=st.uuids().map(str),
        scope=st.sampled_from((*PLACES, *ELSEWHERE)).map(str.lower),
        role_id=st.one_of(role_ids, st.just("no-such-role")),
        principal_id=st.sampled_from((ME, TEAM, CLUB, OTHER)),
        principal_type=st.just(PrincipalType.GROUP),
        created=st.just(NOON),
        condition=conditions,
    )


some_roles = st.lists(roles, min_size=1, max_size=3)
plain = st.lists(assignments(st.none()), max_size=5)
conditional = st.lists(assignments(st.one_of(st.none(), st.sampled_from(CONDITIONS))), max_size=5)
places, actions = st.sampled_from(PLACES), st.sampled_from(ACTIONS)
kinds_of_action = st.booleans()
CALLER = Caller(
    object_id=ME,
    app_id=APP,
    tenant_id=TENANT,
    issuer="https://sts.localhost/t/",
    type=PrincipalType.USER,
    audience="https://vault.localhost",
    token_id="t",
    expires=NOON,
    principals=frozenset({ME, TEAM, CLUB}),
)


def run(coroutine):
    """Return what a coroutine returns that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


def decide(known, held, action, place, data, caller=CALLER):
    grants = SimpleNamespace(assignments=MemoryAssignments(), roles=MemoryRoles())
    grants.assignments.rows = list(held)
    grants.roles.kept = {role.role_id: role for role in known}
    if not data:
        return run(find_management_decision(grants, caller, action, place, now=NOON))
    vault, asked = a_vault(rbac=True), Action(action, ("secrets", "get"))
    return run(find_data_decision(grants, vault, caller, asked, place, now=NOON))


def grants(known, assignment, action, place, data):
    """The oracle: whether one assignment, without its condition, grants it."""
    role = {role.role_id: role for role in known}.get(assignment.role_id)
    if role is None or assignment.principal_id == OTHER or not lies_in(place, assignment.scope):
        return False
    allowed, taken = (role.data_actions, role.not_data_actions) if data else (role.actions, role.not_actions)
    return matched(allowed, action) and not matched(taken, action)


@given(some_roles, plain, actions, places, kinds_of_action)
def test_what_is_allowed_is_what_one_of_the_assignments_grants(known, held, action, place, data):
    """So no role's `not` is a deny, and what a role has not is what it has not, whatever the others have."""
    granting = [each for each in held if grants(known, each, action, place, data)]
    decision = decide(known, held, action, place, data)
    assert decision.allowed is bool(granting)
    assert decision.assignment in granting if granting else decision.assignment is decision.unmet is None
    assert not decision.undecided


@given(some_roles, conditional, conditional, actions, places, kinds_of_action)
def test_giving_more_takes_nothing_away_and_taking_away_gives_nothing(known, held, more, action, place, data):
    if decide(known, held, action, place, data).allowed:
        assert decide(known, [*held, *more], action, place, data).allowed
        assert decide(known, [*more, *held], action, place, data).allowed
    for left_out in range(len(held)):
        left = [each for number, each in enumerate(held) if number != left_out]
        assert decide(known, held, action, place, data).allowed >= decide(known, left, action, place, data).allowed


@given(some_roles, conditional, actions, places, kinds_of_action, st.randoms())
def test_no_order_matters(known, held, action, place, data, random):
    decision, shuffled = decide(known, held, action, place, data), list(held)
    random.shuffle(shuffled)
    again = decide(known, shuffled, action, place, data)
    assert (again.allowed, again.undecided, again.unmet is None) == (
        decision.allowed,
        decision.undecided,
        decision.unmet is None,
    )


@given(some_roles, conditional, actions, places, kinds_of_action)
def test_a_condition_takes_away_at_most_what_its_own_assignment_grants(known, held, action, place, data):
    decision = decide(known, held, action, place, data)
    granting = [each for each in held if grants(known, each, action, place, data)]
    if decision.allowed:
        assert decision.assignment in granting
        assert decision.unmet is None
        assert not decision.undecided
    else:
        assert all(each.condition is not None for each in granting)
        assert decision.unmet in granting if granting else decision.unmet is None
    unconditional = [replace(each, condition=None) for each in held]
    assert decide(known, unconditional, action, place, data).allowed is bool(granting)


@given(some_roles, st.sampled_from(CONDITIONS), plain, actions, places, kinds_of_action)
def test_a_condition_of_a_role_counts_for_each_of_its_assignments(known, condition, held, action, place, data):
    conditioned = [replace(role, condition=condition) for role in known]
    own = [replace(each, condition=condition) for each in held]
    by_role, by_assignment = decide(conditioned, held, action, place, data), decide(known, own, action, place, data)
    assert (by_role.allowed, by_role.undecided) == (by_assignment.allowed, by_assignment.undecided)
    both = decide(conditioned, own, action, place, data)
    assert (both.allowed, both.undecided) == (by_role.allowed, by_role.undecided)
    never = [replace(each, condition="@Environment[UtcNow] DateTimeLessThan '2020-01-01'") for each in held]
    assert not decide(conditioned, never, action, place, data).allowed
    assert not decide(conditioned, never, action, place, data).undecided


@given(some_roles, plain, actions, places, places, kinds_of_action)
def test_what_is_granted_somewhere_is_granted_below(known, held, action, place, below, data):
    if lies_in(below, place) and decide(known, held, action, place, data).allowed:
        assert decide(known, held, action, below, data).allowed


@given(some_roles, conditional, actions, places, kinds_of_action, st.sampled_from((TEAM, CLUB)))
def test_a_group_more_takes_nothing_away_and_a_group_less_gives_nothing(known, held, action, place, data, group):
    fewer = replace(CALLER, principals=CALLER.principals - {group})
    assert decide(known, held, action, place, data).allowed >= decide(known, held, action, place, data, fewer).allowed
    moved = [replace(each, principal_id=ME if each.principal_id == group else each.principal_id) for each in held]
    assert decide(known, moved, action, place, data, fewer).allowed is decide(known, held, action, place, data).allowed


@given(some_roles, conditional, actions, places, kinds_of_action)
def test_no_case_matters(known, held, action, place, data):
    decision = decide(known, held, action, place, data)
    for change in (str.lower, str.upper):
        again = decide(known, held, change(action), change(place), data)
        assert (again.allowed, again.undecided) == (decision.allowed, decision.undecided)


# ---- access policies

KINDS = ("keys", "secrets")
permissions = {kind: st.frozensets(st.sampled_from(PERMISSIONS[kind]), max_size=4) for kind in PERMISSIONS}
policies = st.lists(
    st.builds(
        AccessPolicy,
        tenant_id=st.sampled_from((TENANT, TENANT, OTHER_TENANT)),
        object_id=st.sampled_from((ME, TEAM, CLUB, OTHER)),
        application_id=st.sampled_from((None, None, APP, OTHER_APP)),
        **permissions,
    ),
    max_size=4,
)
needed = st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(st.just(kind), st.sampled_from(PERMISSIONS[kind][1:])))
callers = st.sampled_from(
    [
        replace(CALLER, type=kind, principals=principals, tenant_id=tenant)
        for kind in (PrincipalType.USER, PrincipalType.SERVICE_PRINCIPAL)
        for principals in (frozenset({ME}), frozenset({ME, TEAM}), frozenset({ME, TEAM, CLUB}))
        for tenant in (TENANT, OTHER_TENANT)
    ]
)


def decide_by_policies(held, caller, needs):
    nothing = SimpleNamespace(assignments=MemoryAssignments(), roles=MemoryRoles())
    vault, asked = a_vault(access_policies=tuple(held)), Action("Microsoft.KeyVault/vaults/x", needs)
    return run(find_data_decision(nothing, vault, caller, asked, VAULT, now=NOON))


def policy_grants(policy, caller, needs):
    """The oracle: whether one policy grants it."""
    kind, permission = needs
    through = policy.application_id is None or (policy.application_id == APP and caller.type is PrincipalType.USER)
    named = policy.object_id in caller.principals and policy.tenant_id == caller.tenant_id == TENANT
    return named and through and any(policy_allows(each, permission) for each in getattr(policy, kind))


@given(policies, callers, needed)
def test_what_is_allowed_is_what_one_of_the_policies_grants(held, caller, needs):
    granting = [each.object_id for each in held if policy_grants(each, caller, needs)]
    decision = decide_by_policies(held, caller, needs)
    assert decision.allowed is bool(granting)
    assert decision.policy_of in granting if granting else decision.policy_of is None
    assert decide_by_policies(held[::-1], caller, needs).allowed is decision.allowed
    for left_out in range(len(held)):
        left = [each for number, each in enumerate(held) if number != left_out]
        assert decision.allowed >= decide_by_policies(left, caller, needs).allowed


@pytest.mark.parametrize("kind", PERMISSIONS)
def test_a_policy_for_one_kind_says_nothing_of_another(kind):
    everything = AccessPolicy(tenant_id=TENANT, object_id=ME, **{kind: frozenset(PERMISSIONS[kind])})
    for other in PERMISSIONS:
        assert decide_by_policies([everything], CALLER, (other, "get")).allowed is (other == kind)
