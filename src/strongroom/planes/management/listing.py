"""Lists: pages of `$top` items behind opaque tokens."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from msgspec import Meta

from strongroom.errors import BadRequest
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import answers
from strongroom.planes.operation import Parameter
from strongroom.planes.paging import next_link, open_skip_token
from strongroom.resources.networks.model import VirtualNetwork
from strongroom.resources.networks.store import key_of_network
from strongroom.vaults.model import Vault

T = TypeVar("T")

Located = Vault | VirtualNetwork
L = TypeVar("L", bound=Located)
Keep = Callable[[Sequence[L]], Sequence[L]]
Read = Callable[[str, int], Awaitable[Sequence[L]]]
READ_AT_LEAST = 50

MAX_TOP = 1000
PAGE = (
    Parameter(
        name="$top",
        kind=Annotated[int, Meta(ge=1, le=MAX_TOP)],
        text="How many items a page has at most; all unless said.",
    ),
    Parameter(name="$skiptoken", kind=str, text="Where the page begins: taken from a `nextLink`, never made up."),
)
FILTER = Parameter(
    name="$filter",
    kind=str,
    text="What to keep: `field eq 'value'` and `ne`, `substringof('value', name)`, `startswith(tagName, 'value')`, "
    "joined by `and` and `or`.",
)


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a list that a query asks for: up to `top` items past the name `after` (in lower case)."""

    after: str
    top: int

    @property
    def enough(self) -> int:
        """How many items tell what the page shows and whether there are more."""
        return self.top + 1


async def read_window(call: Call) -> Window:
    """Return what the query asks for; BadRequest for a number or a token that is none."""
    top = _top(call.request.query.get("$top"))
    return Window(str((await open_skip_token(call)).get("after", "")), top)


async def page(
    call: Call, items: Sequence[T], name_of: Callable[[T], str], write: Callable[[T], dict[str, Any] | Any]
) -> Response:
    """Return the page of `items` (in the order of their names) that the query asks for, with a link to the next."""
    window = await read_window(call)
    rest = sorted(
        [item for item in items if name_of(item).lower() > window.after], key=lambda item: name_of(item).lower()
    )
    return await page_of(call, window, rest, name_of, write)


async def page_of(
    call: Call,
    window: Window,
    rest: Sequence[T],
    name_of: Callable[[T], str],
    write: Callable[[T], dict[str, Any] | Any],
) -> Response:
    """Return the page of a list. rest: what comes in it past `window.after`, all of it or enough."""
    shown = rest[: window.top]
    link = await next_link(call, {"after": name_of(shown[-1]).lower()}) if len(shown) < len(rest) else None
    return answers.render_list([write(item) for item in shown], link)


def key_of(resource: Located) -> str:
    """Return what lists of resources are ordered by; no two of a subscription have the same."""
    return resource.name.lower() if isinstance(resource, Vault) else key_of_network(resource)


async def read_enough(window: Window, read: Read[L], keep: Keep[L] | None = None) -> list[L]:
    """Return resources past `window.after`, enough for the page; as many are read as that takes.

    read: returns those past a key, by `key_of`, so many or all there are. keep: returns those of some that the list
    has, all of them if there is none; of few that are wanted many may have to be read.
    """
    found: list[L] = []
    after: str | None = window.after
    limit = window.enough
    while after is not None and len(found) < window.enough:
        several = await read(after, limit)
        found += keep(several) if keep else several
        after = key_of(several[-1]) if len(several) == limit else None
        limit = max(limit, READ_AT_LEAST)
    return found


def _top(text: str | None) -> int:
    if text is None:
        return MAX_TOP
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_TOP)) and 1 <= int(text) <= MAX_TOP):
        raise BadRequest(f"The value '{text}' of $top is not a number from 1 to {MAX_TOP}.", code="InvalidTopValue")
    return int(text)
