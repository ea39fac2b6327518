from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.access.authorization.actions import SECRET_GET
from strongroom.access.authorization.conditions import assignment_attributes
from strongroom.access.authorization.evaluation import (
    BUILT_IN_ROLES,
    Holdings,
    Roles,
    ancestors,
    decide,
    find_policy,
    role_grants,
)
from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.access.authorization.roles import (
    CONTRIBUTOR,
    KEY_VAULT_ADMINISTRATOR,
    KEY_VAULT_CONTRIBUTOR,
    KEY_VAULT_DATA_ACCESS_ADMINISTRATOR,
    KEY_VAULT_READER,
    KEY_VAULT_SECRETS_OFFICER,
    KEY_VAULT_SECRETS_USER,
    OWNER,
    READER,
)
from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.vaults.model import AccessPolicy
from vault_doubles import NOON, TENANT, a_vault

ME = "c0ffee00-0000-4000-8000-000000000001"
TEAM = "c0ffee00-0000-4000-8000-000000000002"
APP = "c0ffee00-0000-4000-8000-0000000000aa"
VAULT = "/subscriptions/s/resourcegroups/g/providers/microsoft.keyvault/vaults/kv1"


def a_caller(**changes):
    said = {
        "object_id": ME,
        "app_id": APP,
        "tenant_id": TENANT,
        "issuer": "https://sts.localhost/t/",
        "type": PrincipalType.SERVICE_PRINCIPAL,
        "audience": "https://vault.localhost",
        "token_id": "t",
        "expires": NOON,
        "principals": frozenset({ME}),
    }
    return Caller(**said | changes)


def an_assignment(role, scope, number=1):
    return RoleAssignment(
        assignment_id=f"assignment-{number}",
        scope=scope,
        role_id=role.role_id,
        principal_id=ME,
        principal_type=PrincipalType.SERVICE_PRINCIPAL,
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


def a_role(**said):
    return RoleDefinition(**{"role_id": "r", "name": "r", "description": ""} | said)


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("*", "Microsoft.KeyVault/vaults/write", True),
        ("*/read", "Microsoft.KeyVault/vaults/read", True),
        ("*/read", "Microsoft.KeyVault/locations/deletedVaults/read", True),
        ("*/read", "Microsoft.KeyVault/vaults/readx", False),
        ("MICROSOFT.keyvault/VAULTS/read", "microsoft.KeyVault/vaults/READ", True),
        ("Microsoft.KeyVault/*", "Microsoft.KeyVault/vaults/secrets/delete", True),
        ("Microsoft.KeyVault/*", "Microsoft.KeyVaultX/vaults", False),
        ("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/keys/versions/read", True),
        ("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/read", True),
        ("Microsoft.KeyVault/vaults/rea.", "Microsoft.KeyVault/vaults/read", False),
        ("a/b", "a/b/c", False),
        ("a/b", "x/a/b", False),
    ],
)
def test_a_pattern_matches_the_whole_action(pattern, action, expected):
    assert role_grants(a_role(actions=(pattern,)), action, data=False) is expected
    assert role_grants(a_role(data_actions=(pattern,)), action, data=True) is expected


def test_control_and_data_actions_of_one_name_are_two():
    assert not role_grants(a_role(actions=("*",)), "Microsoft.KeyVault/vaults/keys/read", data=True)
    assert not role_grants(a_role(data_actions=("*",)), "Microsoft.KeyVault/vaults/keys/read", data=False)


@pytest.mark.parametrize("data", [True, False])
def test_what_a_role_takes_away_it_does_not_grant(data):
    role = a_role(actions=("*",), not_actions=("*/Write",), data_actions=("*",), not_data_actions=("*/WRITE",))
    assert not role_grants(role, "a/write", data=data)
    assert role_grants(role, "a/read", data=data)


def test_another_role_may_grant_what_one_takes_away():
    action = "Microsoft.Authorization/roleAssignments/write"
    held = [an_assignment(CONTRIBUTOR, VAULT), an_assignment(OWNER, VAULT, 2)]
    assert not decide([Holdings(held[:1])], BUILT_IN_ROLES, action, VAULT, data=False, now=NOON).allowed
    assert (
        decide([Holdings(held)], BUILT_IN_ROLES, action, VAULT, data=False, now=NOON).assignment.assignment_id
        == "assignment-2"
    )


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("/", True),
        ("/subscriptions/s", True),
        ("/subscriptions/s/resourcegroups/g", True),
        (VAULT, True),
        (VAULT + "/secrets/a", True),
        (VAULT + "/secrets/A", False),
        (VAULT + "/secrets", True),
        (VAULT + "/secrets/ab", False),
        (VAULT + "/keys/a", False),
        (VAULT[:-1], False),
        ("/subscriptions/s/resourcegroups/g2", False),
        ("/subscriptions/s2", False),
        ("/subscriptions", True),
    ],
)
def test_an_assignment_counts_at_its_scope_and_below(scope, expected):
    decision = decide(
        [Holdings([an_assignment(KEY_VAULT_SECRETS_USER, scope)])],
        BUILT_IN_ROLES,
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        VAULT + "/secrets/a",
        data=True,
        now=NOON,
    )
    assert decision.allowed is expected


SEGMENTS = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(SEGMENTS, SEGMENTS)
def test_scopes_are_trees(held, asked):
    inside = asked.split("/")[1 : 1 + len(held.split("/")) - 1] == held.split("/")[1:] or held == "/"
    decision = decide([Holdings([an_assignment(OWNER, held)])], BUILT_IN_ROLES, "x/read", asked, data=False, now=NOON)
    assert decision.allowed is inside


def test_nobody_gets_anything_by_default():
    assert not decide([Holdings([])], BUILT_IN_ROLES, "x/read", VAULT, data=False, now=NOON).allowed
    unknown = replace(an_assignment(OWNER, VAULT), role_id="no-such-role")
    assert not decide([Holdings([unknown])], BUILT_IN_ROLES, "x/read", VAULT, data=False, now=NOON).allowed


# ---- conditions

MINE = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'mine'"
NEW_MINE = "@Request[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'mine'"
HERE = "@Resource[Microsoft.KeyVault/vaults:name] StringEquals 'kv1'"
LATER = "@Environment[UtcNow] DateTimeGreaterThan '2036-01-01T00:00:00Z'"


def may(condition, name, place, *, role=KEY_VAULT_SECRETS_OFFICER, now=NOON):
    held = Holdings([replace(an_assignment(role, VAULT), condition=condition)])
    action = f"Microsoft.KeyVault/vaults/{name}"
    return decide([held], BUILT_IN_ROLES, action, VAULT + place, data=True, now=now)


@pytest.mark.parametrize(
    ("condition", "name", "place", "allowed"),
    [
        (MINE, "secrets/getSecret/action", "/secrets/mine", True),
        (MINE, "secrets/getSecret/action", "/secrets/yours", False),
        (MINE, "secrets/readMetadata/action", "", False),  # a list names none
        (MINE, "secrets/readMetadata/action", "/secrets", False),
        (HERE, "secrets/readMetadata/action", "", True),
        (MINE, "secrets/setSecret/action", "/secrets/mine", False),  # it is the request that names it
        (NEW_MINE, "secrets/setSecret/action", "/secrets/mine", True),
        (NEW_MINE, "secrets/restore/action", "", False),
        (HERE, "secrets/restore/action", "", False),
        (HERE.replace("Resource", "Request"), "secrets/restore/action", "", True),
        (f"!(ActionMatches{{'{SECRET_GET.data_action}'}}) OR {MINE}", "secrets/delete", "", True),
        (LATER, "secrets/delete", "/secrets/mine", False),
        ("no condition any more", "secrets/delete", "/secrets/mine", False),
    ],
)
def test_a_condition_takes_away_from_its_assignment(condition, name, place, allowed):
    decision = may(condition, name, place)
    assert decision.allowed is allowed
    assert (decision.unmet is None) is allowed


def test_a_condition_that_cannot_be_read_any_more_does_not_hold():
    assert not may("no condition any more", "secrets/delete", "/secrets/mine").undecided


def test_control_actions_on_secrets_have_no_attributes_that_a_condition_could_ask_of():
    held = Holdings([replace(an_assignment(OWNER, VAULT), condition=MINE)])
    action = "Microsoft.KeyVault/vaults/secrets/read"
    decision = decide([held], BUILT_IN_ROLES, action, f"{VAULT}/secrets/mine", data=False, now=NOON)
    assert (decision.allowed, decision.undecided) == (False, True)


@pytest.mark.parametrize("first", [MINE, NEW_MINE])
def test_what_one_condition_leaves_open_no_other_closes(first):
    """Else a handler that knows more would not be asked."""
    second = NEW_MINE if first == MINE else MINE
    held = [replace(an_assignment(KEY_VAULT_SECRETS_OFFICER, VAULT, 1), condition=first)]
    held.append(replace(an_assignment(KEY_VAULT_SECRETS_OFFICER, "/", 2), condition=second))
    action = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    decision = decide([Holdings(held)], BUILT_IN_ROLES, action, f"{VAULT}/secrets/yours", data=True, now=NOON)
    assert (decision.allowed, decision.undecided) == (False, True)
    assert decision.unmet.condition == NEW_MINE


def test_keys_have_no_attributes_that_a_condition_could_ask_of():
    role = KEY_VAULT_ADMINISTRATOR
    assert may(HERE, "keys/read", "/keys/mine", role=role).undecided
    assert may(LATER, "keys/read", "/keys/mine", role=role, now=NOON.replace(year=2037)).allowed


def test_a_vault_called_secrets_has_the_name_that_it_has():
    scope = "/subscriptions/s/resourcegroups/vaults/providers/microsoft.keyvault/vaults/secrets/secrets/vaults"
    held = Holdings([replace(an_assignment(KEY_VAULT_SECRETS_USER, "/"), condition=MINE.replace("'mine'", "'vaults'"))])
    action = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    assert decide([held], BUILT_IN_ROLES, action, scope, data=True, now=NOON).allowed


def test_another_assignment_is_not_touched_by_a_condition():
    held = [replace(an_assignment(OWNER, VAULT), condition=LATER), an_assignment(OWNER, "/", 2)]
    decision = decide([Holdings(held)], BUILT_IN_ROLES, "x/read", VAULT, data=False, now=NOON)
    assert decision.assignment == held[1]


@pytest.mark.parametrize(
    ("role", "verb", "source", "allowed"),
    [
        (KEY_VAULT_SECRETS_USER, "write", "request", True),
        (KEY_VAULT_SECRETS_USER, "write", "resource", False),
        (KEY_VAULT_SECRETS_USER, "delete", "resource", True),
        (OWNER, "write", "request", False),
        (OWNER, "delete", "resource", False),
    ],
)
def test_the_data_access_administrator_gives_data_roles_only(role, verb, source, allowed):
    said = assignment_attributes(source, role_id=role.role_id, principal_id=ME, principal_type="User")
    held = Holdings([an_assignment(KEY_VAULT_DATA_ACCESS_ADMINISTRATOR, VAULT)])
    action = f"Microsoft.Authorization/roleAssignments/{verb}"
    decision = decide([held], BUILT_IN_ROLES, action, VAULT, data=False, now=NOON, attributes=said)
    assert decision.allowed is allowed
    assert decide([held], BUILT_IN_ROLES, action, VAULT, data=False, now=NOON).undecided


@given(st.permutations(range(4)), st.sampled_from([VAULT, VAULT + "/secrets/mine", "/subscriptions/s"]))
def test_the_order_of_assignments_does_not_matter(order, scope):
    held = [
        replace(an_assignment(OWNER, VAULT), condition=LATER),
        an_assignment(READER, "/", 2),
        an_assignment(CONTRIBUTOR, VAULT, 3),
        replace(an_assignment(OWNER, "/subscriptions/s", 4), condition="gone"),
    ]
    shuffled = Holdings([held[index] for index in order])
    for action in ("x/write", "x/read", "Microsoft.Authorization/roleAssignments/write"):
        expected = decide([Holdings(held)], BUILT_IN_ROLES, action, scope, data=False, now=NOON)
        found = decide([shuffled], BUILT_IN_ROLES, action, scope, data=False, now=NOON)
        assert (found.allowed, found.undecided) == (expected.allowed, expected.undecided)


SECRETS = ["getSecret/action", "setSecret/action", "readMetadata/action", "delete", "purge/action", "backup/action"]


@pytest.mark.parametrize(
    ("role", "granted"),
    [
        (OWNER, []),
        (CONTRIBUTOR, []),
        (READER, []),
        (KEY_VAULT_CONTRIBUTOR, []),
        (KEY_VAULT_READER, ["readMetadata/action"]),
        (KEY_VAULT_SECRETS_USER, ["getSecret/action", "readMetadata/action"]),
        (KEY_VAULT_SECRETS_OFFICER, SECRETS),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_who_reaches_secrets(role, granted):
    found = [name for name in SECRETS if role_grants(role, f"Microsoft.KeyVault/vaults/secrets/{name}", data=True)]
    assert found == granted


def test_what_strangers_write_into_a_path_does_not_fill_the_memory():
    roles = Roles([a_role(actions=("*",))])
    assert roles.grants("r", long := "x" * 600, False)
    assert ("r", long, False) not in roles._answers


def test_a_long_scope_lies_in_what_a_short_one_lies_in():
    for name in ("v", "v" * 600):
        assert ancestors(f"/subscriptions/s/{name}/x") == (
            f"/subscriptions/s/{name}/x",
            f"/subscriptions/s/{name}",
            "/subscriptions/s",
            "/subscriptions",
            "/",
        )


def test_a_role_is_named_by_its_whole_name_or_by_an_id():
    roles = Roles([OWNER, a_role(role_id=ME, name="team/Owner")])
    assert roles.find_named("TEAM/owner").role_id == roles.find_named(f"/x/roleDefinitions/{ME}/").role_id == ME
    assert roles.find_named(" owner ") == OWNER
    assert roles.find_named("other/Owner") is roles.find_named(ME + "x") is None


# ---- access policies


def a_policy(**said):
    return AccessPolicy(**{"tenant_id": TENANT, "object_id": ME} | said)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (a_policy(secrets=frozenset({"get"})), True),
        (a_policy(secrets=frozenset({"all"})), True),
        (a_policy(secrets=frozenset({"list"})), False),
        (a_policy(keys=frozenset({"get"})), False),
        (a_policy(object_id=TEAM, secrets=frozenset({"get"})), True),
        (a_policy(object_id=APP, secrets=frozenset({"get"})), False),
        (a_policy(tenant_id=APP, secrets=frozenset({"get"})), False),
        (a_policy(application_id=APP, secrets=frozenset({"get"})), False),
    ],
)
def test_a_policy_grants_what_it_names_to_whom_it_names(policy, expected):
    vault = a_vault(access_policies=(policy,))
    caller = a_caller(principals=frozenset({ME, TEAM}))
    assert (find_policy(vault, caller, "secrets", "get") is not None) is expected


@pytest.mark.parametrize(("application", "expected"), [(APP, True), (TEAM, False), (None, True)])
def test_a_policy_for_an_application_counts_for_users_who_come_through_it(application, expected):
    vault = a_vault(access_policies=(a_policy(application_id=application, secrets=frozenset({"get"})),))
    assert (find_policy(vault, a_caller(type=PrincipalType.USER), "secrets", "get") is not None) is expected


def test_a_caller_is_itself_whatever_is_said_of_its_groups():
    vault = a_vault(access_policies=(a_policy(secrets=frozenset({"get"})),))
    assert find_policy(vault, a_caller(principals=frozenset()), "secrets", "get") is not None
    assert find_policy(vault, a_caller(object_id=TEAM, principals=frozenset()), "secrets", "get") is None


def test_all_does_not_mean_purge():
    everything = a_policy(secrets=frozenset({"all"}))
    assert find_policy(a_vault(access_policies=(everything,)), a_caller(), "secrets", "purge") is None
    named = a_policy(secrets=frozenset({"all", "purge"}))
    assert find_policy(a_vault(access_policies=(named,)), a_caller(), "secrets", "purge") is not None
