"""Vectors that are absent are said to be, loudly; what is read of them is all that they have."""

import sys

import cryptography
import pytest

import key_vectors
from key_vectors import nist, rsa_laboratories, wycheproof, wycheproof_cases, wycheproof_folder

READ_BY = {
    "test_aes_cbc.py": ["aes_cbc_pkcs5_test"],
    "test_aes_gcm.py": ["aes_gcm_test", "selection"],
    "test_aes_kw.py": ["aes_wrap_test", "aes_kwp_test"],
    "test_ecdsa.py": [
        *("ecdsa_secp256k1_sha256_p1363_test", "ecdsa_secp256r1_sha256_p1363_test"),
        *("ecdsa_secp384r1_sha384_p1363_test", "ecdsa_secp521r1_sha512_p1363_test"),
    ],
    "test_hmac.py": [f"hmac_sha{bits}_test" for bits in (256, 384, 512)],
    "test_jose.py": [f"json_web_{what}_test" for what in ("crypto", "encryption", "key", "signature")],
    "test_mldsa.py": [f"mldsa_{kind}_verify_test" for kind in (44, 65, 87)],
    "test_rsa_encryption.py": [
        "rsa_oaep_2048_sha1_mgf1sha1_test",
        *(f"rsa_oaep_{bits}_sha256_mgf1sha256_test" for bits in (2048, 3072, 4096)),
        *(f"rsa_pkcs1_{bits}_test" for bits in (2048, 3072, 4096)),
    ],
    "test_rsa_signatures.py": [
        *(f"rsa_signature_{bits}_sha{sha}_test" for bits in (2048, 3072, 4096) for sha in (256, 384, 512)),
        *(f"rsa_pss_{kind}_test" for kind in ("2048_sha256_mgf1_32", "2048_sha384_mgf1_48", "3072_sha256_mgf1_32")),
        *(f"rsa_pss_4096_{kind}_test" for kind in ("sha256_mgf1_32", "sha384_mgf1_48", "sha512_mgf1_64")),
    ],
}
"""Which tests read each file of Wycheproof."""


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    monkeypatch.setenv("WYCHEPROOF_DIR", str(tmp_path / "nowhere"))
    monkeypatch.delenv("CI", raising=False)


def test_an_absent_folder_is_said_where_a_person_reads_it(nowhere):
    with pytest.raises(pytest.skip.Exception, match=r"no Wycheproof vectors: .*nowhere is no folder; WYCHEPROOF_DIR"):
        wycheproof("aes_gcm_test")


def test_an_absent_folder_fails_a_run_that_nobody_watches(nowhere, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"no Wycheproof vectors: .* nothing is left out"):
        wycheproof("aes_gcm_test")


def test_an_absent_package_is_said_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography_vectors", None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="the package cryptography-vectors is not installed"):
        nist("HMAC/rfc-4231-sha256.txt", "md")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="the package cryptography-vectors is not installed"):
        nist("HMAC/rfc-4231-sha256.txt", "md")


def test_without_a_word_they_are_looked_for_beside_the_checkout(monkeypatch):
    monkeypatch.delenv("WYCHEPROOF_DIR", raising=False)
    assert wycheproof_folder() == key_vectors.ROOT.parent / "shared" / "vectors" / "wycheproof"


def test_every_case_of_a_file_is_read():
    document = wycheproof("aes_gcm_test")
    assert len(wycheproof_cases("aes_gcm_test")) == document["numberOfTests"]


def test_the_package_of_vectors_is_that_of_the_library():
    key_vectors.packaged_lines("HMAC/rfc-4231-sha256.txt")  # or it is said that they are missing
    assert sys.modules["cryptography_vectors"].__version__ == cryptography.__version__


def test_no_file_of_wycheproof_is_left_unread():
    wycheproof("selection")
    known = {name for names in READ_BY.values() for name in names}
    assert {path.stem for path in wycheproof_folder().glob("*.json")} == known


@pytest.mark.parametrize("reader", READ_BY)
def test_the_tests_that_read_a_file_are_there(reader):
    source = (key_vectors.ROOT / "tests" / "custody" / reader).read_text()
    assert "wycheproof(" in source or "wycheproof_cases(" in source


def test_blocks_under_headings_are_cases(monkeypatch):
    lines = [
        "# a comment",
        "[Keylen = 128]",
        "[IVlen = 96]",
        "",
        "Count = 0",
        "Tag = aa",
        "FAIL",
        "",
        "Count = 1",
        "Tag = bb",
    ]
    lines += ["", "[Keylen = 256]", "n = 7", "", "Count = 2", "Tag ="]
    monkeypatch.setattr(key_vectors, "packaged_lines", lambda _path: lines)
    assert nist("any", "tag") == [
        {"keylen": "128", "ivlen": "96", "count": "0", "tag": "aa", "fail": ""},
        {"keylen": "128", "ivlen": "96", "count": "1", "tag": "bb"},
        {"keylen": "256", "n": "7", "count": "2", "tag": ""},
    ]


def test_blocks_that_nothing_separates_are_cases(monkeypatch):
    monkeypatch.setattr(key_vectors, "packaged_lines", lambda _path: ["count = 0", "sm = a", "count = 1", "sm = b"])
    assert nist("any", "sm") == [{"count": "0", "sm": "a"}, {"count": "1", "sm": "b"}]


def test_every_example_of_rsa_laboratories_is_read():
    keys = rsa_laboratories("asymmetric/RSA/pkcs-1v2-1d2-vec/oaep-vect.txt")
    assert len(keys) == 10
    assert {len(examples) for _, examples in keys} == {6}
    assert all(numbers["prime 1"] * numbers["prime 2"] == numbers["modulus"] for numbers, _ in keys)
