"""Private links of vaults: what there is to link to, and what becomes of connections."""

import pytest

from management_doubles import AUTHORIZATION, BASE, a_role_body, vault_body, vault_path
from storage_doubles import a_connection
from strongroom.planes.management.privatelinks import APPROVAL as APPROVAL_ACTION
from strongroom.vaults.connections import Status

CONNECTIONS = f"{vault_path()}/privateEndpointConnections"
APPROVAL = {"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}}

ROLE = "0b6c1d7e-0000-4000-8000-00000000abcd"


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


async def test_there_are_no_connections_at_first(furnished):
    answer = await furnished.ask("GET", CONNECTIONS)
    assert (answer.status, answer.json) == (200, {"value": []})
    assert "privateEndpointConnections" not in (await furnished.ask("GET", vault_path())).json["properties"]


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", APPROVAL)])
async def test_a_connection_that_is_not_there_is_not_made(furnished, method, body):
    before = furnished.stores.snapshot()
    answer = await furnished.ask(method, f"{CONNECTIONS}/one", body)
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    assert "'one'" in answer.message
    assert furnished.stores.snapshot() == before
    assert (await furnished.ask("GET", CONNECTIONS)).json == {"value": []}


async def test_removing_a_connection_that_is_not_there_is_done_already(furnished):
    answer = await furnished.ask("DELETE", f"{CONNECTIONS}/one")
    assert (answer.status, answer.raw) == (204, b"")


@pytest.fixture
async def linked(furnished):
    vault = await furnished.stores.vaults.find("kv1")
    furnished.connection = a_connection(1, vault.vault_id, status=Status.PENDING, description="")
    await furnished.stores.connections.put(furnished.connection)
    return furnished


def told(connection, status, description=""):
    return {
        "id": f"{CONNECTIONS}/End-1",
        "name": "End-1",
        "type": "Microsoft.KeyVault/vaults/privateEndpointConnections",
        "etag": connection.etag,
        "properties": {
            "privateEndpoint": {"id": connection.endpoint_id},
            "privateLinkServiceConnectionState": {
                "status": status,
                "description": description,
                "actionsRequired": "None",
            },
            "provisioningState": "Succeeded",
        },
    }


async def test_a_connection_is_told_by_itself_in_the_list_and_in_its_vault(linked):
    expected = told(linked.connection, "Pending")
    answer = await linked.ask("GET", f"{CONNECTIONS}/END-1")
    assert (answer.status, answer.json) == (200, expected)
    assert (await linked.ask("GET", CONNECTIONS)).json == {"value": [expected]}
    item = {name: expected[name] for name in ("id", "etag", "properties")}
    vault = (await linked.ask("GET", vault_path())).json
    assert vault["properties"]["privateEndpointConnections"] == [item]
    (listed,) = (await linked.ask("GET", vault_path().rpartition("/")[0])).json["value"]
    assert listed == vault
    patched = await linked.ask("PATCH", vault_path(), {"tags": {"a": "b"}})
    assert patched.json["properties"]["privateEndpointConnections"] == [item]


def state(status, **said):
    return {"properties": {"privateLinkServiceConnectionState": {"status": status, **said}}}


async def test_approving_rejecting_and_approving_again_changes_the_etag_each_time(linked):
    etags = [linked.connection.etag]
    for status in ("Approved", "Rejected", "approved"):
        answer = await linked.ask("PUT", f"{CONNECTIONS}/end-1", state(status, description=f"is {status}"))
        found = await linked.stores.connections.find_at("127.0.0.2", 8001)
        assert (answer.status, answer.json) == (200, told(found, status.title(), f"is {status}"))
        etags.append(found.etag)
        properties = linked.records()[-1]["properties"]
        assert properties["connectionStatus"] == status.title()
        assert properties["privateEndpointId"] == found.endpoint_id
    assert len(set(etags)) == 4
    assert linked.records()[-1]["properties"]["connectionStatusBefore"] == "Rejected"


async def test_what_was_read_may_be_sent_back_with_another_status(linked):
    body = (await linked.ask("GET", f"{CONNECTIONS}/end-1")).json
    body["properties"]["privateLinkServiceConnectionState"]["status"] = "Rejected"
    assert (await linked.ask("PUT", f"{CONNECTIONS}/end-1", body)).status == 200
    again = await linked.ask("PUT", f"{CONNECTIONS}/end-1", state("Rejected"))  # no change, and no other etag
    assert again.json == (await linked.ask("GET", f"{CONNECTIONS}/end-1")).json


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "InvalidRequestContent"),
        ({"properties": {}}, "InvalidRequestContent"),
        (state("Maybe"), "BadRequest"),
        (state("Disconnected"), "BadRequest"),
        (state("Approved", actionsRequired="Recreate"), "BadRequest"),
        (state("Approved", description="x" * 513), "BadRequest"),
    ],
)
async def test_what_is_no_decision_is_refused_and_changes_nothing(linked, body, code):
    answer = await linked.ask("PUT", f"{CONNECTIONS}/end-1", body)
    assert (answer.status, answer.code) == (400, code)
    assert await linked.stores.connections.list_all() == (linked.connection,)


async def test_what_was_decided_does_not_become_pending_again(linked):
    assert (await linked.ask("PUT", f"{CONNECTIONS}/end-1", state("Pending"))).status == 200
    await linked.ask("PUT", f"{CONNECTIONS}/end-1", APPROVAL)
    answer = await linked.ask("PUT", f"{CONNECTIONS}/end-1", state("Pending"))
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert "from 'Approved' to 'Pending'" in answer.message


async def test_a_removed_connection_is_gone_and_its_endpoint_leads_nowhere(linked):
    answer = await linked.ask("DELETE", f"{CONNECTIONS}/end-1")
    assert answer.status == 200
    assert answer.json["properties"]["privateLinkServiceConnectionState"]["status"] == "Disconnected"
    assert linked.records()[-1]["properties"]["connectionStatusBefore"] == "Pending"
    assert (await linked.ask("GET", f"{CONNECTIONS}/end-1")).status == 404
    assert (await linked.ask("PUT", f"{CONNECTIONS}/end-1", APPROVAL)).status == 404
    assert (await linked.ask("DELETE", f"{CONNECTIONS}/end-1")).status == 204
    assert (await linked.ask("GET", CONNECTIONS)).json == {"value": []}
    (left,) = await linked.stores.connections.list_all()
    assert left.status is Status.DISCONNECTED


async def test_a_deleted_vault_that_is_recovered_has_none_until_they_are_made_anew(linked):
    await linked.ask("PUT", f"{CONNECTIONS}/end-1", APPROVAL)
    await linked.ask("DELETE", vault_path())
    await linked.ask("PUT", vault_path(), vault_body(createMode="recover"))
    assert (await linked.ask("GET", CONNECTIONS)).json == {"value": []}
    (left,) = await linked.stores.connections.list_all()
    assert left.status is Status.DISCONNECTED


@pytest.mark.parametrize("granted", [False, True])
async def test_approving_takes_the_action_of_its_own_beside_writing(linked, granted):
    writer = await linked.someone()
    actions = ["Microsoft.KeyVault/vaults/privateEndpointConnections/*", *([APPROVAL_ACTION] if granted else [])]
    body = a_role_body(permissions=[{"actions": actions}])
    place = f"{BASE}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}"
    assert (await linked.ask("PUT", place, body, version=AUTHORIZATION)).status == 201
    await linked.give(writer, ROLE, vault_path())
    assert (await linked.ask("PUT", f"{CONNECTIONS}/end-1", state("Rejected"), who=writer)).status == 200
    answer = await linked.ask("PUT", f"{CONNECTIONS}/end-1", APPROVAL, who=writer)
    assert answer.status == (200 if granted else 403)
    record = linked.records()[-1]["properties"]
    assert record["isRbacAuthorized"] is granted
    if not granted:
        assert (answer.code, APPROVAL_ACTION in answer.message) == ("AuthorizationFailed", True)
        (kept,) = await linked.stores.connections.list_all()
        assert kept.status is Status.REJECTED


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
