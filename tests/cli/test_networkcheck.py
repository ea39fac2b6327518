"""Who is let in from where: asked by command."""

import json

import pytest

DENY = ("--default-action", "Deny", "--allow", "203.0.113.0/24")


@pytest.fixture
def rules(data, done):
    def adopt(*said):
        done("network", "propose", "--vault", "dev", *said)
        done("network", "adopt", "--vault", "dev")

    return adopt


def test_an_open_vault_lets_everybody_in(data, done):
    found = done("network", "check", "--vault", "dev", "--from", "198.51.100.7", "--json")
    assert found == {
        "vault": "dev",
        "from": "198.51.100.7",
        "allowed": True,
        "rule": "defaultAction: Allow",
        "proposal": None,
    }
    assert (
        done("network", "check", "--vault", "DEV", "--from", "::1") == "dev from ::1: let in by defaultAction: Allow\n"
    )


def test_rules_are_asked_as_for_a_request_and_a_refusal_says_what_to_change(rules, strongroom, done):
    rules(*DENY)
    assert done("network", "check", "--vault", "dev", "--from", "203.0.113.9", "--json")["rule"] == "203.0.113.0/24"
    code, out, err = strongroom("network", "check", "--vault", "dev", "--from", "198.51.100.7")
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "dev from 198.51.100.7: refused by defaultAction: Deny (ForbiddenByFirewall)",
        "  to let it in: az keyvault network-rule add -n dev --ip-address 198.51.100.7",
    ]
    _, out, _ = strongroom("network", "check", "--vault", "dev", "--from", "::ffff:198.51.100.7")
    assert out.splitlines()[1].endswith("--ip-address 198.51.100.7")
    code, out, _ = strongroom("network", "check", "--vault", "dev", "--from", "2001:db8::1", "--json")
    found = json.loads(out)
    assert (code, found["error"]) == (1, "ForbiddenByFirewall")
    assert "no rules for IPv6" in found["toLetIn"]
    assert done("network", "check", "--vault", "dev", "--from", "::ffff:203.0.113.9", "--json")["allowed"]


def test_without_public_access_that_is_what_to_change(rules, strongroom):
    rules("--public-network-access", "Disabled")
    _, out, _ = strongroom("network", "check", "--vault", "dev", "--from", "203.0.113.9")
    assert out.splitlines() == [
        "dev from 203.0.113.9: refused by publicNetworkAccess: Disabled (ForbiddenByConnection)",
        "  to let it in: az keyvault update -n dev --public-network-access Enabled",
    ]


def test_private_endpoints_are_told_as_another_way_in_once_they_are_approved(rules, done, strongroom):
    rules("--public-network-access", "Disabled")
    make = ("network", "endpoint", "add", "--vault", "dev", "--address")
    done(*make, "127.0.0.6", "pending")
    ask = ("network", "check", "--vault", "dev", "--from", "203.0.113.9")
    assert "endpoint" not in strongroom(*ask)[1]
    done(*make, "127.0.0.7:1", "approved", "--approve")
    code, out, _ = strongroom(*ask)
    assert (code, out.splitlines()[-1]) == (1, "  let in as it is by a private endpoint, at 127.0.0.7:1")
    assert json.loads(strongroom(*ask, "--json")[1])["privateEndpoints"] == ["127.0.0.7:1"]


def test_what_is_proposed_is_asked_beside(data, done):
    done("network", "propose", "--vault", "dev", *DENY)
    assert done("network", "check", "--vault", "dev", "--from", "198.51.100.7").splitlines() == [
        "dev from 198.51.100.7: let in by defaultAction: Allow",
        "as proposed: refused by defaultAction: Deny (ForbiddenByFirewall)",
        "  to let it in: strongroom network propose --vault dev --allow 198.51.100.7",
    ]
    done("network", "propose", "--vault", "dev", "--allow", "198.51.100.7")
    found = done("network", "check", "--vault", "dev", "--from", "198.51.100.7", "--json")
    assert found["proposal"] == {"allowed": True, "rule": "198.51.100.7/32"}


def test_who_calls_is_told_what_it_may_once_let_in(data, done):
    found = done("network", "check", "--vault", "dev", "--from", "198.51.100.7", "--as", "bootstrap", "--json")
    assert found["as"]["displayName"] == "bootstrap"
    assert {"secrets/get", "keys/sign"} <= set(found["operations"])
    assert "once let in, bootstrap may: " in done(
        "network", "check", "--vault", "dev", "--from", "::1", "--as", "bootstrap"
    )
    done("app", "create", "other")
    out = done("network", "check", "--vault", "dev", "--from", "::1", "--as", "other")
    assert "may: nothing at the vault as a whole" in out
    done("app", "disable", "other")
    out = done("network", "check", "--vault", "dev", "--from", "::1", "--as", "other")
    assert "other is disabled: it is refused wherever it comes from" in out


def test_a_trusted_service_passes_where_it_may_bypass_the_rules(rules, strongroom, done):
    rules(*DENY)
    done("network", "trust", "add", "bootstrap")
    asked = ("network", "check", "--vault", "dev", "--from", "198.51.100.7", "--as")
    assert done(*asked, "bootstrap").startswith(
        "dev from 198.51.100.7: let in by bypass, as the trusted service 'bootstrap'\n"
    )
    done("app", "create", "other")
    assert strongroom(*asked, "other")[0] == 1
    rules("--bypass", "None")
    code, out, _ = strongroom(*asked, "bootstrap")
    assert (code, out.splitlines()[1]) == (1, "  to let it in: az keyvault update -n dev --bypass AzureServices")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--vault", "dev", "--from", "here"), "'here' is no IP address"),
        (("--vault", "dev", "--from", "203.0.113.0/24"), "'203.0.113.0/24' is no IP address"),
        (("--vault", "none", "--from", "203.0.113.1"), "there is no vault 'none'"),
        (("--vault", "dev", "--from", "203.0.113.1", "--as", "nobody"), "There is no user, group or application"),
    ],
)
def test_what_cannot_be_checked_is_said_in_one_line(data, strongroom, arguments, message):
    code, out, err = strongroom("network", "check", *arguments)
    assert (code, out) == (1, "")
    assert message in err
