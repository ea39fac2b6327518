from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import BadRequest
from strongroom.vaults.model import AccessPolicy
from strongroom.vaults.policies import (
    MAX_POLICIES,
    PERMISSIONS,
    PolicyChange,
    change_policies,
    permission_names,
    require_policies,
    require_tenant,
)

TENANT = "11111111-1111-4111-8111-111111111111"
PEOPLE = [f"c0ffee00-0000-4000-8000-{number:012}" for number in range(4)]


def a_policy(person=PEOPLE[0], application=None, **permissions):
    return AccessPolicy(
        tenant_id=TENANT,
        object_id=person,
        application_id=application,
        **{kind: frozenset(names) for kind, names in permissions.items()},
    )


def test_the_names_are_those_of_the_service():
    assert {kind: len(names) for kind, names in PERMISSIONS.items()} == {
        "keys": 21,
        "secrets": 9,
        "certificates": 17,
        "storage": 15,
    }


@pytest.mark.parametrize("kind", PERMISSIONS)
def test_names_are_kept_in_lower_case_and_unknown_ones_refused(kind):
    assert permission_names(kind, [name.upper() for name in PERMISSIONS[kind]]) == PERMISSIONS[kind]
    for name in ("fly", " get", ""):
        with pytest.raises(BadRequest) as refused:
            permission_names(kind, ["get", name])
        assert refused.value.message == "An invalid value was provided for 'accessPolicies'."


def test_two_policies_for_one_principal_become_one_that_grants_what_both_did():
    (merged,) = require_policies(
        [a_policy(secrets={"get"}), a_policy(PEOPLE[0].upper(), secrets={"set"}, keys={"sign"})]
    )
    assert merged == a_policy(secrets={"get", "set"}, keys={"sign"})


def test_an_application_of_its_own_makes_a_policy_of_its_own():
    assert len(require_policies([a_policy(), a_policy(application=PEOPLE[1])])) == 2


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (AccessPolicy(tenant_id="x", object_id=PEOPLE[0]), "TenantId"),
        (AccessPolicy(tenant_id=TENANT, object_id="x"), "ObjectId"),
        (AccessPolicy(tenant_id=TENANT, object_id=PEOPLE[0], application_id="x"), "ApplicationId"),
    ],
)
def test_ids_are_guids(policy, name):
    with pytest.raises(BadRequest) as refused:
        require_policies([a_policy(), policy])
    assert refused.value.message == f"Invalid value found at accessPolicies[1].{name}: x"


def test_a_vault_holds_so_many_policies_and_no_more():
    people = [f"c0ffee00-0000-4000-8000-{number:012}" for number in range(MAX_POLICIES + 1)]
    assert len(require_policies(a_policy(person) for person in people[:-1])) == MAX_POLICIES
    with pytest.raises(BadRequest):
        require_policies(a_policy(person) for person in people)
    full = require_policies(a_policy(person) for person in people[:-1])
    with pytest.raises(BadRequest):
        change_policies(full, PolicyChange.ADD, [a_policy(people[-1])])


@pytest.mark.parametrize(
    ("held", "removed", "left"),
    [
        ({"get", "list"}, {"get"}, {"list"}),
        ({"get"}, {"set"}, {"get"}),
        ({"get", "purge"}, {"all"}, set()),
        ({"all"}, {"get"}, {"list", "set", "delete", "backup", "restore", "recover"}),
        ({"all"}, set(), {"all"}),
    ],
)
def test_what_is_removed_is_really_gone(held, removed, left):
    changed = change_policies(
        (a_policy(secrets=held, keys={"sign"}),), PolicyChange.REMOVE, [a_policy(secrets=removed)]
    )
    assert changed == (a_policy(secrets=left, keys={"sign"}),)


NAMES = st.frozensets(st.sampled_from(sorted(PERMISSIONS["secrets"] - {"all"})))
POLICIES = st.lists(st.builds(lambda person, names: a_policy(person, secrets=names), st.sampled_from(PEOPLE), NAMES))


def granted(policies):
    found = {}
    for policy in policies:
        found.setdefault(policy.object_id, set()).update(policy.secrets)
    return found


@given(POLICIES, POLICIES, st.sampled_from(list(PolicyChange)))
def test_a_change_is_set_arithmetic(present, given_, kind):
    before, asked = granted(present), granted(given_)
    after = granted(change_policies(require_policies(present), kind, given_))
    for person in PEOPLE:
        had, said, has = before.get(person, set()), asked.get(person), after.get(person, set())
        if said is None:
            assert has == had
        elif kind is PolicyChange.ADD:
            assert has == had | said
        elif kind is PolicyChange.REPLACE:
            assert has == said
        else:
            assert has == had - said


def test_policies_are_for_the_tenant_of_the_vault():
    foreign = replace(a_policy(), tenant_id=TENANT.replace("1", "2"))
    require_tenant([], TENANT)
    require_tenant([a_policy(), replace(a_policy(), tenant_id=TENANT.upper())], TENANT)
    require_tenant([replace(a_policy(), tenant_id="no id")], TENANT)  # refused as such, elsewhere
    with pytest.raises(BadRequest) as refused:
        require_tenant([a_policy(), foreign], TENANT)
    assert refused.value.message.startswith(f"Invalid value found at accessPolicies[1].TenantId: {foreign.tenant_id}.")
