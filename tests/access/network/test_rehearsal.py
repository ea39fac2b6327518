"""Records of requests, judged by rules that do not count yet."""

from datetime import timedelta

from strongroom.access.network.evaluation import CompiledRules
from strongroom.access.network.rehearsal import sum_up
from strongroom.audit.event import OBJECT_CLAIM
from strongroom.vaults.network import NetworkRules
from vault_doubles import NOON

RULES = CompiledRules(NetworkRules(default_action="Deny", ip_rules=("203.0.113.0/24",)), "Enabled")
HOST = "kv1.vault."


def a_record(number=0, address="198.51.100.7", caller="o", operation="SecretGet", **said):
    properties = {"requestUri": "https://KV1.vault.localhost/secrets/s", "isAddressAuthorized": True}
    body = {
        "operationName": operation,
        "callerIpAddress": address,
        "identity": {"claim": {OBJECT_CLAIM: caller, "appid": f"app-{caller}"}},
        "properties": properties | {"isAccessPolicyMatch": True} | said,
    }
    return NOON + timedelta(minutes=number), body


def test_who_would_be_refused_is_told_by_caller_and_address_most_requests_first():
    records = [
        a_record(0),
        a_record(1, caller="p"),
        a_record(5, caller="p"),
        a_record(3, caller="p", operation="KeySign"),
        a_record(2, address="198.51.100.8"),
        a_record(4, address="203.0.113.1", caller="p"),
    ]
    found = sum_up(records, RULES, HOST, {})
    assert (found.judged, found.refused) == (6, 5)
    told = [(each.object_id, each.app_id, each.address, each.requests, each.rule) for each in found.losses]
    assert told == [
        ("p", "app-p", "198.51.100.7", 3, "defaultAction: Deny"),
        ("o", "app-o", "198.51.100.7", 1, "defaultAction: Deny"),
        ("o", "app-o", "198.51.100.8", 1, "defaultAction: Deny"),
    ]
    loss = found.losses[0]
    assert (loss.operations, loss.example) == ({"SecretGet": 2, "KeySign": 1}, "SecretGet")
    assert (loss.first, loss.last) == (NOON + timedelta(minutes=1), NOON + timedelta(minutes=5))
    assert sum_up(reversed(records), RULES, HOST, {}) == found


def test_who_had_no_access_loses_none():
    records = [
        a_record(isAccessPolicyMatch=False),
        a_record(isAccessPolicyMatch=False, isRbacAuthorized=False),
        a_record(isAddressAuthorized=False),
        a_record(requestUri="https://management.localhost/subscriptions/s"),
        a_record(requestUri="https://kv11.vault.localhost/secrets"),
        (NOON, {}),
        (NOON, {"properties": {}}),
    ]
    assert sum_up(records, RULES, HOST, {}).judged == 0
    assert sum_up([a_record(isAccessPolicyMatch=False, isRbacAuthorized=True)], RULES, HOST, {}).refused == 1


def test_records_of_versions_without_rules_are_judged_too():
    moment, body = a_record()
    del body["properties"]["isAddressAuthorized"]
    assert sum_up([(moment, body)], RULES, HOST, {}).refused == 1


def test_private_endpoints_pass_as_they_did_and_trusted_services_as_they_are_now():
    records = [a_record(privateEndpointId="e"), a_record(caller="t"), a_record(caller="u", trustedService="u")]
    found = sum_up(records, RULES, HOST, {"t": "backup"})
    assert (found.judged, [loss.object_id for loss in found.losses]) == (3, ["u"])
    shut = CompiledRules(NetworkRules(bypass="None"), "Disabled")
    found = sum_up(records, shut, HOST, {"t": "backup"})
    assert [(loss.object_id, loss.rule) for loss in found.losses] == [
        ("t", "publicNetworkAccess: Disabled"),
        ("u", "publicNetworkAccess: Disabled"),
    ]


def test_a_caller_without_an_address_or_a_name_is_summed_up_too():
    moment, body = a_record(address="")
    body["identity"] = {}
    (loss,) = sum_up([(moment, body)], RULES, HOST, {}).losses
    assert (loss.object_id, loss.app_id, loss.address) == ("", "", "")
