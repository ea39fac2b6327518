"""The refusal matrix of the management plane: operation x role x scope, against an oracle that knows no code of ours.

The oracle reads the table below, written from the documented role definitions, and matches `*` with `fnmatch`.
"""

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from management_doubles import (
    BASE,
    RESOURCES,
    ManagementWorld,
    a_policy,
    deleted_path,
    group_path,
    vault_body,
    vault_path,
)
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType, Place
from strongroom.objects.keys.model import KeyEdit

COMMON = """Microsoft.Authorization/*/read|Microsoft.Insights/alertRules/*|Microsoft.Resources/deployments/*|
Microsoft.Resources/subscriptions/resourceGroups/read|Microsoft.Support/*|
Microsoft.KeyVault/checkNameAvailability/read|Microsoft.KeyVault/deletedVaults/read|
Microsoft.KeyVault/locations/*/read|Microsoft.KeyVault/vaults/*/read|Microsoft.KeyVault/operations/read"""
# What a role allows, and what it takes away from that.
KEY_VAULT_CONTRIBUTOR = """Microsoft.Authorization/*/read|Microsoft.Insights/alertRules/*|Microsoft.KeyVault/*|
Microsoft.Resources/deployments/*|Microsoft.Resources/subscriptions/resourceGroups/read|Microsoft.Support/*"""
NOT_KEY_VAULT_CONTRIBUTOR = """Microsoft.KeyVault/locations/deletedVaults/purge/action|
Microsoft.KeyVault/hsmPools/*|Microsoft.KeyVault/managedHsms/*"""
NOT_CONTRIBUTOR = """Microsoft.Authorization/*/Delete|Microsoft.Authorization/*/Write|
Microsoft.Authorization/elevateAccess/Action"""
PURGE_OPERATOR = """Microsoft.Authorization/*/read|Microsoft.Insights/alertRules/*|
Microsoft.Resources/deployments/*|Microsoft.Resources/subscriptions/resourceGroups/read|
Microsoft.KeyVault/deletedVaults/read|Microsoft.KeyVault/locations/deletedVaults/read|
Microsoft.KeyVault/locations/deletedVaults/purge/action|Microsoft.KeyVault/locations/operationResults/read"""
ROLES = {
    "Owner": ("*", ""),
    "Contributor": ("*", NOT_CONTRIBUTOR),
    "Reader": ("*/read", ""),
    "Key Vault Contributor": (KEY_VAULT_CONTRIBUTOR, NOT_KEY_VAULT_CONTRIBUTOR),
    "Key Vault Administrator": (COMMON, ""),
    "Key Vault Secrets Officer": (COMMON, ""),
    "Key Vault Reader": (COMMON, ""),
    "Key Vault Secrets User": ("", ""),
    "Key Vault Purge Operator": (PURGE_OPERATOR, ""),
    None: ("", ""),
}
PROVIDER = f"{BASE}/providers/Microsoft.KeyVault"
HSMS = "Microsoft.KeyVault/managedHSMs/read"
CONNECTIONS = "Microsoft.KeyVault/vaults/privateEndpointConnections"
GROUPS = "Microsoft.Resources/subscriptions/resourceGroups/"
# name: (method, path, body, action, where the action happens)
OPERATIONS = {
    "vault put": ("PUT", vault_path(), vault_body(), "Microsoft.KeyVault/vaults/write", "vault"),
    "vault patch": ("PATCH", vault_path(), {}, "Microsoft.KeyVault/vaults/write", "vault"),
    "vault get": ("GET", vault_path(), None, "Microsoft.KeyVault/vaults/read", "vault"),
    "vault delete": ("DELETE", vault_path(), None, "Microsoft.KeyVault/vaults/delete", "vault"),
    "policies": (
        "PUT",
        f"{vault_path()}/accessPolicies/add",
        {"properties": {"accessPolicies": [a_policy()]}},
        "Microsoft.KeyVault/vaults/accessPolicies/write",
        "vault",
    ),
    "secret put": (
        "PUT",
        f"{vault_path()}/secrets/new",
        {"properties": {"value": "1"}},
        "Microsoft.KeyVault/vaults/secrets/write",
        "object",
    ),
    "secret patch": ("PATCH", f"{vault_path()}/secrets/db", {}, "Microsoft.KeyVault/vaults/secrets/write", "object"),
    "secret get": ("GET", f"{vault_path()}/secrets/db", None, "Microsoft.KeyVault/vaults/secrets/read", "object"),
    "secrets": ("GET", f"{vault_path()}/secrets", None, "Microsoft.KeyVault/vaults/secrets/read", "vault"),
    "key put": (
        "PUT",
        f"{vault_path()}/keys/new",
        {"properties": {"kty": "EC"}},
        "Microsoft.KeyVault/vaults/keys/write",
        "object",
    ),
    "key get": ("GET", f"{vault_path()}/keys/k", None, "Microsoft.KeyVault/vaults/keys/read", "object"),
    "keys": ("GET", f"{vault_path()}/keys", None, "Microsoft.KeyVault/vaults/keys/read", "vault"),
    "key version get": (
        "GET",
        f"{vault_path()}/keys/k/versions/{'1' * 32}",
        None,
        "Microsoft.KeyVault/vaults/keys/versions/read",
        "object",
    ),
    "key versions": (
        "GET",
        f"{vault_path()}/keys/k/versions",
        None,
        "Microsoft.KeyVault/vaults/keys/versions/read",
        "object",
    ),
    "private link resources": (
        "GET",
        f"{vault_path()}/privateLinkResources",
        None,
        "Microsoft.KeyVault/vaults/privateLinkResources/read",
        "vault",
    ),
    "connections": ("GET", f"{vault_path()}/privateEndpointConnections", None, f"{CONNECTIONS}/read", "vault"),
    "connection delete": (
        "DELETE",
        f"{vault_path()}/privateEndpointConnections/one",
        None,
        f"{CONNECTIONS}/delete",
        "vault",
    ),
    "vaults of a group": (
        "GET",
        f"{group_path()}/providers/Microsoft.KeyVault/vaults",
        None,
        "Microsoft.KeyVault/vaults/read",
        "group",
    ),
    "vaults": ("GET", f"{PROVIDER}/vaults", None, "Microsoft.KeyVault/vaults/read", "subscription"),
    "deleted vaults": (
        "GET",
        f"{PROVIDER}/deletedVaults",
        None,
        "Microsoft.KeyVault/deletedVaults/read",
        "subscription",
    ),
    "deleted vault": (
        "GET",
        deleted_path("old"),
        None,
        "Microsoft.KeyVault/locations/deletedVaults/read",
        "subscription",
    ),
    "purge": (
        "POST",
        f"{deleted_path('old')}/purge",
        None,
        "Microsoft.KeyVault/locations/deletedVaults/purge/action",
        "subscription",
    ),
    "name check": (
        "POST",
        f"{PROVIDER}/checkNameAvailability",
        {"name": "kv9", "type": "Microsoft.KeyVault/vaults"},
        "Microsoft.KeyVault/checkNameAvailability/read",
        "subscription",
    ),
    "hsm name check": (
        "POST",
        f"{PROVIDER}/checkMhsmNameAvailability",
        {"name": "hsm1"},
        "Microsoft.KeyVault/checkMhsmNameAvailability/read",
        "subscription",
    ),
    "hsms": ("GET", f"{PROVIDER}/managedHSMs", None, HSMS, "subscription"),
    "hsms of a group": ("GET", f"{group_path()}/providers/Microsoft.KeyVault/managedHSMs", None, HSMS, "group"),
    "deleted hsms": (
        "GET",
        f"{PROVIDER}/deletedManagedHSMs",
        None,
        "Microsoft.KeyVault/deletedManagedHsms/read",
        "subscription",
    ),
    "register": ("POST", f"{PROVIDER}/register", None, "Microsoft.KeyVault/register/action", "subscription"),
    "provider": ("GET", PROVIDER, None, "Microsoft.Resources/subscriptions/providers/read", "subscription"),
    "locations": (
        "GET",
        f"{BASE}/locations",
        None,
        "Microsoft.Resources/subscriptions/locations/read",
        "subscription",
    ),
    "groups": ("GET", f"{BASE}/resourcegroups", None, GROUPS + "read", "subscription"),
    "group get": ("GET", group_path(), None, GROUPS + "read", "group"),
    "group head": ("HEAD", group_path(), None, GROUPS + "read", "group"),
    "group put": ("PUT", group_path(), {"location": "westeurope"}, GROUPS + "write", "group"),
    "group patch": ("PATCH", group_path(), {}, GROUPS + "write", "group"),
    "group delete": ("DELETE", group_path(), None, GROUPS + "delete", "group"),
}
SCOPES = {
    "subscription": BASE,
    "group": group_path(),
    "vault": vault_path(),
    "other group": group_path("other"),
}
COVERS = {
    "subscription": {"subscription", "group", "vault", "object"},
    "group": {"group", "vault", "object"},
    "vault": {"vault", "object"},
    "other group": set(),
}
CORE = {"locations", "groups", "register", "provider"}


def grants(role, action):
    allowed, taken = (
        ["".join(pattern.split()).lower() for pattern in text.split("|") if pattern] for text in ROLES[role]
    )
    lowered = action.lower()

    def fits(patterns):  # `/*/` stands for a single slash too
        return any(fnmatchcase(lowered, p) or fnmatchcase(lowered, p.replace("/*/", "/")) for p in patterns)

    return fits(allowed) and not fits(taken)


async def a_furnished_world():
    world = await ManagementWorld().furnish()
    for group in ("rg", "other"):
        await world.a_group(group)
    for name in ("kv1", "old"):
        await world.a_vault(name, enableRbacAuthorization=True)
    await world.ask("DELETE", vault_path("old"))
    await world.ask("PUT", f"{vault_path()}/secrets/db", {"properties": {"value": "1"}})
    await a_key(world, "k", "1" * 32)
    return world


async def a_key(world, name, version):
    keys = await world.keys()
    made = await keys.make(name, spec_of(KeyType.EC), KeyEdit(), hsm=False)
    moved = await world.keepers.software.move(
        made.kept, Place(made.key, keys.place(name, made.version)), Place(made.key, keys.place(name, version))
    )
    await keys.add(name, replace(made, kept=moved, version=version), KeyEdit())


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("role", ROLES, ids=str)
async def test_what_is_not_granted_is_refused_and_what_is_granted_is_done(role, scope):
    for name, (method, path, body, action, place) in OPERATIONS.items():
        world = await a_furnished_world()
        someone = await world.someone(role, SCOPES[scope])
        version = RESOURCES if name in CORE or name.startswith("group ") else "2026-02-01"
        before = world.storage.stores.snapshot()
        answer = await world.ask(method, path, body, who=someone, version=version)
        expected = grants(role, action) and place in COVERS[scope]
        assert (answer.status != 403) is expected, f"{name}: {answer.status} {answer.raw!r}"
        assert answer.status < 300 or answer.code == "AuthorizationFailed", f"{name}: {answer.raw!r}"
        if not expected:
            assert f"perform action '{action}'" in answer.message
            assert world.storage.stores.snapshot() == before
        record = world.records()[-1]
        assert record["resultType"] == ("Success" if expected else "Failed")
        assert record["properties"]["isRbacAuthorized"] is expected


def test_the_matrix_has_every_operation_that_needs_a_permission():
    world = ManagementWorld()
    table = {(o.method, o.path.lower()) for o in world.plane.table.operations if o.needs is not None}
    matched = {
        (method, world.plane.table.match(method, path).operation.path.lower())
        for method, path, *_ in OPERATIONS.values()
    }
    results = "/subscriptions/{subscription}/providers/microsoft.keyvault/locations/{location}"
    connection = f"{vault_path('{vault}', '{group}').replace(BASE, '/subscriptions/{subscription}')}"
    connection = f"{connection}/privateEndpointConnections/{{connection}}".lower()
    apart = {  # seen in test_vaults, test_discovery and test_privatelinks
        ("GET", connection),
        ("PUT", connection),
        ("GET", f"{results}/operationresults/{{operation}}"),
        ("GET", f"{results}/deletedmanagedhsms/{{deletedhsm}}"),
        ("GET", "/subscriptions/{subscription}/resourcegroups/{group}/providers/microsoft.keyvault/managedhsms/{hsm}"),
        ("GET", "/subscriptions/{subscription}/providers"),
        ("POST", "/subscriptions/{subscription}/providers/{namespace}/unregister"),
    }
    assert table == matched | apart
