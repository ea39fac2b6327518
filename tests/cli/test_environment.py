import socket
import threading

import pytest

from strongroom.cli import environment
from strongroom.cli.environment import client_environment, names_resolve, without_domain
from strongroom.cli.identity import Credentials
from strongroom.cli.running import Running

PROXY = "http://127.0.0.1:8444"


@pytest.fixture
def server(tmp_path):
    (tmp_path / "ca.pem").write_text("OUR CA\n")
    (tmp_path / "bundle.pem").write_text("PUBLIC ROOTS\nOUR CA\n")
    return Running(
        pid=1,
        domain="localhost",
        addresses=("127.0.0.1",),
        port=8443,
        proxy_port=8444,
        tenant_id="tenant",
        subscription_id="subscription",
        client_id="client",
        location="local",
        dev=True,
        ca_file=str(tmp_path / "ca.pem"),
        ca_bundle=str(tmp_path / "bundle.pem"),
    )


def change(server, environ=None, *, resolve=False, secret="hidden", vault="dev", proxy=PROXY):
    credentials = Credentials(client_id="client", client_secret=secret, vault=vault)
    return client_environment(server, credentials, environ or {}, names_resolve=resolve, proxy_url=proxy)


def test_clients_trust_find_and_sign_in(server):
    found = change(server)
    assert found.set == {
        "REQUESTS_CA_BUNDLE": server.ca_bundle,
        "SSL_CERT_FILE": server.ca_bundle,
        "CURL_CA_BUNDLE": server.ca_bundle,
        "NODE_EXTRA_CA_CERTS": server.ca_file,
        "AZURE_AUTHORITY_HOST": "https://login.localhost:8443",
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_TENANT_ID": "tenant",
        "AZURE_SUBSCRIPTION_ID": "subscription",
        "AZURE_CLIENT_ID": "client",
        "AZURE_CLIENT_SECRET": "hidden",
        "VAULT_URL": "https://dev.vault.localhost:8443",
        "HTTPS_PROXY": PROXY,
        "https_proxy": PROXY,
    }
    assert found.unset == ()


def test_what_is_not_known_is_not_set(server):
    found = change(server, secret=None, vault=None)
    assert not {"AZURE_CLIENT_SECRET", "VAULT_URL"} & set(found.set)


def test_credentials_keep_their_secret_out_of_sight():
    assert "hidden" not in repr(Credentials(client_id="client", client_secret="hidden"))


def test_no_proxy_is_set_where_names_resolve(server):
    found = change(server, {"NO_PROXY": "localhost"}, resolve=True)
    assert not {"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} & {*found.set, *found.unset}


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_an_earlier_proxy_does_not_get_our_names_where_they_resolve(server, variable):
    found = change(server, {variable: "http://proxy.test:3128", "no_proxy": "a.test"}, resolve=True)
    assert found.set["NO_PROXY"] == found.set["no_proxy"] == "a.test,localhost,.localhost"


def test_names_under_the_domain_are_taken_out_of_no_proxy_in_both_spellings(server):
    found = change(server, {"NO_PROXY": "localhost, a.test", "no_proxy": "::1,127.0.0.1,a.test"})
    assert found.set["NO_PROXY"] == found.set["no_proxy"] == "a.test,::1,127.0.0.1"


def test_a_list_that_ends_up_empty_is_taken_away(server):
    found = change(server, {"NO_PROXY": "localhost", "PATH": "/bin"})
    assert found.unset == ("NO_PROXY", "no_proxy")
    applied = found.applied_to({"NO_PROXY": "localhost", "PATH": "/bin"})
    assert "NO_PROXY" not in applied
    assert applied["PATH"] == "/bin"


def test_without_a_proxy_nothing_is_said_of_proxies(server):
    assert "HTTPS_PROXY" not in change(server, proxy=None).set


EXCEPTIONS = [
    ("localhost", True),
    (".localhost", True),
    ("*.localhost", True),
    ("LOCALHOST:8443", True),
    ("dev.vault.localhost", True),
    ("*", True),
    ("localhost.test", False),
    ("host", False),
    ("127.0.0.1", False),
    ("127.0.0.1:8443", False),
    ("::1", False),
    ("10.0.0.0/8", False),
    (".", False),
]


@pytest.mark.parametrize(("entry", "goes"), EXCEPTIONS)
def test_an_entry_goes_if_it_excepts_a_name_under_the_domain(entry, goes):
    assert without_domain([entry], "localhost") == ([] if goes else [entry])


@pytest.mark.parametrize("entry", ["test", ".example.test", "vault.example.test", "pay.vault.vault.example.test"])
def test_entries_are_suffixes(entry):
    assert without_domain([entry], "vault.example.test") == []


def test_names_resolve_when_all_of_them_do(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: [])
    assert names_resolve("localhost")


def test_a_hosts_file_with_some_names_is_not_enough(monkeypatch):
    def resolve(name, *_args, **_kwargs):
        if name.startswith(environment.PROBE_LABEL):
            raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert not names_resolve("localhost")


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: release.wait(30))
    assert not names_resolve("localhost", timeout_seconds=0.01)
    release.set()


def test_the_standard_port_is_not_written(server):
    from dataclasses import replace

    plain = replace(server, port=443, proxy_port=None)
    assert plain.url("login") == "https://login.localhost"
    assert plain.proxy_url is None
    assert server.proxy_url == PROXY
