"""The private CA: what it vouches for, what it cannot, and how it is kept."""

import asyncio
import ipaddress
import shutil
import ssl
from dataclasses import replace
from datetime import timedelta

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from doubles import MemoryStorage
from strongroom.clock import real_now
from strongroom.custody.sealing import SealBroken
from strongroom.hosting import ca
from strongroom.hosting.ca import find_authority, make_authority, new_authority
from strongroom.hosting.tls import ServerTls
from strongroom.sensitive import Sensitive

OWN = ["localhost", "login.localhost", "management.localhost", "kv1.vault.localhost", "h.managedhsm.localhost"]
OWN_ADDRESSES = ["127.0.0.1", "::1"]


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def foreign(authority, monkeypatch, name=None, address=None):
    """Return what the holder of the CA's key could make: a server for a name or an address outside its constraints."""
    if address:
        monkeypatch.setattr(ca, "LOOPBACK_ADDRESSES", (ipaddress.ip_address(address),))
        return authority
    return replace(authority, domain=name)


class TlsServer:
    """A server with a leaf of some authority; it says hello to whoever trusts it."""

    def __init__(self, authority):
        self.context = ServerTls(authority.mint, real_now()).context

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.greet, "127.0.0.1", 0, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def greet(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        writer.close()


async def python_trusts(port, host, trust):
    context = ssl.create_default_context(cafile=trust.ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
    except ssl.SSLCertVerificationError:
        return False
    writer.close()
    return True


async def succeeds(*command, **environment):
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment or None,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    assert process.returncode == 0 or b"certificate" in complaint.lower(), complaint
    return process.returncode == 0


async def curl_trusts(port, host, trust):
    literal = f"[{host}]" if ":" in host else host
    return await succeeds(
        shutil.which("curl"),
        *("-sS", "--noproxy", "*", "--cacert", str(trust.ca), "--connect-to", f"::127.0.0.1:{port}"),
        f"https://{literal}:{port}/",
    )


async def node_trusts(port, host, trust):
    script = (
        "const [port, host] = process.argv.slice(1);"
        "const tls = require('tls');"
        "const s = tls.connect({port, host: '127.0.0.1', servername: require('net').isIP(host) ? '' : host,"
        " checkServerIdentity: (_, c) => tls.checkServerIdentity(host, c)}, () => process.exit(0));"
        "s.on('error', e => { console.error('certificate', e.code, e.message); process.exit(1); });"
    )
    return await succeeds(shutil.which("node"), "-e", script, str(port), host, NODE_EXTRA_CA_CERTS=str(trust.ca))


async def openssl_trusts(port, host, trust):
    kind = "-verify_ip" if host[-1].isdigit() else "-verify_hostname"
    return await succeeds(
        shutil.which("openssl"),
        *("s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(trust.ca), "-x509_strict"),
        *("-verify_return_error", "-no-CApath", "-no-CAstore", kind, host, "-brief"),
    )


CLIENTS = [python_trusts, curl_trusts, node_trusts, openssl_trusts]


@pytest.mark.parametrize("trusts", CLIENTS)
async def test_clients_trust_every_name_of_the_domain_and_loopback(authority, trust, trusts):
    async with TlsServer(authority) as server:
        for host in (*OWN, *OWN_ADDRESSES):
            assert await trusts(server.port, host, trust), host
        for host in ("example.com", "a.b.vault.localhost", "other.localhost"):
            assert not await trusts(server.port, host, trust), host


@pytest.mark.parametrize("trusts", CLIENTS)
@pytest.mark.parametrize(
    "made_for", [{"name": "example.com"}, {"name": "notlocalhost"}, {"name": "localhost.example.com"}]
)
async def test_clients_refuse_what_the_ca_signs_outside_its_domain(authority, trust, trusts, made_for, monkeypatch):
    rogue = foreign(authority, monkeypatch, **made_for)
    async with TlsServer(rogue) as server:
        assert not await trusts(server.port, made_for["name"], trust)


@pytest.mark.parametrize("trusts", CLIENTS)
@pytest.mark.parametrize("address", ["10.0.0.1", "8.8.8.8", "2001:db8::1"])
async def test_clients_refuse_what_the_ca_signs_for_other_addresses(authority, trust, trusts, address, monkeypatch):
    rogue = foreign(authority, monkeypatch, address=address)
    async with TlsServer(rogue) as server:
        assert not await trusts(server.port, address, trust)


def test_the_ca_says_what_it_is(authority):
    certificate = authority.certificate
    basic, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
    names = extension(certificate, x509.NameConstraints)
    assert basic.critical
    assert (basic.value.ca, basic.value.path_length) == (True, 0)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    assert names.critical
    assert [str(name.value) for name in names.value.permitted_subtrees] == ["localhost", "127.0.0.0/8", "::1/128"]
    identifier = extension(certificate, x509.SubjectKeyIdentifier).value.digest
    assert extension(certificate, x509.AuthorityKeyIdentifier).value.key_identifier == identifier


def test_a_leaf_lasts_at_most_397_days_and_signs_nothing_else(authority):
    now = real_now()
    leaf = authority.mint(now).certificate
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=397)
    assert leaf.not_valid_before_utc < now
    assert not extension(leaf, x509.BasicConstraints).value.ca
    names = extension(leaf, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [
        "localhost",
        "login.localhost",
        "management.localhost",
        "graph.localhost",
        "portal.localhost",
        "*.vault.localhost",
        "*.managedhsm.localhost",
    ]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == OWN_ADDRESSES


def test_two_authorities_have_two_names(authority):
    assert new_authority("localhost", real_now()).certificate.subject != authority.certificate.subject


async def test_an_authority_is_found_as_it_was_made_and_its_key_is_sealed():
    storage = MemoryStorage()
    stores = storage.stores
    assert await find_authority(stores.facts, stores.keyring, storage.custodian, "localhost") is None
    made = await make_authority(stores.facts, stores.keyring, storage.custodian, "localhost", real_now())
    found = await find_authority(stores.facts, stores.keyring, storage.custodian, "localhost")
    assert found.certificate == made.certificate
    assert found.key.reveal() == made.key.reveal()
    fact = await stores.facts.get("ca.localhost")
    assert made.key.reveal() not in fact
    assert await find_authority(stores.facts, stores.keyring, storage.custodian, "vault.example.test") is None


async def test_an_authority_of_another_domain_does_not_open_in_its_place():
    storage = MemoryStorage()
    stores = storage.stores
    await make_authority(stores.facts, stores.keyring, storage.custodian, "localhost", real_now())
    await stores.facts.put("ca.example.test", await stores.facts.get("ca.localhost"))
    with pytest.raises(SealBroken):
        await find_authority(stores.facts, stores.keyring, storage.custodian, "example.test")


async def test_without_a_server_key_no_authority_is_made_or_found():
    storage = MemoryStorage()
    stores = storage.stores
    await make_authority(stores.facts, stores.keyring, storage.custodian, "localhost", real_now())
    stores.keyring.keys.clear()
    with pytest.raises(SealBroken):
        await make_authority(stores.facts, stores.keyring, storage.custodian, "localhost", real_now())
    with pytest.raises(SealBroken):
        await find_authority(stores.facts, stores.keyring, storage.custodian, "localhost")


def test_trust_files_are_written_when_missing_or_different_and_else_left_alone(authority, tmp_path):
    files = authority.write_trust(tmp_path)
    assert files.ca == tmp_path / "trust" / "localhost" / "ca.pem"
    assert files.ca.read_bytes() == authority.certificate.public_bytes(Encoding.PEM)
    roots = len(ssl.create_default_context(cafile=certifi.where()).get_ca_certs())
    assert len(ssl.create_default_context(cafile=files.bundle).get_ca_certs()) == roots + 1
    before = files.bundle.stat().st_mtime_ns, files.ca.stat().st_ino
    authority.write_trust(tmp_path)
    assert (files.bundle.stat().st_mtime_ns, files.ca.stat().st_ino) == before
    files.ca.unlink()
    files.bundle.write_text("something else")
    authority.write_trust(tmp_path)
    assert files.ca.read_bytes() == authority.pem
    assert files.bundle.read_bytes().endswith(authority.pem)
    assert sorted(path.name for path in files.ca.parent.iterdir()) == ["ca-bundle.pem", "ca.pem"]


def test_a_leaf_in_pem_has_its_key_under_a_passphrase(authority):
    pem = authority.mint(real_now()).seal_pem(Sensitive(b"canary"))
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in pem
    assert b"BEGIN PRIVATE KEY" not in pem
