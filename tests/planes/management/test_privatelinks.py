"""Private links of vaults: what there would be to link to, and that nothing is linked or kept."""

import pytest

from management_doubles import vault_path

CONNECTIONS = f"{vault_path()}/privateEndpointConnections"
APPROVAL = {"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}}


@pytest.fixture
async def furnished(world):
    await world.a_group()
    await world.a_vault()
    return world


async def test_a_vault_can_be_linked_to_under_a_zone_of_this_domain(furnished):
    answer = await furnished.ask("GET", f"{vault_path()}/privateLinkResources")
    assert answer.status == 200
    assert answer.json == {
        "value": [
            {
                "id": f"{vault_path()}/privateLinkResources/vault",
                "name": "vault",
                "type": "Microsoft.KeyVault/vaults/privateLinkResources",
                "properties": {
                    "groupId": "vault",
                    "requiredMembers": ["default"],
                    "requiredZoneNames": ["privatelink.vaultcore.localhost"],
                },
            }
        ]
    }


async def test_there_are_no_connections(furnished):
    answer = await furnished.ask("GET", CONNECTIONS)
    assert (answer.status, answer.json) == (200, {"value": []})


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", APPROVAL), ("PUT", {})])
async def test_a_connection_is_not_found_whoever_asks_and_nothing_is_kept(furnished, method, body):
    before = furnished.stores.snapshot()
    answer = await furnished.ask(method, f"{CONNECTIONS}/one", body)
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    assert "'one'" in answer.message
    assert furnished.stores.snapshot() == before
    assert (await furnished.ask("GET", CONNECTIONS)).json == {"value": []}


async def test_removing_a_connection_that_is_not_there_is_done_already(furnished):
    answer = await furnished.ask("DELETE", f"{CONNECTIONS}/one")
    assert (answer.status, answer.raw) == (204, b"")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/privateLinkResources"),
        ("GET", "/privateEndpointConnections"),
        ("GET", "/privateEndpointConnections/one"),
        ("PUT", "/privateEndpointConnections/one"),
        ("DELETE", "/privateEndpointConnections/one"),
    ],
)
async def test_a_vault_that_is_not_there_has_none(furnished, method, path):
    answer = await furnished.ask(method, f"{vault_path('kv9')}{path}", APPROVAL if method == "PUT" else None)
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    assert "kv9" in answer.message
    early = await furnished.ask(method, f"{vault_path()}{path}", version="2016-10-01")
    assert (early.status, early.code) == (400, "NoRegisteredProviderFound")
