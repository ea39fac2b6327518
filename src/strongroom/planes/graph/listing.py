"""Lists and single objects: what `$filter` keeps, what `$select` shows, pages of `$top` behind opaque tokens."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta

from strongroom.errors import BadRequest, NotFound
from strongroom.planes.call import Call
from strongroom.planes.graph.filters import parse_filter
from strongroom.planes.graph.kinds import ODATA_TYPE, Found, Kind
from strongroom.planes.graph.wire import render
from strongroom.planes.http import Response
from strongroom.planes.operation import Parameter
from strongroom.planes.paging import next_link, open_skip_token

MAX_TOP = 999
PAGE_SIZE = 100
AT_ONCE = 250
REFUSED = frozenset({"$orderby", "$search", "$expand", "$skip", "$apply", "$compute"})
"""Options that would change the answer: where they are not heard they must not be swallowed."""

SELECT = Parameter(name="$select", kind=str, text="The properties that are wanted, with commas in between.")
PAGE = (
    Parameter(
        name="$filter",
        kind=str,
        text="What to keep: eq, ne, in, startswith, endswith and any, joined by and, or, not.",
    ),
    SELECT,
    Parameter(name="$top", kind=Annotated[int, Meta(ge=1, le=MAX_TOP)], text="How many items a page has at most."),
    Parameter(name="$skiptoken", kind=str, text="Where the page begins: taken from an `@odata.nextLink`."),
    Parameter(name="$count", kind=str, text="`true` for how many there are in all pages."),
)

Properties = dict[str, Any]
Place = tuple[str, str]


async def render_list(call: Call, kind: Kind, found: Iterable[Found]) -> Response:
    """Return the page of a list that the query asks for, of the caller's tenant, by display name."""
    require_heard(call)
    query = call.request.query
    keeps = _filter(query.get("$filter"), kind)
    shows = _selection(query.get("$select"), kind)
    top, after = _top(query.get("$top")), await _after(call)
    kept = await _kept(_of_tenant(call, found), kind, keeps)
    rest = sorted([each for each in kept if _place(each) > after], key=_place)
    body: Properties = {"@odata.context": context(call, kind.collection)}
    if query.get("$count", "").lower() == "true":
        body["@odata.count"] = len(kept)
    if len(rest) > top:
        name, id_ = _place(rest[top - 1])
        body["@odata.nextLink"] = await next_link(call, {"name": name, "id": id_})
    return render(body | {"value": [shows(each) for each in rest[:top]]})


async def _kept(found: Iterable[Found], kind: Kind, keeps: Callable[[Properties], bool]) -> list[Properties]:
    """Return the properties of what passes a filter; other requests are served in between."""
    kept = []
    for number, each in enumerate(found, 1):
        properties = kind.properties(each)
        if keeps(properties):
            kept.append(properties)
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    return kept


def render_one(call: Call, kind: Kind, found: Found | None, name: str) -> Response:
    """Return an object; NotFound when there is none of that name in the caller's tenant."""
    require_heard(call)
    shows = _selection(call.request.query.get("$select"), kind)
    return render(
        {"@odata.context": context(call, f"{kind.collection}/$entity")}
        | shows(kind.properties(require_own(call, found, name)))
    )


def require_own(call: Call, found: Any, name: str) -> Any:
    """Return an object that was found in the caller's tenant; NotFound (Request_ResourceNotFound) else."""
    if found is None or found.tenant_id != call.known_caller().tenant_id:
        raise NotFound(
            f"Resource '{name}' does not exist or one of its queried reference-property objects are not present.",
            code="Request_ResourceNotFound",
        )
    return found


def require_heard(call: Call) -> None:
    """Raise BadRequest for an option of the query that is not there."""
    unheard = sorted(REFUSED & call.request.query.keys())
    if unheard:
        raise BadRequest(f"The query option '{unheard[0]}' is not supported here.", code="Request_UnsupportedQuery")


def context(call: Call, what: str) -> str:
    """Return what `@odata.context` says of an answer."""
    return f"{call.request.base}/v1.0/$metadata#{what}"


def _of_tenant(call: Call, found: Iterable[Found]) -> Sequence[Found]:
    tenant_id = call.known_caller().tenant_id
    return [each for each in found if each.tenant_id == tenant_id]


def _filter(text: str | None, kind: Kind) -> Callable[[Mapping[str, Any]], bool]:
    return (lambda _: True) if text is None else parse_filter(text, kind.names)


def _selection(text: str | None, kind: Kind) -> Callable[[Properties], Properties]:
    """Return what takes an object down to the properties that were asked for, or that are told unasked."""
    if text is None:
        return kind.shown
    names = kind.names
    asked = [each.strip().lower() for each in text.split(",")]
    unknown = [each for each in asked if each not in names]
    if unknown:
        raise BadRequest(
            f"Could not find a property named '{unknown[0]}' on type 'microsoft.graph.{kind.word}'.", code="BadRequest"
        )
    wanted = frozenset((ODATA_TYPE, *(names[each] for each in asked)))
    return lambda found: {name: value for name, value in found.items() if name in wanted}


def _top(text: str | None) -> int:
    if text is None:
        return PAGE_SIZE
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_TOP)) and 1 <= int(text) <= MAX_TOP):
        raise BadRequest(
            f"Invalid page size specified: '{text}'. Must be between 1 and {MAX_TOP} inclusive.", code="BadRequest"
        )
    return int(text)


def _place(found: Properties) -> Place:
    return str(found["displayName"]).lower(), str(found["id"])


async def _after(call: Call) -> Place:
    try:
        payload = await open_skip_token(call)
    except BadRequest as error:
        raise BadRequest(error.message, code="Directory_ExpiredPageToken") from None
    return str(payload.get("name", "")), str(payload.get("id", ""))
