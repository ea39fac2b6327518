"""A flood of requests that prove nobody: it stops no one else, and every request is in a record or in a summary."""

import json
import os
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace

import pytest

from clients.direct import Direct, forge
from clients.harness import start_server
from clients.processes import children

LIMIT = 40
SUMMARY = "Strongroom.Unauthenticated/refuse"
STRANGERS = {"Authentication", "Discovery", SUMMARY}


@pytest.fixture
def limited(tmp_path):
    server = start_server(tmp_path / "server", "--dev", "--workers", "2", "--unauthenticated-per-minute", str(LIMIT))
    yield server
    server.stop()


@pytest.fixture
def client_variables_of(monkeypatch):
    """Set in this process what clients of a server need."""

    def take(server):
        for name, value in server.client_environ().items():
            monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)

    return take


def records(server):
    lines = server.strongroom("logs", "--json", "-n", "1000000").stdout.splitlines()
    return [json.loads(line) for line in lines]


def told(found):
    """Return how many requests of strangers the records tell of: one each, and what summaries count."""
    one_by_one = sum(each["operationName"] in STRANGERS - {SUMMARY} for each in found)
    summed = sum(each["properties"]["requests"] for each in found if each["operationName"] == SUMMARY)
    return one_by_one + summed, one_by_one


def flood(facts, asks):
    """Send what strangers send, over connections of one's own; return how often each status came."""
    direct = Direct(facts)
    try:
        return Counter(direct.ask(method, url, **kwargs).status for method, url, kwargs in asks)
    finally:
        direct.close()


def what_strangers_send(facts, count, first=0):
    """Return requests of every plane that prove nobody, beginning with the kind of that number."""
    kinds = (
        ("GET", f"{facts.vaultUrl}/secrets/x?api-version=7.6", {}),
        ("GET", f"{facts.vaultUrl}/secrets/x?api-version=7.6", {"token": "a.b.c"}),
        ("PUT", facts.vaultUrl.replace("//dev.", "//nothere.") + "/secrets/x", {"body": {"value": "x"}}),
        ("GET", f"{facts.managementUrl}/subscriptions?api-version=2022-12-01", {"token": "nonsense"}),
        ("GET", f"{facts.authority}/common/discovery/instance", {}),
        ("GET", f"{facts.authority}/{facts.tenantId}/v2.0/.well-known/openid-configuration", {}),
    )
    return [kinds[(first + number) % len(kinds)] for number in range(count)]


def test_every_request_of_a_flood_is_in_a_record_or_in_a_summary(limited):
    facts, each, clients = SimpleNamespace(**limited.connection), 150, 8
    with ThreadPoolExecutor(clients) as pool:
        # Each begins with another kind: in step, all would be past the limit before they came to the last.
        floods = pool.map(lambda first: flood(facts, what_strangers_send(facts, each, first)), range(clients))
        answers = sum(floods, Counter())
    assert sum(answers.values()) == each * clients
    assert set(answers) == {200, 400, 401, 404, 429}
    victim = children(limited.process.pid)[0]
    os.kill(victim, signal.SIGKILL)  # what it counted is not its own
    answers += flood(facts, what_strangers_send(facts, 60))
    assert limited.stop() == 0
    count, one_by_one = told(records(limited))
    assert count == sum(answers.values())
    assert one_by_one == count - answers[429]


def test_whoever_proves_who_they_are_goes_on_beside_a_flood(limited):
    facts = SimpleNamespace(**limited.connection)
    over = threading.Event()

    def keep_flooding(_):
        answers = Counter()
        while not over.is_set():
            answers += flood(facts, what_strangers_send(facts, 30))
        return answers

    owner, other = Direct(facts), Direct(facts)
    forged = forge(limited, owner.owner(), own_key=True)
    with ThreadPoolExecutor(2) as pool:
        floods = [pool.submit(keep_flooding, number) for number in range(2)]
        try:
            while flood(facts, what_strangers_send(facts, 6))[429] < 6:
                pass
            statuses = Counter()
            for number in range(8):
                statuses[owner.secret("PUT", facts.vaultUrl, f"/secrets/s{number}", {"value": "v"}).status] += 1
                statuses[owner.secret("GET", facts.vaultUrl, f"/secrets/s{number}").status] += 1
                assert other.sign_in(facts.clientId, facts.clientSecret)
                assert other.ask("GET", facts.vaultUrl, token=forged).status == 429
        finally:
            over.set()
        assert all(each.result()[429] for each in floods)
    assert statuses == {200: 16}
    owner.close()
    other.close()


def test_an_unmodified_client_that_holds_a_token_does_not_notice(limited, client_variables_of):
    from azure.core.credentials import AccessToken
    from azure.keyvault.secrets import SecretClient

    client_variables_of(limited)
    facts = SimpleNamespace(**limited.connection)
    with closing(Direct(facts)) as direct:
        token = direct.owner()

    class Held:
        def get_token(self, *_scopes, **_kwargs):
            return AccessToken(token, 2_000_000_000_000)

    with SecretClient(facts.vaultUrl, Held()) as client:
        client.set_secret("kept", "before")
        while flood(facts, what_strangers_send(facts, 6))[429] < 6:
            pass
        assert client.get_secret("kept").value == "before"


def test_a_client_that_starts_beside_a_flood_waits_as_it_is_told(limited, client_variables_of):
    from azure.core.exceptions import HttpResponseError
    from azure.core.pipeline.transport import RequestsTransport
    from azure.identity import EnvironmentCredential
    from azure.keyvault.secrets import SecretClient

    waits = []

    class Impatient(RequestsTransport):
        def sleep(self, duration):
            waits.append(duration)

    client_variables_of(limited)
    facts = SimpleNamespace(**limited.connection)
    while flood(facts, what_strangers_send(facts, 6))[429] < 6:
        pass
    credential = EnvironmentCredential(disable_instance_discovery=True)
    client = SecretClient(facts.vaultUrl, credential, transport=Impatient(), retry_total=1)
    with client, pytest.raises(HttpResponseError) as refused:
        client.get_secret("any")
    assert refused.value.status_code == 429
    assert len(waits) == 1
    assert 0 < waits[0] <= 60


def test_each_plane_refuses_in_its_own_form_and_the_summary_is_told_as_other_records_are(limited):
    facts, refused, answers = SimpleNamespace(**limited.connection), 0, ()
    with closing(Direct(facts)) as direct:
        while {each.status for each in answers} != {429}:
            answers = (
                direct.ask("GET", f"{facts.vaultUrl}/secrets/x?api-version=7.6", token="a.b.c"),
                direct.ask("GET", f"{facts.managementUrl}/subscriptions?api-version=2022-12-01"),
                direct.post_form({"grant_type": "client_credentials", "client_id": facts.clientId}),
            )
            refused += sum(each.status == 429 for each in answers)
    vault, management, sign_in = answers
    assert all(0 < int(each.headers["retry-after"]) <= 60 for each in answers)
    text = "Too many requests without valid credentials came from this address."
    assert vault.error == {"code": "Throttled", "message": text}
    assert management.error == {"code": "TooManyRequests", "message": text}
    assert sign_in.json["error"] == "temporarily_unavailable"
    assert sign_in.json["error_description"].startswith(f"AADSTS90055: {text}")

    assert limited.stop() == 0
    summaries = [each["properties"] for each in records(limited) if each["operationName"] == SUMMARY]
    assert sum(each["requests"] for each in summaries) == refused
    for each in summaries:
        assert each["addresses"] == [{"address": "127.0.0.1", "requests": each["requests"]}]
        assert f"requests={each['requests']}" in limited.errors
    line = limited.strongroom("logs", "--failed", "--operation", SUMMARY).stdout
    assert "requests without valid credentials: too many of one address" in line


def test_a_rehearsal_server_has_no_limit_unless_it_is_said(server, connection):
    answers = flood(connection, what_strangers_send(connection, 6) * 120)
    assert answers[429] == 0
