"""What the document of the data plane says beside its rows."""

from typing import Annotated

from msgspec import Meta

from strongroom.ids import OBJECT_NAME, OBJECT_VERSION
from strongroom.planes.data.errors import ErrorBody
from strongroom.planes.data.versions import API_VERSION
from strongroom.planes.openapi import Face, bounds_of
from strongroom.planes.operation import Parameter

# Every request may be badly made, unsigned, not allowed, or to a vault that is not there.
REFUSED = frozenset({400, 401, 403, 404})

FACE = Face(
    title="Strongroom: the data plane",
    text="What a vault holds, at the vault's own host. Azure Key Vault's protocol for keys and secrets. Any request "
    "may be answered 503 while the disk cannot be written; nothing was changed then. One without valid credentials is "
    "answered 429 when its address sent too many of them.",
    host="{vault}.vault",
    variables={"vault": "dev"},
    audience="vault",
    errors=(ErrorBody,),
    places=(
        Parameter(
            name="name",
            kind=Annotated[str, Meta(extra_json_schema=bounds_of(OBJECT_NAME))],
            text="The name of a key or a secret: 1 to 127 letters, digits and hyphens.",
        ),
        Parameter(
            name="version",
            kind=Annotated[str, Meta(extra_json_schema=bounds_of(OBJECT_VERSION))],
            text="A version of it: 32 hexadecimal digits.",
        ),
    ),
    always=lambda _: (API_VERSION,),
    refuses=lambda _: REFUSED,
)
