from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.access.authorization.evaluation import (
    BUILT_IN_ROLES,
    REMEMBERED,
    Roles,
    decide,
    policy_allows,
    role_grants,
)
from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.access.authorization.roles import (
    CONTRIBUTOR,
    KEY_VAULT_CONTRIBUTOR,
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
    return RoleDefinition(role_id="r", name="r", description="", **said)


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
    assert not decide(held[:1], BUILT_IN_ROLES, action, VAULT, data=False).allowed
    assert decide(held, BUILT_IN_ROLES, action, VAULT, data=False).assignment_id == "assignment-2"


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
        [an_assignment(KEY_VAULT_SECRETS_USER, scope)],
        BUILT_IN_ROLES,
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        VAULT + "/secrets/a",
        data=True,
    )
    assert decision.allowed is expected


SEGMENTS = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(SEGMENTS, SEGMENTS)
def test_scopes_are_trees(held, asked):
    inside = asked.split("/")[1 : 1 + len(held.split("/")) - 1] == held.split("/")[1:] or held == "/"
    decision = decide([an_assignment(OWNER, held)], BUILT_IN_ROLES, "x/read", asked, data=False)
    assert decision.allowed is inside


def test_nobody_gets_anything_by_default():
    assert not decide([], BUILT_IN_ROLES, "x/read", VAULT, data=False).allowed
    unknown = replace(an_assignment(OWNER, VAULT), role_id="no-such-role")
    assert not decide([unknown], BUILT_IN_ROLES, "x/read", VAULT, data=False).allowed


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


def test_answers_are_remembered_within_bounds():
    roles = Roles([a_role(actions=("*",))])
    for number in range(REMEMBERED + 10):
        assert roles.grants("r", f"x/{number}", False)
    assert len(roles._answers) <= REMEMBERED


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
    assert policy_allows(vault, caller, "secrets", "get") is expected


@pytest.mark.parametrize(("application", "expected"), [(APP, True), (TEAM, False), (None, True)])
def test_a_policy_for_an_application_counts_for_users_who_come_through_it(application, expected):
    vault = a_vault(access_policies=(a_policy(application_id=application, secrets=frozenset({"get"})),))
    assert policy_allows(vault, a_caller(type=PrincipalType.USER), "secrets", "get") is expected


def test_all_does_not_mean_purge():
    everything = a_policy(secrets=frozenset({"all"}))
    assert not policy_allows(a_vault(access_policies=(everything,)), a_caller(), "secrets", "purge")
    named = a_policy(secrets=frozenset({"all", "purge"}))
    assert policy_allows(a_vault(access_policies=(named,)), a_caller(), "secrets", "purge")
