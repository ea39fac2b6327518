"""Real networks: callers in namespaces with their own addresses, straight and through nginx and HAProxy."""

import contextlib
import re
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from absences import missing
from clients import fronts, networks
from clients.harness import execute, start_server
from strongroom.clock import real_now
from strongroom.hosting.ca import new_authority

pytestmark = pytest.mark.xdist_group("networks")

DOMAIN = "strong.test"
TRUSTED = ("--trusted-proxies", "10.77.9.0/24", "--trusted-proxies", "fd77:9::/64")
EVERYWHERE = ("--listen", "0.0.0.0", "--listen", "::")
READ = """
import os
from azure.core.exceptions import HttpResponseError
from azure.identity import EnvironmentCredential
from azure.keyvault.secrets import SecretClient
client = SecretClient(os.environ["VAULT_URL"], EnvironmentCredential(disable_instance_discovery=True))
try:
    print("read", len(list(client.list_properties_of_secrets())))
except HttpResponseError as error:
    print("refused", error.status_code, error.error.innererror.get("code"), error.message)
"""
RULE = """
import json, os, sys, urllib.request
from azure.identity import EnvironmentCredential
scope = os.environ["MANAGEMENT"] + "/.default"
token = EnvironmentCredential(disable_instance_discovery=True).get_token(scope).token
acls = {"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": each} for each in sys.argv[1:]]}
asked = urllib.request.Request(
    os.environ["MANAGEMENT"] + os.environ["VAULT_ID"] + "?api-version=2023-07-01",
    json.dumps({"properties": {"networkAcls": acls}}).encode(),
    {"authorization": "Bearer " + token, "content-type": "application/json"},
    method="PATCH",
)
print(urllib.request.urlopen(asked).status)
"""
FORGED = ("X-Forwarded-For: 10.77.1.7", "Forwarded: for=10.77.1.7", "X-Real-IP: 10.77.1.7", "Client-IP: 10.77.1.7")
WAYS = {
    "straight": (networks.SERVER, networks.SERVER_6, fronts.PLAIN),
    "straight beside proxies": (networks.SERVER, networks.SERVER_6, fronts.PROXIED),
    "nginx, requests": (f"10.77.9.{fronts.NGINX_HTTP}", f"fd77:9::{fronts.NGINX_HTTP}", fronts.PLAIN),
    "nginx, connections": (f"10.77.9.{fronts.NGINX_STREAM}", f"fd77:9::{fronts.NGINX_STREAM}", fronts.PROXIED),
    "haproxy, connections": (f"10.77.9.{fronts.HAPROXY_TCP}", f"fd77:9::{fronts.HAPROXY_TCP}", fronts.PROXIED),
    "haproxy, requests": (f"10.77.9.{fronts.HAPROXY_HTTP}", f"fd77:9::{fronts.HAPROXY_HTTP}", fronts.PLAIN),
    "haproxy, both": (f"10.77.9.{fronts.HAPROXY_BOTH}", f"fd77:9::{fronts.HAPROXY_BOTH}", fronts.PROXIED),
}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """Two servers in one namespace (the second takes PROXY headers), callers inside and outside, proxies between."""
    if not networks.may_make_networks():
        missing(networks.MAY_NOT)
    folder = tmp_path_factory.mktemp("networks")
    with contextlib.ExitStack() as ending:
        made = networks.Networks()
        ending.callback(made.end)
        inside, outside, proxies = made.join(1, 7), made.join(2, 7), made.join(9, 9, *fronts.HOSTS)
        plain = start(made, folder / "plain", fronts.PLAIN, "--workers", "2")
        ending.callback(end, plain)
        proxied = start(made, folder / "proxied", fronts.PROXIED, "--workers", "1", "--proxy-protocol")
        ending.callback(end, proxied)
        cas = [Path(server.connection["caBundle"]).with_name("ca.pem") for server in (plain, proxied)]
        trust = write_certificate(new_authority(DOMAIN, real_now()), folder)
        trust.write_text("".join(each.read_text() for each in (*cas, trust)))
        for process in fronts.start_fronts(proxies, 9, folder, *cas):
            ending.callback(stop, process)
        for address, address_6, port in WAYS.values():
            inside.await_listener(address, port)
            inside.await_listener(address_6, port)
        yield SimpleNamespace(
            inside=inside, outside=outside, proxies=proxies, plain=plain, proxied=proxied, trust=trust, folder=folder
        )


def start(made, folder, port, *flags):
    place = ("--domain", DOMAIN, "--port", str(port), *EVERYWHERE, "--no-proxy")
    return start_server(folder, "--dev", *place, *TRUSTED, *flags, within=made.server.prefix)


def end(server):
    assert server.stop() == 0
    assert "Traceback" not in server.errors


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(20)


def write_certificate(authority, folder):
    """Write what the proxies show, `chain.pem` and `key.pem`; return the file of its authority."""
    leaf = authority.mint(real_now())
    key = load_der_private_key(leaf.key.reveal(), password=None)
    (folder / "chain.pem").write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "trust.pem").write_bytes(authority.pem)
    return folder / "trust.pem"


def curl(net, caller, address, port, *headers, host="dev.vault", path="/secrets?api-version=7.4", more=()):
    """Ask from a namespace; return the status and whose request it was for the vault."""
    name = f"{host}.{DOMAIN}"
    url = f"https://{name}:{port}{path}"
    place = f"{name}:{port}:{f'[{address}]' if ':' in address else address}"
    lines = [part for line in headers for part in ("-H", line)]
    said = caller.run("curl", "-sS", "-i", "--cacert", str(net.trust), "--resolve", place, *lines, *more, url)
    found = re.search(
        r"^x-ms-keyvault-network-info: conn_type=Ipv[46];addr=([^;]*);", said, re.MULTILINE | re.IGNORECASE
    )
    return int(re.findall(r"^HTTP/\S+ (\d+)", said, re.MULTILINE)[-1]), found and found[1]


@pytest.mark.parametrize("kind", [0, 1], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("way", WAYS)
def test_every_caller_is_who_it_is_whatever_it_forges_and_whatever_lies_between(net, way, kind):
    *addresses, port = WAYS[way]
    for caller in (net.inside, net.outside):
        own = caller.addresses[kind]
        assert curl(net, caller, addresses[kind], port) == (401, own)
        for forged in FORGED:
            assert curl(net, caller, addresses[kind], port, forged, forged) == (401, own)


def test_what_a_stranger_writes_as_a_proxy_header_is_not_taken(net):
    """curl writes one as HAProxy would; the proxy between takes it for no TLS, or passes it on behind its own."""
    for way in ("straight", "straight beside proxies", "haproxy, connections", "nginx, connections"):
        address, _, port = WAYS[way]
        with pytest.raises(AssertionError, match="curl"):
            curl(net, net.outside, address, port, more=("--haproxy-protocol",))


def test_a_proxys_machine_without_its_header_is_refused_and_another_port_knows_it(net):
    with pytest.raises(AssertionError, match="curl"):
        curl(net, net.proxies, networks.SERVER, fronts.PROXIED)
    assert curl(net, net.proxies, networks.SERVER, fronts.PLAIN) == (401, "10.77.9.9")
    assert curl(net, net.proxies, networks.SERVER, fronts.PROXIED, more=("--haproxy-protocol",)) == (401, "10.77.9.9")


@pytest.mark.parametrize("way", ["straight", "nginx, connections", "haproxy, connections"])
def test_a_name_that_is_not_the_connections_is_misdirected(net, way):
    """By the Host header, by SNI, and where a connection was opened to an address instead of a name."""
    address, _, port = WAYS[way]
    assert curl(net, net.outside, address, port, f"Host: other.vault.{DOMAIN}:{port}")[0] == 421
    assert curl(net, net.outside, address, port, "Host: dev.vault.elsewhere.test")[0] == 421
    assert curl(net, net.outside, address, port, f"Host: {address}:{port}")[0] == 421
    said = net.outside.run("curl", "-sSk", "-o", "/dev/null", "-w", "%{http_code}", f"https://{address}:{port}/secrets")
    assert said == "421"


def environ_of(net, server):
    """Return what unmodified clients are told in order to use a server."""
    told = SimpleNamespace(**server.connection)
    group = f"/subscriptions/{told.subscriptionId}/resourceGroups/{told.resourceGroup}"
    trust = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(net.trust))
    return (
        server.environ
        | trust
        | {
            "AZURE_TENANT_ID": told.tenantId,
            "AZURE_CLIENT_ID": told.clientId,
            "AZURE_CLIENT_SECRET": told.clientSecret,
            "AZURE_AUTHORITY_HOST": told.authority,
            "VAULT_URL": told.vaultUrl,
            "VAULT_ID": f"{group}/providers/Microsoft.KeyVault/vaults/dev",
            "MANAGEMENT": told.managementUrl,
        }
    )


def run_client(net, caller, server, address, *command, check=True):
    """Run a client in a namespace in which the names of a server lead to an address; return what it said."""
    hosts = net.folder / "hosts"
    hosts.write_text("".join(f"{address} {name}.{DOMAIN}\n" for name in ("login", "management", "dev.vault")))
    bound = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts))
    return execute([*caller.prefix, *bound, *command], environ_of(net, server), check=check)


@pytest.fixture
def ruled(net):
    """Return `ruled(server, *ranges)`: only they reach its vault then, until the end of the test."""
    touched = []

    def rule(server, *ranges):
        touched.append(server)
        address = "10.77.0.1"
        # The management plane is reached from anywhere: here from where nobody reads secrets.
        assert run_client(net, net.outside, server, address, sys.executable, "-c", RULE, *ranges).stdout == "200\n"

    yield rule
    for server in tuple(touched):
        rule(server, "0.0.0.0/1", "128.0.0.0/1")


@pytest.mark.parametrize("way", ["nginx, requests", "nginx, connections", "haproxy, connections", "haproxy, requests"])
def test_the_sdk_reads_from_where_the_rules_let_it_and_from_nowhere_else(net, ruled, way):
    """The address of the proxy, which is the socket's peer, lets nobody in; a changed rule counts at once."""
    address, _, port = WAYS[way]
    server = net.plain if port == fronts.PLAIN else net.proxied

    def read(caller):
        return run_client(net, caller, server, address, sys.executable, "-c", READ).stdout

    ruled(server, "10.77.1.0/24", "198.51.100.0/24")
    assert read(net.inside).startswith("read ")
    refused = read(net.outside)
    assert refused.startswith("refused 403 ForbiddenByFirewall")
    assert net.outside.addresses[0] in refused
    ruled(server, net.outside.addresses[0])
    assert read(net.outside).startswith("read ")
    assert read(net.inside).startswith("refused 403 ForbiddenByFirewall")
    ruled(server, "10.77.9.0/24")  # the proxies
    for each in (net.inside, net.outside):
        assert read(each).startswith("refused 403 ForbiddenByFirewall")


def test_az_lists_the_vault_from_outside_and_its_secrets_from_inside_only(net, ruled):
    ruled(net.plain, net.inside.addresses[0])
    told, config = SimpleNamespace(**net.plain.connection), net.folder / "az"

    def az(caller, line, *more, check=True):
        command = (
            "env",
            f"AZURE_CONFIG_DIR={config}",
            "AZURE_CORE_COLLECT_TELEMETRY=false",
            "AZURE_CORE_INSTANCE_DISCOVERY=false",
            "az",
            *line.split(),
            *more,
        )
        return run_client(net, caller, net.plain, networks.SERVER, *command, check=check)

    az(net.outside, "cloud register -n Strongroom --endpoint-resource-manager", told.managementUrl)
    az(net.outside, "cloud set -n Strongroom")
    az(net.outside, f"login --service-principal -u {told.clientId} -t {told.tenantId} -p", told.clientSecret)
    assert '"dev"' in az(net.outside, "keyvault list").stdout
    assert '"Deny"' in az(net.outside, "keyvault show -n dev").stdout
    assert "ForbiddenByFirewall" in az(net.outside, "keyvault secret list --vault-name dev", check=False).stderr
    assert az(net.inside, "keyvault secret list --vault-name dev").stdout.strip() == "[]"
