"""Who would lose access by what is proposed: asked by command."""

from datetime import timedelta

import pytest

from strongroom.audit.event import OBJECT_CLAIM, Category, RecordBody, new_record, wire_time
from strongroom.cli.data import on_data
from strongroom.clock import real_now
from strongroom.settings import load_settings

DENY = ("--default-action", "Deny", "--allow", "203.0.113.0/24")


@pytest.fixture
def asked(data, done):
    """Record requests to the vault: ages in hours, addresses, and what the records say beside."""
    me = done("app", "list", "--json")[0]

    def record(*requests):
        async def work(opened):
            vault = await opened.storage.read().vaults.find("dev")
            place = f"/subscriptions/{vault.subscription_id}/resourceGroups/dev/providers/Microsoft.KeyVault/vaults/dev"
            for hours, address, said in requests:
                moment = real_now() - timedelta(hours=hours)
                body = RecordBody(
                    time=wire_time(moment),
                    resource_id=place.upper(),
                    operation_name="SecretGet",
                    category=Category.AUDIT,
                    result_type="Success",
                    result_signature="OK",
                    caller_ip_address=address,
                    identity={"claim": {OBJECT_CLAIM: me["objectId"], "appid": me["clientId"]}},
                    properties={"requestUri": "https://dev.vault.localhost/secrets/s", "isAccessPolicyMatch": True}
                    | said,
                )
                await opened.storage.record(new_record(moment, body))

        on_data(load_settings({}, {}), work)

    return record


def test_requests_of_before_the_proposal_are_judged_by_it(asked, done):
    asked(
        (1, "198.51.100.7", {}),
        (30, "198.51.100.7", {}),
        (2, "203.0.113.9", {}),
        (3, "198.51.100.8", {"isAccessPolicyMatch": False}),
        (24 * 8, "198.51.100.9", {}),
    )
    done("network", "propose", "--vault", "dev", *DENY)
    found = done("network", "report", "--vault", "dev", "--json")
    assert (found["vault"], found["requests"], found["refused"]) == ("dev", 3, 2)
    (loss,) = found["callers"]
    assert (loss["displayName"], loss["address"], loss["requests"]) == ("bootstrap", "198.51.100.7", 2)
    assert (loss["rule"], loss["operations"]) == ("defaultAction: Deny", {"SecretGet": 2})
    assert loss["first"] < loss["last"]
    assert done("network", "report", "--vault", "dev", "--since", "24h", "--json")["refused"] == 1
    assert done("network", "report", "--vault", "dev", "--since", "9d", "--json")["refused"] == 3
    head, empty, names, row = done("network", "report", "--vault", "dev").splitlines()
    assert head.startswith("dev: of 3 requests that were let in since ")
    assert head.endswith("the proposal would refuse 2.")
    assert (empty, names.split()) == ("", ["caller", "address", "requests", "last", "mostly", "by"])
    assert row.split()[:3] == ["bootstrap", "198.51.100.7", "2"]


def test_nobody_loses_access_by_what_lets_all_of_them_in(asked, done):
    asked((1, "203.0.113.9", {}))
    done("network", "propose", "--vault", "dev", *DENY)
    (line,) = done("network", "report", "--vault", "dev").splitlines()
    assert line.endswith("the proposal would refuse 0.")


def test_without_a_proposal_there_is_nothing_to_report(data, strongroom):
    code, out, err = strongroom("network", "report", "--vault", "dev")
    assert (code, out) == (1, "")
    assert "No network rules are proposed for the vault 'dev'." in err
