"""What a body asks of a virtual network is read only as far as a network can have it."""

import pytest

from strongroom.errors import Conflict
from strongroom.planes.management import networkwire
from strongroom.planes.management.networkwire import NamedSubnetBody, NetworkBody, NetworkProperties
from strongroom.resources.networks.request import MAX_SUBNETS


def a_body(subnets):
    return NetworkBody(location="westeurope", properties=NetworkProperties(subnets=[NamedSubnetBody()] * subnets))


def test_of_more_subnets_than_a_network_can_have_none_is_read(monkeypatch):
    read = []
    monkeypatch.setattr(networkwire, "subnet_request", read.append)
    with pytest.raises(Conflict) as refused:
        networkwire.network_request(a_body(MAX_SUBNETS + 1), "net")
    assert (refused.value.code, read) == ("SubnetCountLimitReached", [])


def test_as_many_as_it_can_have_are_read():
    assert len(networkwire.network_request(a_body(MAX_SUBNETS), "net").subnets) == MAX_SUBNETS
