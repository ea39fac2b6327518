"""Which TLS is spoken, and which certificate is shown to whom."""

import contextlib
import ssl
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from strongroom.clock import real_now
from strongroom.hosting import tls
from strongroom.hosting.ca import new_authority
from strongroom.hosting.tls import CertificateFiles, CertificateUnusable, ServerTls, covers


def handshake(server, client, host, session=None):
    """Return the client's side of a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(to_client, to_server, server_hostname=host, session=session)
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (theirs, ours):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    ours.write(b"!")
    assert theirs.read() == b"!"
    return theirs


def trusting(authority):
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authority.pem.decode())
    return context


@pytest.fixture
def operator(tmp_path):
    """An operator's certificate for a domain of their own: the authority that signed it, and its files."""
    authority = new_authority("vault.example.test", real_now())
    files = CertificateFiles(tmp_path / "chain.pem", tmp_path / "key.pem")
    write_operator(authority, files)
    return authority, files


def write_operator(authority, files, encryption=None):
    leaf = authority.mint(real_now())
    key = load_der_private_key(leaf.key.reveal(), password=None)
    files.certificate.write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken_with_forward_secrecy(authority, version):
    client = trusting(authority)
    client.minimum_version = client.maximum_version = version
    spoken = handshake(ServerTls(authority.mint, real_now()).context, client, "login.localhost")
    assert spoken.version() == version.name.replace("_", ".").replace("TLSv1.", "TLSv1.")
    assert "GCM" in spoken.cipher()[0] or "CHACHA20" in spoken.cipher()[0]
    assert spoken.compression() is None


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_tls_is_not(authority, version):
    client = trusting(authority)
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = client.maximum_version = version
    with pytest.raises(ssl.SSLError):
        handshake(ServerTls(authority.mint, real_now()).context, client, "login.localhost")


def test_a_session_is_resumed(authority):
    client, server = trusting(authority), ServerTls(authority.mint, real_now()).context
    first = handshake(server, client, "login.localhost")
    assert handshake(server, client, "login.localhost", first.session).session_reused


def test_the_operators_certificate_is_shown_for_its_names_and_ours_for_the_rest(authority, operator):
    theirs, files = operator
    server = ServerTls(authority.mint, real_now(), files).context
    handshake(server, trusting(theirs), "kv1.vault.vault.example.test")
    handshake(server, trusting(authority), "kv1.vault.localhost")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, trusting(theirs), "login.localhost")


def test_reload_shows_what_the_files_hold_now(authority, operator):
    _, files = operator
    server = ServerTls(authority.mint, real_now(), files)
    renewed = new_authority("vault.example.test", real_now())
    write_operator(renewed, files)
    server.reload(real_now())
    handshake(server.context, trusting(renewed), "vault.example.test")


def test_what_cannot_be_read_again_is_served_on(authority, operator):
    theirs, files = operator
    server = ServerTls(authority.mint, real_now(), files)
    files.key.write_text("nothing")
    with pytest.raises(CertificateUnusable):
        server.reload(real_now())
    handshake(server.context, trusting(theirs), "vault.example.test")


def unusable_missing(files, _authority):
    files.certificate.unlink()


def unusable_mixed(files, authority):
    write_operator(authority, replace(files, certificate=files.certificate.with_name("other.pem")))


def unusable_sealed(files, authority):
    write_operator(authority, files, BestAvailableEncryption(b"secret"))


def unusable_nameless(files, _authority):
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), real_now()
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    files.certificate.write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.mark.parametrize("spoil", [unusable_missing, unusable_mixed, unusable_sealed, unusable_nameless])
def test_an_unusable_certificate_is_named(authority, operator, spoil):
    theirs, files = operator
    spoil(files, theirs)
    with pytest.raises(CertificateUnusable, match=r"chain\.pem"):
        ServerTls(authority.mint, real_now(), files)


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("kv.vault.localhost", True),
        ("a.b.vault.localhost", False),
        ("vault.localhost", False),
        ("example.com", False),
        ("", False),
    ],
)
def test_a_wildcard_stands_for_one_label(host, covered):
    assert covers(frozenset({"localhost", "*.vault.localhost"}), host) is covered


def test_our_leaf_is_renewed_in_its_last_quarter(authority):
    minted = []

    def mint(now):
        minted.append(now)
        return authority.mint(now)

    now = real_now()
    server = ServerTls(mint, now)
    server.renew_if_due(now + timedelta(days=290))
    assert len(minted) == 1
    server.renew_if_due(now + timedelta(days=310))
    assert len(minted) == 2


def test_a_leaf_that_was_made_by_a_clock_ahead_is_replaced_when_that_is_set_back(authority):
    now = real_now()
    server = ServerTls(authority.mint, now)
    server.renew_if_due(now + timedelta(days=1000))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server.context, trusting(authority), "localhost")
    server.renew_if_due(now)
    handshake(server.context, trusting(authority), "localhost")


def test_the_scratch_file_is_gone_afterwards_with_and_without_memory_files(authority, monkeypatch, tmp_path):
    monkeypatch.delattr(tls.os, "memfd_create")
    monkeypatch.setattr(tls.tempfile, "tempdir", str(tmp_path))
    server = ServerTls(authority.mint, real_now())
    handshake(server.context, trusting(authority), "localhost")
    assert not list(tmp_path.iterdir())
