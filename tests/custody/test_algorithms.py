"""The table of algorithms against one written by hand from the service's documents, and which keys there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from key_doubles import EVERY_KEY, name_of
from strongroom.custody.algorithms import ALGORITHMS, Use, get_algorithm, require_digest, spec_of
from strongroom.custody.provider import KeySpec, KeyType
from strongroom.errors import BadRequest

SIGN, CIPHER, ENCRYPT, WRAP = {Use.SIGN}, {Use.ENCRYPT, Use.WRAP}, {Use.ENCRYPT}, {Use.WRAP}
# Key Vault and Managed HSM, "Key types, algorithms, and operations": use, type, digest's length, curve, bits, iv, tag.
DOCUMENTED = {
    "RSA1_5": (CIPHER, "RSA", None, None, None, None, None),
    "RSA-OAEP": (CIPHER, "RSA", None, None, None, None, None),
    "RSA-OAEP-256": (CIPHER, "RSA", None, None, None, None, None),
    "RS256": (SIGN, "RSA", 32, None, None, None, None),
    "RS384": (SIGN, "RSA", 48, None, None, None, None),
    "RS512": (SIGN, "RSA", 64, None, None, None, None),
    "PS256": (SIGN, "RSA", 32, None, None, None, None),
    "PS384": (SIGN, "RSA", 48, None, None, None, None),
    "PS512": (SIGN, "RSA", 64, None, None, None, None),
    "RSNULL": (SIGN, "RSA", None, None, None, None, None),
    "ES256": (SIGN, "EC", 32, "P-256", None, None, None),
    "ES256K": (SIGN, "EC", 32, "P-256K", None, None, None),
    "ES384": (SIGN, "EC", 48, "P-384", None, None, None),
    "ES512": (SIGN, "EC", 64, "P-521", None, None, None),
    "A128GCM": (ENCRYPT, "oct", None, None, 128, 12, 16),
    "A192GCM": (ENCRYPT, "oct", None, None, 192, 12, 16),
    "A256GCM": (ENCRYPT, "oct", None, None, 256, 12, 16),
    "A128CBC": (ENCRYPT, "oct", None, None, 128, 16, None),
    "A192CBC": (ENCRYPT, "oct", None, None, 192, 16, None),
    "A256CBC": (ENCRYPT, "oct", None, None, 256, 16, None),
    "A128CBCPAD": (ENCRYPT, "oct", None, None, 128, 16, None),
    "A192CBCPAD": (ENCRYPT, "oct", None, None, 192, 16, None),
    "A256CBCPAD": (ENCRYPT, "oct", None, None, 256, 16, None),
    "A128KW": (WRAP, "oct", None, None, 128, None, None),
    "A192KW": (WRAP, "oct", None, None, 192, None, None),
    "A256KW": (WRAP, "oct", None, None, 256, None, None),
    "CKM_AES_KEY_WRAP": (WRAP, "oct", None, None, None, None, None),
    "CKM_AES_KEY_WRAP_PAD": (WRAP, "oct", None, None, None, None, None),
    "HS256": (SIGN, "oct", None, None, None, None, None),
    "HS384": (SIGN, "oct", None, None, None, None, None),
    "HS512": (SIGN, "oct", None, None, None, None, None),
    "ML-DSA-44": (SIGN, "AKP", None, None, None, None, None),
    "ML-DSA-65": (SIGN, "AKP", None, None, None, None, None),
    "ML-DSA-87": (SIGN, "AKP", None, None, None, None, None),
}


def test_the_table_is_what_the_documents_list():
    found = {
        row.name: (set(row.uses), row.type, row.digest_bytes, row.curve, row.bits, row.iv_bytes, row.tag_bytes)
        for row in ALGORITHMS.values()
    }
    assert found == DOCUMENTED


def test_only_gcm_authenticates_data_and_only_cbc_takes_an_iv_to_encrypt():
    assert {name for name, row in ALGORITHMS.items() if row.takes_aad} == {"A128GCM", "A192GCM", "A256GCM"}
    assert {name for name, row in ALGORITHMS.items() if row.takes_iv} == {name for name in ALGORITHMS if "CBC" in name}


def fits(name, use, spec):
    """Answer from the documents whether a key can do this."""
    uses, kind, _, curve, bits, _, _ = DOCUMENTED[name]
    return (
        use in uses
        and kind == spec.type
        and curve in (None, spec.curve)
        and bits in (None, spec.bits)
        and (kind != "AKP" or name == spec.algorithm)
    )


@pytest.mark.parametrize("spec", EVERY_KEY, ids=name_of)
@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize("name", DOCUMENTED)
def test_an_algorithm_serves_the_keys_and_uses_of_its_row_and_no_other(name, use, spec):
    if fits(name, use, spec):
        assert get_algorithm(name, use, spec) is ALGORITHMS[name]
    else:
        with pytest.raises(BadRequest):
            get_algorithm(name, use, spec)


@given(name=st.text(max_size=20))
def test_what_is_no_algorithm_is_refused_and_the_known_ones_are_told(name):
    if name in ALGORITHMS:
        return
    with pytest.raises(BadRequest, match="alg has invalid value: signing with this key takes ES256"):
        get_algorithm(name, Use.SIGN, KeySpec(type=KeyType.EC, curve="P-256"))


def test_where_there_is_none_that_is_told():
    with pytest.raises(BadRequest, match="encryption with this key takes no algorithm"):
        get_algorithm("ES256", Use.ENCRYPT, KeySpec(type=KeyType.EC, curve="P-256"))


@pytest.mark.parametrize(
    ("name", "spec", "told"),
    [
        ("RS256", spec_of(KeyType.EC), "is of type 'EC', and algorithm 'RS256' can only be used with a key of type"),
        ("ES384", spec_of(KeyType.EC), "uses curve 'P-256', and algorithm 'ES384' can only be used with curve 'P-384'"),
        ("ML-DSA-44", spec_of(KeyType.AKP, algorithm="ML-DSA-65"), "is one for 'ML-DSA-65', and algorithm 'ML-DSA-44'"),
    ],
)
def test_a_key_that_does_not_fit_is_refused_in_the_service_s_words(name, spec, told):
    with pytest.raises(BadRequest, match=f"Key and signing algorithm are incompatible. The key {told}"):
        get_algorithm(name, Use.SIGN, spec)


def test_the_size_of_an_aes_key_is_the_algorithm_s():
    with pytest.raises(BadRequest, match="has 256 bits, and algorithm 'A128GCM' can only be used with a key of 128"):
        get_algorithm("A128GCM", Use.ENCRYPT, spec_of(KeyType.OCT))


@pytest.mark.parametrize("name", [name for name, row in ALGORITHMS.items() if row.digest_bytes])
def test_a_digest_has_the_length_of_its_algorithm(name):
    row = ALGORITHMS[name]
    require_digest(row, bytes(row.digest_bytes), "value")
    for length in {0, 1, 20, 31, 32, 33, 48, 63, 64, 65, 1000} - {row.digest_bytes}:
        with pytest.raises(BadRequest) as caught:
            require_digest(row, bytes(length), "value")
        assert caught.value.message == (
            f"Invalid length of 'value': {length} bytes. {name} requires {row.digest_bytes} bytes, encoded with "
            "base64url."
        )


@pytest.mark.parametrize(
    ("asked", "spec"),
    [
        ({"type_": KeyType.RSA}, KeySpec(type=KeyType.RSA, bits=2048, exponent=65537)),
        ({"type_": KeyType.RSA, "bits": 4096, "exponent": 3}, KeySpec(type=KeyType.RSA, bits=4096, exponent=3)),
        ({"type_": KeyType.EC}, KeySpec(type=KeyType.EC, curve="P-256")),
        ({"type_": KeyType.EC, "bits": 521}, KeySpec(type=KeyType.EC, curve="P-521")),
        ({"type_": KeyType.EC, "curve": "P-256K", "bits": 256}, KeySpec(type=KeyType.EC, curve="P-256K")),
        ({"type_": KeyType.EC, "curve": "SECP256K1"}, KeySpec(type=KeyType.EC, curve="P-256K")),
        ({"type_": KeyType.OCT}, KeySpec(type=KeyType.OCT, bits=256)),
        ({"type_": KeyType.OCT, "bits": 128}, KeySpec(type=KeyType.OCT, bits=128)),
        ({"type_": KeyType.AKP, "algorithm": "ML-DSA-87"}, KeySpec(type=KeyType.AKP, algorithm="ML-DSA-87")),
    ],
)
def test_what_is_not_said_of_a_key_has_the_service_s_default(asked, spec):
    assert spec_of(**asked) == spec


@pytest.mark.parametrize(
    ("asked", "inner", "told"),
    [
        (
            {"type_": KeyType.RSA, "bits": 1024},
            "KeySizeNotSupported",
            r"Unsupported key size \(1024\). Supported sizes are \[2048, 3072, 4096\]",
        ),
        ({"type_": KeyType.RSA, "bits": 0}, "KeySizeNotSupported", r"Unsupported key size \(0\)"),
        ({"type_": KeyType.RSA, "bits": -2048}, "KeySizeNotSupported", r"Unsupported key size \(-2048\)"),
        ({"type_": KeyType.RSA, "bits": 2**40}, "KeySizeNotSupported", "Unsupported key size"),
        ({"type_": KeyType.RSA, "exponent": 17}, None, "public_exponent has invalid value: it is 65537 or 3"),
        ({"type_": KeyType.RSA, "exponent": 0}, None, "public_exponent has invalid value"),
        ({"type_": KeyType.EC, "curve": "P-192"}, None, "crv has invalid value: it is one of P-256, P-384, P-521"),
        ({"type_": KeyType.EC, "curve": ""}, None, "crv has invalid value"),
        ({"type_": KeyType.EC, "curve": "P-256", "bits": 384}, "KeySizeNotSupported", r"Supported sizes are \[256\]"),
        ({"type_": KeyType.EC, "bits": 224}, "KeySizeNotSupported", r"Supported sizes are \[256, 384, 521\]"),
        ({"type_": KeyType.OCT, "bits": 512}, "KeySizeNotSupported", r"Supported sizes are \[128, 192, 256\]"),
        ({"type_": KeyType.AKP}, None, "alg has invalid value: a key of type AKP is one for ML-DSA-44, ML-DSA-65"),
        ({"type_": KeyType.AKP, "algorithm": "RS256"}, None, "alg has invalid value"),
    ],
)
def test_a_key_that_there_is_not_is_refused(asked, inner, told):
    with pytest.raises(BadRequest, match=told) as caught:
        spec_of(**asked)
    assert caught.value.inner == inner
