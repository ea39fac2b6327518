"""RSA1_5, RSA-OAEP and RSA-OAEP-256, to encrypt and to wrap."""

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from key_doubles import RSA_KEYS, made, name_of, octets, openssl, public_key_of, public_pem, rsa_parts, taken
from key_vectors import parts_of, rsa_laboratories, wycheproof
from strongroom.custody.provider import Ciphertext, KeyType, PrivateParts
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

NAMES = ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256"]
OVERHEAD = {"RSA1_5": 11, "RSA-OAEP": 42, "RSA-OAEP-256": 66}
PADDINGS = {
    "RSA1_5": padding.PKCS1v15(),
    "RSA-OAEP": padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),
    "RSA-OAEP-256": padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
}
OPTIONS = {
    "RSA1_5": ["rsa_padding_mode:pkcs1"],
    "RSA-OAEP": ["rsa_padding_mode:oaep", "rsa_oaep_md:sha1"],
    "RSA-OAEP-256": ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256"],
}
REFUSAL = ("Unable to decrypt specified value with this key.", "BadParameter", None)
every_key = pytest.mark.parametrize("spec", RSA_KEYS, ids=name_of)
every_name = pytest.mark.parametrize("name", NAMES)


async def decrypted(keeper, place, key, name, ciphertext):
    """Return what a ciphertext decrypts to, and unwraps to; None when neither does anything but the one refusal."""
    found = []
    for attempt in (
        lambda: keeper.decrypt(key, place, name, Ciphertext(value=ciphertext)),
        lambda: keeper.unwrap(key, place, name, ciphertext),
    ):
        try:
            found.append((await attempt()).reveal())
        except BadRequest as error:
            found.append(None if (error.message, error.code, error.inner) == REFUSAL else error)
    assert found[0] == found[1]
    return found[0]


@every_key
@every_name
async def test_what_was_encrypted_or_wrapped_comes_back(keeper, place, spec, name):
    key = made(spec)
    for plaintext in (b"", b"k", bytes(32), b"p" * (spec.bits // 8 - OVERHEAD[name])):
        for made_by in (keeper.encrypt, keeper.wrap):
            sealed = await made_by(key, place, name, Sensitive(plaintext))
            assert (sealed.iv, sealed.tag, sealed.aad, len(sealed.value)) == (None, None, None, spec.bits // 8)
            assert await decrypted(keeper, place, key, name, sealed.value) == plaintext


@every_name
async def test_two_encryptions_of_one_value_differ(keeper, place, name):
    found = {(await keeper.encrypt(made(RSA_KEYS[0]), place, name, Sensitive(b"v"))).value for _ in range(8)}
    assert len(found) == 8


@every_key
@every_name
async def test_what_is_too_long_for_the_padding_is_refused(keeper, place, spec, name):
    most = spec.bits // 8 - OVERHEAD[name]
    for given in (keeper.encrypt, keeper.wrap):
        with pytest.raises(BadRequest) as caught:
            await given(made(spec), place, name, Sensitive(bytes(most + 1)))
        assert caught.value.message == (
            f"Invalid length of 'value': {most + 1} bytes. {name} with {spec.bits} bits requires at most {most} bytes, "
            "encoded with base64url."
        )


@every_key
@every_name
async def test_another_library_encrypts_for_the_key(keeper, place, spec, name):
    key = made(spec)
    ciphertext = public_key_of(key).encrypt(b"content key", PADDINGS[name])
    assert await decrypted(keeper, place, key, name, ciphertext) == b"content key"


@every_key
@every_name
async def test_openssl_encrypts_for_the_key(keeper, place, spec, name, tmp_path):
    key = made(spec)
    (tmp_path / "public").write_bytes(public_pem(key))
    arguments = ["-encrypt", "-pubin", "-inkey", tmp_path / "public"]
    ciphertext = openssl("pkeyutl", *arguments, *options(name), given=b"content key")
    assert await decrypted(keeper, place, key, name, ciphertext) == b"content key"


@every_name
async def test_openssl_decrypts_what_was_encrypted(keeper, place, name, tmp_path):
    private = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    (tmp_path / "private").write_bytes(private)
    key = taken(rsa_parts(serialization.load_pem_private_key(private, None)))
    sealed = await keeper.wrap(key, place, name, Sensitive(b"content key"))
    arguments = ["-decrypt", "-inkey", tmp_path / "private"]
    assert openssl("pkeyutl", *arguments, *options(name), given=sealed.value) == b"content key"


def options(name):
    return [each for option in OPTIONS[name] for each in ("-pkeyopt", option)]


# --- official vectors


OAEP = ["rsa_oaep_2048_sha1_mgf1sha1", *(f"rsa_oaep_{bits}_sha256_mgf1sha256" for bits in (2048, 3072, 4096))]


@pytest.mark.parametrize("name", OAEP)
async def test_wycheproof_oaep(keeper, place, name):
    algorithm = "RSA-OAEP" if "sha1" in name else "RSA-OAEP-256"
    labelled = 0
    for group in wycheproof(f"{name}_test")["testGroups"]:
        key = taken(parts_of(group["privateKeyJwk"]))
        for case in group["tests"]:
            found = await decrypted(keeper, place, key, algorithm, bytes.fromhex(case["ct"]))
            labelled += bool(case["label"])
            # The service has no label: what was encrypted with one is what does not decrypt.
            valid = case["result"] == "valid" and not case["label"]
            assert found == (bytes.fromhex(case["msg"]) if valid else None), case
    assert labelled


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
async def test_wycheproof_pkcs1(keeper, place, bits):
    """Bad padding gives bytes that are derived from the key, never the message: see `custody/rsa.py`."""
    invalid = 0
    for group in wycheproof(f"rsa_pkcs1_{bits}_test")["testGroups"]:
        key = taken(parts_of(group["privateKeyJwk"]))
        for case in group["tests"]:
            ciphertext = bytes.fromhex(case["ct"])
            found = await decrypted(keeper, place, key, "RSA1_5", ciphertext)
            if case["result"] == "valid":
                assert found == bytes.fromhex(case["msg"]), case
            elif len(ciphertext) != bits // 8:
                assert found is None, case
            else:
                invalid += 1
                assert found != bytes.fromhex(case["msg"]) or not case["msg"], case
    assert invalid > 10


async def test_wycheproof_selection(keeper, place):
    suites = [s for s in wycheproof("selection")["suites"] if s["op"] == "decrypt" and s["alg"].startswith("RSA")]
    assert len(suites) == 6
    for suite in suites:
        key = taken(rsa_parts(serialization.load_der_private_key(bytes.fromhex(suite["pkcs8"]), None)))
        for case in suite["tests"]:
            found = await decrypted(keeper, place, key, suite["alg"], bytes.fromhex(case["ct"]))
            if case["result"] == "valid":
                assert found == bytes.fromhex(case["msg"])
            elif suite["alg"] != "RSA1_5":
                assert found is None
            else:
                assert found is None or not case["msg"] or found != bytes.fromhex(case["msg"])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("pkcs-1v2-1d2-vec/oaep-vect.txt", "RSA-OAEP"),
        ("oaep-custom/oaep-sha256-sha256.txt", "RSA-OAEP-256"),
        ("pkcs1v15crypt-vectors.txt", "RSA1_5"),
    ],
)
async def test_examples_of_rsa_laboratories(keeper, place, path, name):
    keys = [each for each in rsa_laboratories(f"asymmetric/RSA/{path}") if each[0]["modulus"].bit_length() == 2048]
    assert sum(len(examples) for _, examples in keys) >= 6
    for numbers, examples in keys:
        key = taken(parts_from(numbers))
        for message, ciphertext in examples:
            assert await decrypted(keeper, place, key, name, ciphertext) == message


def parts_from(numbers):
    """Return a key that is brought, from the names that RSA Laboratories give its numbers."""
    theirs = {"d": "exponent", "p": "prime 1", "q": "prime 2", "dp": "prime exponent 1", "dq": "prime exponent 2"}
    private = {name: Sensitive(octets(numbers[each])) for name, each in (theirs | {"qi": "coefficient"}).items()}
    n, e = octets(numbers["modulus"]), octets(numbers["public exponent"])
    return PrivateParts(type=KeyType.RSA, n=n, e=e, **private)
