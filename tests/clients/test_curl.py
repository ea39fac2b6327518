"""curl: the protocol as it is on the wire, and the connection as it is below it."""

import json
import re

import pytest

API = "api-version=7.6"


@pytest.fixture(scope="module")
def token(server, connection):
    done = server.run(
        "curl", "-sS", f"{connection.authority}/{connection.tenantId}/oauth2/v2.0/token",
        "-d", "grant_type=client_credentials", "-d", f"client_id={connection.clientId}",
        "--data-urlencode", f"client_secret={connection.clientSecret}",
        "-d", f"scope={re.sub('//[^.]+[.]vault', '//vault', connection.vaultUrl)}/.default",
    )  # fmt: skip
    return json.loads(done.stdout)["access_token"]


def curl(server, *arguments):
    """Return status, headers (names in lower case) and parsed body of a request."""
    done = server.run("curl", "-sS", "-i", *arguments)
    head, _, body = done.stdout.replace("\r\n", "\n").rpartition("\n\n")
    status, *lines = head.rpartition("HTTP/1.1 ")[2].split("\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    return int(status.split()[0]), headers, json.loads(body) if body else None


def test_the_challenge_names_our_sign_in_host_with_its_port(server, connection):
    done = server.run("curl", "-sS", "-i", f"{connection.vaultUrl}/secrets/any?{API}")
    port = connection.vaultUrl.rpartition(":")[2]
    expected = (
        f'WWW-Authenticate: Bearer authorization="https://login.localhost:{port}/{connection.tenantId}", '
        f'resource="https://vault.localhost:{port}"'
    )
    assert expected.lower() in done.stdout.lower()
    assert "AKV10000" in done.stdout


def test_a_secret_is_set_and_fetched(server, connection, token):
    url = f"{connection.vaultUrl}/secrets/by-curl"
    bearer = ("-H", f"Authorization: Bearer {token}")
    status, _, body = curl(
        server, *bearer, "-X", "PUT", "-H", "Content-Type: application/json", "-d", '{"value":"v"}', f"{url}?{API}"
    )
    assert (status, body["value"]) == (200, "v")
    status, headers, body = curl(server, *bearer, f"{url}/?{API}")
    assert (status, body["value"]) == (200, "v")
    assert headers["cache-control"] == "no-cache"
    assert headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch(r"[0-9a-f-]{36}", headers["x-ms-request-id"])


def test_without_the_api_version_the_request_is_refused(server, connection, token):
    status, _, body = curl(server, "-H", f"Authorization: Bearer {token}", f"{connection.vaultUrl}/secrets/by-curl")
    assert status == 400
    assert body["error"]["code"]


def test_an_unknown_vault_is_not_found(server, connection):
    status, _, body = curl(server, connection.vaultUrl.replace("dev.", "none.") + f"/secrets?{API}")
    assert status == 404
    assert body["error"]["code"] == "VaultNotFound"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_is_told_without_a_token(server, connection, path):
    port = connection.vaultUrl.rpartition(":")[2]
    status, _, _ = curl(server, f"https://localhost:{port}{path}")
    assert status == 200


def test_another_host_is_refused_by_the_proxy_in_words(server):
    done = server.run("curl", "-sS", "-v", "https://elsewhere.example.test/", check=False)
    assert done.returncode != 0
    assert "403" in done.stderr


def test_a_certificate_of_this_server_is_trusted_by_its_bundle_only(server, connection):
    refused = server.run(
        "env", "-u", "CURL_CA_BUNDLE", "-u", "SSL_CERT_FILE", "curl", "-sS", connection.vaultUrl, check=False
    )
    assert refused.returncode == 60


def test_plain_http_is_not_answered(server, connection):
    assert server.run("curl", "-sS", connection.vaultUrl.replace("https", "http"), check=False).returncode != 0
