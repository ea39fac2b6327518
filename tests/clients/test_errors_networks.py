"""Every error that virtual networks can meet, provoked by plain HTTPS. See `test_errors.py`."""

import pytest

from clients.direct import unique
from clients.provoking import fits, meet

pytestmark = [pytest.mark.xdist_group("errors"), pytest.mark.usefixtures("client_environ")]

VERSION, GROUP = "2025-07-01", "errors-of-networks"
SPACE = {"addressPrefixes": ["10.0.0.0/16"]}
KEPT = "/virtualNetworks/kept"


def ask(w, method, path, body=None, group=GROUP, **more):
    place = f"{w.direct.group_path(group)}/providers/Microsoft.Network{path}"
    return w.direct.manage(method, place, body, version=VERSION, **more)


def make_group(w):
    """Make the group of all these networks, unless it is there."""
    body = {"location": w.connection.location}
    assert w.direct.manage("PUT", w.direct.group_path(GROUP), body, version="2021-04-01").status in {200, 201}


def a_body(w, **properties):
    return {"location": w.connection.location, "properties": {"addressSpace": SPACE} | properties}


def put(name="net", location=None, **properties):
    def provoke(w):
        make_group(w)
        body = a_body(w, **properties)
        return ask(w, "PUT", f"/virtualNetworks/{name}", body | ({"location": location} if location else {}))

    return provoke


def put_space(*prefixes):
    return put(addressSpace={"addressPrefixes": list(prefixes)})


def put_subnets(*prefixes, names=("a", "b"), **said):
    subnets = [
        {"name": name, "properties": {"addressPrefix": each} | said}
        for name, each in zip(names, prefixes, strict=False)
    ]
    return put(subnets=subnets)


def on_a_network(method, path, body=None, **more):
    """Ask for something in a group that has a network."""

    def provoke(w):
        put("kept")(w)
        return ask(w, method, path, a_body(w) | (body or {}) if method == "PUT" else None, **more)

    return provoke


def a_rule(network="kept"):
    def provoke(w):
        put("kept", subnets=[{"name": "bare", "properties": {"addressPrefix": "10.0.1.0/24"}}])(w)
        subnet = f"{w.direct.group_path(GROUP)}/providers/Microsoft.Network/virtualNetworks/{network}/subnets/bare"
        body = w.direct.vault_body()
        body["properties"]["networkAcls"] = {"virtualNetworkRules": [{"id": subnet}]}
        return w.direct.manage("PUT", w.direct.vault_path(unique("ern")), body)

    return provoke


ROWS = {
    "InvalidResourceName": (put("net-"), (400, "InvalidResourceName"), "Resource name net- is invalid. …"),
    "LocationNotAvailableForResourceType": (
        put(location="mars"),
        (400, "LocationNotAvailableForResourceType"),
        "The provided location 'mars' is not available for resource type 'Microsoft.Network/virtualNetworks'. …",
    ),
    "AddressPrefixMissing": (put_space(), (400, "AddressPrefixMissing"), "Resource … has no address prefix."),
    "TooManyAddressPrefixes": (
        put_space(*[f"10.{number}.0.0/16" for number in range(65)]),
        (400, "TooManyAddressPrefixes"),
        "Resource … has 65 address prefixes; it has at most 64.",
    ),
    "InvalidAddressPrefixFormat": (
        put_space("10.0.0.0"),
        (400, "InvalidAddressPrefixFormat"),
        (
            "Address prefix 10.0.0.0 of resource … is not formatted correctly. It should follow CIDR notation, for "
            "example 10.0.0.0/24."
        ),
    ),
    "InvalidCIDRNotation": (
        put_space("10.0.0.1/24"),
        (400, "InvalidCIDRNotation"),
        (
            "The address prefix 10.0.0.1/24 in resource … has an invalid CIDR notation. For the given prefix length, "
            "the address prefix should be 10.0.0.0/24."
        ),
    ),
    "InvalidAddressPrefix": (
        put_space("0.0.0.0/0"),
        (400, "InvalidAddressPrefix"),
        "Address prefix 0.0.0.0/0 of resource … is not supported: …",
    ),
    "AddressPrefixesOverlap": (
        put_space("10.0.0.0/16", "10.0.0.0/24"),
        (400, "AddressPrefixesOverlap"),
        "The address prefixes 10.0.0.0/16 and 10.0.0.0/24 of resource … overlap.",
    ),
    "DuplicateResourceName": (
        put_subnets("10.0.0.0/24", "10.0.1.0/24", names=("a", "a")),
        (400, "DuplicateResourceName"),
        "Resource … has two child resources with the same name (a).",
    ),
    "NetcfgSubnetRangeOutsideVnet": (
        put_subnets("10.1.0.0/24"),
        (400, "NetcfgSubnetRangeOutsideVnet"),
        (
            "Subnet 'a' is not valid because its IP address range is outside the IP address range of virtual network "
            "'net'."
        ),
    ),
    "NetcfgSubnetRangesOverlap": (
        put_subnets("10.0.0.0/24", "10.0.0.0/25"),
        (400, "NetcfgSubnetRangesOverlap"),
        (
            "Subnet 'b' is not valid because its IP address range overlaps with that of an existing subnet in virtual "
            "network 'net'."
        ),
    ),
    "InvalidServiceEndpoint": (
        put_subnets("10.0.0.0/24", serviceEndpoints=[{"service": "Microsoft.Nothing"}]),
        (400, "InvalidServiceEndpoint"),
        "The service endpoint 'Microsoft.Nothing' of resource … is no service or stands twice. …",
    ),
    "UnsupportedProperty": (
        put(enableDdosProtection=True),
        (400, "UnsupportedProperty"),
        "The property 'enableDdosProtection' of resource … is not supported: …",
    ),
    "SubnetCountLimitReached": (
        put(subnets=[{"name": f"s{number}"} for number in range(3001)]),
        (409, "SubnetCountLimitReached"),
        "The virtual network 'net' cannot have more than 3000 subnets, …",
    ),
    "ResourceNotFound": (
        lambda w: ask(w, "GET", "/virtualNetworks/none", group="dev"),
        (404, "ResourceNotFound"),
        "The Resource 'Microsoft.Network/virtualNetworks/none' under resource group 'dev' was not found. …",
    ),
    "NotFound": (
        on_a_network("GET", f"{KEPT}/subnets/none"),
        (404, "NotFound"),
        "Resource … not found.",
    ),
    "a rule for a subnet that is not there": (
        a_rule("none"),
        (400, "BadRequest"),
        "The subnet '…' was not found.",
    ),
    "SubnetsHaveNoServiceEndpointsConfigured": (
        a_rule(),
        (400, "SubnetsHaveNoServiceEndpointsConfigured"),
        (
            "Subnets bare of virtual network … do not have ServiceEndpoints for Microsoft.KeyVault resources "
            "configured. …"
        ),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_management_plane_answers_an_error_as_its_row_says(world, name):
    provoke, expected, message = ROWS[name]
    met = meet(world, provoke)
    assert (met.status, met.code) == expected, met
    assert fits(message, met.message, world.facts), met.message
