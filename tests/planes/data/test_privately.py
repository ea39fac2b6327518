"""Requests by private endpoints and of trusted services: what passes, what strays, what the record says."""

from dataclasses import replace

import pytest

from authorization_rows import DATA_ROWS
from data_doubles import DOMAIN, PORT, DataWorld, an_application, token_for
from storage_doubles import a_connection
from strongroom.vaults.connections import Status, decided
from strongroom.vaults.network import NetworkRules
from vault_doubles import a_vault

VERSION = "0123456789abcdef0123456789abcdef"
ENDPOINT = a_connection(1)
BY_ENDPOINT = (ENDPOINT.address, ENDPOINT.port)
ELSEWHERE = ("127.0.0.1", ENDPOINT.port)
OUTSIDE = "198.51.100.7"
SHUT = {"network": NetworkRules(default_action="Deny"), "public_network_access": "Disabled"}
OTHER = f"kv2.vault.{DOMAIN}{PORT}"


@pytest.fixture
async def world():
    made = await DataWorld().furnish()
    await made.set("there")
    await made.add_vault(a_vault("kv2", access_policies=(made.policy(),)))
    await made.change_vault(**SHUT)
    await made.storage.stores.connections.put(ENDPOINT)
    return made


async def get(world, **more):
    return await world.ask("GET", "/secrets/there", client=OUTSIDE, **more)


def told(world):
    said = world.last_record["properties"]
    return {name: said[name] for name in ("addrAuthType", "privateEndpointId", "trustedService") if name in said}


# --- private endpoints


async def test_what_comes_by_an_approved_endpoint_passes_whatever_the_rules_say(world):
    assert (await get(world, arrived=ELSEWHERE)).says(403, "Forbidden", "ForbiddenByConnection")
    assert (await get(world, arrived=BY_ENDPOINT)).status == 200
    assert told(world) == {"addrAuthType": "PrivateLink", "privateEndpointId": ENDPOINT.endpoint_id}
    assert world.last_record["properties"]["isAddressAuthorized"] is True
    assert (await get(world)).status == 403


async def test_it_passes_the_network_alone(world):
    stranger = an_application(2)
    await world.storage.stores.identity.add_application(stranger)
    answer = await get(world, arrived=BY_ENDPOINT, token=token_for(stranger))
    assert answer.says(403, "Forbidden", "ForbiddenByPolicy")
    assert (await get(world, arrived=BY_ENDPOINT, token=None)).says(401, "Unauthorized")


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.APPROVED])
async def test_by_an_endpoint_that_is_not_approved_its_vault_is_asked_as_anywhere(world, status):
    await world.storage.stores.connections.put(replace(ENDPOINT, status=status))
    assert (await get(world, arrived=BY_ENDPOINT)).says(403, "Forbidden", "ForbiddenByConnection")
    assert told(world) == {"addrAuthType": "PublicIP"}
    await world.change_vault(network=None, public_network_access="Enabled")
    assert (await get(world, arrived=BY_ENDPOINT)).status == 200
    assert told(world) == {"addrAuthType": "PublicIP"}


async def test_a_decision_counts_for_the_next_request(world):
    connection = ENDPOINT
    for status, expected in ((Status.REJECTED, 403), (Status.APPROVED, 200), (Status.REJECTED, 403)):
        connection = decided(connection, status, None)
        await world.storage.stores.connections.put(connection)
        assert (await get(world, arrived=BY_ENDPOINT)).status == expected
    await world.storage.stores.connections.remove(connection)
    assert (await get(world, arrived=BY_ENDPOINT)).status == 403


@pytest.mark.parametrize("row", DATA_ROWS, ids=" ".join)
async def test_by_the_endpoint_of_another_vault_every_operation_is_refused(world, row):
    method, path = row
    path = path.format(name="there", version=VERSION)
    answer = await world.ask(method, path, {}, client=OUTSIDE, host=OTHER, arrived=BY_ENDPOINT)
    assert answer.says(403, "Forbidden", "ForbiddenByConnection")
    assert "kv1" not in answer.error["message"]
    assert told(world) == {"addrAuthType": "PrivateLink"}
    assert world.last_record["properties"]["isAddressAuthorized"] is False
    assert world.last_record["properties"]["networkRule"] == "privateEndpoint: of another vault"


async def test_another_vault_is_refused_there_alone(world):
    assert (await world.ask("GET", "/secrets", host=OTHER, arrived=ELSEWHERE)).status == 200
    assert (await world.ask("GET", "/secrets", host=OTHER)).status == 200
    assert (await world.ask("GET", "/secrets", host=OTHER, arrived=BY_ENDPOINT)).status == 403
    await world.storage.stores.connections.remove(ENDPOINT)
    assert (await world.ask("GET", "/secrets", host=OTHER, arrived=BY_ENDPOINT)).status == 200


# --- trusted services


async def trust(world, **changes):
    await world.storage.stores.identity.replace_application(replace(world.application, **changes))


@pytest.mark.parametrize("public_access", ["Enabled", "Disabled"])
async def test_a_trusted_service_passes_where_the_rules_let_it_bypass_them(world, public_access):
    await world.change_vault(public_network_access=public_access)
    assert (await get(world)).status == 403
    await trust(world, trusted=True)
    assert (await get(world)).status == 200
    assert told(world) == {"addrAuthType": "TrustedService", "trustedService": "app 1"}
    await world.change_vault(network=NetworkRules(default_action="Deny", bypass="None"))
    assert (await get(world)).status == 403
    assert told(world) == {"addrAuthType": "PublicIP"}
    await world.change_vault(network=NetworkRules(default_action="Deny"))
    await trust(world, trusted=False)
    assert (await get(world)).status == 403


async def test_one_that_is_disabled_is_nothing(world):
    await trust(world, trusted=True, enabled=False)
    assert (await get(world)).says(401, "Unauthorized")


async def test_a_trusted_service_may_no_more_than_it_may(world):
    await trust(world, trusted=True)
    await world.change_vault(access_policies=())
    assert (await get(world)).says(403, "Forbidden", "ForbiddenByPolicy")


async def test_a_private_endpoint_is_told_before_a_trusted_service_and_none_leads_elsewhere(world):
    await trust(world, trusted=True)
    assert (await get(world, arrived=BY_ENDPOINT)).status == 200
    assert told(world)["addrAuthType"] == "PrivateLink"
    answer = await world.ask("GET", "/secrets", host=OTHER, arrived=BY_ENDPOINT)
    assert answer.says(403, "Forbidden", "ForbiddenByConnection")
