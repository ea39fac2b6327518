"""What a token is for: the services of this server, by their own names and by those that the public cloud gives them.

An audience names a service by scheme and host. Its port says nothing, since a server may be reached through several;
nor does one slash at its end. Sources: `resource` values of the public cloud and its well-known application ids.
"""

import re
from enum import StrEnum
from functools import lru_cache

AUDIENCE = re.compile(r"https://([a-z0-9.-]{1,253})(?::[0-9]{1,5})?/?\Z", re.ASCII)
AUDIENCE_LENGTH = 320


class Service(StrEnum):
    """A service that tokens are for; the value is the first label of its name under the base domain."""

    VAULT = "vault"
    MANAGED_HSM = "managedhsm"
    MANAGEMENT = "management"
    GRAPH = "graph"


OWN_LABELS = {service.value: service for service in Service}
# Many libraries ask for these names whatever server they talk to.
PUBLIC_HOSTS = {
    "vault.azure.net": Service.VAULT,
    "managedhsm.azure.net": Service.MANAGED_HSM,
    "management.azure.com": Service.MANAGEMENT,
    "management.core.windows.net": Service.MANAGEMENT,
    "graph.microsoft.com": Service.GRAPH,
}
PUBLIC_IDS = {
    "cfa8b339-82a2-471a-a3c9-0fc0be7a4093": Service.VAULT,
    "797f4846-ba00-4fd7-ba43-dac1f8f63013": Service.MANAGEMENT,
    "00000003-0000-0000-c000-000000000000": Service.GRAPH,
}


def find_service(audience: str, domain: str) -> Service | None:
    """Return the service that `audience` names on a server of the base domain `domain`, None for any other."""
    return _find(audience, domain) if len(audience) <= AUDIENCE_LENGTH else None


@lru_cache(maxsize=512)
def _find(audience: str, domain: str) -> Service | None:
    lowered = audience.lower()
    if lowered in PUBLIC_IDS:
        return PUBLIC_IDS[lowered]
    found = AUDIENCE.match(lowered)
    if found is None:
        return None
    host = found.group(1)
    label, _, rest = host.partition(".")
    if rest == domain and label in OWN_LABELS:
        return OWN_LABELS[label]
    return PUBLIC_HOSTS.get(host)


def own_audience(service: Service, domain: str) -> str:
    """Return the audience of a service under its own name, without a port."""
    return f"https://{service}.{domain}"
