"""From where a vault may be used: every operation of the data plane, and what the record says of it."""

import asyncio
from dataclasses import replace

import pytest

from authorization_rows import DATA_ROWS
from data_doubles import DataWorld, an_application, token_for
from storage_doubles import a_network
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.vaults.network import NetworkProposal, NetworkRules, SubnetRule
from vault_doubles import NOON

INSIDE, OUTSIDE = "203.0.113.9", "198.51.100.7"
DENY = NetworkRules(default_action="Deny", ip_rules=("203.0.113.0/24",))
VERSION = "0123456789abcdef0123456789abcdef"
NAMES = {"version": VERSION}
SHUT = {"firewall": {"network": DENY}, "connection": {"public_network_access": "Disabled", "network": DENY}}
INNER = {"firewall": "ForbiddenByFirewall", "connection": "ForbiddenByConnection"}


@pytest.fixture
async def world():
    made = await DataWorld().furnish()
    await made.set("there")
    return made


def network_of(record):
    told = record["properties"]
    return told.get("addrAuthType"), told.get("isAddressAuthorized"), told.get("networkRule")


@pytest.mark.parametrize("row", DATA_ROWS, ids=" ".join)
@pytest.mark.parametrize("how", SHUT)
async def test_every_operation_is_refused_from_outside_whether_or_not_what_it_names_is_there(world, row, how):
    await world.change_vault(**SHUT[how])
    method, path = row
    answers = [
        await world.ask(method, path.format(name=name, **NAMES), {}, client=OUTSIDE) for name in ("there", "missing")
    ]
    assert all(answer.says(403, "Forbidden", INNER[how]) for answer in answers)
    assert answers[0].raw == answers[1].raw
    assert answers[0].headers.keys() == answers[1].headers.keys()
    record = world.last_record
    assert network_of(record)[:2] == ("PublicIP", False)
    assert (record["callerIpAddress"], record["resultSignature"]) == (OUTSIDE, "Forbidden")
    assert record["resultDescription"] == answers[1].error["message"]
    assert record["identity"]["claim"]["appid"] == world.application.app_id
    assert "isAccessPolicyMatch" not in record["properties"], "what the caller may was not asked"


async def test_who_is_inside_may_what_he_may(world):
    await world.change_vault(network=DENY)
    assert (await world.ask("GET", "/secrets/there", client=INSIDE)).status == 200
    assert network_of(world.last_record) == ("PublicIP", True, None)
    assert (await world.ask("GET", "/secrets/there", client=f"::ffff:{INSIDE}")).status == 200
    for address in (OUTSIDE, "", "::1", "fd00::1"):
        assert (await world.ask("GET", "/secrets/there", client=address)).says(403, "Forbidden", INNER["firewall"])


async def test_who_is_refused_gives_way_to_those_who_are_served(world, monkeypatch):
    monkeypatch.setattr("strongroom.planes.restraint.HOLD_SECONDS", 1000)
    world.gate._restraint.served = 0.0  # long ago
    await world.change_vault(network=DENY)
    assert (await world.ask("GET", "/secrets/there", client=OUTSIDE)).status == 403, "alone, nobody waits"
    assert (await world.ask("GET", "/secrets/there", client=INSIDE)).status == 200
    refused = asyncio.ensure_future(world.ask("GET", "/secrets/there", client=OUTSIDE))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not refused.done()
    assert (await world.ask("GET", "/secrets/there", client=INSIDE)).status == 200
    world.gate._restraint.release()
    assert (await refused).says(403, "Forbidden", INNER["firewall"])


async def test_who_may_nothing_is_refused_by_the_network_first(world):
    stranger = an_application(2)
    await world.storage.stores.identity.add_application(stranger)
    await world.change_vault(network=DENY)
    for client, inner in ((OUTSIDE, "ForbiddenByFirewall"), (INSIDE, "ForbiddenByPolicy")):
        answer = await world.ask("GET", "/secrets/there", token=token_for(stranger), client=client)
        assert answer.says(403, "Forbidden", inner)


async def test_nobody_is_told_of_the_network_before_he_proved_who_he_is(world):
    await world.change_vault(network=DENY, public_network_access="Disabled")
    answer = await world.ask("GET", "/secrets/there", token=None, client=OUTSIDE)
    assert answer.says(401, "Unauthorized")
    assert "www-authenticate" in answer.headers
    assert (await world.ask("GET", "/nowhere", client=OUTSIDE)).status == 404
    assert (await world.ask("GET", "/secrets/there", query="api-version=1.0", client=OUTSIDE)).status == 400


async def test_a_role_helps_nobody_from_outside(world):
    role = next(role for role in BUILT_IN if role.name == "Key Vault Administrator")
    await world.grant(role)
    await world.change_vault(rbac=True, network=DENY)
    assert (await world.ask("GET", "/secrets/there", client=INSIDE)).status == 200
    assert (await world.ask("GET", "/secrets/there", client=OUTSIDE)).says(403, "Forbidden", INNER["firewall"])


async def test_who_was_let_in_is_refused_from_elsewhere_and_after_a_change(world):
    """What was found of a request is remembered for its address alone, and until something changes."""
    await world.change_vault(network=DENY)
    for _ in range(2):
        assert (await world.ask("GET", "/secrets/there", client=INSIDE)).status == 200
        assert (await world.ask("GET", "/secrets/there", client=OUTSIDE)).status == 403
    await world.change_vault(network=NetworkRules(default_action="Deny", ip_rules=(f"{OUTSIDE}/32",)))
    assert (await world.ask("GET", "/secrets/there", client=INSIDE)).status == 403
    assert (await world.ask("GET", "/secrets/there", client=OUTSIDE)).status == 200


async def test_an_open_vault_says_in_its_records_that_it_let_the_address_in(world):
    for said in ({}, {"network": NetworkRules()}, {"network": NetworkRules(ip_rules=(f"{INSIDE}/32",))}):
        await world.change_vault(**said)
        assert (await world.ask("GET", "/secrets/there", client=OUTSIDE)).status == 200
        assert network_of(world.last_record) == ("PublicIP", True, None)


@pytest.mark.parametrize(
    ("how", "rule"), [("firewall", "defaultAction: Deny"), ("connection", "publicNetworkAccess: Disabled")]
)
async def test_a_refused_change_changes_nothing_and_says_which_rule_refused_it(world, how, rule):
    await world.change_vault(**SHUT[how])
    assert (await world.ask("PUT", "/secrets/new", {"value": "v"}, client=OUTSIDE)).status == 403
    assert network_of(world.last_record) == ("PublicIP", False, rule)
    await world.change_vault(network=None, public_network_access="Enabled")
    assert (await world.ask("GET", "/secrets/new", client=OUTSIDE)).status == 404


@pytest.mark.parametrize("access", ["Enabled", "Disabled"])
async def test_a_proposal_refuses_nobody_and_the_record_says_whom_it_would(world, access):
    await world.change_vault(proposal=NetworkProposal(rules=DENY, public_network_access=access, since=NOON))
    rule = {"Enabled": "defaultAction: Deny", "Disabled": "publicNetworkAccess: Disabled"}[access]
    for _ in range(2):
        assert (await world.ask("GET", "/secrets/there", client=OUTSIDE)).status == 200
        assert world.last_record["properties"]["networkProposal"] == rule
        assert network_of(world.last_record) == ("PublicIP", True, None)
    assert (await world.ask("GET", "/secrets/there", client=INSIDE)).status == 200
    assert ("networkProposal" in world.last_record["properties"]) is (access == "Disabled")


async def test_a_proposal_lets_nobody_in_whom_the_rules_refuse(world):
    proposal = NetworkProposal(rules=NetworkRules(), public_network_access="Enabled", since=NOON)
    await world.change_vault(network=DENY, proposal=proposal)
    assert (await world.ask("GET", "/secrets/there", client=OUTSIDE)).says(403, "Forbidden", INNER["firewall"])
    assert "networkProposal" not in world.last_record["properties"]


SUBNET = "/subscriptions/s1/resourcegroups/rg/providers/microsoft.network/virtualnetworks/net-1/subnets/web"
FROM_SUBNET = NetworkRules(default_action="Deny", subnet_rules=(SubnetRule(subnet_id=SUBNET),))


async def test_a_subnet_that_a_rule_names_is_let_in_while_it_has_the_address_and_the_endpoint(world):
    networks = world.storage.stores.networks
    await world.change_vault(network=FROM_SUBNET)

    async def asked(client="10.0.1.7"):
        return (await world.ask("GET", "/secrets/there", client=client)).status

    assert await asked() == 403, "there is no such subnet"
    network = a_network(1)
    await networks.put(network)
    inside, outside = ("10.0.1.7", "::ffff:10.0.1.7"), ("10.0.2.7", OUTSIDE)
    assert [await asked(client) for client in (*inside, *outside)] == [200, 200, 403, 403]
    assert await asked() == 200
    assert network_of(world.last_record) == ("Subnet", True, None)
    assert world.last_record["properties"]["subnetId"] == SUBNET
    web, db = network.subnets
    await networks.put(replace(network, subnets=(replace(web, endpoints=()), db)))
    assert await asked() == 403, "it has no endpoint any more"
    await networks.put(replace(network, subnets=(replace(web, prefixes=("10.0.9.0/24",)), db)))
    assert [await asked(client) for client in ("10.0.1.7", "10.0.9.7")] == [403, 200]
    await world.change_vault(network=FROM_SUBNET, public_network_access="Disabled")
    assert await asked("10.0.9.7") == 403


async def test_a_proposal_is_asked_with_the_subnets_that_it_names(world):
    await world.storage.stores.networks.put(a_network(1))
    proposal = NetworkProposal(rules=FROM_SUBNET, public_network_access="Enabled", since=NOON)
    await world.change_vault(proposal=proposal)
    for client, refused in (("10.0.1.7", False), (OUTSIDE, True)):
        assert (await world.ask("GET", "/secrets/there", client=client)).status == 200
        assert ("networkProposal" in world.last_record["properties"]) is refused
