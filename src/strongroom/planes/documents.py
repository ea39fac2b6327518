"""Where the document of each plane is found: by name, for the base domain as whoever asks reaches it."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from functools import cache

import msgspec

from strongroom.custody.holder import KEY_BYTES
from strongroom.custody.sealing import Custodian
from strongroom.custody.software import SoftwareProvider
from strongroom.objects.keys.keepers import Keepers
from strongroom.planes.data.face import FACE as DATA
from strongroom.planes.data.plane import operations as data_operations
from strongroom.planes.graph.face import FACE as GRAPH
from strongroom.planes.graph.plane import OPERATIONS as GRAPH_OPERATIONS
from strongroom.planes.graph.plane import GraphTable
from strongroom.planes.http import JSON, Request, Response
from strongroom.planes.identity.face import FACE as IDENTITY
from strongroom.planes.identity.plane import operations as identity_operations
from strongroom.planes.identity.token import TokenEndpoint
from strongroom.planes.management.face import FACE as MANAGEMENT
from strongroom.planes.management.plane import operations as management_operations
from strongroom.planes.management.site import Site
from strongroom.planes.openapi import DOMAIN, Face, describe
from strongroom.planes.operation import Table
from strongroom.resources.locations import Locations
from strongroom.sensitive import Sensitive


def _data() -> Table:
    return Table(data_operations(_keepers()))


def _management() -> Table:
    site = Site(locations=Locations("local"), private_ip_rules=False)
    return Table(management_operations(site, _keepers()))


def _identity() -> Table:
    return Table(identity_operations(TokenEndpoint(_nobody())))


def _graph() -> Table:
    return GraphTable(GRAPH_OPERATIONS)


def _keepers() -> Keepers:
    return Keepers(software=SoftwareProvider(_nobody()))


def _nobody() -> Custodian:
    """Return a custodian of nothing: rows are read here, their handlers never run."""
    return Custodian(Sensitive(secrets.token_bytes(KEY_BYTES)))


PLANES: Mapping[str, tuple[Face, Callable[[], Table]]] = {
    "data": (DATA, _data),
    "management": (MANAGEMENT, _management),
    "identity": (IDENTITY, _identity),
    "graph": (GRAPH, _graph),
}


PATHS = {f"/openapi/{plane}.json": plane for plane in PLANES}


def document(plane: str, domain: str) -> bytes:
    """Return the OpenAPI document of a plane as JSON; domain: the base domain with its port."""
    return _template(plane).replace(DOMAIN.encode(), domain.encode())


def find_document(request: Request, domain: str) -> Response | None:
    """Return the document that a path names, None when it names none. It is the same until the server is another one.

    domain: the base domain; the port is the one by which the request came.
    """
    plane = PATHS.get(request.path)
    if plane is None:
        return None
    port = request.host.rpartition(":")[2]
    body = document(plane, f"{domain}:{port}" if port.isdigit() else domain)
    tag = b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()
    headers = ((b"etag", tag), (b"cache-control", b"no-cache"), (b"x-content-type-options", b"nosniff"))
    if request.headers.get(b"if-none-match") == tag:
        return Response(304, b"", headers)
    return Response(200, body, (JSON, *headers))


@cache
def _template(plane: str) -> bytes:
    face, table = PLANES[plane]
    return msgspec.json.format(msgspec.json.encode(describe(face, table())), indent=1)
