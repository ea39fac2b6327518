import json

import pytest

from storage_doubles import NOON
from strongroom.audit import local
from strongroom.audit.event import Category
from strongroom.audit.local import local_record


def body_of(*arguments, **keywords):
    return json.loads(local_record(*arguments, now=NOON, **keywords).body)


def test_a_command_leaves_a_record_that_names_its_user(monkeypatch):
    monkeypatch.setattr(local.getpass, "getuser", lambda: "ann")
    body = body_of("Microsoft.Directory/applications/create", properties={"appId": "app-1"}, resource_id="/a/b")
    assert body["properties"] == {"actor": "operator", "localUser": "ann", "appId": "app-1"}
    assert (body["category"], body["resultType"], body["resourceId"]) == ("Administrative", "Success", "/A/B")
    assert body["time"] == "2026-11-23T12:00:00.0000000Z"


def test_what_the_server_does_by_itself_names_no_user():
    body = body_of("SecretPurge", properties={}, category=Category.AUDIT, actor="server")
    assert body["properties"] == {"actor": "server"}
    assert body["category"] == "AuditEvent"


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name_is_unknown(monkeypatch, error):
    def nobody():
        raise error

    monkeypatch.setattr(local.getpass, "getuser", nobody)
    assert body_of("x", properties={})["properties"]["localUser"] == "unknown"


def test_a_record_has_its_own_id_and_the_time_given():
    first, second = (local_record("x", now=NOON, properties={}) for _ in range(2))
    assert first.record_id != second.record_id
    assert first.time == second.time == NOON
