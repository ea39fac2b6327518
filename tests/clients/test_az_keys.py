"""`az keyvault key`, unmodified: every command that a vault has, its exit and what it prints.

In one session with `test_az.py`; each command starts a process of a second or so. What az makes is checked by the
library that its user would check it with.
"""

import base64
import json
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
    load_pem_public_key,
)

from canaries import MARK
from clients.direct import unique
from jwk_doubles import CURVES, an_ec_key, an_rsa_key, decoded, digest_of, encoded
from release_doubles import a_policy, wrapped_blob

pytestmark = pytest.mark.xdist_group("az")

PLAIN = f"{MARK}plaintext-of-az"
HASHES = {32: SHA256(), 48: SHA384(), 64: SHA512()}
POLICY = {
    "lifetimeActions": [{"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Rotate"}}],
    "attributes": {"expiryTime": "P90D"},
}
OAEP = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)


@pytest.fixture(scope="module")
def key(az):
    """Run a command of `az keyvault key` in the rehearsal vault, which is a premium one."""

    def run(command, name=None, *more, **kwargs):
        named = f"-n {name}" if name else ""
        return az(f"keyvault key {command} --vault-name dev {named}", *more, **kwargs)

    return run


@pytest.fixture
def name():
    return unique("az-")


def base64_of(octets):
    return base64.b64encode(octets).decode()


def numbers_of(told):
    """Return the numbers of a key that az told: its x and y, or its e and n."""
    return {
        member: int.from_bytes(base64.b64decode(told["key"][member])) for member in "nexy" if told["key"].get(member)
    }


def download(key, name, path, *more):
    """Return the public key that az writes to a file."""
    key("download", name, "-f", str(path), *more)
    load = load_der_public_key if "DER" in more else load_pem_public_key
    return load(path.read_bytes())


def test_keys_are_made_found_and_edited(key, az, name):
    life = "--not-before 2020-01-01T00:00:00Z --expires 2040-01-01T00:00:00Z --disabled true"
    made = key(f"create --kty EC --curve P-384 --ops sign verify --tags team=blue {life}", name)
    assert (made["key"]["kty"], made["key"]["crv"], made["key"]["keyOps"]) == ("EC", "P-384", ["sign", "verify"])
    assert made["tags"] == {"team": "blue"}
    attributes = made["attributes"]
    assert (attributes["enabled"], attributes["exportable"], attributes["hsmPlatform"]) == (False, False, "0")
    assert (attributes["notBefore"], attributes["expires"]) == (
        "2020-01-01T00:00:00+00:00",
        "2040-01-01T00:00:00+00:00",
    )
    newer = key("create", name)
    assert (newer["key"]["kty"], newer["attributes"]["enabled"], newer["tags"]) == ("RSA", True, None)
    assert key("show", name)["key"] == newer["key"]
    assert az(f"keyvault key show --id {made['key']['kid']}")["key"] == made["key"]
    assert az(f"keyvault key get-attestation --id {made['key']['kid']}") is None
    versions = key("list-versions", name)
    assert {each["kid"] for each in versions} == {made["key"]["kid"], newer["key"]["kid"]}
    assert name in {each["name"] for each in key("list")}
    changed = az(f"keyvault key set-attributes --id {made['key']['kid']} --enabled true --ops verify --tags a=1")
    assert (changed["attributes"]["enabled"], changed["key"]["keyOps"], changed["tags"]) == (
        True,
        ["verify"],
        {"a": "1"},
    )
    assert changed["attributes"]["expires"] == attributes["expires"]
    assert key("show", name)["attributes"] == newer["attributes"]


def test_the_server_decrypts_what_az_and_others_encrypt(key, name, tmp_path):
    key("create", name)
    said = ("-a", "RSA-OAEP-256", "--value")
    sealed = key("encrypt --data-type plaintext", name, *said, PLAIN)
    assert key("decrypt --data-type plaintext", name, *said, sealed["result"])["result"] == PLAIN
    others = download(key, name, tmp_path / "key.der", "-e", "DER").encrypt(PLAIN.encode(), OAEP)
    assert "already exists" in key("download", name, "-f", str(tmp_path / "key.der"), fails=True)
    found = key("decrypt --data-type base64", name, *said, base64_of(others))
    assert base64.b64decode(found["result"]) == PLAIN.encode()
    spoiled = base64_of(bytes([others[0] ^ 1]) + others[1:])
    assert "BadParameter" in key("decrypt", name, *said, spoiled, fails=True)


def test_an_aes_key_encrypts_with_additional_data(key, name):
    made = key("create --kty oct-HSM --size 256", name)
    assert (made["key"]["kty"], made["key"]["k"]) == ("oct-HSM", None)
    sealed = key("encrypt -a A256GCM --data-type plaintext --aad 0a0b", name, "--value", PLAIN)
    proofs = f"--aad 0a0b --iv {sealed['iv']} --tag {sealed['tag']}"
    opened = key(f"decrypt -a A256GCM --data-type plaintext {proofs} --value {sealed['result']}", name)
    assert opened["result"] == PLAIN
    refused = key(f"decrypt -a A256GCM {proofs} --aad 0a0c --value {sealed['result']}", name, fails=True)
    assert "BadParameter" in refused


def verifies(public, signature, digest, algorithm):
    """Answer that the library takes a signature, `r` and `s` side by side where it is of a curve; it raises if not."""
    hashed = utils.Prehashed(HASHES[len(digest)])
    if isinstance(public, ec.EllipticCurvePublicKey):
        r, s = (int.from_bytes(half) for half in (signature[: len(signature) // 2], signature[len(signature) // 2 :]))
        public.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(hashed))
    else:
        salted = padding.PSS(padding.MGF1(HASHES[len(digest)]), padding.PSS.DIGEST_LENGTH)
        public.verify(signature, digest, salted if algorithm.startswith("PS") else padding.PKCS1v15(), hashed)
    return True


@pytest.mark.parametrize(
    ("asked", "told", "algorithm", "length"),
    [
        ("--kty RSA --size 3072", {"kty": "RSA"}, "PS512", 64),
        ("--protection hsm", {"kty": "RSA-HSM"}, "RS256", 32),
        ("--kty EC --curve P-256K", {"kty": "EC", "crv": "P-256K"}, "ES256K", 32),
        ("--kty EC --curve P-384 --protection hsm", {"kty": "EC-HSM", "crv": "P-384"}, "ES384", 48),
    ],
)
def test_what_the_server_signs_az_and_others_verify(key, name, tmp_path, asked, told, algorithm, length):
    made = key(f"create {asked}", name)
    assert {member: made["key"][member] for member in told} == told
    public, digest = download(key, name, tmp_path / "key.pem"), digest_of(length)
    assert {member: getattr(public.public_numbers(), member) for member in numbers_of(made)} == numbers_of(made)
    signed = key(f"sign -a {algorithm}", name, "--digest", base64_of(digest))
    assert verifies(public, base64.b64decode(signed["signature"]), digest, algorithm)
    for said, is_valid in ((digest, True), (digest_of(length, b"other"), False)):
        proofs = ("--digest", base64_of(said), "--signature", signed["signature"])
        assert key(f"verify -a {algorithm}", name, *proofs)["isValid"] is is_valid


def with_short_numbers(curve):
    """Return a key one of whose numbers begins with a zero byte: az sends numbers without leading ones."""
    made = ec.generate_private_key(CURVES[curve])
    size = (made.key_size + 7) // 8
    while made.public_key().public_numbers().x.bit_length() > 8 * (size - 1):
        made = ec.generate_private_key(CURVES[curve])
    return made


def pem_of(private, password=None):
    sealing = BestAvailableEncryption(password) if password else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing)


@pytest.mark.parametrize(
    ("curve", "algorithm", "length"), [("P-256", "ES256", 32), ("P-256K", "ES256K", 32), ("P-521", "ES512", 64)]
)
def test_an_imported_curve_key_signs_for_its_maker(key, name, tmp_path, curve, algorithm, length):
    private, digest = with_short_numbers(curve), digest_of(length)
    (tmp_path / "key.pem").write_bytes(pem_of(private))
    told = key("import", name, "--pem-file", str(tmp_path / "key.pem"))
    assert (told["key"]["crv"], told["key"]["d"]) == (curve, None)
    signed = key(f"sign -a {algorithm}", name, "--digest", base64_of(digest))
    assert verifies(private.public_key(), base64.b64decode(signed["signature"]), digest, algorithm)


def test_an_imported_rsa_key_decrypts_for_its_maker(key, name, tmp_path):
    private = an_rsa_key()
    (tmp_path / "key.pem").write_bytes(pem_of(private, b"pass"))
    options = "--pem-password pass --ops decrypt --protection hsm --tags a=1"
    told = key(f"import {options}", name, "--pem-file", str(tmp_path / "key.pem"))
    assert (told["key"]["kty"], told["key"]["keyOps"], told["tags"]) == ("RSA-HSM", ["decrypt"], {"a": "1"})
    assert numbers_of(told) == {"n": private.public_key().public_numbers().n, "e": 65537}
    sealed = base64_of(private.public_key().encrypt(PLAIN.encode(), OAEP))
    found = key("decrypt -a RSA-OAEP-256 --data-type plaintext", name, "--value", sealed)
    assert found["result"] == PLAIN
    assert "KeyOperationForbidden" in key(f"sign -a RS256 --digest {base64_of(digest_of())}", name, fails=True)


def test_a_key_that_is_too_small_is_not_imported(key, name, tmp_path):
    small = rsa.generate_private_key(65537, 1024)
    (tmp_path / "key.pem").write_bytes(pem_of(small))
    refused = key("import", name, "--pem-file", str(tmp_path / "key.pem"), fails=True)
    assert "KeySizeNotSupported" in refused or "BadParameter" in refused


def test_a_key_is_rotated_by_its_policy(key, name, tmp_path):
    made = key("create --kty EC --curve P-384 --tags a=1", name)
    assert [each["action"].lower() for each in key("rotation-policy show", name)["lifetimeActions"]] == ["notify"]
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    changed = key("rotation-policy update", name, "--value", str(tmp_path / "policy.json"))
    assert changed["expiresIn"] == "P90D"
    assert key("rotation-policy show", name) == changed
    actions = {each["action"].lower(): each["timeBeforeExpiry"] for each in changed["lifetimeActions"]}
    assert actions["rotate"] == "P30D"
    rotated = key("rotate", name)
    assert (rotated["key"]["crv"], rotated["tags"]) == ("P-384", {"a": "1"})
    assert rotated["key"]["kid"] != made["key"]["kid"]
    assert rotated["key"]["x"] != made["key"]["x"]
    life = [datetime.fromisoformat(rotated["attributes"][each]) for each in ("created", "expires")]
    assert life[1] - life[0] == timedelta(days=90)
    assert len(key("list-versions", name)) == 2


def test_a_key_is_deleted_recovered_purged_and_restored(key, name, tmp_path):
    kids = {key("create --kty EC", name)["key"]["kid"] for _ in range(2)}
    assert key("backup", name, "-f", str(tmp_path / "backup")) is None
    deleted = key("delete", name)
    assert deleted["recoveryId"].endswith(f"/deletedkeys/{name}")
    assert deleted["scheduledPurgeDate"] > deleted["deletedDate"]
    assert "KeyNotFound" in key("show", name, fails=True)
    assert "ObjectIsDeletedButRecoverable" in key("create", name, fails=True)
    assert name in {each["name"] for each in key("list-deleted")}
    assert key("show-deleted", name)["key"] == deleted["key"]
    assert key("recover", name)["key"] == deleted["key"]
    key("delete", name)
    assert key("purge", name) is None
    assert "KeyNotFound" in key("show-deleted", name, fails=True)
    assert key("restore", None, "-f", str(tmp_path / "backup"))["key"] == deleted["key"]
    assert {each["kid"] for each in key("list-versions", name)} == kids
    assert "Conflict" in key("restore", None, "-f", str(tmp_path / "backup"), fails=True)


def test_a_key_that_is_disabled_or_not_valid_signs_nothing(key, name):
    signing = f"sign -a ES256 --digest {base64_of(digest_of())}"
    for life, inner in (
        ("--disabled true", "KeyDisabled"),
        ("--expires 2020-01-01T00:00:00Z", "KeyExpired"),
        ("--not-before 2040-01-01T00:00:00Z", "KeyNotYetValid"),
    ):
        key(f"create --kty EC {life}", name)
        assert inner in key(signing, name, fails=True)


def test_keys_that_come_wrapped_and_keys_that_may_leave(az, tmp_path):
    where = "--vault-name dev"  # the premium one
    kek = az(f"keyvault key create {where} -n az-kek --kty RSA-HSM --size 2048 --ops import")["key"]
    material = an_ec_key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    blob = tmp_path / "key.byok"
    public = {"kid": kek["kid"], "n": encoded(decoded64(kek["n"])), "e": encoded(decoded64(kek["e"]))}
    blob.write_text(json.dumps(wrapped_blob(public, material)))
    brought = az(f"keyvault key import {where} -n az-byok --kty EC --curve P-256 --byok-file", str(blob))
    assert brought["key"]["kty"] == "EC-HSM"
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(a_policy()))
    asked = f"keyvault key create {where} -n az-skr --kty EC-HSM --exportable true --policy"
    made = az(asked, str(policy))
    assert made["attributes"]["exportable"] is True
    assert json.loads(made["releasePolicy"]["encodedPolicy"]) == a_policy()
    told = az(f"keyvault key set-attributes {where} -n az-skr --immutable true --policy", str(policy))
    assert told["releasePolicy"]["immutable"] is True
    other = tmp_path / "other.json"
    other.write_text(json.dumps(a_policy("https://other.example.test")))
    refused = az(f"keyvault key set-attributes {where} -n az-skr --policy", str(other), fails=True)
    assert "Immutable Key Release Policy cannot be modified" in refused


def decoded64(text):
    """Return the bytes that az prints as base64, of either alphabet."""
    return decoded(text.replace("+", "-").replace("/", "_").rstrip("="))
