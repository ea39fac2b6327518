"""Users, groups, service principals, applications, the tenant: each found by its names, each listed."""

import re
from functools import partial

from strongroom.access.identity.directory import Directory
from strongroom.access.identity.model import Application, Group, User
from strongroom.errors import BadRequest
from strongroom.planes.call import Call
from strongroom.planes.graph import wire
from strongroom.planes.graph.kinds import ANY, APPLICATION, GROUP, SERVICE_PRINCIPAL, USER, Kind
from strongroom.planes.graph.listing import PAGE, SELECT, context, render_list, render_one, require_heard
from strongroom.planes.http import Response
from strongroom.planes.operation import Operation

BY_APPLICATION_ID = re.compile(r"(servicePrincipals|applications)\(appId='([^']*)'\)\Z", re.ASCII | re.IGNORECASE)


async def list_users(call: Call) -> Response:
    """List the users."""
    return await render_list(call, USER, await call.stores.identity.list_users())


async def get_user(call: Call) -> Response:
    """Return a user by object id or principal name."""
    return render_one(call, USER, await find_user(call), call.parameters["user"])


async def get_me(_call: Call) -> Response:
    """Return the user who asks: nobody yet, since only applications sign in."""
    raise BadRequest("/me request is only valid with delegated authentication flow.", code="BadRequest")


async def list_groups(call: Call) -> Response:
    """List the groups."""
    return await render_list(call, GROUP, await call.stores.identity.list_groups())


async def get_group(call: Call) -> Response:
    """Return a group."""
    return render_one(call, GROUP, await find_group(call), call.parameters["group"])


async def list_service_principals(call: Call) -> Response:
    """List the service principals."""
    return await render_list(call, SERVICE_PRINCIPAL, await call.stores.identity.list_applications())


async def get_service_principal(call: Call) -> Response:
    """Return a service principal by object id."""
    return render_one(call, SERVICE_PRINCIPAL, await find_service_principal(call), call.parameters["servicePrincipal"])


async def list_applications(call: Call) -> Response:
    """List the applications."""
    return await render_list(call, APPLICATION, await call.stores.identity.list_applications())


async def get_application(call: Call) -> Response:
    """Return an application by object id."""
    wanted = call.parameters["application"]
    return render_one(call, APPLICATION, await call.stores.identity.find_principal(wanted), wanted)


async def get_named(call: Call) -> Response:
    """Return a service principal or an application by its application id.

    The path is `servicePrincipals(appId='…')` or `applications(appId='…')`; any other names nothing.
    """
    segment = call.parameters["entity"]
    found = BY_APPLICATION_ID.match(segment)
    if found is None:
        raise no_segment(segment)
    kind: Kind = APPLICATION if found.group(1).lower() == "applications" else SERVICE_PRINCIPAL
    return render_one(call, kind, await call.stores.identity.find_application(found.group(2)), found.group(2))


async def get_object(call: Call) -> Response:
    """Return a user, a group or a service principal by object id."""
    return render_one(call, ANY, await find_object(call), call.parameters["object"])


async def list_organizations(call: Call) -> Response:
    """List the tenant of who asks."""
    require_heard(call)
    caller = call.known_caller()
    tenants = [t for t in await call.stores.identity.list_tenants() if t.tenant_id == caller.tenant_id]
    page = wire.Page(
        odata_context=context(call, "organization"), value=[wire.organization(each, call.domain) for each in tenants]
    )
    return wire.render(page)


async def find_user(call: Call) -> User | None:
    """Return the user that the path names, by object id or principal name."""
    wanted, identity = call.parameters["user"], call.stores.identity
    return await identity.find_user(wanted) or await identity.find_user_named(wanted)


async def find_group(call: Call) -> Group | None:
    """Return the group that the path names."""
    return await call.stores.identity.find_group(call.parameters["group"])


async def find_service_principal(call: Call) -> Application | None:
    """Return the application whose service principal the path names."""
    return await call.stores.identity.find_principal(call.parameters["servicePrincipal"])


async def find_object(call: Call) -> User | Group | Application | None:
    """Return the user, group or service principal that the path names."""
    return await Directory(call.stores.identity).find_object(call.parameters["object"])


def no_segment(segment: str) -> BadRequest:
    """Return what is answered where a path names nothing."""
    return BadRequest(f"Resource not found for the segment '{segment}'.", code="BadRequest")


LIST = partial(Operation, method="GET", query=PAGE)
GET = partial(Operation, method="GET", query=(SELECT,))

OPERATIONS = (
    LIST(
        path="/v1.0/users", handler=list_users, log="Microsoft.Directory/users/read", gives=wire.Page[wire.UserAnswer]
    ),
    GET(path="/v1.0/users/{user}", handler=get_user, log="Microsoft.Directory/users/read", gives=wire.UserAnswer),
    Operation(
        method="GET", path="/v1.0/me", handler=get_me, log="Microsoft.Directory/users/read", gives=None, success=()
    ),
    LIST(
        path="/v1.0/groups",
        handler=list_groups,
        log="Microsoft.Directory/groups/read",
        gives=wire.Page[wire.GroupAnswer],
    ),
    GET(path="/v1.0/groups/{group}", handler=get_group, log="Microsoft.Directory/groups/read", gives=wire.GroupAnswer),
    LIST(
        path="/v1.0/servicePrincipals",
        handler=list_service_principals,
        log="Microsoft.Directory/servicePrincipals/read",
        gives=wire.Page[wire.ServicePrincipalAnswer],
    ),
    GET(
        path="/v1.0/servicePrincipals/{servicePrincipal}",
        handler=get_service_principal,
        log="Microsoft.Directory/servicePrincipals/read",
        gives=wire.ServicePrincipalAnswer,
    ),
    LIST(
        path="/v1.0/applications",
        handler=list_applications,
        log="Microsoft.Directory/applications/read",
        gives=wire.Page[wire.ApplicationAnswer],
    ),
    GET(
        path="/v1.0/applications/{application}",
        handler=get_application,
        log="Microsoft.Directory/applications/read",
        gives=wire.ApplicationAnswer,
    ),
    GET(
        path="/v1.0/{entity}",
        handler=get_named,
        log="Microsoft.Directory/servicePrincipals/read",
        gives=wire.DirectoryObject,
        name="get_by_application_id",
    ),
    GET(
        path="/v1.0/directoryObjects/{object}",
        handler=get_object,
        log="Microsoft.Directory/directoryObjects/read",
        gives=wire.DirectoryObject,
    ),
    Operation(
        method="GET",
        path="/v1.0/organization",
        handler=list_organizations,
        log="Microsoft.Directory/organization/read",
        gives=wire.Page[wire.Organization],
    ),
)
