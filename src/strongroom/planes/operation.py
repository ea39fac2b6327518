"""One table drives a plane: a row says all there is to say of an operation, and dispatch finds it in constant time."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from strongroom.access.authorization.model import Action
from strongroom.audit.event import Category
from strongroom.errors import MethodNotAllowed, NotFound
from strongroom.planes.http import REMEMBERED_LENGTH, Response

if TYPE_CHECKING:
    from strongroom.planes.call import Call

Handler = Callable[["Call"], Awaitable[Response]]

PLACEHOLDER = re.compile(r"\{(\w+)\}")
SMALL_BODY = 64 * 1024
MATCHES = 4096
BODILESS = frozenset({"GET", "HEAD"})  # requests of these methods have no body: RFC 9110, section 9.3.1
JSON_BODY = "application/json"
FORM_BODY = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What a path's placeholder or a query's parameter may say. kind: its type, with `msgspec.Meta` for its bounds."""

    name: str
    kind: Any
    text: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a plane.

    path: literals and `{placeholders}`, a whole segment each. needs: the data action, or the RBAC action's name on the
    management plane; None when any authenticated caller may. anonymous: no token is asked for.
    changes: the handler runs inside a storage transaction, and its record commits with it. prepare: what takes its time
    is done here, before the transaction begins that others wait for; it leaves what it made in `call.prepared`.
    takes, gives: types of the bodies, None for none; media: what `takes` is written in. query: its parameters beside
    those of every row of the plane. log: operation name in the record; category: its log, where it is not the plane's
    own. body_limit: bytes. since: the first api-version that has it, "" for all.
    success: statuses of usual answers; refuses: those of refusals beside the ones that the plane derives (its `Face`).
    name: how documents call it, where one handler serves several rows; else the handler's own name is taken.
    """

    method: str
    path: str
    handler: Handler
    log: str
    gives: Any
    needs: Action | str | None = None
    takes: type | None = None
    media: str = JSON_BODY
    query: tuple[Parameter, ...] = ()
    success: tuple[int, ...] = (200,)
    refuses: tuple[int, ...] = ()
    name: str = ""
    changes: bool = False
    prepare: "Callable[[Call], Awaitable[None]] | None" = None
    anonymous: bool = False
    body_limit: int = SMALL_BODY
    since: str = ""
    category: Category | None = None

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names of the path's placeholders, in their order."""
        return tuple(PLACEHOLDER.findall(self.path))


@dataclass(frozen=True, slots=True)
class Match:
    """An operation found for a request, with its path parameters."""

    operation: Operation
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which segments of a path of one length are literals, and how the others are called."""

    literals: tuple[int, ...]
    names: tuple[tuple[int, str], ...] = field(compare=False)


class Table:
    """The operations of one plane, found by path and verb.

    Literals compare without regard to case. A path that more literals fit wins. split: makes segments of a raw path.
    """

    def __init__(self, operations: Iterable[Operation], split: "Callable[[str], list[str]] | None" = None) -> None:
        self._split = split or split_path
        self.operations = tuple(operations)
        self._rows: dict[tuple[int, tuple[int, ...], tuple[str, ...]], dict[str, tuple[Operation, _Shape]]] = {}
        self._shapes: dict[int, list[tuple[int, ...]]] = {}
        for operation in self.operations:
            self._add(operation)
        self._find = lru_cache(maxsize=MATCHES)(self._search)  # the same few paths are asked for again and again

    def match(self, method: str, path: str) -> Match:
        """Return the operation; NotFound for an unknown path, MethodNotAllowed for a known one with another verb."""
        if len(path) > REMEMBERED_LENGTH:  # what strangers send must not fill the memory
            return self._search(method, path)
        return self._find(method, path)

    def _search(self, method: str, path: str) -> Match:
        segments = self._split(path)
        lowered = [_folded(segment) for segment in segments]
        known: set[str] = set()
        for literals in self._shapes.get(len(segments), ()):
            verbs = self._rows.get((len(segments), literals, tuple(lowered[i] for i in literals)))
            if verbs is None:
                continue
            known.update(verbs)
            found = verbs.get(method)
            if found is not None:
                operation, shape = found
                return Match(operation, MappingProxyType({name: segments[i] for i, name in shape.names}))
        if known:
            allowed = tuple(sorted(known))
            raise MethodNotAllowed(f"The method '{method}' is not allowed on this path.", allowed=allowed)
        raise NotFound("The request path names nothing that this service has.")

    def _add(self, operation: Operation) -> None:
        segments = operation.path.strip("/").split("/") if operation.path != "/" else []
        placeholders = {i: PLACEHOLDER.fullmatch(segment) for i, segment in enumerate(segments)}
        names = tuple((i, found.group(1)) for i, found in placeholders.items() if found)
        literals = tuple(i for i, found in placeholders.items() if not found)
        key = (len(segments), literals, tuple(segments[i].lower() for i in literals))
        verbs = self._rows.setdefault(key, {})
        if operation.method in verbs:
            raise ValueError(f"{operation.method} {operation.path} stands twice in the table")
        verbs[operation.method] = (operation, _Shape(literals, names))
        shapes = self._shapes.setdefault(len(segments), [])
        if literals not in shapes:
            shapes.append(literals)
            shapes.sort(key=len, reverse=True)


def _folded(segment: str) -> str:
    """Return a segment as literals compare with it: letters beyond ASCII are none of theirs, U+212A is no k."""
    return segment.lower() if segment.isascii() else segment


def split_path(path: str) -> list[str]:
    """Return the decoded segments of a raw path; slashes doubled at its start or left at its end say nothing.

    An empty segment inside stays: some clients write an empty version as `//`.
    """
    segments = path.strip("/").split("/")
    if "%" in path:
        return [unquote(segment) for segment in segments]
    return segments if segments != [""] else []
