"""`azure-keyvault-keys`, unmodified, against a server started by its command: all that it does, in both directions."""

import hashlib

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.keys import (
    ApiVersion,
    JsonWebKey,
    KeyClient,
    KeyCurveName,
    KeyOperation,
    KeyRotationLifetimeAction,
    KeyRotationPolicy,
    KeyRotationPolicyAction,
    KeyType,
)
from azure.keyvault.keys.crypto import (
    CryptographyClient,
    EncryptionAlgorithm,
    KeyWrapAlgorithm,
    SignatureAlgorithm,
)
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

from clients.direct import Direct, unique
from clients.signing_in import a_credential
from jwk_doubles import an_ec_key, an_rsa_key, decoded, ec_jwk, rsa_jwk

pytestmark = [pytest.mark.clients, pytest.mark.usefixtures("client_environ")]

PLAIN = b"what nobody else may read"
RSA_SIGNATURES = [each for each in SignatureAlgorithm if each.name[:2] in {"rs", "ps"}]
EC_SIGNATURES = {"P-256": "ES256", "P-256K": "ES256K", "P-384": "ES384", "P-521": "ES512"}
RSA_CIPHERS = [EncryptionAlgorithm.rsa_oaep, EncryptionAlgorithm.rsa_oaep_256, EncryptionAlgorithm.rsa1_5]
RSA_WRAPS = [KeyWrapAlgorithm.rsa_oaep, KeyWrapAlgorithm.rsa_oaep_256, KeyWrapAlgorithm.rsa1_5]


@pytest.fixture(scope="module")
def credential(connection):
    with a_credential(connection) as credential:
        yield credential


@pytest.fixture(scope="module")
def client(connection, credential):
    with KeyClient(connection.vaultUrl, credential) as client:
        yield client


@pytest.fixture(scope="module")
def keys(client):
    """A key of each type, made once: a function of its name."""
    made = {}

    def get(kind):
        if kind not in made:
            name = unique(f"{kind.lower()}-")
            made[kind] = client.create_rsa_key(name) if kind == "RSA" else client.create_ec_key(name, curve=kind)
        return made[kind]

    return get


@pytest.fixture
def name():
    return unique("key-")


def digest(algorithm):
    return hashlib.new(
        {"256": "sha256", "384": "sha384", "512": "sha512"}[SignatureAlgorithm(algorithm).value[2:5]], PLAIN
    ).digest()


@pytest.mark.parametrize("size", [2048, 3072, 4096])
def test_rsa_keys_of_every_size_are_made(client, name, size):
    made = client.create_rsa_key(name, size=size, tags={"a": "b"})
    assert (made.key_type, len(made.key.n) * 8, made.key.e) == (KeyType.rsa, size, b"\x01\x00\x01")
    assert made.properties.tags == {"a": "b"}
    assert (made.properties.hsm_platform, made.properties.exportable, made.properties.managed) == ("0", False, None)
    assert client.get_key(name).id == made.id


@pytest.mark.parametrize("curve", KeyCurveName)
def test_elliptic_keys_on_every_curve_are_made(client, name, curve):
    made = client.create_ec_key(name, curve=curve)
    assert (made.key_type, made.key.crv) == (KeyType.ec, curve)
    assert made.key_operations == [KeyOperation.sign, KeyOperation.verify]


def test_a_key_has_a_life_of_its_own(client, name):
    made = client.create_ec_key(name, enabled=False)
    newer = client.create_ec_key(name, key_operations=["sign"])
    assert client.get_key(name, made.properties.version).key.x == made.key.x
    updated = client.update_key_properties(name, tags={"a": "b"}, key_operations=["sign", "verify"])
    assert (updated.properties.tags, updated.key_operations) == ({"a": "b"}, ["sign", "verify"])
    versions = {each.version for each in client.list_properties_of_key_versions(name)}
    assert versions == {made.properties.version, newer.properties.version}
    assert name in {each.name for each in client.list_properties_of_keys(max_page_size=2)}
    deleted = client.begin_delete_key(name).result()
    assert deleted.recovery_id.endswith(f"/deletedkeys/{name}")
    with pytest.raises(ResourceNotFoundError):
        client.get_key(name)
    with pytest.raises(ResourceExistsError) as refused:
        client.create_ec_key(name)
    assert refused.value.error.innererror["code"] == "ObjectIsDeletedButRecoverable"
    assert name in {each.name for each in client.list_deleted_keys()}
    assert client.get_deleted_key(name).id == newer.id
    assert client.begin_recover_deleted_key(name).result().id == newer.id
    client.begin_delete_key(name).wait()
    client.purge_deleted_key(name)
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_key(name)


def test_a_key_is_got_without_an_attestation(client, name):
    made, newer = client.create_ec_key(name), client.create_ec_key(name)
    for version, expected in ((None, newer), (made.properties.version, made)):
        found = client.get_key_attestation(name, version)
        assert (found.id, found.key.x, found.properties.attestation) == (expected.id, expected.key.x, None)
    with pytest.raises(ResourceNotFoundError):
        client.get_key_attestation(f"{name}-none")


def test_a_rotated_key_has_a_new_version(client, name):
    made = client.create_ec_key(name, curve="P-384", tags={"a": "b"})
    rotated = client.rotate_key(name)
    assert rotated.properties.version != made.properties.version
    assert (rotated.key.crv, rotated.properties.tags) == ("P-384", {"a": "b"})
    assert rotated.key.x != made.key.x


def test_a_rotation_policy_is_kept_and_obeyed(client, name):
    client.create_ec_key(name)
    (notify,) = client.get_key_rotation_policy(name).lifetime_actions
    assert (notify.action, notify.time_before_expiry) == (KeyRotationPolicyAction.notify, "P30D")
    actions = [KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P2M")]
    policy = KeyRotationPolicy(lifetime_actions=actions, expires_in="P90D")
    updated = client.update_key_rotation_policy(name, policy)
    found = client.get_key_rotation_policy(name)
    assert (found.expires_in, found.created_on, found.updated_on) == ("P90D", updated.created_on, updated.updated_on)
    assert [(each.action, each.time_after_create, each.time_before_expiry) for each in found.lifetime_actions] == [
        (KeyRotationPolicyAction.rotate, "P2M", None)
    ]
    rotated = client.rotate_key(name).properties
    assert (rotated.expires_on - rotated.created_on).days == 90
    with pytest.raises(HttpResponseError, match="at least 28 days"):
        client.update_key_rotation_policy(name, KeyRotationPolicy(expires_in="P1D"))


def test_a_backup_brings_back_all_versions(client, name):
    versions = {client.create_ec_key(name).properties.version for _ in range(2)}
    backup = client.backup_key(name)
    with pytest.raises(ResourceExistsError):
        client.restore_key_backup(backup)
    client.begin_delete_key(name).wait()
    client.purge_deleted_key(name)
    assert client.restore_key_backup(backup).name == name
    assert {each.version for each in client.list_properties_of_key_versions(name)} == versions


def imported(described):
    """Return a JSON Web Key as the SDK takes it: its members as bytes."""
    return JsonWebKey(
        **{key: decoded(value) if key not in {"kty", "crv"} else value for key, value in described.items()}
    )


@pytest.mark.parametrize("curve", EC_SIGNATURES)
def test_an_imported_elliptic_key_signs_what_its_maker_can_verify(client, credential, name, curve):
    key = client.import_key(name, imported(ec_jwk(curve)))
    algorithm = SignatureAlgorithm(EC_SIGNATURES[curve])
    signed = CryptographyClient(key, credential).sign(algorithm, digest(algorithm)).signature
    half = len(signed) // 2
    der = utils.encode_dss_signature(int.from_bytes(signed[:half]), int.from_bytes(signed[half:]))
    hashed = {32: hashlib.sha256, 48: hashlib.sha384, 64: hashlib.sha512}[len(digest(algorithm))]
    chosen = utils.Prehashed({"sha256": SHA256, "sha384": SHA384, "sha512": SHA512}[hashed().name]())
    an_ec_key(curve).public_key().verify(der, digest(algorithm), ec.ECDSA(chosen))


def test_an_imported_rsa_key_decrypts_what_its_maker_encrypted(client, credential, name):
    key = client.import_key(name, imported(rsa_jwk()))
    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    made = an_rsa_key().public_key().encrypt(PLAIN, oaep)
    found = CryptographyClient(key.id, credential).decrypt(EncryptionAlgorithm.rsa_oaep_256, made)
    assert found.plaintext == PLAIN


# --- keys as of an HSM, where software stands in: the vault of a rehearsal server is a premium one


@pytest.fixture(scope="module")
def standard(connection, credential):
    direct = Direct(connection)
    url = direct.make_vault(unique("std"), accessPolicies=[direct.policy(direct.owner_id, keys=["all"])])
    direct.close()
    with KeyClient(url, credential) as client:
        yield client


@pytest.mark.parametrize("make", ["create_rsa_key", "create_ec_key", "create_oct_key"])
def test_a_key_of_an_hsm_says_who_really_keeps_it(client, standard, name, make):
    made = getattr(client, make)(name, hardware_protected=True)
    assert made.key_type.endswith("-HSM")
    assert made.properties.hsm_platform == "0"
    with pytest.raises(HttpResponseError, match="need a vault of the SKU premium"):
        getattr(standard, make)(name, hardware_protected=True)


@pytest.mark.parametrize("size", [128, 192, 256])
def test_an_aes_key_encrypts_and_wraps(client, credential, name, size):
    crypto = CryptographyClient(client.create_oct_key(name, size=size, hardware_protected=True), credential)
    algorithm = EncryptionAlgorithm(f"A{size}GCM")
    sealed = crypto.encrypt(algorithm, PLAIN, additional_authenticated_data=b"aad")
    opened = {"iv": sealed.iv, "authentication_tag": sealed.tag, "additional_authenticated_data": sealed.aad}
    assert crypto.decrypt(algorithm, sealed.ciphertext, **opened).plaintext == PLAIN
    with pytest.raises(HttpResponseError, match="Unable to decrypt"):
        crypto.decrypt(algorithm, sealed.ciphertext, **opened | {"additional_authenticated_data": b"other"})
    sealed = crypto.encrypt(EncryptionAlgorithm(f"A{size}CBCPAD"), PLAIN, iv=bytes(16))
    assert crypto.decrypt(EncryptionAlgorithm(f"A{size}CBCPAD"), sealed.ciphertext, iv=bytes(16)).plaintext == PLAIN
    sealed = crypto.encrypt(EncryptionAlgorithm(f"A{size}CBC"), bytes(32), iv=bytes(16))
    assert crypto.decrypt(EncryptionAlgorithm(f"A{size}CBC"), sealed.ciphertext, iv=bytes(16)).plaintext == bytes(32)
    wrapped = crypto.wrap_key(KeyWrapAlgorithm(f"A{size}KW"), bytes(range(16)))
    assert crypto.unwrap_key(KeyWrapAlgorithm(f"A{size}KW"), wrapped.encrypted_key).key == bytes(range(16))


# --- the client does what it can by itself: here it does each thing once by itself and once through the server


def local(key):
    return CryptographyClient.from_jwk(key.key)


def remote(key, credential):
    """Return a client that knows no more of a key than its id; without permission to read it would ask for all."""
    return CryptographyClient(key.id, credential)


@pytest.mark.parametrize("algorithm", RSA_CIPHERS)
def test_what_either_side_encrypts_the_server_decrypts(keys, credential, algorithm):
    key = keys("RSA")
    for sealed in (local(key).encrypt(algorithm, PLAIN), remote(key, credential).encrypt(algorithm, PLAIN)):
        assert remote(key, credential).decrypt(algorithm, sealed.ciphertext).plaintext == PLAIN


@pytest.mark.parametrize("algorithm", RSA_WRAPS)
def test_what_either_side_wraps_the_server_unwraps(keys, credential, algorithm):
    key = keys("RSA")
    for wrapped in (local(key).wrap_key(algorithm, PLAIN), remote(key, credential).wrap_key(algorithm, PLAIN)):
        assert remote(key, credential).unwrap_key(algorithm, wrapped.encrypted_key).key == PLAIN


def _signing(kind):
    return RSA_SIGNATURES if kind == "RSA" else [SignatureAlgorithm(EC_SIGNATURES[kind])]


@pytest.mark.parametrize(
    ("kind", "algorithm"), [(kind, each) for kind in ("RSA", *EC_SIGNATURES) for each in _signing(kind)]
)
def test_what_the_server_signs_both_sides_verify(keys, credential, asked_remotely, kind, algorithm):
    key = keys(kind)
    signed = remote(key, credential).sign(algorithm, digest(algorithm)).signature
    assert local(key).verify(algorithm, digest(algorithm), signed).is_valid
    assert asked_remotely(key).verify(algorithm, digest(algorithm), signed).is_valid
    other = hashlib.new("sha512", b"other").digest()[: len(digest(algorithm))]
    assert not local(key).verify(algorithm, other, signed).is_valid
    assert not asked_remotely(key).verify(algorithm, other, signed).is_valid


@pytest.mark.parametrize("algorithm", [*RSA_CIPHERS])
def test_the_server_encrypts_what_it_decrypts(keys, asked_remotely, algorithm):
    client = asked_remotely(keys("RSA"))
    assert client.decrypt(algorithm, client.encrypt(algorithm, PLAIN).ciphertext).plaintext == PLAIN


@pytest.mark.parametrize("algorithm", [*RSA_WRAPS])
def test_the_server_wraps_what_it_unwraps(keys, asked_remotely, algorithm):
    client = asked_remotely(keys("RSA"))
    assert client.unwrap_key(algorithm, client.wrap_key(algorithm, PLAIN).encrypted_key).key == PLAIN


@pytest.fixture
def asked_remotely(credential, monkeypatch):
    """Return a client that does nothing by itself, as one that may not read the key."""

    def make(key):
        client = CryptographyClient(key.id, credential)
        client._keys_get_forbidden = True
        return client

    return make


@pytest.mark.parametrize(
    ("said", "inner"),
    [({"enabled": False}, "KeyDisabled"), ({"key_operations": ["verify"]}, "KeyOperationForbidden")],
)
def test_a_key_that_may_not_is_refused_with_the_service_s_code(client, asked_remotely, name, said, inner):
    key = client.create_ec_key(name, **said)
    with pytest.raises(HttpResponseError) as refused:
        asked_remotely(key).sign(SignatureAlgorithm.es256, digest("ES256"))
    assert (refused.value.status_code, refused.value.error.code) == (403, "Forbidden")
    assert refused.value.error.innererror["code"] == inner


@pytest.mark.parametrize("version", ApiVersion)
def test_every_version_that_the_client_speaks_is_spoken(connection, credential, name, version):
    if version == ApiVersion.V2016_10_01:
        pytest.skip("2016-10-01 is not spoken: docs/divergences.md")
    with KeyClient(connection.vaultUrl, credential, api_version=version) as client:
        made = client.create_ec_key(name)
        assert client.get_key(name).id == made.id
        assert client.get_cryptography_client(name).sign(SignatureAlgorithm.es256, digest("ES256")).key_id == made.id
