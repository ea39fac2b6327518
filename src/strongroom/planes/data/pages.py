"""Pages of a list: `maxresults`, and the link to the next page with its opaque, authenticated token.

A token is bound to the vault and the collection it was made for; it says where the next page begins and nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from msgspec import Meta

from strongroom.errors import BadRequest
from strongroom.objects.model import Held, V
from strongroom.planes.call import Call
from strongroom.planes.http import JSON, Response
from strongroom.planes.operation import Parameter
from strongroom.planes.paging import open_token, paging_key, seal_token
from strongroom.vaults.model import Vault

WritePage = Callable[[str, Vault, Iterable[Held[V]], str | None], bytes]

LARGEST_PAGE = 25
SKIP_TOKEN = "$skiptoken"  # noqa: S105 - a query parameter, no password
PAGE = (
    Parameter(
        name="maxresults",
        kind=Annotated[int, Meta(ge=1, le=LARGEST_PAGE)],
        text=f"How many items a page has at most; {LARGEST_PAGE} unless said.",
    ),
    Parameter(name=SKIP_TOKEN, kind=str, text="Where the page begins: taken from a `nextLink`, never made up."),
)


@dataclass(frozen=True, slots=True)
class Page:
    """The page that a request asks for: at most `limit` items, past the item `after`."""

    call: Call
    path: str
    limit: int
    after: str | None

    async def link_after(self, last: str) -> str:
        """Return the URL of the page that begins past the item `last`."""
        request = self.call.request
        key = await paging_key(self.call.stores.keyring)
        token = seal_token(self.call.custodian, key, _scope(self.call, self.path), {"after": last})
        version = quote(request.api_version, safe="")
        return f"{request.base}{self.path}?api-version={version}&{SKIP_TOKEN}={token}&maxresults={self.limit}"

    async def answer(self, found: Sequence[Held[V]], write: "WritePage[V]", mark: Callable[[Held[V]], str]) -> Response:
        """Return the page that begins with what was found, which is one more than the page holds if there is more.

        mark: what the next page begins past, of the last item shown.
        """
        shown, more = found[: self.limit], len(found) > self.limit
        link = await self.link_after(mark(shown[-1])) if more else None
        return Response(200, write(self.call.request.base, self.call.known_vault(), shown, link), (JSON,))


def name_of(held: Held[V]) -> str:
    """Return what a page of objects begins past."""
    return held.state.name.lower()


def version_of(held: Held[V]) -> str:
    """Return what a page of versions begins past."""
    return held.version.version


async def read_page(call: Call, path: str) -> Page:
    """Return the page of the collection at `path` that the request asks for; BadRequest when it asks for none."""
    query = call.request.query
    token = query.get(SKIP_TOKEN)
    after = None
    if token:
        key = await paging_key(call.stores.keyring)
        payload = open_token(call.custodian, key, _scope(call, path), token)
        after = str(payload["after"])
    return Page(call, path, _limit(query.get("maxresults")), after)


def _limit(text: str | None) -> int:
    if text is None:
        return LARGEST_PAGE
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LARGEST_PAGE):
        raise BadRequest(f"Property maxresults has invalid value: a page has 1 to {LARGEST_PAGE} items.")
    return int(text)


def _scope(call: Call, path: str) -> str:
    return f"data/{call.known_vault().vault_id}{path.lower()}"
