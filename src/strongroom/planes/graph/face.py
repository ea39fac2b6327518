"""What the document of the Graph plane says beside its rows."""

from typing import Annotated

from msgspec import Meta

from strongroom.planes.graph.wire import ErrorBody
from strongroom.planes.openapi import Face
from strongroom.planes.operation import Operation, Parameter

Word = Annotated[str, Meta(min_length=1)]


def _refuses(row: Operation) -> frozenset[int]:
    """Return what every row may be refused for, and what the places in its path add."""
    return frozenset({400, 401, 404} if row.placeholders else {400, 401})


FACE = Face(
    title="Strongroom: the Graph plane",
    text="Users, groups and applications, as Microsoft Graph v1.0 has them, to be read by whoever has a token of the "
    "tenant. What would change the directory is answered 403: that is done on the server, with `strongroom directory`. "
    "Any request may be answered 503 while the disk cannot be written, and 429 when its address sent too many without "
    "valid credentials.",
    host="graph",
    audience="graph",
    errors=(ErrorBody,),
    places=(
        Parameter(name="user", kind=Word, text="The object id or the principal name of a user."),
        Parameter(name="group", kind=Word, text="The object id of a group."),
        Parameter(name="servicePrincipal", kind=Word, text="The object id of a service principal."),
        Parameter(name="application", kind=Word, text="The object id of an application."),
        Parameter(name="object", kind=Word, text="The object id of a user, a group or a service principal."),
        Parameter(
            name="entity", kind=Word, text="`servicePrincipals(appId='…')` or `applications(appId='…')`, with its id."
        ),
    ),
    always=lambda _: (),
    refuses=_refuses,
)
