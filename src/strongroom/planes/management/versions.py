"""Which api-versions the management plane speaks, and how it refuses others.

Sources: the resource manager's own refusals list its core versions; those of Microsoft.KeyVault from its REST
reference and the SDKs, previews included.
"""

import re
from functools import cache

from strongroom.errors import BadRequest
from strongroom.planes.management.places import split_resource_path

API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-[a-z]+)?\Z", re.ASCII)
RBAC_BY_DEFAULT_SINCE = "2026-02-01"
METADATA_AS_OBJECT_SINCE = "2022-09-01"
# The first api-versions that have a type; the others are as old as vaults are. Sources: what the service lists of its
# provider, in recordings of Azure PowerShell from 2020 and in its REST reference.
SOFT_DELETE_SINCE = "2016-10-01"
LINKS_SINCE = "2018-02-14"
KEYS_SINCE = "2019-09-01"


def _versions(text: str) -> tuple[str, ...]:
    return tuple(text.split())


RESOURCES = _versions("""
    2025-04-01 2025-03-01 2024-11-01 2024-08-01 2024-07-01 2024-06-01-preview 2024-03-01 2023-07-01
    2023-07-01-preview 2023-03-01-preview 2022-12-01 2022-11-01-preview 2022-09-01 2022-06-01 2022-05-01
    2022-03-01-preview 2022-01-01 2021-04-01 2021-01-01 2020-10-01 2020-09-01 2020-08-01 2020-07-01 2020-06-01
    2020-05-01 2020-01-01 2019-11-01 2019-10-01 2019-09-01 2019-08-01 2019-07-01 2019-06-01 2019-05-10 2019-05-01
    2019-03-01 2018-11-01 2018-09-01 2018-08-01 2018-07-01 2018-06-01 2018-05-01 2018-02-01 2018-01-01 2017-12-01
    2017-08-01 2017-06-01 2017-05-10 2017-05-01 2017-03-01 2016-09-01 2016-07-01 2016-06-01 2016-02-01 2015-11-01
    2015-01-01 2014-04-01-preview 2014-04-01 2014-01-01 2013-03-01
""")
KEY_VAULT = _versions("""
    2026-05-15 2026-02-01 2025-05-01 2024-12-01-preview 2024-11-01 2024-04-01-preview 2023-08-01-preview 2023-07-01
    2023-02-01 2022-11-01 2022-07-01 2022-02-01-preview 2021-11-01-preview 2021-10-01 2021-06-01-preview
    2021-04-01-preview 2020-04-01-preview 2019-09-01 2018-02-14 2018-02-14-preview 2016-10-01 2015-06-01
""")
AUTHORIZATION = _versions("""
    2022-05-01-preview 2022-04-01 2021-04-01-preview 2020-10-01-preview 2020-10-01 2020-08-01-preview
    2020-04-01-preview 2020-03-01-preview 2018-09-01-preview 2018-07-01 2018-01-01-preview 2017-10-01-preview
    2016-07-01 2015-07-01 2015-06-01
""")
ACTIVITY = _versions("2015-04-01")
NETWORK = _versions("""
    2026-03-01 2026-01-01 2025-07-01 2025-05-01 2025-03-01 2025-01-01 2024-10-01 2024-07-01 2024-05-01 2024-03-01
    2024-01-01 2023-11-01 2023-09-01 2023-06-01 2023-05-01 2023-04-01 2023-02-01 2022-11-01 2022-09-01 2022-07-01
    2022-05-01 2022-01-01 2021-12-01 2021-08-01 2021-06-01 2021-05-01 2021-04-01 2021-03-01 2021-02-01 2021-01-01
    2020-11-01 2020-08-01 2020-07-01 2020-06-01 2020-05-01 2020-04-01 2020-03-01 2020-01-01 2019-12-01 2019-11-01
    2019-09-01 2019-08-01 2019-07-01 2019-06-01 2019-04-01 2019-02-01 2018-12-01 2018-11-01 2018-10-01 2018-08-01
    2018-07-01 2018-06-01 2018-05-01 2018-04-01 2018-03-01 2018-02-01 2018-01-01 2017-11-01 2017-10-01 2017-09-01
    2017-08-01 2017-06-01 2017-04-01 2017-03-30 2017-03-01 2016-12-01 2016-11-01 2016-10-01 2016-09-01 2016-08-01
    2016-07-01 2016-06-01 2016-03-30 2015-06-15
""")
LOCKS = _versions("2020-05-01 2017-04-01 2016-09-01 2015-01-01")
PROVIDER_VERSIONS = {
    "microsoft.keyvault": KEY_VAULT,
    "microsoft.authorization": AUTHORIZATION,
    "microsoft.network": NETWORK,
}
TYPE_VERSIONS = {("microsoft.authorization", "locks"): LOCKS, ("microsoft.insights", "eventtypes"): ACTIVITY}
ACTIONS = frozenset({"purge"})
"""Words at the end of a path that are no type."""
UNVERSIONED = frozenset({"strongroom.access", "strongroom.rehearsal"})  # our own, not the resource manager's


def require_supported(path: str, version: str | None, locations: str, *, since: str = "") -> None:
    """Raise BadRequest unless what `path` names speaks `version`. since: the first one that has it, "" for all.

    Codes: MissingApiVersionParameter, InvalidApiVersionParameter; NoRegisteredProviderFound for a version that a
    resource provider does not have. locations: the names to list in that refusal.
    """
    supported = versions_of(path, since)
    if supported is None:
        return
    if not version:
        raise BadRequest(
            "The api-version query parameter (?api-version=) is required for all requests.",
            code="MissingApiVersionParameter",
        )
    if version.lower() in supported:
        return
    if supported is RESOURCES or not API_VERSION.match(version.lower()):
        raise BadRequest(
            f"The api-version '{version}' is invalid. The supported versions are '{','.join(supported)}'.",
            code="InvalidApiVersionParameter",
        )
    kind = provider_of(path)[1]
    raise BadRequest(
        f"No registered resource provider found for location '' and API version '{version}' for type '{kind}'. The "
        f"supported api-versions are '{', '.join(supported)}'. The supported locations are '{locations}'.",
        code="NoRegisteredProviderFound",
    )


def versions_of(path: str, since: str = "") -> tuple[str, ...] | None:
    """Return the api-versions of what a path names, None where there are none. since: the first one that has it."""
    provider, kind = provider_of(path)
    if provider in UNVERSIONED:
        return None
    spoken = TYPE_VERSIONS.get((provider, kind.lower().partition("/")[0]), PROVIDER_VERSIONS.get(provider, RESOURCES))
    return versions_since(spoken, since)


@cache
def versions_since(versions: tuple[str, ...], since: str) -> tuple[str, ...]:
    """Return the api-versions of that day and later ones, previews of that day too; all when it says none."""
    return tuple([version for version in versions if version[:10] >= since]) if since else versions


def provider_of(path: str) -> tuple[str, str]:
    """Return the provider whose versions count for a path, in lower case, and the resource type; "" for the core."""
    segments = split_resource_path(path)
    lowered = [segment.lower() for segment in segments]
    if "providers" not in lowered:
        return "", ""
    position = len(lowered) - 1 - lowered[::-1].index("providers")
    following = segments[position + 1 :]
    # `…/providers/{namespace}` and its registration belong to the core; what lies below belongs to the provider.
    if len(following) < 2 or following[1].lower() in {"register", "unregister", "resourcetypes"}:
        return "", ""
    named = following[1:-1] if following[-1].lower() in ACTIONS else following[1:]
    return following[0].lower(), "/".join(named[::2])


def rbac_by_default(version: str) -> bool:
    """Answer whether a vault made through this api-version uses RBAC when the request does not say."""
    return version[:10] >= RBAC_BY_DEFAULT_SINCE
