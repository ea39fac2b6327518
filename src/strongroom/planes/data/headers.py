"""The headers that every answer of the data plane carries, and the challenge that every client follows.

Source: recordings of the service's answers; `docs/clients.md` says which client reads what of the challenge.
"""

from functools import lru_cache

from strongroom import VERSION
from strongroom.planes.call import Call
from strongroom.planes.http import Headers

ALWAYS: Headers = (
    (b"cache-control", b"no-cache"),
    (b"pragma", b"no-cache"),
    (b"expires", b"-1"),
    (b"x-content-type-options", b"nosniff"),
    (b"strict-transport-security", b"max-age=31536000;includeSubDomains"),
    (b"x-ms-keyvault-service-version", VERSION.encode()),
)
ECHOED_LENGTH = 128


def own_headers(call: Call) -> Headers:
    """Return the headers that only the answer to `call` carries: what the request is called, here and by its client."""
    request_id = (b"x-ms-request-id", call.request_id.encode())
    echoed = call.request.headers.get(b"x-ms-client-request-id")
    if echoed and len(echoed) <= ECHOED_LENGTH and echoed.isascii():
        return (request_id, (b"x-ms-client-request-id", echoed))
    return (request_id,)


def standing_headers(call: Call, headers: Headers) -> Headers:
    """Return `headers` and those that every answer carries, to this client from the call's vault."""
    return _standing(call.vault.location if call.vault else "", call.request.client, headers)


@lru_cache(maxsize=1024)
def challenge(host: str, domain: str, tenant_id: str) -> Headers:
    """Return the WWW-Authenticate header that tells a client where to sign in and for what.

    host: the request's own, with its port: clients check that it lies under the resource, port and all. There is a
    comma and a space between parameters and no `=` inside a value, since some clients split on those.
    """
    name, colon, port = host.rpartition(":")
    suffix = f":{port}" if colon and name else ""
    value = (
        f'Bearer authorization="https://login.{domain}{suffix}/{tenant_id}", resource="https://vault.{domain}{suffix}"'
    )
    return ((b"www-authenticate", value.encode("latin-1", "replace")),)


@lru_cache(maxsize=4096)
def _standing(location: str, client: str, headers: Headers) -> Headers:
    kind, family = (b"Ipv6", b"InterNetworkV6") if ":" in client else (b"Ipv4", b"InterNetwork")
    network = b"conn_type=%s;addr=%s;act_addr_fam=%s;" % (kind, client.encode(), family)
    region = ((b"x-ms-keyvault-region", location.encode()),) if location else ()
    return (*headers, *ALWAYS, *region, (b"x-ms-keyvault-network-info", network))
