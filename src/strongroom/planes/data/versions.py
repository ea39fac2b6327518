"""The api-versions that the data plane speaks: all that clients in the field send, from 7.0 on.

Source: the generated clients of Azure SDKs, and the service's specifications for the previews.
"""

from typing import Annotated

from msgspec import Meta

from strongroom.errors import BadRequest
from strongroom.planes.operation import Parameter

NEWEST = "2026-04-01"
SUPPORTED = frozenset(
    {
        "7.0",
        "7.1",
        "7.2",
        "7.3",
        "7.4",
        "7.5",
        "7.6-preview.2",
        "7.6",
        "2025-06-01-preview",
        "2025-07-01",
        "2026-01-01-preview",
        "2026-03-01-preview",
        NEWEST,
        "2026-05-01-preview",
        "2026-07-01-preview",
    }
)
API_VERSION = Parameter(
    name="api-version",
    kind=Annotated[str, Meta(extra_json_schema={"enum": sorted(SUPPORTED)})],
    text="The version of the interface that the client speaks; there is no default.",
    required=True,
)


def require_supported(version: str | None) -> None:
    """Raise BadRequest, in the service's words, unless `version` is one that we speak; there is no default."""
    if version in SUPPORTED:
        return
    if not version:
        raise BadRequest(f"The api-version must be specified. Consider using the latest supported version ({NEWEST}).")
    raise BadRequest(
        f"The specified version ({version}) is not recognized. Consider using the latest supported version ({NEWEST})."
    )
