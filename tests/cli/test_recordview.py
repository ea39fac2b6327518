import json
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.access.identity.challenges import CHALLENGES
from strongroom.audit.event import Record
from strongroom.cli.recordview import Choice, as_line
from strongroom.clock import microseconds

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
OBJECT = "http://schemas.microsoft.com/identity/claims/objectidentifier"
VAULT = "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/PAY"


def record(**fields):
    body = {
        "resourceId": VAULT,
        "operationName": "SecretGet",
        "category": "AuditEvent",
        "resultType": "Success",
        "resultDescription": "",
        "durationMs": 1.25,
        "callerIpAddress": "127.0.0.1",
        "identity": {"claim": {OBJECT: "object", "appid": "app"}},
        "properties": {"requestUri": "https://pay.vault.localhost/secrets/a", "httpStatusCode": 200},
    }
    return Record(b"id", microseconds(NOON), json.dumps(body | fields).encode())


FITS = [
    (Choice(), True),
    (Choice(category="auditevent"), True),
    (Choice(category="Administrative"), False),
    (Choice(operation="secretget"), True),
    (Choice(operation="Secret"), False),
    (Choice(vault="pay"), True),
    (Choice(vault="pa"), False),
    (Choice(callers=frozenset({"app"})), True),
    (Choice(callers=frozenset({"object", "other"})), True),
    (Choice(callers=frozenset({"other"})), False),
    (Choice(failed=True), False),
    (Choice(since=NOON), True),
    (Choice(since=NOON + timedelta(seconds=1)), False),
]


@pytest.mark.parametrize(("choice", "wanted"), FITS)
def test_a_choice_takes_what_fits_all_of_it(choice, wanted):
    assert choice.fits(record()) is wanted


def test_what_lies_in_a_vault_concerns_it():
    assert Choice(vault="pay").fits(record(resourceId=f"{VAULT}/SECRETS/A"))


@pytest.mark.parametrize("properties", [{"appId": "app"}, {"servicePrincipalId": "APP"}, {"localUser": "app"}])
def test_sign_ins_and_commands_name_their_caller_elsewhere(properties):
    choice = Choice(callers=frozenset({"app"}))
    assert choice.fits(record(identity={}, properties=properties))
    assert not choice.fits(record(identity={}, properties={}))


def test_failures_are_all_that_did_not_succeed():
    assert Choice(failed=True).fits(record(resultType="Failed"))


@pytest.mark.parametrize("text", sorted(CHALLENGES))
def test_a_challenge_is_no_failure(text):
    told = {"resultType": "Failed", "resultDescription": text, "identity": {}}
    challenge = record(**told, operationName="Authentication", properties={"httpStatusCode": 401})
    assert Choice().fits(challenge)
    assert not Choice(failed=True).fits(challenge)
    assert Choice(failed=True).fits(record(**told, properties={"httpStatusCode": 403}))
    assert Choice(failed=True).fits(record(**told, properties={}))
    told["resultDescription"] = "Error validating token: IDX10223. The token has expired."
    assert Choice(failed=True).fits(record(**told, properties={"httpStatusCode": 401}))


def test_a_line_has_when_what_how_who_and_where():
    assert as_line(record(), {"app": "payments"}).split() == [
        "2030-01-01",
        "12:00:00.000",
        "SecretGet",
        "200",
        "1.2",
        "ms",
        "payments",
        "127.0.0.1",
        "https://pay.vault.localhost/secrets/a",
    ]


def test_what_an_operator_did_is_local():
    line = as_line(record(identity={}, callerIpAddress="", properties={"localUser": "root"}), {})
    assert "Success" in line
    assert "root" in line
    assert "local" in line
    assert VAULT.lower() in line


def test_a_reason_is_told_in_one_line():
    assert as_line(record(resultDescription="no\r\nway"), {}).endswith("  | no way")


def test_what_clients_wrote_does_not_command_the_terminal():
    line = as_line(record(properties={"requestUri": "https://x/\x1b[2J\u202e"}), {})
    assert line.isprintable()
    assert "\N{REPLACEMENT CHARACTER}[2J" in line


def test_nobody_is_a_dash():
    assert "  -  " in as_line(record(identity={}, properties={}), {})
