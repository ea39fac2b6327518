from pathlib import Path

import pytest

from strongroom.cli.running import Running
from strongroom.cli.trust import trust_variables


@pytest.fixture
def server(tmp_path):
    (tmp_path / "ca.pem").write_text("OUR CA\n")
    (tmp_path / "bundle.pem").write_text("PUBLIC ROOTS\nOUR CA\n")
    names = ("domain", "tenant_id", "subscription_id", "client_id", "location")
    files = {"ca_file": str(tmp_path / "ca.pem"), "ca_bundle": str(tmp_path / "bundle.pem")}
    return Running(pid=1, addresses=(), port=1, proxy_port=1, dev=False, **dict.fromkeys(names, ""), **files)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"])
def test_what_was_trusted_before_is_trusted_still(server, tmp_path, variable):
    (tmp_path / "company.pem").write_text("COMPANY CA")
    environ = {variable: str(tmp_path / "company.pem")}
    joined = Path(trust_variables(server, environ)[variable])
    assert joined.read_text() == "COMPANY CA\n\nOUR CA\n"
    assert trust_variables(server, environ)[variable] == str(joined)
    assert trust_variables(server, {variable: str(joined)})[variable] == str(joined)


@pytest.mark.parametrize("earlier", ["", "/there/is/none.pem"])
def test_without_an_earlier_bundle_ours_does(server, earlier):
    found = trust_variables(server, {"SSL_CERT_FILE": earlier, "NODE_EXTRA_CA_CERTS": earlier})
    assert found["SSL_CERT_FILE"] == server.ca_bundle
    assert found["NODE_EXTRA_CA_CERTS"] == server.ca_file


def test_our_own_bundle_is_not_joined_with_itself(server):
    assert trust_variables(server, {"SSL_CERT_FILE": server.ca_bundle})["SSL_CERT_FILE"] == server.ca_bundle
