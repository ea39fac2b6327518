"""`strongroom network endpoint`: private endpoints are made, listed and removed, each with its record."""

import pytest


@pytest.fixture
def vault(data):
    del data
    return "dev"


def test_one_is_made_listed_and_removed(data, vault, done, records):
    made = done("network", "endpoint", "add", "pay-pe", "--vault", vault, "--address", "127.0.0.7:8443", "--json")
    group = f"/subscriptions/{data['subscriptionId']}/resourceGroups/dev"
    assert made == {
        "name": "pay-pe",
        "vault": vault,
        "address": "127.0.0.7:8443",
        "status": "Pending",
        "id": f"{group}/providers/Microsoft.Network/privateEndpoints/pay-pe",
    }
    body = records()[-1]
    assert body["operationName"] == "Strongroom.PrivateEndpoint/create"
    assert body["resourceId"] == f"{group}/providers/Microsoft.KeyVault/vaults/{vault}".upper()
    said = {"privateEndpointId": made["id"], "endpointAddress": "127.0.0.7:8443", "connectionStatus": "Pending"}
    assert said.items() <= body["properties"].items()
    assert done("network", "endpoint", "list", "--json") == [made]
    assert done("network", "endpoint", "list").splitlines()[0].split() == ["name", "vault", "address", "status", "id"]
    assert "remove: pay-pe" in done("network", "endpoint", "remove", "PAY-PE", "--vault", vault)
    assert records()[-1]["operationName"] == "Strongroom.PrivateEndpoint/delete"
    assert done("network", "endpoint", "list", "--json") == []


def test_one_is_approved_at_once_and_lies_elsewhere(data, vault, done):
    place = ("--subscription", "strongroom", "--group", "net")
    where = ("--vault", vault, "--address", "[::1]:1")
    made = done("network", "endpoint", "add", "p6", *where, "--approve", *place, "--json")
    assert (made["status"], made["address"]) == ("Approved", "[::1]:1")
    assert made["id"].startswith(f"/subscriptions/{data['subscriptionId']}/resourceGroups/net/")


def test_who_makes_one_is_told_what_becomes_of_its_address(vault, done):
    told = done("network", "endpoint", "add", "pe7", "--vault", vault, "--address", "127.0.0.7")
    assert told.splitlines()[-1] == "At 127.0.0.7 all other vaults are refused from now on."


REFUSED = [
    (("add", "pe", "--vault", "none", "--address", "127.0.0.7"), "there is no vault 'none'"),
    (("add", "pe", "--vault", "{vault}", "--address", "host"), "'host' is no IP address."),
    (("add", "pe", "--vault", "{vault}", "--address", "0.0.0.0"), "is not the address of one interface"),
    (("add", "p", "--vault", "{vault}", "--address", "127.0.0.7"), "The name 'p' is invalid"),
    (("add", "p2", "--vault", "{vault}", "--address", "127.0.0.6"), "belongs to the private endpoint 'there'"),
    (("add", "THERE", "--vault", "{vault}", "--address", "127.0.0.7"), "has a private endpoint 'there' already"),
    (("remove", "pe", "--vault", "{vault}"), "there is no private endpoint 'pe' of a vault '{vault}'"),
    (("remove", "pe", "--vault", "none"), "there is no private endpoint 'pe' of a vault 'none'"),
]


def test_what_cannot_be_is_said_and_nothing_is_kept(vault, done, strongroom):
    done("network", "endpoint", "add", "there", "--vault", vault, "--address", "127.0.0.6:1")
    for arguments, told in REFUSED:
        code, _, err = strongroom("network", "endpoint", *(each.format(vault=vault) for each in arguments))
        assert (code, told.format(vault=vault) in err) == (1, True), err
    assert [each["name"] for each in done("network", "endpoint", "list", "--json")] == ["there"]
