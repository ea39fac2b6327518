"""Every error that a client who gives roles can meet, provoked by plain HTTPS. See `test_errors.py`."""

import uuid

import pytest

from clients.direct import unique
from clients.provoking import NOWHERE, fits, meet

pytestmark = [pytest.mark.xdist_group("errors"), pytest.mark.usefixtures("client_environ")]

VERSION = "2022-04-01"
READER, OWNER = "acdd72a7-3385-48ef-bd42-f606fba81ae7", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


def ask(w, method, kind, name, body=None, below=""):
    path = f"{w.direct.subscription}{below}/providers/Microsoft.Authorization/{kind}/{name}"
    return w.direct.manage(method, path, body, version=VERSION)


def put_assignment(w, name=None, below="", **said):
    named = {"roleDefinitionId": READER, "principalId": str(uuid.uuid4()), "principalType": "User"}
    body = {"properties": named | said}
    return ask(w, "PUT", "roleAssignments", name or uuid.uuid4(), body, below)


def put_role(w, name=None, **said):
    permissions = [{"actions": ["Microsoft.KeyVault/vaults/read"]}]
    named = {"roleName": unique("Role "), "permissions": permissions, "assignableScopes": [w.direct.subscription]}
    return ask(w, "PUT", "roleDefinitions", name or uuid.uuid4(), {"properties": named | said})


def giving(**said):
    return lambda w: put_assignment(w, **said)


def making(**said):
    return lambda w: put_role(w, **said)


def twice(w, **changes):
    """Give a role and then again, with something changed."""
    name, who = str(uuid.uuid4()), str(uuid.uuid4())
    assert put_assignment(w, name, principalId=who).status == 201
    return put_assignment(w, **{"name": name, "principalId": who} | changes)


def a_role_that_is_held(w):
    role = str(uuid.uuid4())
    assert put_role(w, role).status == 201
    assert put_assignment(w, roleDefinitionId=role).status == 201
    return ask(w, "DELETE", "roleDefinitions", role)


def outside_its_scopes(w):
    role = str(uuid.uuid4())
    assert put_role(w, role, assignableScopes=[f"{w.direct.subscription}/resourceGroups/dev"]).status == 201
    return put_assignment(w, roleDefinitionId=role)


ROWS = {
    "InvalidScope": (
        giving(below="/resourceGroups/dev/providers/Microsoft.KeyVault/vaults/dev/storage/s"),
        (400, "InvalidScope"),
        "The scope '…' is none at which a role may be assigned here: give the resource id of …",
    ),
    "InvalidPrincipalId": (
        giving(principalId="me"),
        (400, "InvalidPrincipalId"),
        "The principal id 'me' is not a GUID.",
    ),
    "InvalidPrincipalType": (
        giving(principalType="Robot"),
        (400, "InvalidPrincipalType"),
        "'Robot' is no type of principal.",
    ),
    "PrincipalNotFound": (
        giving(principalId=NOWHERE, principalType=None),
        (400, "PrincipalNotFound"),
        "Principal 99999999999949998999999999999999 does not exist in the directory {tenantId}. …",
    ),
    "UnmatchedPrincipalType": (
        lambda w: put_assignment(w, principalId=w.direct.owner_id),
        (400, "UnmatchedPrincipalType"),
        "The PrincipalId '…' has type 'ServicePrincipal', which is different from the specified PrincipalType 'User'.",
    ),
    "InvalidRoleAssignmentId": (
        giving(name="mine"),
        (400, "InvalidRoleAssignmentId"),
        "The role assignment ID 'mine' is not a GUID.",
    ),
    "InvalidCondition": (
        giving(condition="nonsense"),
        (400, "InvalidCondition"),
        "The given role assignment condition is invalid: 'nonsense' is none of …",
    ),
    "RoleAssignmentScopeNotAssignableToRoleDefinition": (
        outside_its_scopes,
        (400, "RoleAssignmentScopeNotAssignableToRoleDefinition"),
        "The role '…' can be assigned at … and below only, not at '…'.",
    ),
    "InvalidRoleDefinitionId": (
        making(name="mine"),
        (400, "InvalidRoleDefinitionId"),
        "The role definition ID 'mine' is not a GUID.",
    ),
    "InvalidRoleDefinitionType": (
        making(type="BuiltInRole"),
        (400, "InvalidRoleDefinitionType"),
        "The type of a role that is made must be CustomRole.",
    ),
    "InvalidRoleDefinitionPermissions": (
        making(permissions=[{"actions": ["*"]}] * 2),
        (400, "InvalidRoleDefinitionPermissions"),
        "A custom role has one set of permissions; put all its actions there.",
    ),
    "RoleDefinitionNameNullOrEmpty": (
        making(roleName=""),
        (400, "RoleDefinitionNameNullOrEmpty"),
        "The role definition name cannot be null or empty.",
    ),
    "MissingAssignableScopes": (
        making(assignableScopes=[]),
        (400, "MissingAssignableScopes"),
        "A custom role needs at least one assignable scope.",
    ),
    "LinkedInvalidPropertyId": (
        lambda w: put_role(w, assignableScopes=[f"{w.direct.subscription}/resourceGroups/none"]),
        (400, "LinkedInvalidPropertyId"),
        "The assignable scope '…' is none that is here: Resource group 'none' could not be found.",
    ),
    "InvalidActionOrNotAction": (
        making(permissions=[{"actions": ["Microsoft.KeyVault/vaults/reed"]}]),
        (400, "InvalidActionOrNotAction"),
        "'Microsoft.KeyVault/vaults/reed' does not match any of the actions supported by the providers.",
    ),
    "BuiltInRoleDefinitionCannotBeDeleted": (
        lambda w: ask(w, "DELETE", "roleDefinitions", OWNER),
        (400, "BuiltInRoleDefinitionCannotBeDeleted"),
        "The role 'Owner' is built in and cannot be deleted.",
    ),
    "BadRequestFormat": (
        making(roleName="n" * 513),
        (400, "BadRequestFormat"),
        "A role's name has at most 512 characters, its description at most 2048.",
    ),
    "RoleDefinitionDoesNotExist": (
        giving(roleDefinitionId=NOWHERE),
        (404, "RoleDefinitionDoesNotExist"),
        f"The specified role definition '{NOWHERE}' does not exist.",
    ),
    "RoleAssignmentNotFound": (
        lambda w: ask(w, "GET", "roleAssignments", NOWHERE),
        (404, "RoleAssignmentNotFound"),
        f"The role assignment '{NOWHERE}' is not found.",
    ),
    "DenyAssignmentNotFound": (
        lambda w: ask(w, "GET", "denyAssignments", NOWHERE),
        (404, "DenyAssignmentNotFound"),
        f"The deny assignment '{NOWHERE}' is not found.",
    ),
    "ProviderNotFound": (
        lambda w: w.direct.manage(
            "GET", "/providers/Microsoft.Authorization/providerOperations/Microsoft.Compute", version=VERSION
        ),
        (404, "ProviderNotFound"),
        "Provider 'Microsoft.Compute' not found.",
    ),
    "PrincipalNotFound: who reaches what": (
        lambda w: w.direct.manage(
            "GET", f"{w.direct.subscription}/providers/Strongroom.Access/principals/{NOWHERE}/reach", version=None
        ),
        (404, "PrincipalNotFound"),
        f"There is no principal '{NOWHERE}'.",
    ),
    "RoleAssignmentExists": (
        lambda w: twice(w, name=None),
        (409, "RoleAssignmentExists"),
        "The role assignment already exists. The ID of the existing role assignment is ….",
    ),
    "RoleAssignmentUpdateNotPermitted": (
        lambda w: twice(w, roleDefinitionId=OWNER),
        (409, "RoleAssignmentUpdateNotPermitted"),
        "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
    ),
    "RoleDefinitionExists": (
        making(name=OWNER),
        (409, "RoleDefinitionExists"),
        "A built-in role has this ID; it cannot be changed.",
    ),
    "RoleDefinitionWithSameNameExists": (
        making(roleName="owner"),
        (409, "RoleDefinitionWithSameNameExists"),
        "A role with the same name already exists in this directory. Use a different name.",
    ),
    "RoleDefinitionHasAssignments": (
        a_role_that_is_held,
        (409, "RoleDefinitionHasAssignments"),
        "There are existing role assignments referencing role.",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_management_plane_answers_an_error_as_its_row_says(world, name):
    provoke, expected, message = ROWS[name]
    met = meet(world, provoke)
    assert (met.status, met.code) == expected, met
    assert fits(message, met.message, world.facts), met.message
