"""Virtual networks and their subnets: parse, make one call, render.

Everything is done when the answer leaves, so that none is a 202. Answers carry the etag; `If-Match` is honoured.
"""

from dataclasses import replace
from functools import partial

from strongroom.access.authorization.actions import (
    NETWORK_DELETE,
    NETWORK_READ,
    NETWORK_WRITE,
    SUBNET_DELETE,
    SUBNET_READ,
    SUBNET_WRITE,
)
from strongroom.errors import BadRequest
from strongroom.planes.call import Call
from strongroom.planes.http import Headers, Response
from strongroom.planes.management import networkwire
from strongroom.planes.management.answers import Page
from strongroom.planes.management.listing import PAGE, key_of, page, page_of, read_enough, read_window
from strongroom.planes.management.places import NETWORK, SUBNET, SUBSCRIPTION, author, subscription_id
from strongroom.planes.management.sight import EVERYTHING, read_networks
from strongroom.planes.management.wire import render
from strongroom.planes.operation import Operation, Parameter
from strongroom.resources.locations import Locations
from strongroom.resources.networks import service
from strongroom.resources.networks.model import VirtualNetwork
from strongroom.resources.networks.service import NetworkChange, shown_etag
from strongroom.resources.service import get_group
from strongroom.vaults.model import id_of_vault
from strongroom.vaults.subnets import forget_subnets, subnets_gone

PROVIDER = "/providers/Microsoft.Network"
BODY_LIMIT = 4 * 1024 * 1024  # 3,000 subnets as answers write them, sent back
MAX_PAGE = 50
"""Networks on a page, whatever the query asks for: with all their subnets they take some 100 MB."""
CONDITIONS = (b"if-match", b"if-none-match")


async def put(call: Call, locations: Locations) -> Response:
    """Make or replace a virtual network."""
    network, before = await service.put_network(
        call.stores,
        locations,
        subscription_id=subscription_id(call),
        group=call.parameters["group"],
        name=call.parameters["network"],
        request=networkwire.network_request(call.body, call.parameters["network"]),
        change=_change(call),
    )
    await _forget_rules(call, before, network)
    return render(networkwire.network(network), 200 if before else 201, _etag(network))


async def patch(call: Call) -> Response:
    """Give a virtual network other tags."""
    network = await _get_network(call)
    if call.body.tags is not None:
        network = await service.update_tags(call.stores, network, call.body.tags, _change(call))
    return render(networkwire.network(network), 200, _etag(network))


async def get(call: Call) -> Response:
    """Return a virtual network."""
    network = await _get_network(call)
    return render(networkwire.network(network), 200, _etag(network))


async def delete(call: Call) -> Response:
    """Remove a virtual network with its subnets; 204 when there is none."""
    place = await get_group(call.stores.resources, subscription_id(call), call.parameters["group"])
    network = await call.stores.networks.find(place.subscription_id, place.name, call.parameters["network"])
    if network is None:
        return Response(204)
    await service.remove_network(call.stores, network, _change(call))
    await _forget_rules(call, network, None)
    return Response(200)


async def list_networks(call: Call) -> Response:
    """List the virtual networks of a subscription or of one resource group."""
    if "group" in call.parameters:
        await get_group(call.stores.resources, subscription_id(call), call.parameters["group"])
    window = await read_window(call)
    window = replace(window, top=min(window.top, MAX_PAGE))
    found = await read_enough(window, partial(read_networks, call, EVERYTHING))
    return await page_of(call, window, found, key_of, networkwire.network)


async def put_subnet(call: Call, locations: Locations) -> Response:
    """Make or replace a subnet."""
    network, subnet, is_new = await service.put_subnet(
        call.stores,
        locations,
        await _get_network(call),
        call.parameters["subnet"],
        request=networkwire.subnet_request(call.body),
        change=_change(call),
    )
    return render(networkwire.subnet(network, subnet), 201 if is_new else 200, _etag(network))


async def get_subnet(call: Call) -> Response:
    """Return a subnet."""
    network = await _get_network(call)
    subnet = service.get_subnet(network, call.parameters["subnet"])
    return render(networkwire.subnet(network, subnet), 200, _etag(network))


async def delete_subnet(call: Call) -> Response:
    """Remove a subnet; 204 when there is none."""
    network = await _get_network(call)
    subnet = network.find_subnet(call.parameters["subnet"])
    if subnet is None:
        return Response(204)
    after = await service.remove_subnet(call.stores, network, subnet, _change(call))
    await _forget_rules(call, network, after)
    return Response(200)


async def list_subnets(call: Call) -> Response:
    """List the subnets of a virtual network."""
    network = await _get_network(call)
    return await page(call, network.subnets, lambda each: each.name, partial(networkwire.subnet, network))


async def _forget_rules(call: Call, before: VirtualNetwork | None, after: VirtualNetwork | None) -> None:
    """Take the rules of vaults that name subnets which are gone; the record says of which vaults."""
    changed = await forget_subnets(call.stores, subnets_gone(before, after))
    if changed:
        call.notes["subnetRulesRemovedFrom"] = [id_of_vault(vault) for vault in changed]


async def _get_network(call: Call) -> VirtualNetwork:
    return await service.get_network(
        call.stores, subscription_id(call), call.parameters["group"], call.parameters["network"]
    )


def _change(call: Call) -> NetworkChange:
    request = call.request
    if not request.repeated.isdisjoint(CONDITIONS):
        raise BadRequest("A condition of the request is given more than once.", code="InvalidHeader")
    if_match, if_none_match = [request.header(name).strip() for name in CONDITIONS]
    who = author(call.known_caller())
    return NetworkChange(author=who, now=call.now, if_match=if_match, if_none_match=if_none_match)


def _etag(network: VirtualNetwork) -> Headers:
    return ((b"etag", shown_etag(network.etag).encode()),)


NETWORKS, SUBNETS = NETWORK.rpartition("/")[0], SUBNET.rpartition("/")[0]
EXPAND = (Parameter(name="$expand", kind=str, text="What to add to the answer: there is nothing that could be."),)
READ = partial(Operation, method="GET", needs=NETWORK_READ, log=NETWORK_READ)
READ_SUBNET = partial(Operation, method="GET", needs=SUBNET_READ, log=SUBNET_READ)
CHANGE = partial(Operation, changes=True, refuses=(412,))


def operations(locations: Locations) -> tuple[Operation, ...]:
    """Return the rows of this module; locations: those that the server knows."""
    return (
        CHANGE(
            method="PUT",
            path=NETWORK,
            handler=partial(put, locations=locations),
            needs=NETWORK_WRITE,
            log=NETWORK_WRITE,
            takes=networkwire.NetworkBody,
            gives=networkwire.NetworkAnswer,
            success=(200, 201),
            body_limit=BODY_LIMIT,
            name="put_network",
        ),
        CHANGE(
            method="PUT",
            path=SUBNET,
            handler=partial(put_subnet, locations=locations),
            needs=SUBNET_WRITE,
            log=SUBNET_WRITE,
            takes=networkwire.SubnetBody,
            gives=networkwire.SubnetAnswer,
            success=(200, 201),
            name="put_subnet",
        ),
        *OPERATIONS,
    )


OPERATIONS = (
    READ(path=NETWORK, handler=get, gives=networkwire.NetworkAnswer, query=EXPAND, name="get_network"),
    CHANGE(
        method="PATCH",
        path=NETWORK,
        handler=patch,
        needs=NETWORK_WRITE,
        log=NETWORK_WRITE,
        takes=networkwire.NetworkTags,
        gives=networkwire.NetworkAnswer,
        name="update_network",
    ),
    CHANGE(
        method="DELETE",
        path=NETWORK,
        handler=delete,
        needs=NETWORK_DELETE,
        log=NETWORK_DELETE,
        gives=None,
        success=(200, 204),
        name="delete_network",
    ),
    *(
        READ(path=path, handler=list_networks, gives=Page[networkwire.NetworkAnswer], query=PAGE, name=name)
        for path, name in (
            (NETWORKS, "list_networks_of_group"),
            (f"{SUBSCRIPTION}{PROVIDER}/virtualNetworks", "list_networks"),
        )
    ),
    READ_SUBNET(path=SUBNET, handler=get_subnet, gives=networkwire.SubnetAnswer, query=EXPAND),
    CHANGE(
        method="DELETE",
        path=SUBNET,
        handler=delete_subnet,
        needs=SUBNET_DELETE,
        log=SUBNET_DELETE,
        gives=None,
        success=(200, 204),
    ),
    READ_SUBNET(path=SUBNETS, handler=list_subnets, gives=Page[networkwire.SubnetAnswer], query=PAGE),
)
