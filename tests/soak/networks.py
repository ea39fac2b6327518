"""Recipes for virtual networks and subnets."""

STALE = {"if-match": 'W/"00000000-0000-4000-8000-000000000000"'}
SUBNET = {"properties": {"addressPrefix": "10.0.1.0/24"}}


def live_in_networks(recipes):
    """The life of a network and a subnet, what they are refused for, and what is set on a network."""
    place = recipes.direct.facts.location
    network = {"location": place, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
    recipes.ask("putGroup", body={"location": place})
    for name, body in (("putNetwork", network), ("putSubnet", SUBNET)):
        for _ in range(2):
            recipes.ask(name, body=body)
        recipes.ask(name, body=body, headers=STALE)
    for name in ("getNetwork", "listNetworks", "listNetworksOfGroup", "getSubnet", "listSubnets", "listResources"):
        recipes.ask(name)
    recipes.ask("updateNetwork", body={"tags": {"a": "b"}})
    recipes.ask("updateNetwork", body={"tags": {}}, headers=STALE)
    recipes.ask("listNetworkOperations")
    for name in ("deleteSubnet", "deleteNetwork"):
        recipes.ask(name, headers=STALE)
        for _ in range(2):
            recipes.ask(name)
    recipes.ask("putNetwork", body=network)  # locks and tags are set on it
