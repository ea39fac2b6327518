"""What the management plane reads and writes of roles, field by field.

Source: REST Role Definitions and Role Assignments, 2022-04-01.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from strongroom.access.authorization.assignments import AssignmentRequest
from strongroom.access.authorization.conditions import VERSION
from strongroom.access.authorization.definitions import RoleRequest, spelled_scopes
from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.access.identity.model import PrincipalType
from strongroom.errors import BadRequest
from strongroom.planes.management.answers import Time
from strongroom.planes.management.wire import Guid, Wire

DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
CUSTOM: Literal["CustomRole"] = "CustomRole"
BUILT_IN: Literal["BuiltInRole"] = "BuiltInRole"
PrincipalKind = Annotated[str, Meta(extra_json_schema={"enum": [each.value for each in PrincipalType]})]
ConditionVersion = Annotated[str, Meta(extra_json_schema={"enum": [VERSION]})]


class PermissionSet(Wire):
    """What a role allows, and what it takes away from itself."""

    actions: list[str] | None = None
    not_actions: list[str] | None = None
    data_actions: list[str] | None = None
    not_data_actions: list[str] | None = None
    condition: str | None = None
    condition_version: str | None = None


class RoleProperties(Wire):
    """What a custom role is asked to be."""

    role_name: str | None = None
    description: str | None = None
    type: Annotated[str, Meta(extra_json_schema={"enum": [CUSTOM]})] | None = None
    permissions: list[PermissionSet] | None = None
    assignable_scopes: list[str] | None = None


class RoleBody(Wire):
    """The body of a role definition's PUT."""

    properties: RoleProperties


class AssignmentProperties(Wire):
    """What a role assignment is asked to be."""

    role_definition_id: str
    principal_id: Guid
    principal_type: PrincipalKind | None = None
    description: str | None = None
    condition: str | None = None
    condition_version: ConditionVersion | None = None
    delegated_managed_identity_resource_id: None = None


class AssignmentBody(Wire):
    """The body of a role assignment's PUT."""

    properties: AssignmentProperties


class PermissionAnswer(Wire, kw_only=True):
    """What a role allows, and what it takes away from itself."""

    actions: list[str]
    not_actions: list[str]
    data_actions: list[str]
    not_data_actions: list[str]
    condition: str | None = None
    condition_version: str | None = None


class RoleAnswerProperties(Wire, kw_only=True):
    """What a role is."""

    role_name: str
    type: Literal["CustomRole", "BuiltInRole"]
    description: str
    assignable_scopes: list[str]
    permissions: list[PermissionAnswer]
    created_on: Time | None
    updated_on: Time | None
    created_by: str | None
    updated_by: str | None


class RoleAnswer(Wire, kw_only=True):
    """A role definition."""

    id: str
    name: str
    type: str = DEFINITIONS
    properties: RoleAnswerProperties


class AssignmentAnswerProperties(Wire, kw_only=True):
    """What a role assignment is."""

    role_definition_id: str
    principal_id: str
    principal_type: str
    scope: str
    condition: str | None
    condition_version: str | None
    created_on: Time
    updated_on: Time
    created_by: str | None
    updated_by: str | None
    delegated_managed_identity_resource_id: None = None
    description: str | None


class AssignmentAnswer(Wire, kw_only=True):
    """A role assignment."""

    id: str
    name: str
    type: str = ASSIGNMENTS
    properties: AssignmentAnswerProperties


def role_request(body: RoleBody) -> RoleRequest:
    """Return what a PUT asks a custom role to be; BadRequest for what no custom role is here."""
    asked = body.properties
    if asked.type is not None and asked.type.lower() != CUSTOM.lower():
        raise BadRequest("The type of a role that is made must be CustomRole.", code="InvalidRoleDefinitionType")
    permissions = asked.permissions or []
    if len(permissions) > 1:
        raise BadRequest(
            "A custom role has one set of permissions; put all its actions there.",
            code="InvalidRoleDefinitionPermissions",
        )
    allowed = permissions[0] if permissions else PermissionSet()
    if allowed.condition:
        raise BadRequest(
            "A custom role has no condition of its own; put it on the role assignments.",
            code="InvalidRoleDefinitionPermissions",
        )
    return RoleRequest(
        name=asked.role_name or "",
        description=asked.description or "",
        actions=tuple(allowed.actions or ()),
        not_actions=tuple(allowed.not_actions or ()),
        data_actions=tuple(allowed.data_actions or ()),
        not_data_actions=tuple(allowed.not_data_actions or ()),
        assignable_scopes=spelled_scopes(asked.assignable_scopes or ()),
    )


def assignment_request(body: AssignmentBody, scope: str, principal_type: PrincipalType) -> AssignmentRequest:
    """Return what a PUT asks an assignment at a scope to be."""
    asked = body.properties
    return AssignmentRequest(
        principal_id=asked.principal_id,
        role=asked.role_definition_id,
        scope=scope,
        principal_type=principal_type,
        condition=asked.condition,
        condition_version=asked.condition_version,
        description=asked.description,
    )


def role(value: RoleDefinition, place: str) -> RoleAnswer:
    """Return a role. place: the resource id of the subscription that it is shown in, "" for none."""
    return RoleAnswer(
        id=f"{place}/providers/{DEFINITIONS}/{value.role_id}",
        name=value.role_id,
        properties=RoleAnswerProperties(
            role_name=value.name,
            type=CUSTOM if value.custom else BUILT_IN,
            description=value.description,
            assignable_scopes=list(value.assignable_scopes),
            permissions=[permission(value)],
            created_on=wire_moment(value.created),
            updated_on=wire_moment(value.updated),
            created_by=value.created_by or None,
            updated_by=value.updated_by or None,
        ),
    )


def permission(value: RoleDefinition, condition: str | None = None) -> PermissionAnswer:
    """Return what a role allows. condition: that of the assignment, where the role has none of its own."""
    told = value.condition or condition
    return PermissionAnswer(
        actions=list(value.actions),
        not_actions=list(value.not_actions),
        data_actions=list(value.data_actions),
        not_data_actions=list(value.not_data_actions),
        condition=told,
        condition_version=None if told is None else VERSION,
    )


def assignment(value: RoleAssignment) -> AssignmentAnswer:
    """Return a role assignment."""
    scope = value.written or value.scope
    subscription = "/".join(scope.split("/")[:3]) if scope.lower().startswith("/subscriptions/") else ""
    created = wire_moment(value.created)
    assert created is not None  # each was made some time
    return AssignmentAnswer(
        id=f"{scope.rstrip('/')}/providers/{ASSIGNMENTS}/{value.assignment_id}",
        name=value.assignment_id,
        properties=AssignmentAnswerProperties(
            role_definition_id=f"{subscription}/providers/{DEFINITIONS}/{value.role_id}",
            principal_id=value.principal_id,
            principal_type=value.principal_type,
            scope=scope,
            condition=value.condition,
            condition_version=None if value.condition is None else VERSION,
            created_on=created,
            updated_on=wire_moment(value.updated) or created,
            created_by=value.created_by or None,
            updated_by=value.updated_by or None,
            description=value.description,
        ),
    )


def wire_moment(moment: datetime | None) -> str | None:
    """Return a time as the authorization API writes it: RFC 3339 with fractions of a second, UTC."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
