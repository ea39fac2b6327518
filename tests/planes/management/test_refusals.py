"""The refusal matrix of the management plane: operation x role x scope, against an oracle that knows no code of ours.

The oracle is tests/authorization_oracle.py. Here each operation is really done, or really leaves everything as it is;
all roles and all rows are in tests/planes/test_matrix.py.
"""

from dataclasses import replace

import pytest

from authorization_oracle import role_allows
from directory_doubles import a_user
from management_doubles import (
    AUTHORIZATION,
    BASE,
    RESOURCES,
    TENANT,
    ManagementWorld,
    a_policy,
    a_role_body,
    an_assignment_body,
    deleted_path,
    group_path,
    vault_body,
    vault_path,
)
from strongroom.clock import real_now
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType, Place
from strongroom.objects.keys.model import KeyEdit
from strongroom.planes.management.places import PLACES as PLACES_OF_THE_PLANE

ROLES = (
    *("Owner", "Contributor", "Reader", "Key Vault Contributor", "Key Vault Administrator"),
    *("Key Vault Secrets Officer", "Key Vault Reader", "Key Vault Secrets User", "Key Vault Purge Operator", None),
)
PROVIDER = f"{BASE}/providers/Microsoft.KeyVault"
HSMS = "Microsoft.KeyVault/managedHSMs/read"
NAMES = "Microsoft.Resources/subscriptions/tagNames/"
CONNECTIONS = "Microsoft.KeyVault/vaults/privateEndpointConnections"
GROUPS = "Microsoft.Resources/subscriptions/resourceGroups/"
# name: (method, path, body, action, where the action happens)
OPERATIONS = {
    "vault put": ("PUT", vault_path(), vault_body(), "Microsoft.KeyVault/vaults/write", "vault"),
    "vault patch": ("PATCH", vault_path(), {}, "Microsoft.KeyVault/vaults/write", "vault"),
    "vault get": ("GET", vault_path(), None, "Microsoft.KeyVault/vaults/read", "vault"),
    "vault head": ("HEAD", vault_path(), None, "Microsoft.KeyVault/vaults/read", "vault"),
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
    "types": (
        "GET",
        f"{PROVIDER}/resourceTypes",
        None,
        "Microsoft.Resources/subscriptions/providers/read",
        "subscription",
    ),
    "locations": (
        "GET",
        f"{BASE}/locations",
        None,
        "Microsoft.Resources/subscriptions/locations/read",
        "subscription",
    ),
    "activity": (
        "GET",
        f"{BASE}/providers/Microsoft.Insights/eventtypes/management/values",
        None,
        "Microsoft.Insights/eventtypes/values/Read",
        "subscription",
    ),
    "names list": ("GET", f"{BASE}/tagNames", None, NAMES + "read", "subscription"),
    "names put": ("PUT", f"{BASE}/tagNames/kept", None, NAMES + "write", "subscription"),
    "names delete": ("DELETE", f"{BASE}/tagNames/none", None, NAMES + "delete", "subscription"),
    "names put value": ("PUT", f"{BASE}/tagNames/team/tagValues/a", None, NAMES + "tagValues/write", "subscription"),
    "names drop value": (
        "DELETE",
        f"{BASE}/tagNames/team/tagValues/a",
        None,
        NAMES + "tagValues/delete",
        "subscription",
    ),
    "groups": ("GET", f"{BASE}/resourcegroups", None, GROUPS + "read", "subscription"),
    "group get": ("GET", group_path(), None, GROUPS + "read", "group"),
    "group head": ("HEAD", group_path(), None, GROUPS + "read", "group"),
    "group put": ("PUT", group_path(), {"location": "westeurope"}, GROUPS + "write", "group"),
    "group patch": ("PATCH", group_path(), {}, GROUPS + "write", "group"),
    "group delete": ("DELETE", group_path(), None, GROUPS + "delete", "group"),
}
ROLE_READ = "Microsoft.Authorization/roleDefinitions/read"
ROLE_WRITE = "Microsoft.Authorization/roleDefinitions/write"
HELD = "Microsoft.Authorization/roleAssignments/"
SOMEBODY = "c0ffee00-0000-4000-8000-00000000000a"
A_PREVIEW = {"roleAssignment": {"roleDefinitionId": "00482a5a-887f-4fb3-b363-3b7fe8e74483", "principalId": SOMEBODY}}
A_ROLE, ANOTHER = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
PLACES = {"subscription": BASE, "group": group_path(), "vault": vault_path(), "object": f"{vault_path()}/secrets/s"}
HELD_IDS = {place: f"bbbbbbbb-0000-4000-8000-00000000000{number}" for number, place in enumerate(PLACES)}
for _place, _path in PLACES.items():
    _roles = f"{_path}/providers/Microsoft.Authorization/roleDefinitions"
    _held = f"{_path}/providers/Microsoft.Authorization/roleAssignments"
    _where = "vault" if _place == "object" else _place
    OPERATIONS |= {
        f"roles of {_place}": ("GET", _roles, None, ROLE_READ, _where),
        f"role of {_place}": ("GET", f"{_roles}/acdd72a7-3385-48ef-bd42-f606fba81ae7", None, ROLE_READ, _where),
        f"assignments of {_place}": ("GET", _held, None, HELD + "read", _where),
        f"assignment of {_place}": ("GET", f"{_held}/{HELD_IDS[_place]}", None, HELD + "read", _where),
        f"giving at {_place}": ("PUT", f"{_held}/{ANOTHER}", an_assignment_body(role="Owner"), HELD + "write", _where),
        f"taking at {_place}": ("DELETE", f"{_held}/{ANOTHER}", None, HELD + "delete", _where),
    }
    if _place != "object":
        _preview = f"{_path}/providers/Strongroom.Access/preview"
        OPERATIONS |= {f"preview at {_place}": ("POST", _preview, A_PREVIEW, HELD + "read", _where)}
    if _place == "subscription":
        _reach = f"{_path}/providers/Strongroom.Access/principals/{SOMEBODY}/reach"
        OPERATIONS |= {"reach of somebody": ("GET", _reach, None, HELD + "read", _place)}
    if _place in {"vault", "object"}:
        _reach = f"{_path}/providers/Strongroom.Access/reach"
        OPERATIONS |= {f"reach of {_place}": ("GET", _reach, None, HELD + "read", _where)}
    if _place in {"subscription", "group"}:
        OPERATIONS |= {
            f"role put at {_place}": ("PUT", f"{_roles}/{A_ROLE}", a_role_body(_path), ROLE_WRITE, _place),
            f"role delete at {_place}": (
                "DELETE",
                f"{_roles}/{A_ROLE}",
                None,
                "Microsoft.Authorization/roleDefinitions/delete",
                _place,
            ),
        }
TAGS = "/providers/Microsoft.Resources/tags/default"
MERGED = {"operation": "Merge", "properties": {"tags": {"a": "b"}}}
LOCKS = "Microsoft.Authorization/locks/"
for PLACE, PLACE_PATH in (("subscription", BASE), ("group", group_path()), ("vault", vault_path())):
    LOCK_PATH = f"{PLACE_PATH}/providers/Microsoft.Authorization/locks"
    A_LOCK = {"properties": {"level": "CanNotDelete"}}
    OPERATIONS |= {
        f"lock put {PLACE}": ("PUT", f"{LOCK_PATH}/new", A_LOCK, LOCKS + "write", PLACE),
        f"lock get {PLACE}": ("GET", f"{LOCK_PATH}/kept", None, LOCKS + "read", PLACE),
        f"lock delete {PLACE}": ("DELETE", f"{LOCK_PATH}/kept", None, LOCKS + "delete", PLACE),
        f"tags get {PLACE}": ("GET", PLACE_PATH + TAGS, None, "Microsoft.Resources/tags/read", PLACE),
        f"tags put {PLACE}": ("PUT", PLACE_PATH + TAGS, {"properties": {}}, "Microsoft.Resources/tags/write", PLACE),
        f"tags patch {PLACE}": ("PATCH", PLACE_PATH + TAGS, MERGED, "Microsoft.Resources/tags/write", PLACE),
        f"tags delete {PLACE}": ("DELETE", PLACE_PATH + TAGS, None, "Microsoft.Resources/tags/delete", PLACE),
        f"lock list {PLACE}": ("GET", LOCK_PATH, None, LOCKS + "read", PLACE),
    }
for _place, _path in (("subscription", BASE), ("group", group_path()), ("vault", vault_path())):
    _own = f"{_path}/providers/Microsoft.Authorization"
    _denials = "Microsoft.Authorization/denyAssignments/read"
    OPERATIONS[f"denials of {_place}"] = ("GET", f"{_own}/denyAssignments", None, _denials, _place)
    if _place != "subscription":
        _permissions = "Microsoft.Authorization/permissions/read"
        OPERATIONS[f"permissions of {_place}"] = ("GET", f"{_own}/permissions", None, _permissions, _place)
OPERATIONS["classic administrators"] = (
    "GET",
    f"{BASE}/providers/Microsoft.Authorization/classicAdministrators",
    None,
    "Microsoft.Authorization/classicAdministrators/read",
    "subscription",
)
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
CORE = {"types", "locations", "groups", "register", "provider"}


async def a_furnished_world():
    world = await ManagementWorld().furnish()
    for group in ("rg", "other"):
        await world.a_group(group)
    await world.stores.identity.add_user(a_user(object_id=SOMEBODY, tenant_id=TENANT.tenant_id))
    for name in ("kv1", "old"):
        await world.a_vault(name, enableRbacAuthorization=True)
    await world.ask("DELETE", vault_path("old"))
    for place, path in PLACES.items():
        held = f"{path}/providers/Microsoft.Authorization/roleAssignments/{HELD_IDS[place]}"
        assert (await world.ask("PUT", held, an_assignment_body(), version=AUTHORIZATION)).status == 201
    await world.ask("PUT", f"{BASE}/tagNames/team", version=RESOURCES)
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


def version_of(name, path):
    if name == "activity":
        return "2015-04-01"
    if name.startswith("lock "):
        return "2016-09-01"
    if "/Microsoft.Authorization/" in path:
        return AUTHORIZATION
    return RESOURCES if name in CORE or name.startswith(("group ", "tags ", "names ")) else "2026-02-01"


def lock_to_read(place):
    return OPERATIONS[f"lock get {place}"][1]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("role", ROLES, ids=str)
async def test_what_is_not_granted_is_refused_and_what_is_granted_is_done(role, scope):
    world = None
    for name, (method, path, body, action, place) in OPERATIONS.items():
        if world is None:
            world = await a_furnished_world()
            someone = await world.someone(role, SCOPES[scope])
        version = version_of(name, path)
        if name.startswith("lock "):
            await world.ask("PUT", lock_to_read(place), A_LOCK, version="2016-09-01")
        before = world.storage.stores.snapshot()
        query = f"$filter=eventTimestamp ge '{real_now().isoformat()[:19]}Z'" if name == "activity" else ""
        answer = await world.ask(method, path, body, who=someone, version=version, query=query)
        expected = role is not None and role_allows(role, action) and place in COVERS[scope]
        assert (answer.status != 403) is expected, f"{name}: {answer.status} {answer.raw!r}"
        assert answer.status < 300 or answer.code == "AuthorizationFailed", f"{name}: {answer.raw!r}"
        if not expected:
            assert f"perform action '{action}'" in answer.message
            assert world.storage.stores.snapshot() == before
        record = world.records()[-1]
        assert record["resultType"] == ("Success" if expected else "Failed")
        assert record["properties"]["isRbacAuthorized"] is expected
        if expected or name.startswith("lock "):
            world = None  # what was refused left it as it was, which is asserted above


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
        *(  # there are none: tests/planes/management/test_permissions.py
            ("GET", f"{place.lower()}/providers/microsoft.authorization/denyassignments/{{denial}}")
            for place in PLACES_OF_THE_PLANE.values()
        ),
        ("POST", "/subscriptions/{subscription}/providers/{namespace}/unregister"),
    }
    networks = "/providers/microsoft.network/virtualnetworks"  # tests/planes/test_matrix.py, test_networks.py
    apart |= {row for row in table if networks in row[1]}
    assert table == matched | apart
