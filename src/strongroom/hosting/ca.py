"""The private CA of a base domain: good for that domain and this machine's loopback, and worthless for anything else.

Its certificate constrains it, critically, to DNS names at and below the domain, to 127.0.0.0/8 and to ::1; without the
addresses a DNS constraint would leave every address free. Its key is sealed; leaves are minted at each start.
Sources: RFC 5280 sections 4.2.1.10 (name constraints) and 4.2.1.9 (path length); CA/Browser Forum Baseline
Requirements 6.3.2 (398 days for a leaf).
"""

import base64
import ipaddress
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import certifi
import msgspec
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
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.custody.sealing import Context, Custodian, SealBroken, sealing_key_id
from strongroom.custody.store import KeyringStore, Purpose
from strongroom.resources.facts import FactStore
from strongroom.sensitive import Sensitive

CA_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=397)
BACKDATING = timedelta(hours=1)
"""Clients' clocks lag behind; a certificate made now is valid for them too."""
FACTS = "ca."
LABELS = ("login", "management", "graph", "portal", "*.vault", "*.managedhsm")
LOOPBACK_ADDRESSES = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
LOOPBACK_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


class _Kept(msgspec.Struct, frozen=True):
    """A CA as its fact holds it: certificate in PEM, key sealed, base64."""

    certificate: str
    sealed_key: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """A server certificate and its key (PKCS#8, DER)."""

    certificate: x509.Certificate
    key: Sensitive[bytes]

    def seal_pem(self, passphrase: Sensitive[bytes]) -> bytes:
        """Return certificate and key in PEM, the key encrypted under `passphrase`."""
        key = load_der_private_key(self.key.reveal(), password=None)
        encryption = BestAvailableEncryption(passphrase.reveal())
        sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        return self.certificate.public_bytes(Encoding.PEM) + sealed


@dataclass(frozen=True, slots=True)
class TrustFiles:
    """What clients are told to trust: the CA alone, and the public roots with it for clients that replace their own."""

    ca: Path
    bundle: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """The CA of one base domain. key: PKCS#8, DER."""

    domain: str
    certificate: x509.Certificate
    key: Sensitive[bytes]

    @property
    def pem(self) -> bytes:
        """The CA's certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    def mint(self, now: datetime) -> Leaf:
        """Return a fresh leaf for every host name of the domain and for loopback, valid for 397 days at most."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in host_names(self.domain)]
        names += [x509.IPAddress(address) for address in LOOPBACK_ADDRESSES]
        builder = _begin(_name("Strongroom server"), self.certificate.subject, key.public_key(), now, LEAF_LIFETIME)
        for extension, critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(certificates=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName(names), False),
            (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(_key_identifier(self.certificate)), False),
        ):
            builder = builder.add_extension(extension, critical=critical)
        return Leaf(builder.sign(self._signing_key(), SHA256()), _encode_key(key))

    def write_trust(self, data_dir: Path) -> TrustFiles:
        """Write this CA's trust files under `data_dir`, each only when missing or different; return where they are."""
        folder = data_dir / "trust" / self.domain
        for made in (folder.parent, folder):
            made.mkdir(parents=True, exist_ok=True)
            made.chmod(0o755)  # whatever the umask: anyone may read what to trust, only we write it
        files = TrustFiles(ca=folder / "ca.pem", bundle=folder / "ca-bundle.pem")
        _write_if_different(files.ca, self.pem)
        _write_if_different(files.bundle, Path(certifi.where()).read_bytes().rstrip() + b"\n\n" + self.pem)
        return files

    def _signing_key(self) -> ec.EllipticCurvePrivateKey:
        key = load_der_private_key(self.key.reveal(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # no other kind is ever made here
        return key


def host_names(domain: str) -> tuple[str, ...]:
    """Return the DNS names that a server of `domain` answers, wildcards for vaults among them.

    A wildcard directly under a one-label domain would not do: OpenSSL, node and curl refuse it.
    """
    return (domain, *(f"{label}.{domain}" for label in LABELS))


def new_authority(domain: str, now: datetime) -> Authority:
    """Return a new CA for `domain`, kept nowhere yet."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own for each CA: two of one name in a trust store hide one another.
    name = _name(f"Strongroom CA {secrets.token_hex(4)}")
    constraints = x509.NameConstraints(
        [x509.DNSName(domain), *(x509.IPAddress(network) for network in LOOPBACK_NETWORKS)], None
    )
    builder = _begin(name, name, key.public_key(), now, CA_LIFETIME)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    for extension, critical in (
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_usage(certificates=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (constraints, True),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return Authority(domain, builder.sign(key, SHA256()), _encode_key(key))


async def find_authority(
    facts: FactStore, keyring: KeyringStore, custodian: Custodian, domain: str
) -> Authority | None:
    """Return the CA kept for `domain`, None when there is none; SealBroken when it was tampered with."""
    fact = await facts.get(_fact_name(domain))
    if fact is None:
        return None
    kept = msgspec.json.decode(fact, type=_Kept)
    sealed = base64.b64decode(kept.sealed_key)
    server_key = await keyring.find(sealing_key_id(sealed))
    if server_key is None:
        raise SealBroken("the keyring has no key that the CA could be sealed under")
    return Authority(
        domain,
        x509.load_pem_x509_certificate(kept.certificate.encode()),
        custodian.open(server_key, sealed, _context(domain)),
    )


async def list_domains(facts: FactStore) -> tuple[str, ...]:
    """Return the domains that a CA is kept for, the one that was begun last at the end."""
    return tuple([name.removeprefix(FACTS) for name in await facts.names() if name.startswith(FACTS)])


async def make_authority(
    facts: FactStore, keyring: KeyringStore, custodian: Custodian, domain: str, now: datetime
) -> Authority:
    """Make a CA for `domain` and keep it, its key sealed; to be called inside a change."""
    authority = new_authority(domain, now)
    server_key = await keyring.newest(Purpose.SERVER)
    if server_key is None:
        raise SealBroken("the keyring has no key of the server")
    sealed = custodian.seal(server_key, authority.key, _context(domain))
    kept = _Kept(certificate=authority.pem.decode(), sealed_key=base64.b64encode(sealed).decode())
    await facts.put(_fact_name(domain), msgspec.json.encode(kept))
    return authority


def _fact_name(domain: str) -> str:
    return f"{FACTS}{domain}"


def _context(domain: str) -> Context:
    return Context("", "ca", domain, "", "key")


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    start = now - BACKDATING
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    """Return the key usage of a CA (it signs certificates only) or of a leaf (it signs handshakes only)."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_identifier(certificate: x509.Certificate) -> x509.SubjectKeyIdentifier:
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value


def _encode_key(key: ec.EllipticCurvePrivateKey) -> Sensitive[bytes]:
    return Sensitive(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def _write_if_different(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; clients may be reading it."""
    if path.exists() and path.read_bytes() == content:
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    fresh.chmod(0o644)
    fresh.replace(path)
