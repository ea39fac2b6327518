"""The OpenAPI 3.1 document of a plane, made from its table: what clients are told is what the rows say.

A row says its bodies, parameters, permission and statuses; a `Face` says what all rows of a plane have in common.
`DOMAIN` stands in the text wherever the base domain and port go, so that a document is made once for every name.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

from strongroom import VERSION
from strongroom.access.authorization.model import Action
from strongroom.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    StrongroomError,
    Throttled,
    Unauthenticated,
)
from strongroom.octets import PATTERN as OCTETS
from strongroom.octets import Octets, SensitiveOctets
from strongroom.planes.operation import BODILESS, JSON_BODY, Operation, Parameter, Table
from strongroom.sensitive import Sensitive

DOMAIN = "DOMAIN.invalid"
SCHEMES = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
REFUSALS: tuple[type[StrongroomError], ...] = (
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    PreconditionFailed,
    PayloadTooLarge,
    Throttled,
)
MEANING = {kind.status: (kind.__doc__ or "").splitlines()[0] for kind in REFUSALS}
HEADERS = {
    "WWW-Authenticate": "Where to sign in, and for which resource.",
    "Allow": "The verbs that the path has, none where a rule forbids the operation.",
    "Location": "Where the result is told.",
    "Retry-After": "After how many seconds to ask.",
    "x-ms-request-id": "The id of this request, as its record has it.",
}
LENGTH = re.compile(r"\(\?=\.\{(\d+),(\d+)\}\\Z\)")
GENERIC = re.compile(r"([A-Za-z]+)_([A-Za-z]+)_\Z")

Document = dict[str, Any]
References = Callable[[Any], Document]


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What the document of a plane says beside its rows.

    host: the plane's name before the domain, with `{variables}` whose defaults are `variables`. errors: the types
    that the body of a refusal may have. places: every placeholder of a path. audience: the service that tokens are for,
    None where there are none. always: the parameters of every row; refuses: the statuses of its refusals beside its
    own. free: placeholders that a link leaves to the client; carried: what else the answer of a type tells one.
    """

    title: str
    text: str
    host: str
    errors: tuple[type, ...]
    places: tuple[Parameter, ...]
    always: Callable[[Operation], tuple[Parameter, ...]]
    refuses: Callable[[Operation], frozenset[int]]
    audience: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    free: frozenset[str] = frozenset()
    carried: Mapping[Any, Mapping[str, str]] = field(default_factory=dict)

    def parameters(self, row: Operation) -> tuple[Parameter, ...]:
        """Return the parameters of a row's query."""
        return (*self.always(row), *row.query)

    def refusals(self, row: Operation) -> tuple[int, ...]:
        """Return the statuses of every refusal that a row knows, in order.

        Any address may ask too often without credentials, and any body may be too large.
        """
        always = {429} if row.method in BODILESS else {413, 429}
        return tuple(sorted(self.refuses(row) | always | set(row.refuses)))


def describe(face: Face, table: Table) -> Document:
    """Return the OpenAPI document of a plane; ValueError when two rows have one name."""
    rows = table.operations
    names = [operation_id(row) for row in rows]
    if len(names) != len(set(names)):
        raise ValueError(f"two operations of {face.title} have one name: {sorted(names)}")
    shared = _Shared(face, rows)
    components = shared.components()
    paths: Document = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(face, row, rows, shared.refer)
    server: Document = {"url": f"https://{face.host}.{DOMAIN}"}
    if face.variables:
        server["variables"] = {name: {"default": value} for name, value in face.variables.items()}
    document: Document = {
        "openapi": "3.1.0",
        "info": {"title": face.title, "version": VERSION, "description": face.text},
        "servers": [server],
        "tags": [{"name": tag} for tag in sorted({_tag(row) for row in rows})],
        "paths": paths,
        "components": components,
    }
    return document


def operation_id(row: Operation) -> str:
    """Return the name of a row in documents, in camel case."""
    first, *rest = (row.name or _function(row).__name__).split("_")
    return first + "".join(word.capitalize() for word in rest)


def bounds_of(pattern: re.Pattern[str]) -> dict[str, Any]:
    """Return a pattern of ours, which counts from its beginning, in the words of JSON Schema."""
    length = LENGTH.match(pattern.pattern)
    plain = LENGTH.sub("", pattern.pattern).replace(r"\Z", "$")
    if pattern.flags & re.IGNORECASE:
        plain = plain.replace("a-f", "a-fA-F")
    bounds = {"minLength": int(length[1]), "maxLength": int(length[2])} if length else {}
    return {"pattern": f"^{plain}", **bounds}


def success_body(row: Operation, status: int) -> Any:
    """Return the type of the body that a usual answer of this status has, None when it has none."""
    return row.gives if status in {200, 201} and row.method != "HEAD" else None


# --- what stands once in a document


class _Shared:
    """The types, parameters and refusals of a document, each described once and referred to where it is used."""

    def __init__(self, face: Face, rows: Iterable[Operation]) -> None:
        self._face = face
        self._parameters = [*face.places, *(each for row in rows for each in face.parameters(row))]
        kinds = [*face.errors, *(each.kind for each in self._parameters)]
        kinds += [kind for row in rows for kind in (row.takes, row.gives) if kind is not None]
        schemas, named = msgspec.json.schema_components(
            kinds, schema_hook=_schema_of, ref_template="#/components/schemas/{name}"
        )
        self._named = {_plain(name): _renamed(schema) for name, schema in sorted(named.items())}
        # By identity: a type with bounds has no hash. Rows and faces keep what is referred to here alive.
        self._found: dict[int, Document] = {
            id(kind): _renamed(schema) for kind, schema in zip(kinds, schemas, strict=True)
        }
        self._statuses = sorted({status for row in rows for status in face.refusals(row)})

    def components(self) -> Document:
        """Return the part of the document that holds them."""
        components: Document = {
            "schemas": self._named,
            "parameters": self._keyed_parameters(),
            "responses": {_refusal(status): self._refused(status) for status in self._statuses},
        }
        return components | ({"securitySchemes": SCHEMES} if self._face.audience else {})

    def refer(self, part: Any) -> Document:
        """Return the schema of a type or, once the components are made, the place of a parameter."""
        return self._found[id(part)]

    def _keyed_parameters(self) -> Document:
        keyed: Document = {}
        for each in self._parameters:
            if id(each) in self._found:
                continue
            key = each.name.removeprefix("$")
            if key in keyed:  # one name, other bounds
                key = f"{key}-{1 + sum(other.startswith(key) for other in keyed)}"
            keyed[key] = self._parameter(each)
            self._found[id(each)] = {"$ref": f"#/components/parameters/{key}"}
        return keyed

    def _parameter(self, each: Parameter) -> Document:
        in_path = each in self._face.places
        return {
            "name": each.name,
            "in": "path" if in_path else "query",
            "required": in_path or each.required,
            "description": each.text,
            "schema": self.refer(each.kind),
        }

    def _refused(self, status: int) -> Document:
        schemas = [self.refer(kind) for kind in self._face.errors]
        added = {401: ["WWW-Authenticate"] if self._face.audience else [], 405: ["Allow"]}.get(status, [])
        sometimes = ["Retry-After"] if status == 429 else []
        return {
            "description": MEANING[status],
            "headers": _headers(["x-ms-request-id", *added]) | _headers(sometimes, always=False),
            "content": {JSON_BODY: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}},
        }


def _schema_of(kind: type) -> Document:
    """Return the schema of the types that msgspec does not know: a value that cannot leak by accident, and bytes."""
    if kind in {Octets, SensitiveOctets}:
        return {"type": "string", "pattern": f"^{OCTETS}$"}
    if getattr(kind, "__origin__", kind) is Sensitive:
        return {"type": "string"}
    raise NotImplementedError


def _plain(name: str) -> str:
    """Return the name of a component: `Page_Vault_`, of a generic type, reads better as `VaultPage`."""
    return GENERIC.sub(r"\2\1", name)


def _renamed(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: "/".join((*value.split("/")[:-1], _plain(value.split("/")[-1]))) if key == "$ref" else _renamed(value)
            for key, value in schema.items()
        }
    return [_renamed(each) for each in schema] if isinstance(schema, list | tuple) else schema


def _refusal(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")


def _headers(names: Iterable[str], *, always: bool = True) -> Document:
    return {name: {"description": HEADERS[name], "required": always, "schema": {"type": "string"}} for name in names}


# --- one operation


def _operation(face: Face, row: Operation, rows: tuple[Operation, ...], refer: References) -> Document:
    summary, _, more = (_function(row).__doc__ or "").strip().partition("\n")
    described: Document = {
        "operationId": operation_id(row),
        "summary": summary.rstrip("."),
        "tags": [_tag(row)],
        "parameters": _parameters(face, row, refer),
        "responses": _responses(face, row, rows, refer),
        "security": [{"token": [f"https://{face.audience}.{DOMAIN}/.default"]}] if not row.anonymous else [],
        "x-strongroom-log": row.log,
        "x-strongroom-body-limit": row.body_limit,
    }
    if more.strip():
        described["description"] = " ".join(more.split())
    if row.needs is not None:
        described["x-strongroom-permission"] = _permission(row.needs)
    if row.takes is not None:
        described["requestBody"] = _body(row, refer(row.takes))
    return described


def _function(row: Operation) -> Any:
    """Return the function behind a handler, which may have some of its arguments already."""
    return getattr(row.handler, "func", row.handler)


def _tag(row: Operation) -> str:
    return str(_function(row).__module__).rpartition(".")[2]


def _permission(needs: Action | str) -> Document:
    if isinstance(needs, str):
        return {"role": needs}
    return {"role": needs.data_action, "policy": "/".join(needs.policy)}


def _parameters(face: Face, row: Operation, refer: References) -> list[Document]:
    places = {place.name: place for place in face.places}
    return [refer(each) for each in (*(places[name] for name in row.placeholders), *face.parameters(row))]


def _body(row: Operation, schema: Document) -> Document:
    """Return a request's body; one that need say nothing may be left out."""
    needed = any(each.required for each in msgspec.structs.fields(row.takes)) if row.takes else False
    return {"required": needed, "content": {row.media: {"schema": schema}}}


def _responses(face: Face, row: Operation, rows: tuple[Operation, ...], refer: References) -> Document:
    links = _links(face, row, rows)
    found = {str(status): _answered(row, status, refer, links) for status in row.success}
    for status in face.refusals(row):
        refused: Document = {"$ref": f"#/components/responses/{_refusal(status)}"}
        if row.method == "HEAD":
            refused = {"description": MEANING[status]}
        found[str(status)] = refused
    return found


def _answered(row: Operation, status: int, refer: References, links: Document) -> Document:
    names = ["x-ms-request-id"] + (["Location", "Retry-After"] if status == 202 else [])
    answer: Document = {"description": HTTPStatus(status).description or "Done.", "headers": _headers(names)}
    gives = success_body(row, status)
    if gives is not None:
        answer["content"] = {JSON_BODY: {"schema": refer(gives)}}
    return answer | ({"links": links} if links else {})


def _links(face: Face, row: Operation, rows: tuple[Operation, ...]) -> Document:
    """Return what may be asked next of what a change was about: every row whose places are known from it."""
    if not row.changes:
        return {}
    known = {name: f"$request.path.{name}" for name in row.placeholders}
    subject = {*row.placeholders[-1:]}
    for name, source in face.carried.get(row.gives, {}).items():
        known[name] = source
        subject.add(name)
    found: Document = {}
    for other in rows:
        places = set(other.placeholders) - face.free
        if row.gives is not None and other.takes is row.gives:
            found[operation_id(other)] = {"operationId": operation_id(other), "requestBody": "$response.body"}
        elif other is not row and places <= known.keys() and places & subject:
            parameters = {f"path.{name}": known[name] for name in other.placeholders if name in known}
            found[operation_id(other)] = {"operationId": operation_id(other), "parameters": parameters}
    return found
