"""Network rules of a vault as the management plane takes, keeps, tells and records them."""

from dataclasses import replace

import pytest

from management_doubles import SITE, vault_body, vault_path
from strongroom.access.identity.verifier import Verifier
from strongroom.planes.gate import Gate
from strongroom.planes.management.plane import ManagementPlane
from strongroom.vaults.network import NetworkProposal, NetworkRules
from vault_doubles import NOON

SUBNET = (
    "/subscriptions/5b1c7c0e-7f0a-4d0c-9d0e-3f6a2b1c0d9e/resourceGroups/rg/providers/Microsoft.Network"
    "/virtualNetworks/v/subnets/n"
)
ASKED = {
    "bypass": "none",
    "defaultAction": "deny",
    "ipRules": [{"value": "203.0.113.9"}, {"value": "198.51.100.0/24"}, {"value": "203.0.113.9/32"}],
}
KEPT = {
    "bypass": "None",
    "defaultAction": "Deny",
    "ipRules": [{"value": "203.0.113.9/32"}, {"value": "198.51.100.0/24"}],
    "virtualNetworkRules": [],
}
OPEN = {"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [], "virtualNetworkRules": []}


@pytest.fixture
async def furnished(world):
    await world.a_group()
    return world


def network_of(answer):
    assert answer.status == 200, answer.raw
    told = answer.json["properties"]
    return told.get("networkAcls"), told["publicNetworkAccess"]


async def patch(world, **properties):
    return await world.ask("PATCH", vault_path(), {"properties": properties})


async def test_rules_are_told_in_their_normal_form_and_a_vault_may_be_put_back_as_it_was_told(furnished):
    made = await furnished.a_vault(networkAcls=ASKED, publicNetworkAccess="disabled")
    assert (made["properties"]["networkAcls"], made["properties"]["publicNetworkAccess"]) == (KEPT, "Disabled")
    again = await furnished.ask("PUT", vault_path(), made)
    assert again.json["properties"] == made["properties"]
    assert (await furnished.ask("GET", vault_path())).json["properties"] == made["properties"]
    listed = (await furnished.ask("GET", vault_path().rpartition("/")[0])).json["value"]
    assert [each["properties"]["networkAcls"] for each in listed] == [KEPT]


async def test_a_put_that_says_nothing_of_the_network_opens_the_vault(furnished):
    await furnished.a_vault(networkAcls=ASKED, publicNetworkAccess="disabled")
    assert network_of(await furnished.ask("PUT", vault_path(), vault_body())) == (None, "Enabled")


async def test_a_put_starts_from_no_rules(furnished):
    await furnished.a_vault(networkAcls=ASKED)
    answer = await furnished.ask("PUT", vault_path(), vault_body(networkAcls={"defaultAction": "Deny"}))
    assert network_of(answer)[0] == OPEN | {"defaultAction": "Deny"}


async def test_a_patch_changes_what_it_says_of_the_rules(furnished):
    await furnished.a_vault(networkAcls=ASKED)
    assert network_of(await patch(furnished, publicNetworkAccess="Disabled")) == (KEPT, "Disabled")
    answer = await patch(furnished, networkAcls={"bypass": "AzureServices"})
    assert network_of(answer) == (KEPT | {"bypass": "AzureServices"}, "Disabled")
    answer = await patch(furnished, networkAcls={"ipRules": []}, publicNetworkAccess="ENABLED")
    assert network_of(answer) == (OPEN | {"defaultAction": "Deny"}, "Enabled")
    assert network_of(await patch(furnished, networkAcls={}))[0] == OPEN | {"defaultAction": "Deny"}


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"publicNetworkAccess": "SecuredByPerimeter"}, "no network security perimeters"),
        ({"networkAcls": {"ipRules": [{"value": "1.2.3.4/24"}]}}, "did you mean 1.2.3.0/24, or 1.2.3.4/32?"),
        ({"networkAcls": {"ipRules": [{"value": "1.2.3.4"}] * 1001}}, "at most 1000 ipRules"),
        ({"networkAcls": {"virtualNetworkRules": [{"id": SUBNET}]}}, "was not found"),
        ({"networkAcls": {"virtualNetworkRules": [{"id": "x"}]}}, "virtualNetworkRules[0].id: x is not"),
    ],
)
async def test_what_is_not_enforced_or_no_rule_is_refused_and_changes_nothing(furnished, verb, said, told):
    made = await furnished.a_vault(networkAcls=ASKED)
    body = vault_body(**said) if verb == "PUT" else {"properties": said}
    answer = await furnished.ask(verb, vault_path(), body)
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert told in answer.message
    assert (await furnished.ask("GET", vault_path())).json["properties"] == made["properties"]


@pytest.mark.parametrize("acls", [{"ipRules": [{}]}, {"ipRules": ["1.2.3.4"]}, {"virtualNetworkRules": [{}]}, [], "x"])
async def test_rules_of_another_shape_are_refused(furnished, acls):
    answer = await furnished.ask("PUT", vault_path(), vault_body(networkAcls=acls))
    assert (answer.status, answer.code) == (400, "InvalidRequestContent")


async def test_private_addresses_are_refused_where_the_operator_says_so(furnished):
    asked = vault_body(networkAcls={"ipRules": [{"value": "10.1.0.0/16"}]})
    assert (await furnished.ask("PUT", vault_path(), asked)).status == 200
    plane = ManagementPlane(Verifier("localhost"), replace(SITE, private_ip_rules=False), furnished.keepers)
    furnished.gate = Gate(plane, furnished.storage, furnished.storage.custodian, "localhost")
    for verb, body in (("PUT", asked), ("PATCH", {"properties": asked["properties"]})):
        answer = await furnished.ask(verb, vault_path(), body)
        assert (answer.status, answer.code) == (400, "BadRequest")
        assert answer.message == (
            "Invalid value found at properties.networkAcls.ipRules[0].value: 10.1.0.0/16 belongs to forbidden range "
            "10.0.0.0–10.255.255.255 (private IP addresses)"
        )
    assert (await patch(furnished, tags={})).status == 200, "what is there already may stay"


async def test_a_vault_comes_back_with_its_rules(furnished):
    made = await furnished.a_vault(networkAcls=ASKED, publicNetworkAccess="Disabled")
    await furnished.ask("DELETE", vault_path())
    back = await furnished.ask("PUT", vault_path(), vault_body(createMode="recover", networkAcls=OPEN))
    assert back.json["properties"] == made["properties"]


async def test_a_change_over_the_plane_leaves_what_is_proposed_and_does_not_tell_it(furnished):
    await furnished.a_vault(networkAcls=ASKED)
    proposal = NetworkProposal(rules=NetworkRules(), public_network_access="Disabled", since=NOON)
    vaults = furnished.stores.vaults
    await vaults.replace(replace(await vaults.find("kv1"), proposal=proposal))
    answer = await furnished.ask("PUT", vault_path(), vault_body(networkAcls=ASKED))
    assert network_of(answer) == (KEPT, "Enabled")
    assert b"proposal" not in answer.raw.lower()
    await patch(furnished, publicNetworkAccess="Disabled")
    assert (await vaults.find("kv1")).proposal == proposal


async def test_who_may_write_the_vault_may_set_its_rules_and_nobody_else(furnished):
    await furnished.a_vault()
    contributor, reader = await furnished.someone("Key Vault Contributor"), await furnished.someone("Reader")
    body = {"properties": {"networkAcls": ASKED}}
    assert network_of(await furnished.ask("PATCH", vault_path(), body, who=contributor))[0] == KEPT
    assert (await furnished.ask("PATCH", vault_path(), body, who=reader)).code == "AuthorizationFailed"


# ---- records


async def test_the_record_says_what_became_of_the_rules(furnished):
    def noted():
        told = furnished.records()[-1]["properties"]
        return {name: told[name] for name in ("networkAclsChange", "publicNetworkAccess") if name in told}

    await furnished.a_vault(networkAcls=ASKED)
    added = ["198.51.100.0/24", "203.0.113.9/32"]
    assert noted() == {"networkAclsChange": {"defaultAction": "Deny", "bypass": "None", "added": added}}
    await patch(furnished, networkAcls={"ipRules": [{"value": "192.0.2.1"}, *ASKED["ipRules"][:1]]})
    assert noted() == {"networkAclsChange": {"added": ["192.0.2.1/32"], "removed": ["198.51.100.0/24"]}}
    await patch(furnished, publicNetworkAccess="Disabled")
    assert noted() == {"publicNetworkAccess": "Disabled"}
    await patch(furnished, enabledForDeployment=True)
    assert noted() == {}
    await furnished.ask("PUT", vault_path(), vault_body())
    gone = {"defaultAction": "Allow", "bypass": "AzureServices", "removed": ["192.0.2.1/32", "203.0.113.9/32"]}
    assert noted() == {"networkAclsChange": gone, "publicNetworkAccess": "Enabled"}
    await furnished.a_vault("kv2", networkAcls=OPEN)
    assert noted() == {}


async def test_a_thousand_rules_are_kept_told_and_recorded(furnished):
    many = [{"value": f"203.{number >> 8}.{number & 255}.0/24"} for number in range(1000)]
    made = await furnished.a_vault(networkAcls={"ipRules": many})
    assert made["properties"]["networkAcls"]["ipRules"] == many
    assert len(furnished.records()[-1]["properties"]["networkAclsChange"]["added"]) == 1000
