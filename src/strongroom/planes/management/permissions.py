"""What may I do here, and what could anybody be allowed? The caller's own permissions, and the actions of providers.

Deny assignments and classic administrators there are none of, and whoever lists them is told so.
Source: REST Permissions, Deny Assignments, Provider Operations Metadata, Classic Administrators.
"""

from functools import partial

from strongroom.access.authorization.actions import (
    KNOWN_ACTIONS,
    KNOWN_DATA_ACTIONS,
    NETWORK_ACTIONS,
    NETWORK_PROVIDER,
    PROVIDER,
)
from strongroom.access.authorization.evaluation import ancestors
from strongroom.errors import NotFound
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import answers, rolewire
from strongroom.planes.management.answers import Page, render_list
from strongroom.planes.management.places import PLACES, SUBSCRIPTION
from strongroom.planes.management.scopes import get_scope
from strongroom.planes.management.wire import Wire, render
from strongroom.planes.operation import Operation, Parameter

AUTHORIZATION = "/providers/Microsoft.Authorization"
GRANTED = {
    PROVIDER: ("Microsoft Key Vault", KNOWN_ACTIONS, KNOWN_DATA_ACTIONS),
    NETWORK_PROVIDER: ("Microsoft Network", NETWORK_ACTIONS, ()),
}
"""Providers with actions that roles grant here: their shown name, actions, and data actions."""
EXPAND = Parameter(name="$expand", kind=str, text="`resourceTypes`: what is told in any case.")


class ProviderOperation(Wire, kw_only=True):
    """An action that roles may grant."""

    name: str
    display_name: str
    description: str
    is_data_action: bool


class OperationsType(Wire, kw_only=True):
    """The actions on one type of resource."""

    name: str
    display_name: str
    operations: list[ProviderOperation]


class ProviderOperations(Wire, kw_only=True):
    """The actions of one provider, by type of resource."""

    id: str
    name: str
    type: str = "Microsoft.Authorization/providerOperations"
    display_name: str
    resource_types: list[OperationsType]
    operations: list[ProviderOperation]


async def list_permissions(call: Call) -> Response:
    """List what the caller's roles allow at a scope: a set for each role, and with a condition where it has one."""
    caller, roles = call.known_caller(), await call.stores.roles.roles()
    places = ancestors((await get_scope(call)).path)
    held = await call.stores.assignments.held_by(caller.object_id, caller.principals)
    found = {
        (role, assignment.condition): rolewire.permission(role, assignment.condition)
        for holdings in held
        for place in places
        for assignment in holdings.by_scope.get(place, ())
        if (role := roles.find(assignment.role_id)) is not None
    }
    return render_list(list(found.values()))


async def list_none(call: Call) -> Response:
    """List nothing, of a scope that is there."""
    await get_scope(call)
    return render(answers.EmptyPage())


async def get_denial(call: Call) -> Response:
    """Find nothing."""
    raise NotFound(f"The deny assignment '{call.parameters['denial']}' is not found.", code="DenyAssignmentNotFound")


async def list_provider_operations(call: Call) -> Response:  # noqa: ARG001 - the same for everyone
    """List the actions that roles may grant, of every provider that has some here."""
    return render_list([_operations_of(name) for name in GRANTED])


async def get_provider_operations(call: Call) -> Response:
    """Return the actions of a provider; NotFound (ProviderNotFound) for one that has none here."""
    asked = call.parameters["namespace"]
    found = next((name for name in GRANTED if name.lower() == asked.lower()), None)
    if found is None:
        raise NotFound(f"Provider '{asked}' not found.", code="ProviderNotFound")
    return render(_operations_of(found))


def _operations_of(provider: str) -> ProviderOperations:
    found: dict[str, list[ProviderOperation]] = {}
    shown, control, data_actions = GRANTED[provider]
    for actions, data in ((control, False), (data_actions, True)):
        for action in actions:
            kind, verb = _split(action)
            told = ProviderOperation(name=action, display_name=verb, description=action, is_data_action=data)
            found.setdefault(kind, []).append(told)
    own = found.pop("", [])
    return ProviderOperations(
        id=f"{AUTHORIZATION}/providerOperations/{provider}",
        name=provider,
        display_name=shown,
        resource_types=[OperationsType(name=kind, display_name=kind, operations=each) for kind, each in found.items()],
        operations=own,
    )


def _split(action: str) -> tuple[str, str]:
    """Return the type of resource of an action, "" for the provider's own, and what is done."""
    segments = action.split("/")[1:]
    verbs = 2 if segments[-1] == "action" else 1
    return "/".join(segments[:-verbs]), "/".join(segments[-verbs:])


def _read(name: str) -> str:
    return f"Microsoft.Authorization/{name}/read"


GET = partial(Operation, method="GET")
DENIALS = partial(GET, needs=_read("denyAssignments"), log=_read("denyAssignments"))

OPERATIONS = (
    *(
        GET(
            path=f"{PLACES[name]}{AUTHORIZATION}/permissions",
            handler=list_permissions,
            needs=_read("permissions"),
            log=_read("permissions"),
            gives=Page[rolewire.PermissionAnswer],
            name=f"list_permissions_at_{name}",
        )
        for name in ("group", "vault")
    ),
    *(
        DENIALS(
            path=f"{place}{AUTHORIZATION}/denyAssignments",
            handler=list_none,
            gives=answers.EmptyPage,
            name=f"list_denials_at_{name}",
        )
        for name, place in PLACES.items()
    ),
    *(
        DENIALS(
            path=f"{place}{AUTHORIZATION}/denyAssignments/{{denial}}",
            handler=get_denial,
            gives=None,
            success=(),
            name=f"get_denial_at_{name}",
        )
        for name, place in PLACES.items()
    ),
    GET(
        path=f"{SUBSCRIPTION}{AUTHORIZATION}/classicAdministrators",
        handler=list_none,
        needs=_read("classicAdministrators"),
        log=_read("classicAdministrators"),
        gives=answers.EmptyPage,
        name="list_classic_administrators",
    ),
    GET(
        path=f"{AUTHORIZATION}/providerOperations",
        handler=list_provider_operations,
        log=_read("providerOperations"),
        gives=Page[ProviderOperations],
        query=(EXPAND,),
    ),
    GET(
        path=f"{AUTHORIZATION}/providerOperations/{{namespace}}",
        handler=get_provider_operations,
        log=_read("providerOperations"),
        gives=ProviderOperations,
        query=(EXPAND,),
    ),
)
