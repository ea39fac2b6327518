"""Every row of every plane asks for what it should, where it should: through the real gates, against the oracle.

The handlers are exchanged for one that answers 200, so that what is seen is the decision alone. Who may what in all
its combinations is decided in tests/access/authorization/test_matrix.py; what the real handlers ask beside, and what
refused requests change, is seen in the test_refusals of each plane.
"""

import re
from dataclasses import replace

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
from data_doubles import DataWorld
from directory_doubles import a_membership, a_security_group
from doubles import a_custodian
from management_doubles import AUTHORIZATION, SUBSCRIPTION, ManagementWorld, an_assignment_body, vault_path
from strongroom.access.authorization.model import RoleAssignment
from strongroom.access.identity.model import PrincipalType
from strongroom.planes.graph import plane as graph
from strongroom.planes.http import Response
from strongroom.planes.identity.plane import IdentityPlane
from strongroom.planes.management.versions import versions_of
from strongroom.planes.operation import Table
from strongroom.vaults.model import AccessPolicy
from vault_doubles import NOON, TENANT
from vault_doubles import SUBSCRIPTION as DATA_SUBSCRIPTION

OWNER, ADMINISTRATOR = "Owner", "Key Vault Administrator"
GUID = "aaaaaaaa-0000-4000-8000-000000000001"
NAMES = {
    "subscription": SUBSCRIPTION,
    "group": "Group",
    "vault": "kv1",
    "collection": "secrets",
    "object": "one",
    "namespace": "Microsoft.KeyVault",
    "name": "one",
    **dict.fromkeys(("role", "assignment", "operation", "denial", "principal"), GUID),
    **{name: f"{name}1" for name in ("secret", "key", "version", "location", "deleted", "hsm", "deletedHsm", "lock")},
    **{name: f"{name}1" for name in ("kind", "connection", "tag", "value", "network", "subnet")},
}
TEAM, CLUB, FIRM = "group-team", "group-club", "group-firm"


async def answer_nothing(call):
    return Response(200)


def with_hollow_rows(world):
    """Return the world with handlers that do nothing; what the gate does before them is as it is."""
    hollow = {"handler": answer_nothing, "prepare": None, "changes": False, "takes": None}
    world.plane.table = Table(replace(row, **hollow) for row in world.plane.table.operations)
    return world


async def join_groups(stores, member):
    """Let the member be in the team, that in the club, that in the firm."""
    for name, inner in ((TEAM, member), (CLUB, TEAM), (FIRM, CLUB)):
        await stores.identity.add_group(a_security_group(object_id=name))
        await stores.identity.add_membership(a_membership(name, inner, member_type=PrincipalType.GROUP))


def give(stores, role, scope, holder):
    """Let this be the one assignment that there is."""
    stores.assignments.rows = [
        RoleAssignment(
            assignment_id="a",
            scope=scope.lower(),
            role_id=ROLES[role][0],
            principal_id=holder,
            principal_type=PrincipalType.GROUP,
            created=NOON,
        )
    ]


# ---- the management plane

PLACE, GROUP, VAULT, OBJECT = (text.format_map(NAMES) for text in (S, G, V, O))
SCOPES = (
    *("/", PLACE, GROUP, VAULT, OBJECT, f"{VAULT}/keys/key1", f"{VAULT}/secrets/secret1"),
    *(PLACE.replace(SUBSCRIPTION, GUID), f"{GROUP}2", GROUP[:-1], VAULT[:-1], f"{VAULT}2", f"{OBJECT}2"),
)
SINCE = {row.path: row.since for row in ManagementWorld().plane.table.operations}
CONTROL = {row: needed for row, needed in MANAGEMENT_ROWS.items() if needed is not None}


@pytest.fixture
async def management():
    world = with_hollow_rows(await ManagementWorld().furnish())
    world.caller = await world.someone()
    await join_groups(world.stores, world.caller.object_id)
    return world


async def ask(world, row):
    """Send the request of a row; return whether it was let in, and what was refused."""
    method, path = row
    named = path.format_map(NAMES)
    version = (versions_of(named, SINCE[path]) or [None])[0]
    answer = await world.ask(method, named, who=world.caller, version=version)
    refused = b"" if answer.status == 200 else answer.raw or b"AuthorizationFailed"
    assert answer.status in {200, 403}, (row, answer)
    assert not refused or b"AuthorizationFailed" in refused
    assert world.records()[-1]["properties"].get("isRbacAuthorized", True) is not bool(refused)
    return not refused, refused.decode()


def test_every_row_of_the_planes_is_known_to_the_matrix():
    """Whoever adds a row writes down in tests/authorization_rows.py what it needs by the documentation."""
    assert {(row.method, row.path) for row in ManagementWorld().plane.table.operations} == set(MANAGEMENT_ROWS)
    assert {(row.method, row.path) for row in DataWorld().plane.table.operations} == set(DATA_ROWS)


def test_the_other_planes_ask_for_no_permission():
    """Graph is read by whoever belongs to the tenant, and none of its rows changes anything; one signs in as nobody."""
    assert not [row for row in graph.OPERATIONS if row.needs or row.anonymous or row.changes]
    assert not [row for row in IdentityPlane(a_custodian()).table.operations if row.needs or not row.anonymous]


async def test_a_management_request_needs_its_action_at_its_place(management):
    for row, needed in MANAGEMENT_ROWS.items():
        management.stores.assignments.rows = []
        may, refused = await ask(management, row)
        assert may is (needed is None), row
        if needed is not None and row[0] != "HEAD":
            action, scope = (text.format_map(NAMES) for text in needed)
            assert f"perform action '{action}' over scope '{scope}' or" in refused


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_lets_in_where_it_has_the_action(management, role):
    """Whether the careful one may is decided by the handler, which knows what is given: it is let in there."""
    give(management.stores, role, PLACE, management.caller.object_id)
    for row, (action, _) in CONTROL.items():
        assert (await ask(management, row))[0] is role_allows(role, action.format_map(NAMES)), row


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_role_lets_in_at_its_scope_and_below(management, scope):
    give(management.stores, OWNER, scope, management.caller.object_id)
    for row, (_, place) in CONTROL.items():
        assert (await ask(management, row))[0] is lies_in(place.format_map(NAMES), scope), row


@pytest.mark.parametrize(("holder", "counts"), [(TEAM, True), (CLUB, True), (FIRM, True), ("group-other", False)])
async def test_a_role_of_a_group_lets_its_members_in(management, holder, counts):
    give(management.stores, OWNER, PLACE, holder)
    for row in CONTROL:
        assert (await ask(management, row))[0] is counts, row
    management.stores.identity.memberships.clear()
    for row in CONTROL:
        assert not (await ask(management, row))[0], row


@pytest.mark.parametrize("role", [name for name in ROLES if role_allows(name, "Microsoft.KeyVault/vaults/read")])
async def test_who_gives_and_takes_back_which_role_by_the_real_handlers(role):
    world = await ManagementWorld().furnish()
    await world.a_group()
    await world.a_vault()
    someone = await world.someone(role, vault_path())
    path = f"{vault_path()}/providers/Microsoft.Authorization/roleAssignments/{GUID}"
    for given in ROLES:
        may = role_allows(role, min(GIVING)) and may_give(role, given)
        body = an_assignment_body(role=given)
        asked = await world.ask("PUT", path, body, who=someone, version=AUTHORIZATION)
        assert asked.status == (201 if may else 403), (given, asked.raw)
        await world.ask("PUT", path, body, version=AUTHORIZATION)
        asked = await world.ask("DELETE", path, who=someone, version=AUTHORIZATION)
        assert asked.status == (200 if may else 403), (given, asked.raw)
        await world.ask("DELETE", path, version=AUTHORIZATION)


def test_the_careful_role_is_among_those_that_are_asked():
    assert role_allows(CAREFUL, min(GIVING))
    assert not may_give(CAREFUL, OWNER)


# ---- the data plane

DATA_NAMES = NAMES | {"subscription": DATA_SUBSCRIPTION, "group": "group"}
DATA_VAULT = V.format_map(DATA_NAMES)
DATA_SCOPES = (
    *("/", S.format_map(DATA_NAMES), G.format_map(DATA_NAMES), DATA_VAULT, f"{DATA_VAULT}/secrets/one"),
    *(f"{DATA_VAULT}/keys/one", f"{DATA_VAULT}/certificates/one", f"{DATA_VAULT}/secrets/on", f"{DATA_VAULT}2"),
    *(DATA_VAULT[:-1], f"{G.format_map(DATA_NAMES)}2", S.format_map(NAMES)),
)


@pytest.fixture
async def data():
    world = with_hollow_rows(await DataWorld().furnish())
    await join_groups(world.storage.stores, world.application.object_id)
    return world


async def ask_vault(world, row):
    """Send the request of a row; return whether it was let in."""
    answer = await world.ask(row[0], row[1].format_map(DATA_NAMES))
    assert answer.status == 200 or answer.error["innererror"]["code"].startswith("ForbiddenBy"), (row, answer)
    noted = world.last_record["properties"]
    rbac = world.vault.rbac
    assert noted["isRbacAuthorized" if rbac else "isAccessPolicyMatch"] is (answer.status == 200)
    return answer.status == 200


def place_of(path):
    collection = re.match("/(deleted)?(?P<collection>[a-z]+)", path)["collection"]
    return f"{DATA_VAULT}/{collection}/one" if "{name}" in path else DATA_VAULT


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_lets_in_to_a_vault_where_it_has_the_data_action(data, role):
    await data.change_vault(rbac=True)
    give(data.storage.stores, role, DATA_VAULT, data.application.object_id)
    for row, (_, action, _) in DATA_ROWS.items():
        assert await ask_vault(data, row) is role_allows_data(role, action), row


@pytest.mark.parametrize("scope", DATA_SCOPES)
async def test_a_role_lets_in_to_what_lies_in_its_scope(data, scope):
    await data.change_vault(rbac=True)
    give(data.storage.stores, ADMINISTRATOR, scope, data.application.object_id)
    for row in DATA_ROWS:
        assert await ask_vault(data, row) is lies_in(place_of(row[1]), scope), row


@pytest.mark.parametrize("rbac", [True, False])
@pytest.mark.parametrize(("holder", "counts"), [(TEAM, True), (CLUB, True), (FIRM, True), ("group-other", False)])
async def test_what_a_group_has_lets_its_members_in_to_a_vault(data, holder, counts, rbac):
    everything = {kind: frozenset({"all", "purge"}) for kind in PERMISSIONS}
    policies = () if rbac else (AccessPolicy(tenant_id=TENANT, object_id=holder, **everything),)
    await data.change_vault(rbac=rbac, access_policies=policies)
    give(data.storage.stores, ADMINISTRATOR, DATA_VAULT, holder)
    for row in DATA_ROWS:
        assert await ask_vault(data, row) is counts, row
    data.storage.stores.identity.memberships.clear()
    for row in DATA_ROWS:
        assert not await ask_vault(data, row), row


@pytest.mark.parametrize(("kind", "permission"), [(kind, name) for kind in PERMISSIONS for name in PERMISSIONS[kind]])
async def test_an_access_policy_lets_in_to_what_it_names(data, kind, permission):
    said = {kind: frozenset({permission})}
    policy = AccessPolicy(tenant_id=TENANT, object_id=data.application.object_id, **said)
    await data.change_vault(access_policies=(policy,))
    for row, ((wanted, needed), _, _) in DATA_ROWS.items():
        assert await ask_vault(data, row) is (kind == wanted and policy_allows(permission, needed)), row
