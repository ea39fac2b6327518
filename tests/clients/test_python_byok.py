"""Bring your own key by `azure-keyvault-keys`, unmodified: a key exchange key, and what comes wrapped to it."""

import hashlib
import json

import pytest
from azure.core.exceptions import HttpResponseError
from azure.keyvault.keys import JsonWebKey, KeyClient
from azure.keyvault.keys.crypto import CryptographyClient, EncryptionAlgorithm, SignatureAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from clients.direct import unique
from clients.signing_in import a_credential
from jwk_doubles import encoded
from release_doubles import environment, wrapped_blob

pytestmark = [pytest.mark.clients, pytest.mark.usefixtures("client_environ")]


@pytest.fixture(scope="module")
def credential(connection):
    with a_credential(connection) as credential:
        yield credential


@pytest.fixture(scope="module")
def client(connection, credential):
    with KeyClient(connection.vaultUrl, credential) as client:
        yield client


@pytest.fixture(scope="module")
def made():
    return {}


@pytest.fixture(params=[2048, 3072, 4096])
def exchange(client, made, client_environ, request):
    """A key exchange key of each size, made once."""
    if request.param not in made:
        made[request.param] = client.create_rsa_key(
            unique("kek-"), size=request.param, hardware_protected=True, key_operations=["import"]
        )
    return made[request.param]


@pytest.fixture
def name():
    return unique("byok-")


def byok(exchange, key):
    """Return the content of a `.byok` file."""
    material = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = {"kid": exchange.id, "n": encoded(exchange.key.n), "e": encoded(exchange.key.e)}
    return json.dumps(wrapped_blob(public, material)).encode()


def test_an_rsa_key_is_brought(client, credential, exchange, name):
    blob = byok(exchange, environment())
    made = client.import_key(name, JsonWebKey(kty="RSA-HSM", key_ops=["decrypt", "encrypt"], t=blob))
    assert (made.key_type, made.key_operations) == ("RSA-HSM", ["decrypt", "encrypt"])
    sealed = environment().public_key().encrypt(b"hello", padding.OAEP(padding.MGF1(SHA256()), SHA256(), None))
    assert CryptographyClient(made, credential).decrypt(EncryptionAlgorithm.rsa_oaep_256, sealed).plaintext == b"hello"


def test_an_elliptic_key_is_brought(client, credential, exchange, name):
    key = ec.generate_private_key(ec.SECP256R1())
    made = client.import_key(name, JsonWebKey(kty="EC-HSM", crv="P-256", t=byok(exchange, key)))
    digest = hashlib.sha256(b"said").digest()
    signed = CryptographyClient(made, credential).sign(SignatureAlgorithm.es256, digest).signature
    der = utils.encode_dss_signature(int.from_bytes(signed[:32]), int.from_bytes(signed[32:]))
    key.public_key().verify(der, digest, ec.ECDSA(utils.Prehashed(SHA256())))


def test_a_blob_that_was_changed_brings_nothing(client, exchange, name):
    blob = json.loads(byok(exchange, environment()))
    blob["ciphertext"] = "A" + blob["ciphertext"][1:] if blob["ciphertext"][0] != "A" else "B" + blob["ciphertext"][1:]
    with pytest.raises(HttpResponseError, match="does not unwrap with its key exchange key"):
        client.import_key(name, JsonWebKey(kty="RSA-HSM", t=json.dumps(blob).encode()))


def test_a_key_exchange_key_does_nothing_else(exchange, credential):
    crypto = CryptographyClient(exchange.id, credential)
    with pytest.raises(HttpResponseError, match="Operation decrypt is not permitted on this key"):
        crypto.decrypt(EncryptionAlgorithm.rsa_oaep, bytes(len(exchange.key.n)))
