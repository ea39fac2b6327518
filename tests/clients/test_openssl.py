"""Keys over the wire against the command line of OpenSSL, in both directions, and against vectors of NIST.

`tests/custody` holds every algorithm against all vectors; here what arrives at a client does what it should.
"""

from itertools import product

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from canaries import MARK
from clients.direct import Direct, unique
from jwk_doubles import COORDINATE_BYTES, decoded, digest_of, ec_jwk, encoded, number, rsa_jwk
from key_doubles import CURVES, openssl
from key_vectors import nist
from strongroom.custody.algorithms import EXPONENTS, RSA_BITS

PLAIN = f"{MARK}openssl".encode()
NEW_RSA = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
OPENSSL_CURVES = {"P-256": "P-256", "P-384": "P-384", "P-521": "P-521", "P-256K": "secp256k1"}
EC_ALGORITHMS = {"ES256": "P-256", "ES256K": "P-256K", "ES384": "P-384", "ES512": "P-521"}
SIGNATURES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *EC_ALGORITHMS]
PADDINGS = {
    "RSA1_5": ("rsa_padding_mode:pkcs1",),
    "RSA-OAEP": ("rsa_padding_mode:oaep", "rsa_oaep_md:sha1", "rsa_mgf1_md:sha1"),
    "RSA-OAEP-256": ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"),
}


@pytest.fixture(scope="module")
def ask(connection):
    """Ask the rehearsal vault; gives the answer's body, or its status and code where it refuses."""
    direct = Direct(connection)

    def ask(method, path, body=None):
        answer = direct.secret(method, connection.vaultUrl, path, body)
        return answer.json if answer.status == 200 else (answer.status, answer.error["code"])

    yield ask
    direct.close()


@pytest.fixture
def name():
    return unique("openssl-")


def options(*settings):
    return [word for setting in settings for word in ("-pkeyopt", setting)]


def signing(algorithm):
    """Return what OpenSSL is told of a signature, and how long its digest is."""
    bits = int(algorithm[2:5])
    chosen = {"RS": ["rsa_padding_mode:pkcs1"], "PS": ["rsa_padding_mode:pss", f"rsa_pss_saltlen:{bits // 8}"]}
    return options(f"digest:sha{bits}", *chosen.get(algorithm[:2], ())), bits // 8


def made_by_openssl(folder, algorithm):
    """Return the path of a new private key, and the key as a client brings it."""
    curve, path = EC_ALGORITHMS.get(algorithm), folder / "private.pem"
    asked = ("-algorithm", "EC", *options(f"ec_paramgen_curve:{OPENSSL_CURVES[curve]}")) if curve else NEW_RSA
    path.write_bytes(openssl("genpkey", *asked))
    key = load_pem_private_key(path.read_bytes(), None)
    return path, ec_jwk(curve, key) if curve else rsa_jwk(key)


def public_file(folder, told):
    """Return the path of the public key that the server tells of."""
    parts = {each: int.from_bytes(decoded(told[each])) for each in "nexy" if each in told}
    if told["kty"] == "RSA":
        key = rsa.RSAPublicNumbers(parts["e"], parts["n"]).public_key()
    else:
        key = ec.EllipticCurvePublicNumbers(parts["x"], parts["y"], CURVES[told["crv"]]).public_key()
    path = folder / "public.pem"
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def to_der(algorithm, signature):
    """Return a signature as OpenSSL has it: `r` and `s` of curves stand in DER there, side by side on the wire."""
    if algorithm not in EC_ALGORITHMS:
        return signature
    half = len(signature) // 2
    return utils.encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))


def to_wire(algorithm, signature):
    if algorithm not in EC_ALGORITHMS:
        return signature
    length = COORDINATE_BYTES[EC_ALGORITHMS[algorithm]]
    return b"".join(each.to_bytes(length) for each in utils.decode_dss_signature(signature))


@pytest.mark.parametrize("algorithm", SIGNATURES)
def test_openssl_verifies_what_the_server_signs(ask, name, tmp_path, algorithm):
    curve = EC_ALGORITHMS.get(algorithm)
    made = ask("POST", f"/keys/{name}/create", {"kty": "EC", "crv": curve} if curve else {"kty": "RSA"})
    told, length = signing(algorithm)
    signed = ask("POST", f"/keys/{name}/sign", {"alg": algorithm, "value": encoded(digest_of(length))})
    (tmp_path / "signature").write_bytes(to_der(algorithm, decoded(signed["value"])))
    arguments = ["-verify", "-pubin", "-inkey", public_file(tmp_path, made["key"]), "-sigfile", tmp_path / "signature"]
    assert b"Verified" in openssl("pkeyutl", *arguments, *told, given=digest_of(length))


@pytest.mark.parametrize("algorithm", SIGNATURES)
def test_the_server_verifies_what_openssl_signs(ask, name, tmp_path, algorithm):
    private, jwk = made_by_openssl(tmp_path, algorithm)
    ask("PUT", f"/keys/{name}", {"key": jwk})
    told, length = signing(algorithm)
    own = to_wire(algorithm, openssl("pkeyutl", "-sign", "-inkey", private, *told, given=digest_of(length)))
    body = {"alg": algorithm, "digest": encoded(digest_of(length)), "value": encoded(own)}
    assert ask("POST", f"/keys/{name}/verify", body) == {"value": True}
    spoiled = encoded(own[:-1] + bytes([own[-1] ^ 1]))
    assert ask("POST", f"/keys/{name}/verify", body | {"value": spoiled}) == {"value": False}
    if algorithm.startswith("RS"):  # nothing in it is random
        signed = ask("POST", f"/keys/{name}/sign", {"alg": algorithm, "value": body["digest"]})
        assert decoded(signed["value"]) == own


@pytest.mark.parametrize(("seal", "open_"), [("encrypt", "decrypt"), ("wrapkey", "unwrapkey")])
@pytest.mark.parametrize("algorithm", PADDINGS)
def test_each_opens_what_the_other_sealed(ask, name, tmp_path, algorithm, seal, open_):
    private, jwk = made_by_openssl(tmp_path, algorithm)
    told = ask("PUT", f"/keys/{name}", {"key": jwk})["key"]
    chosen = options(*PADDINGS[algorithm])
    public = public_file(tmp_path, told)
    theirs = openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", public, *chosen, given=PLAIN)
    opened = ask("POST", f"/keys/{name}/{open_}", {"alg": algorithm, "value": encoded(theirs)})
    assert decoded(opened["value"]) == PLAIN
    ours = ask("POST", f"/keys/{name}/{seal}", {"alg": algorithm, "value": encoded(PLAIN)})
    assert openssl("pkeyutl", "-decrypt", "-inkey", private, *chosen, given=decoded(ours["value"])) == PLAIN


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_aes_does_what_openssl_does(ask, name, bits):
    raw, iv = bytes(range(bits // 8)), bytes(range(16))
    ask("PUT", f"/keys/{name}", {"key": {"kty": "oct-HSM", "k": encoded(raw)}})
    arguments = ["enc", f"-aes-{bits}-cbc", "-K", raw.hex(), "-iv", iv.hex()]
    body = {"alg": f"A{bits}CBCPAD", "iv": encoded(iv)}
    ours = ask("POST", f"/keys/{name}/encrypt", body | {"value": encoded(PLAIN)})["value"]
    assert decoded(ours) == openssl(*arguments, given=PLAIN)
    assert decoded(ask("POST", f"/keys/{name}/decrypt", body | {"value": ours})["value"]) == PLAIN
    wrapping = ["enc", f"-id-aes{bits}-wrap", "-K", raw.hex(), "-iv", "a6" * 8]
    ours = ask("POST", f"/keys/{name}/wrapkey", {"alg": f"A{bits}KW", "value": encoded(bytes(32))})["value"]
    assert decoded(ours) == openssl(*wrapping, given=bytes(32))


# --- known answers of NIST


def rsa_of_nist(case):
    """Return an RSA key of which the file has the numbers but for what the Chinese remainder theorem takes."""
    n, e, d, p, q = (int(case[each], 16) for each in ("n", "e", "d", "p", "q"))
    rest = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *rest, rsa.RSAPublicNumbers(e, n)).private_key()


@pytest.mark.parametrize("bits", [256, 384, 512])
def test_signatures_of_nist_are_made_bit_by_bit(ask, name, bits):
    """With moduli of 2048, 3072 and 4096 bits, and exponents of 3 and 65537: keys as they may be here."""
    cases = [
        case
        for case in nist("asymmetric/RSA/FIPS_186-2/SigVer15_186-3.rsp", "msg")
        if case["shaalg"] == f"SHA{bits}" and case["result"].startswith("P")
        if int(case["mod"]) >= 2048 and int(case["e"], 16) in EXPONENTS
    ]
    assert {(int(case["mod"]), int(case["e"], 16)) for case in cases} == set(product(RSA_BITS, EXPONENTS))
    for case in cases:
        ask("PUT", f"/keys/{name}", {"key": rsa_jwk(rsa_of_nist(case))})
        digest = digest_of(bits // 8, bytes.fromhex(case["msg"]))
        signed = ask("POST", f"/keys/{name}/sign", {"alg": f"RS{bits}", "value": encoded(digest)})
        assert decoded(signed["value"]) == bytes.fromhex(case["s"])


@pytest.mark.parametrize(
    ("curve", "algorithm", "bits"), [("P-256", "ES256", 256), ("P-384", "ES384", 384), ("P-521", "ES512", 512)]
)
def test_signatures_of_nist_verify(ask, name, curve, algorithm, bits):
    cases = nist("asymmetric/ECDSA/FIPS_186-3/SigGen.txt", "msg")
    case = next(each for each in cases if f"{curve},SHA-{bits}".lower() in each)
    length = COORDINATE_BYTES[curve]
    x, y, d, r, s = (int(case[each], 16) for each in ("qx", "qy", "d", "r", "s"))
    members = {"x": number(x, length), "y": number(y, length), "d": number(d, length)}
    ask("PUT", f"/keys/{name}", {"key": {"kty": "EC", "crv": curve} | members})
    digest = digest_of(bits // 8, bytes.fromhex(case["msg"]))
    body = {"alg": algorithm, "digest": encoded(digest), "value": encoded(r.to_bytes(length) + s.to_bytes(length))}
    assert ask("POST", f"/keys/{name}/verify", body) == {"value": True}
    assert ask("POST", f"/keys/{name}/verify", body | {"digest": encoded(digest_of(bits // 8))}) == {"value": False}


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_ciphertexts_of_nist_are_opened_and_forged_ones_are_not(ask, name, bits):
    cases = nist(f"ciphers/AES/GCM/gcmDecrypt{bits}.rsp", "tag")
    taken = [each for each in cases if (len(each["iv"]), len(each["tag"])) == (24, 32) and each["aad"]]
    good = next(each for each in taken if "fail" not in each and each["pt"])
    forged = next(each for each in taken if "fail" in each)
    for case in (good, forged):
        ask("PUT", f"/keys/{name}", {"key": {"kty": "oct-HSM", "k": encoded(bytes.fromhex(case["key"]))}})
        members = {"value": "ct", "iv": "iv", "tag": "tag", "aad": "aad"}
        body = {ours: encoded(bytes.fromhex(case[theirs])) for ours, theirs in members.items()}
        opened = ask("POST", f"/keys/{name}/decrypt", {"alg": f"A{bits}GCM"} | body)
        if case is forged:
            assert opened == (400, "BadParameter")
        else:
            assert decoded(opened["value"]) == bytes.fromhex(case["pt"])
