"""Worlds at random: applications, users, groups in groups, what they were given, and vaults of both kinds."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from directory_doubles import a_membership, a_security_group, a_user
from strongroom.access.authorization.actions import ROLE_DEFINITION_WRITE
from strongroom.access.authorization.evaluation import Roles
from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.access.authorization.roles import (
    BUILT_IN,
    CONTRIBUTOR,
    KEY_VAULT_ADMINISTRATOR,
    KEY_VAULT_CRYPTO_USER,
    KEY_VAULT_DATA_ACCESS_ADMINISTRATOR,
    KEY_VAULT_SECRETS_USER,
    OWNER,
    RBAC_ADMINISTRATOR,
    READER,
)
from strongroom.access.authorization.world import Atlas, World, path_of
from strongroom.access.identity.model import Application, PrincipalType, Relation
from strongroom.vaults.model import AccessPolicy
from vault_doubles import NOON, SUBSCRIPTION, TENANT, a_vault

PLACE = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{PLACE}/resourcegroups/group"
VAULT = f"{GROUP}/providers/microsoft.keyvault/vaults/kv1"
SECRET = f"{VAULT}/secrets/one"
KEY = f"{VAULT}/keys/one"
SCOPES = (PLACE, GROUP, VAULT, SECRET, KEY, f"{GROUP}/providers/microsoft.keyvault/vaults/kv2")
CUSTOM = RoleDefinition(
    role_id="00000000-0000-4000-8000-00000000c001",
    name="Custom",
    description="",
    data_actions=("Microsoft.KeyVault/vaults/secrets/getSecret/action",),
    assignable_scopes=(GROUP,),
    custom=True,
)
CHANGER = RoleDefinition(
    role_id="00000000-0000-4000-8000-00000000c002",
    name="Changer",
    description="",
    actions=(ROLE_DEFINITION_WRITE,),
    assignable_scopes=(GROUP,),
    custom=True,
)
ROLES = (
    OWNER,
    CONTRIBUTOR,
    READER,
    RBAC_ADMINISTRATOR,
    KEY_VAULT_ADMINISTRATOR,
    KEY_VAULT_CRYPTO_USER,
    KEY_VAULT_DATA_ACCESS_ADMINISTRATOR,
    KEY_VAULT_SECRETS_USER,
    CUSTOM,
    CHANGER,
)
ALL_ROLES = Roles((*BUILT_IN, CUSTOM, CHANGER))
ASSIGNED = "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]"
CONDITIONS = (
    None,
    "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'one'",
    "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'other'",
    "@Environment[UtcNow] DateTimeGreaterThan '2020-01-01'",
    f"{ASSIGNED} ForAnyOfAnyValues:GuidEquals{{{KEY_VAULT_SECRETS_USER.role_id}, {CUSTOM.role_id}}}",
    f"(!(Exists {ASSIGNED}))",
)
USERS = ("user-1", "user-2")
APPS = ("app-1", "app-2", "app-3")
GROUPS = ("group-1", "group-2", "group-3")
HOLDERS = (*USERS, *APPS, *GROUPS, "unknown-1")


def an_application(object_id="app-1", **changes):
    described = {
        "object_id": object_id,
        "app_id": f"id-of-{object_id}",
        "tenant_id": TENANT,
        "display_name": object_id,
        "created": NOON,
    }
    return Application(**described | changes)


def an_assignment(holder="app-1", role=OWNER, scope=VAULT, condition=None, number=1):
    return RoleAssignment(
        assignment_id=f"assignment-{number}",
        scope=scope,
        role_id=role.role_id,
        principal_id=holder,
        principal_type=PrincipalType.SERVICE_PRINCIPAL,
        created=NOON,
        condition=condition,
    )


def a_policy(holder="app-1", **said):
    return AccessPolicy(tenant_id=TENANT, object_id=holder, **said)


def people(disabled=()):
    """Return everybody that a directory of these tests has."""
    return (
        *(a_user(number, tenant_id=TENANT, enabled=f"user-{number}" not in disabled) for number in (1, 2)),
        *(an_application(each, enabled=each not in disabled) for each in APPS),
        *(a_security_group(number, tenant_id=TENANT) for number in (1, 2, 3)),
    )


def a_world(*, assignments=(), policies=(), memberships=(), owners=(), vaults=None, disabled=(), roles=ALL_ROLES):
    """Return a world; memberships and owners: pairs of a group and who is in it or owns it."""
    given = (
        [an_assignment(*each, number=number) for number, each in enumerate(assignments)]
        if assignments and isinstance(assignments[0], tuple)
        else assignments
    )
    return World(
        now=NOON,
        roles=roles,
        principals=people(disabled),
        memberships=(
            *(a_membership(group, member) for group, member in memberships),
            *(a_membership(group, member, Relation.OWNER) for group, member in owners),
        ),
        assignments=tuple(given),
        vaults=(a_vault(rbac=not policies, access_policies=tuple(policies)),) if vaults is None else tuple(vaults),
    )


def atlas_of(**said):
    return Atlas(a_world(**said))


AT_RANDOM = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PAIRS = st.tuples(st.sampled_from(GROUPS), st.sampled_from((*USERS, *APPS, *GROUPS)))
ACTORS = st.tuples(st.sampled_from(GROUPS), st.sampled_from((*USERS, *APPS)))
GIVEN = st.tuples(
    st.sampled_from(HOLDERS), st.sampled_from(ROLES), st.sampled_from(SCOPES), st.sampled_from(CONDITIONS)
)
POLICIES = st.builds(
    a_policy,
    st.sampled_from(HOLDERS),
    application_id=st.sampled_from((None, None, "id-of-app-1")),
    keys=st.frozensets(st.sampled_from(["all", "get", "sign", "purge"]), max_size=2),
    secrets=st.frozensets(st.sampled_from(["all", "get", "list", "purge"]), max_size=2),
)


@st.composite
def worlds(draw):
    """Worlds of a few principals, in which much is given at random: circles of groups, disabled ones, strangers."""
    vaults = [
        a_vault(name, rbac=draw(st.booleans()), access_policies=tuple(draw(st.lists(POLICIES, max_size=3))))
        for name in ("kv1", "kv2")
    ]
    return a_world(
        assignments=draw(st.lists(GIVEN, max_size=6)),
        memberships=draw(st.lists(PAIRS, max_size=6, unique=True)),
        owners=draw(st.lists(ACTORS, max_size=2, unique=True)),
        vaults=vaults,
        disabled=draw(st.sets(st.sampled_from((*USERS, *APPS)), max_size=2)),
    )


def places_of(vault):
    """Return places in a vault that requests ask about."""
    path = path_of(vault)
    return (path, f"{path}/secrets/one", f"{path}/secrets/another", f"{path}/keys/one")
