"""What the Graph plane reads and writes, field by field: the only place that knows these names.

Each property may be left out, since clients choose with `$select`. Sources: Microsoft Graph v1.0, resource types user,
group, servicePrincipal, application, directoryObject, organization.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from strongroom.access.identity.model import Application, Group, Tenant, User
from strongroom.clock import whole_seconds
from strongroom.ids import GUID
from strongroom.planes.http import JSON, Headers, Response
from strongroom.planes.openapi import bounds_of

T = TypeVar("T")

MAX_IDS = 1000
MAX_CHECKED = 20
NICKNAME_LENGTH = 10

Guid = Annotated[str, Meta(extra_json_schema=bounds_of(GUID) | {"format": "uuid"})]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Nothing = tuple[()]

_encode = msgspec.json.Encoder().encode


class Wire(msgspec.Struct, rename="camel", kw_only=True):
    """A wire object whose names are written in camel case."""


class InnerError(Wire, kw_only=True):
    """When a request was refused, and its ids."""

    date: str
    request_id: str = field(name="request-id")
    client_request_id: str = field(name="client-request-id")


class ErrorAnswer(Wire, kw_only=True):
    """A refusal: its code for programs, its message for people."""

    code: str
    message: str
    inner_error: InnerError


class ErrorBody(Wire, kw_only=True):
    """The body of every refusal."""

    error: ErrorAnswer


class Entity(Wire, kw_only=True):
    """An object of the directory. `@odata.type` says its kind where a list has several."""

    odata_context: str | UnsetType = field(default=UNSET, name="@odata.context")
    odata_type: str | UnsetType = field(default=UNSET, name="@odata.type")
    id: str | UnsetType = UNSET
    display_name: str | UnsetType = UNSET


class UserAnswer(Entity, kw_only=True):
    """A user."""

    deleted_date_time: UnsetType | None = UNSET
    account_enabled: bool | UnsetType = UNSET
    business_phones: Nothing | UnsetType = UNSET
    created_date_time: Time | UnsetType = UNSET
    given_name: UnsetType | None = UNSET
    job_title: UnsetType | None = UNSET
    mail: str | UnsetType | None = UNSET
    mail_nickname: str | UnsetType = UNSET
    mobile_phone: UnsetType | None = UNSET
    office_location: UnsetType | None = UNSET
    preferred_language: UnsetType | None = UNSET
    surname: UnsetType | None = UNSET
    user_principal_name: str | UnsetType = UNSET
    user_type: Literal["Member"] | UnsetType = UNSET


class GroupAnswer(Entity, kw_only=True):
    """A group; every one is a security group."""

    deleted_date_time: UnsetType | None = UNSET
    classification: UnsetType | None = UNSET
    created_date_time: Time | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    group_types: Nothing | UnsetType = UNSET
    is_assignable_to_role: UnsetType | None = UNSET
    mail: UnsetType | None = UNSET
    mail_enabled: Literal[False] | UnsetType = UNSET
    mail_nickname: str | UnsetType = UNSET
    membership_rule: UnsetType | None = UNSET
    on_premises_sync_enabled: UnsetType | None = UNSET
    proxy_addresses: Nothing | UnsetType = UNSET
    security_enabled: Literal[True] | UnsetType = UNSET
    visibility: UnsetType | None = UNSET


class ServicePrincipalAnswer(Entity, kw_only=True):
    """A service principal. Its credentials are not told."""

    deleted_date_time: UnsetType | None = UNSET
    account_enabled: bool | UnsetType = UNSET
    alternative_names: Nothing | UnsetType = UNSET
    app_display_name: str | UnsetType = UNSET
    app_id: str | UnsetType = UNSET
    app_owner_organization_id: str | UnsetType = UNSET
    app_role_assignment_required: Literal[False] | UnsetType = UNSET
    app_roles: Nothing | UnsetType = UNSET
    created_date_time: Time | UnsetType = UNSET
    homepage: UnsetType | None = UNSET
    key_credentials: Nothing | UnsetType = UNSET
    oauth2_permission_scopes: Nothing | UnsetType = UNSET
    password_credentials: Nothing | UnsetType = UNSET
    reply_urls: Nothing | UnsetType = UNSET
    service_principal_names: list[str] | UnsetType = UNSET
    service_principal_type: Literal["Application"] | UnsetType = UNSET
    sign_in_audience: Literal["AzureADMyOrg"] | UnsetType = UNSET
    tags: Nothing | UnsetType = UNSET


class ApplicationAnswer(Entity, kw_only=True):
    """An application; its id is its service principal's. Its credentials are not told."""

    deleted_date_time: UnsetType | None = UNSET
    app_id: str | UnsetType = UNSET
    app_roles: Nothing | UnsetType = UNSET
    created_date_time: Time | UnsetType = UNSET
    identifier_uris: Nothing | UnsetType = UNSET
    key_credentials: Nothing | UnsetType = UNSET
    password_credentials: Nothing | UnsetType = UNSET
    publisher_domain: UnsetType | None = UNSET
    required_resource_access: Nothing | UnsetType = UNSET
    sign_in_audience: Literal["AzureADMyOrg"] | UnsetType = UNSET
    tags: Nothing | UnsetType = UNSET


class DirectoryObject(Entity, kw_only=True):
    """A user, a group or a service principal; it has the properties of its kind."""


class Domain(Wire, kw_only=True):
    """A domain of the tenant."""

    name: str
    is_default: bool = True
    is_initial: bool = True
    type: Literal["Managed"] = "Managed"
    capabilities: str = ""


class Organization(Entity, kw_only=True):
    """The tenant."""

    created_date_time: Time | UnsetType = UNSET
    deleted_date_time: UnsetType | None = UNSET
    tenant_type: Literal["AAD"] | UnsetType = UNSET
    verified_domains: list[Domain] | UnsetType = UNSET


class Page(Wire, Generic[T], kw_only=True):
    """A page of a list; without `@odata.nextLink` it is the last one."""

    odata_context: str = field(name="@odata.context")
    odata_count: int | UnsetType = field(default=UNSET, name="@odata.count")
    odata_next_link: str | UnsetType = field(default=UNSET, name="@odata.nextLink")
    value: list[T]


class IdsBody(Wire, kw_only=True):
    """Which objects are asked for, and of which kinds: all when none is said."""

    ids: Annotated[list[Guid], Meta(extra_json_schema={"maxItems": MAX_IDS})]
    types: list[str] | None = None


class CheckBody(Wire, kw_only=True):
    """Which groups are asked about."""

    group_ids: Annotated[list[Guid], Meta(extra_json_schema={"maxItems": MAX_CHECKED})]


class GroupsBody(Wire, kw_only=True):
    """Whether only security groups count; every group is one."""

    security_enabled_only: bool | None = None


def render(body: Any, status: int = 200, headers: Headers = ()) -> Response:
    """Return a body as an answer with `headers` beside its content type."""
    return Response(status, _encode(body), (JSON, *headers))


def wire_time(moment: datetime) -> str:
    """Return a time as Graph writes it."""
    return f"{whole_seconds(moment):%Y-%m-%dT%H:%M:%SZ}"


def user_answer(user: User) -> UserAnswer:
    """Return a user with all its properties."""
    return UserAnswer(
        id=user.object_id,
        display_name=user.display_name,
        deleted_date_time=None,
        account_enabled=user.enabled,
        business_phones=(),
        created_date_time=wire_time(user.created),
        given_name=None,
        job_title=None,
        mail=user.mail,
        mail_nickname=user.user_principal_name.partition("@")[0],
        mobile_phone=None,
        office_location=None,
        preferred_language=None,
        surname=None,
        user_principal_name=user.user_principal_name,
        user_type="Member",
    )


def group_answer(group: Group) -> GroupAnswer:
    """Return a group with all its properties."""
    return GroupAnswer(
        id=group.object_id,
        display_name=group.display_name,
        deleted_date_time=None,
        classification=None,
        created_date_time=wire_time(group.created),
        description=group.description or None,
        group_types=(),
        is_assignable_to_role=None,
        mail=None,
        mail_enabled=False,
        mail_nickname=group.object_id[:NICKNAME_LENGTH],
        membership_rule=None,
        on_premises_sync_enabled=None,
        proxy_addresses=(),
        security_enabled=True,
        visibility=None,
    )


def service_principal_answer(application: Application) -> ServicePrincipalAnswer:
    """Return the service principal of an application with all its properties."""
    return ServicePrincipalAnswer(
        id=application.object_id,
        display_name=application.display_name,
        deleted_date_time=None,
        account_enabled=application.enabled,
        alternative_names=(),
        app_display_name=application.display_name,
        app_id=application.app_id,
        app_owner_organization_id=application.tenant_id,
        app_role_assignment_required=False,
        app_roles=(),
        created_date_time=wire_time(application.created),
        homepage=None,
        key_credentials=(),
        oauth2_permission_scopes=(),
        password_credentials=(),
        reply_urls=(),
        service_principal_names=[application.app_id],
        service_principal_type="Application",
        sign_in_audience="AzureADMyOrg",
        tags=(),
    )


def application_answer(application: Application) -> ApplicationAnswer:
    """Return an application with all its properties."""
    return ApplicationAnswer(
        id=application.object_id,
        display_name=application.display_name,
        deleted_date_time=None,
        app_id=application.app_id,
        app_roles=(),
        created_date_time=wire_time(application.created),
        identifier_uris=(),
        key_credentials=(),
        password_credentials=(),
        publisher_domain=None,
        required_resource_access=(),
        sign_in_audience="AzureADMyOrg",
        tags=(),
    )


def organization(tenant: Tenant, domain: str) -> Organization:
    """Return a tenant with all its properties."""
    return Organization(
        id=tenant.tenant_id,
        display_name=tenant.display_name,
        created_date_time=wire_time(tenant.created),
        deleted_date_time=None,
        tenant_type="AAD",
        verified_domains=[Domain(name=domain)],
    )
