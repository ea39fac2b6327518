"""Locks on subscriptions, resource groups and vaults: parse, make one call, render."""

from functools import partial
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from strongroom.errors import BadRequest, NotFound
from strongroom.ids import Scope
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import answers
from strongroom.planes.management.listing import PAGE, page
from strongroom.planes.management.places import RESOURCE_PLACES, author, subscription_id
from strongroom.planes.management.scopes import get_place, id_of
from strongroom.planes.management.wire import Wire, render
from strongroom.planes.operation import Operation, Parameter
from strongroom.resources.locks import (
    MAX_NOTES,
    MAX_OWNERS,
    Level,
    Lock,
    require_level,
    require_lock_name,
    require_notes,
    require_room,
)
from strongroom.resources.service import touched

LOCK_TYPE = "Microsoft.Authorization/locks"
EXTENSION = "/providers/Microsoft.Authorization/locks"
AT_SCOPE = "atscope()"
LevelName = Annotated[str, Meta(extra_json_schema={"enum": [level.value for level in Level]})]
Notes = Annotated[str, Meta(extra_json_schema={"maxLength": MAX_NOTES})]


class Owner(Wire):
    """An application that a lock belongs to."""

    application_id: str


Owners = Annotated[list[Owner], Meta(extra_json_schema={"maxItems": MAX_OWNERS})]


class LockProperties(Wire):
    """What a lock is asked to be."""

    level: LevelName
    notes: Notes | None = None
    owners: Owners | None = None


class LockBody(Wire):
    """The body of a lock's PUT."""

    properties: LockProperties


class LockAnswerProperties(Wire, kw_only=True):
    """What a lock is."""

    level: str
    notes: str | UnsetType = UNSET
    owners: list[Owner] | UnsetType = UNSET


class LockAnswer(Wire, kw_only=True):
    """A lock."""

    id: str
    type: str = LOCK_TYPE
    name: str
    properties: LockAnswerProperties
    system_data: answers.SystemDataAnswer


async def put(call: Call) -> Response:
    """Set a lock, or change the one of that name."""
    asked = call.body.properties
    owners = tuple([owner.application_id for owner in asked.owners or ()])
    require_notes(asked.notes, owners)
    scope = id_of(await get_place(call))
    before = await _find(call, scope)
    if before is None:
        require_room(await call.stores.locks.list_in(subscription_id(call)), scope)
    lock = Lock(
        subscription_id=subscription_id(call),
        scope=scope,
        name=before.name if before else call.parameters["lock"],
        level=require_level(asked.level),
        notes=asked.notes,
        owners=owners,
        system_data=touched(before.system_data if before else None, author(call.known_caller()), call.now),
    )
    await call.stores.locks.put(lock)
    call.notes["lockLevel"] = lock.level.value
    return render(_lock(lock), 200 if before else 201)


async def get(call: Call) -> Response:
    """Return a lock."""
    found = await _find(call, id_of(await get_place(call)))
    if found is None:
        raise NotFound(f"The lock '{call.parameters['lock']}' could not be found.", code="LockNotFound")
    return render(_lock(found))


async def delete(call: Call) -> Response:
    """Remove a lock; 204 when there is none."""
    found = await _find(call, id_of(await get_place(call)))
    if found is None:
        return Response(204)
    await call.stores.locks.remove(found.scope, found.name)
    call.notes["lockLevel"] = found.level.value
    return Response(200)


async def list_locks(call: Call) -> Response:
    """List the locks that count at a scope: those on it, above it and, unless only `atScope()` is asked for, below."""
    asked = call.request.query.get("$filter", "").strip().lower()
    if asked not in {"", AT_SCOPE}:
        raise BadRequest(f"The filter '{asked}' is not supported; use atScope().", code="InvalidFilterInQueryString")
    scope = Scope.parse(id_of(await get_place(call)))
    found = [
        lock
        for lock in await call.stores.locks.list_in(subscription_id(call))
        if scope.within(Scope.parse(lock.scope)) or (not asked and Scope.parse(lock.scope).within(scope))
    ]
    return await page(call, found, _id_of_lock, _lock)


async def _find(call: Call, scope: str) -> Lock | None:
    key = (scope.lower(), require_lock_name(call.parameters["lock"]).lower())
    locks = await call.stores.locks.list_in(subscription_id(call))
    return next((lock for lock in locks if (lock.scope.lower(), lock.name.lower()) == key), None)


def _id_of_lock(value: Lock) -> str:
    return f"{value.scope}{EXTENSION}/{value.name}"


def _lock(value: Lock) -> LockAnswer:
    return LockAnswer(
        id=_id_of_lock(value),
        name=value.name,
        properties=LockAnswerProperties(
            level=value.level.value,
            notes=value.notes if value.notes is not None else UNSET,
            owners=[Owner(application_id=owner) for owner in value.owners] or UNSET,
        ),
        system_data=answers.system_data(value.system_data),
    )


FILTER = Parameter(name="$filter", kind=str, text="`atScope()`: no locks below the scope.")


def _rows(path: str, kind: str) -> tuple[Operation, ...]:
    row: Any = partial(_row, kind)
    one = path + "/{lock}"
    return (
        row("PUT", one, put, "write", takes=LockBody, gives=LockAnswer, success=(200, 201), refuses=(409,)),
        row("GET", one, get, "read", gives=LockAnswer),
        row("DELETE", one, delete, "delete", gives=None, success=(200, 204)),
        row("GET", path, list_locks, "read", gives=answers.Page[LockAnswer], query=(*PAGE, FILTER), name="list_locks"),
    )


def _row(kind: str, method: str, path: str, handler: Any, verb: str, **said: Any) -> Operation:
    name = said.pop("name", f"{handler.__name__}_lock")
    action = f"{LOCK_TYPE}/{verb}"
    said |= {"needs": action, "log": action, "name": f"{name}_of_{kind}", "changes": verb != "read"}
    return Operation(method=method, path=path, handler=handler, **said)


OPERATIONS = tuple(row for kind, path in RESOURCE_PLACES.items() for row in _rows(path + EXTENSION, kind))
