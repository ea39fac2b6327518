"""What the document of the identity plane says beside its rows."""

from typing import Annotated

from msgspec import Meta

from strongroom.planes.identity.wire import PlainRefusal, SignInRefusal
from strongroom.planes.openapi import Face
from strongroom.planes.operation import Parameter

FACE = Face(
    title="Strongroom: the identity plane",
    text="Where applications sign in: discovery and tokens, as Microsoft Entra ID has them. Any request may be "
    "answered 503 while the disk cannot be written, and 429 when its address sent too many without valid credentials.",
    host="login",
    errors=(SignInRefusal, PlainRefusal),
    places=(
        Parameter(
            name="tenant",
            kind=Annotated[str, Meta(min_length=1)],
            text="The tenant: its id, the base domain for the first one; `common` or `organizations` for discovery.",
        ),
        Parameter(
            name="upn", kind=Annotated[str, Meta(min_length=1)], text="The name of a user, such as `jo@example.com`."
        ),
    ),
    always=lambda _: (),
    refuses=lambda _: frozenset(),
)
