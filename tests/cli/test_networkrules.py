"""Network rules that are proposed, adopted and withdrawn by command."""

import json
from dataclasses import replace
from datetime import datetime

import pytest

from storage_doubles import a_network
from strongroom.audit.local import local_record
from strongroom.cli.data import on_data
from strongroom.clock import real_now
from strongroom.resources.networks.model import KEY_VAULT_SERVICE as SERVICE
from strongroom.resources.networks.model import ServiceEndpoint, Subnet
from strongroom.settings import load_settings

DENY = ("--default-action", "Deny", "--allow", "203.0.113.0/24", "--allow", "198.51.100.7")
ACLS = {"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [], "virtualNetworkRules": []}
PROPOSED = ACLS | {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}, {"value": "198.51.100.7/32"}]}


def test_rules_are_proposed_beside_those_that_count_and_then_count(data, done, records):
    shown = done("network", "show", "--vault", "dev", "--json")
    assert shown == {"vault": "dev", "publicNetworkAccess": "Enabled", "networkAcls": ACLS, "proposal": None}
    proposed = done("network", "propose", "--vault", "DEV", *DENY, "--public-network-access", "disabled", "--json")
    assert proposed["networkAcls"] == ACLS
    told = proposed["proposal"]
    assert (told["networkAcls"], told["publicNetworkAccess"]) == (PROPOSED, "Disabled")
    assert done("network", "show", "--vault", "dev", "--json") == proposed
    adopted = done("network", "adopt", "--vault", "dev", "--json")
    assert adopted == shown | {"networkAcls": PROPOSED, "publicNetworkAccess": "Disabled"}
    first, second = records()[-2:]
    assert [each["operationName"].rpartition("/")[2] for each in (first, second)] == ["propose", "adopt"]
    for body in (first, second):
        assert body["resourceId"].endswith("/VAULTS/DEV")
        said = body["properties"]
        added = ["198.51.100.7/32", "203.0.113.0/24"]
        assert said["networkAclsChange"] == {"added": added, "defaultAction": "Deny"}
        assert (said["publicNetworkAccess"], said["actor"]) == ("Disabled", "operator")


def test_a_proposal_is_changed_step_by_step_and_withdrawn(data, done, records):
    done("network", "propose", "--vault", "dev", *DENY)
    changed = done("network", "propose", "--vault", "dev", "--drop", "198.51.100.7/32", "--bypass", "none", "--json")
    expected = PROPOSED | {"ipRules": PROPOSED["ipRules"][:1], "bypass": "None"}
    assert changed["proposal"]["networkAcls"] == expected
    assert done("network", "withdraw", "--vault", "dev", "--json")["proposal"] is None
    body = records()[-1]
    assert (body["operationName"], "networkAclsChange" in body["properties"]) == (
        "Strongroom.NetworkRules/withdraw",
        False,
    )


@pytest.mark.parametrize(
    "document",
    [
        PROPOSED,
        {"networkAcls": PROPOSED, "publicNetworkAccess": "Enabled"},
        {"name": "dev", "properties": {"networkAcls": PROPOSED, "publicNetworkAccess": "Enabled"}},
    ],
)
def test_rules_are_read_from_a_file_as_az_writes_it(data, done, home, document):
    done("network", "propose", "--vault", "dev", "--allow", "1.2.3.4")
    (home / "acls.json").write_text(json.dumps(document))
    proposed = done("network", "propose", "--vault", "dev", "--file", "acls.json", "--json")
    assert proposed["proposal"]["networkAcls"] == PROPOSED


def test_a_person_is_shown_both_and_told_how_to_go_on(data, done):
    out = done("network", "propose", "--vault", "dev", *DENY)
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["dev:", "the", "rules", "that", "count"]
    assert ["lets", "in", "203.0.113.0/24"] in lines
    assert "strongroom network report --vault dev" in out
    assert "proposed since" in done("network", "show", "--vault", "dev")


def test_what_the_proposal_drops_of_the_rules_that_count_is_shown(data, done):
    done("network", "propose", "--vault", "dev", *DENY)
    done("network", "adopt", "--vault", "dev")
    out = done("network", "propose", "--vault", "dev", "--drop", "198.51.100.7")
    assert ["drops", "198.51.100.7/32"] in [line.split() for line in out.splitlines()]
    since = done("network", "show", "--vault", "dev", "--json")["proposal"]["since"]
    assert datetime.fromisoformat(since).tzinfo is not None


def test_a_subnet_without_the_endpoint_is_shown_as_what_it_is_and_told_how_to_let_in(data, done, strongroom):
    subnet = Subnet(name="web", prefixes=("10.0.1.0/24", "fd00::/64"), endpoints=(ServiceEndpoint(service=SERVICE),))
    place = {"subscription_id": data["subscriptionId"], "group": "dev", "name": "net"}
    put(a_network(**place, subnets=(subnet,)))
    own = f"/subscriptions/{data['subscriptionId']}/resourcegroups/dev"
    web = f"{own}/providers/microsoft.network/virtualnetworks/net/subnets/web"
    done("network", "propose", "--vault", "dev", "--default-action", "Deny", "--subnet", web)
    assert "nobody now" not in done("network", "adopt", "--vault", "dev")
    assert f"let in by {web}" in done("network", "check", "--vault", "dev", "--from", "10.0.1.9")
    put(a_network(**place, subnets=(replace(subnet, endpoints=()),)))
    lines = done("network", "show", "--vault", "dev").splitlines()
    told = "nobody now: it has no service endpoint Microsoft.KeyVault"
    assert (lines[-2].split(), lines[-1].strip()) == (["lets", "in", web], told)
    assert f"a rule of the vault 'dev' lets nobody in: {web}" in strongroom("doctor", "--port", "0")[1]
    assert strongroom("network", "check", "--vault", "dev", "--from", "10.0.1.9")[1].splitlines()[1] == (
        f"  to let it in: az network vnet subnet update --ids {web} --service-endpoints Microsoft.KeyVault"
    )
    for address, change in (("10.0.2.9", "network-rule add"), ("fd00::9", "no rules for IPv6")):
        assert change in strongroom("network", "check", "--vault", "dev", "--from", address)[1]


def put(network):
    async def work(opened):
        async def unit(stores):
            await stores.networks.put(network)
            return None, local_record("Strongroom.Test/put", now=real_now(), properties={})

        await opened.storage.change(unit)

    on_data(load_settings({}, {}), work)


def test_private_addresses_are_refused_where_the_server_refuses_them(data, strongroom, done, monkeypatch):
    done("network", "propose", "--vault", "dev", "--allow", "10.0.0.0/8")
    monkeypatch.setenv("STRONGROOM_PRIVATE_IP_RULES", "false")
    code, _, err = strongroom("network", "propose", "--vault", "dev", "--allow", "10.1.0.0/16")
    assert code == 1
    assert "forbidden range 10.0.0.0–10.255.255.255" in err
    assert done("network", "adopt", "--vault", "dev", "--json")["networkAcls"]["ipRules"] == [{"value": "10.0.0.0/8"}]


@pytest.mark.parametrize("option", ["--default-action", "--bypass", "--public-network-access"])
def test_a_word_that_is_none_is_told_with_those_that_are(data, strongroom, done, option):
    code, _, err = strongroom("network", "propose", "--vault", "dev", option, "Maybe")
    assert (code, "'Maybe' is not one of" in err) == (2, True)
    assert done("network", "show", "--vault", "dev", "--json")["proposal"] is None


SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n"
REFUSED = [
    (("show", "--vault", "none"), "there is no vault 'none'"),
    (("propose", "--vault", "none", "--allow", "1.2.3.4"), "there is no vault 'none'"),
    (("propose", "--vault", "dev"), "say what the rules are to be"),
    (("propose", "--vault", "dev", "--allow", "1.2.3"), "1.2.3 is not an IPv4 address"),
    (("propose", "--vault", "dev", "--drop", "1.2.3.4"), "No rule says 1.2.3.4/32; there are: none."),
    (("propose", "--vault", "dev", "--subnet", SUBNET), "was not found"),
    (("propose", "--vault", "dev", "--file", "broken.json"), "broken.json holds no network rules"),
    (("propose", "--vault", "dev", "--file", "list.json"), "list.json holds no network rules"),
    (("adopt", "--vault", "dev"), "No network rules are proposed for the vault 'dev'."),
    (("withdraw", "--vault", "dev"), "No network rules are proposed for the vault 'dev'."),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_is_said_in_one_line_and_changes_nothing(data, strongroom, done, home, arguments, message):
    (home / "broken.json").write_text("{")
    (home / "list.json").write_text("[]")
    code, out, err = strongroom("network", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert message in err
    assert done("network", "show", "--vault", "dev", "--json")["proposal"] is None
