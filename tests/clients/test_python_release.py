"""Secure key release by `azure-keyvault-keys`, unmodified: a server, an authority it was told of, an environment."""

import json
import subprocess
from types import SimpleNamespace
from urllib.request import Request, urlopen

import jwt
import pytest
from azure.core.exceptions import HttpResponseError
from azure.keyvault.keys import KeyClient, KeyCurveName, KeyExportEncryptionAlgorithm, KeyReleasePolicy
from azure.keyvault.keys.crypto import CryptographyClient, EncryptionAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA256

from clients.direct import unique
from clients.harness import STRONGROOM, plain_environ, start_server
from clients.signing_in import a_credential, variables_of
from release_doubles import a_policy, attest, authority_key, claims_of, payload_of, released_key, runtime

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """The address of a rehearsal authority, started by its command."""
    process = subprocess.Popen(
        [STRONGROOM, "attest"],
        env=plain_environ(tmp_path_factory.mktemp("authority")),
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process.stdout.readline().split()[0]
    process.terminate()
    assert process.wait(30) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def server(authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    running = start_server(folder, "--dev", "--workers", "2", "--attestation-authority", authority)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.errors


@pytest.fixture(scope="module")
def credential(server):
    with variables_of(server), a_credential(SimpleNamespace(**server.connection)) as credential:
        yield credential


@pytest.fixture(scope="module")
def client(server, credential):
    with KeyClient(server.connection["vaultUrl"], credential) as client:
        yield client


@pytest.fixture
def policy(authority):
    return KeyReleasePolicy(json.dumps(a_policy(authority)).encode())


@pytest.fixture
def name():
    return unique("skr-")


def token_from(authority, **claims):
    """Have the rehearsal authority attest an environment."""
    asked = {"sdk-test": True, "x-ms-runtime": runtime()} | claims
    with urlopen(Request(f"{authority}/attest", json.dumps(asked).encode())) as answer:
        return json.load(answer)["token"]


def published_key(server, jws):
    told = server.connection
    (key,) = jwt.PyJWKClient(f"{told['authority']}/{told['tenantId']}/discovery/v2.0/keys").get_signing_keys()
    assert jwt.get_unverified_header(jws)["kid"] == key.key_id
    return key.key


@pytest.mark.parametrize("algorithm", [None, *KeyExportEncryptionAlgorithm])
def test_a_key_is_released_to_who_was_attested_and_to_nobody_else(
    server, client, credential, authority, policy, name, algorithm
):
    made = client.create_rsa_key(name, hardware_protected=True, exportable=True, release_policy=policy)
    assert made.properties.exportable is True
    assert json.loads(made.properties.release_policy.encoded_policy) == a_policy(authority)
    jws = client.release_key(name, token_from(authority), algorithm=algorithm, nonce="a nonce").value
    assert jwt.decode(jws, published_key(server, jws), algorithms=["RS256"]) == payload_of(jws)
    said = payload_of(jws)
    assert said["request"] == {
        "api-version": client.api_version,
        "enc": algorithm or "CKM_RSA_AES_KEY_WRAP",
        "kid": made.id.rpartition("/")[0],
        "nonce": "a nonce",
    }
    sealed = CryptographyClient(made, credential).encrypt(EncryptionAlgorithm.rsa_oaep_256, b"hello").ciphertext
    found = released_key(jws)
    assert found.decrypt(sealed, padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)) == b"hello"
    with pytest.raises(ValueError, match=r"(?i)decryption failed"):
        released_key(jws, authority_key())


@pytest.mark.parametrize("curve", KeyCurveName)
def test_elliptic_keys_are_released_of_the_version_asked_for(client, authority, policy, name, curve):
    first = client.create_ec_key(
        name, curve=curve, hardware_protected=True, exportable=True, release_policy=policy, enabled=True
    )
    second = client.rotate_key(name)
    assert second.properties.exportable is True
    token = token_from(authority)
    for made, version in ((first, first.properties.version), (second, None)):
        found = released_key(client.release_key(name, token, version=version).value)
        assert isinstance(found, ec.EllipticCurvePrivateKey)
        assert found.public_key().public_numbers().x == int.from_bytes(made.key.x)


def test_a_symmetric_key_is_released(client, authority, policy, name):
    client.create_oct_key(name, size=256, hardware_protected=True, exportable=True, release_policy=policy)
    assert len(released_key(client.release_key(name, token_from(authority)).value)) == 32


def test_a_policy_is_changed_until_it_is_immutable(client, authority, policy, name):
    client.create_rsa_key(name, hardware_protected=True, exportable=True, release_policy=policy)
    other = a_policy(authority) | {
        "anyOf": [{"authority": authority, "anyOf": [{"claim": "sdk-test", "equals": "false"}]}]
    }
    fixed = KeyReleasePolicy(json.dumps(other).encode(), immutable=True)
    assert client.update_key_properties(name, release_policy=fixed).properties.release_policy.immutable is True
    for asked in (policy, KeyReleasePolicy(json.dumps(other).encode())):
        with pytest.raises(HttpResponseError, match="Immutable Key Release Policy cannot be modified"):
            client.update_key_properties(name, release_policy=asked)
    with pytest.raises(HttpResponseError, match="does not meet key release policy requirements"):
        client.release_key(name, token_from(authority))
    assert released_key(client.release_key(name, token_from(authority, **{"sdk-test": False})).value)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"exportable": True}, "Exportable keys must have release policy"),
        ({"release_policy": True}, "Non-exportable keys must not have release policy"),
        ({"exportable": True, "release_policy": True, "hardware_protected": False}, "AKV.SKR.1006"),
    ],
)
def test_what_does_not_go_together_is_refused(client, policy, name, asked, told):
    asked = {"hardware_protected": True} | asked | ({"release_policy": policy} if "release_policy" in asked else {})
    with pytest.raises(HttpResponseError, match=told) as refused:
        client.create_rsa_key(name, **asked)
    assert (refused.value.status_code, refused.value.error.code) == (400, "BadParameter")


def test_a_key_that_is_not_exportable_never_leaves(client, authority, name):
    client.create_rsa_key(name, hardware_protected=True)
    with pytest.raises(HttpResponseError, match="Operation release is not permitted on this key"):
        client.release_key(name, token_from(authority))


def test_an_authority_that_the_operator_did_not_name_is_not_asked(client, name):
    elsewhere = "https://attest.invalid"
    policy = KeyReleasePolicy(json.dumps(a_policy(elsewhere)).encode())
    client.create_rsa_key(name, hardware_protected=True, exportable=True, release_policy=policy)
    with pytest.raises(HttpResponseError, match=r"has not allowed the authority 'https://attest\.invalid'") as refused:
        client.release_key(name, attest(claims_of(elsewhere)))
    assert refused.value.status_code == 403


def test_a_backup_keeps_the_terms(client, authority, policy, name):
    client.create_rsa_key(
        name,
        hardware_protected=True,
        exportable=True,
        release_policy=KeyReleasePolicy(policy.encoded_policy, immutable=True),
    )
    backup = client.backup_key(name)
    client.begin_delete_key(name).wait()
    client.purge_deleted_key(name)
    told = client.restore_key_backup(backup).properties
    assert (told.exportable, told.release_policy.immutable) == (True, True)
    assert released_key(client.release_key(name, token_from(authority)).value)
