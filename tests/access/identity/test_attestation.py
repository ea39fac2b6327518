"""Whose attestations are believed: a table of attacks, and that what is in order is."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from jwk_doubles import encoded, number
from release_doubles import AUTHORITY, SomeAuthorities, attest, authority_key, claims_of
from strongroom.access.identity.attestation import (
    LEEWAY,
    TOKEN_BYTES,
    AuthorityKey,
    NoAuthorities,
    normal_authority,
    parse_key_set,
    unverified_issuer,
    verify_attestation,
)
from strongroom.errors import Forbidden

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
SECONDS = NOW.timestamp()


def claims(**changes):
    return claims_of(now=SECONDS, **changes)


def verify(token, authorities=None, now=NOW):
    return verify_attestation(token, AUTHORITY, authorities or SomeAuthorities(), now)


def of_ec(curve, algorithm):
    key = ec.generate_private_key(curve)
    return attest(claims(), key, algorithm), SomeAuthorities({AUTHORITY: {"authority-1": key.public_key()}})


async def test_what_an_authority_attests_is_told():
    told = await verify(attest(claims(more={"a": [1]})))
    assert (told["sdk-test"], told["more"]) == (True, {"a": [1]})


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
async def test_rsa_signatures_are_verified(algorithm):
    assert await verify(attest(claims(), algorithm=algorithm))


@pytest.mark.parametrize(
    ("curve", "algorithm"), [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")]
)
async def test_elliptic_signatures_are_verified(curve, algorithm):
    token, authorities = of_ec(curve, algorithm)
    assert await verify(token, authorities)


def part(document):
    return encoded(json.dumps(document).encode())


def forged(header, payload=None, signature=b"x"):
    return f"{part(header)}.{part(payload or claims())}.{encoded(signature)}"


def with_public_key_as_secret():
    """Sign with HS256 under the bytes that everybody can read: the oldest of these attacks."""
    pem = authority_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{part({'alg': 'HS256', 'kid': 'authority-1'})}.{part(claims())}"
    return f"{signed}.{encoded(hmac.digest(pem, signed.encode(), 'sha256'))}"


def tampered():
    header, _, signature = attest(claims()).split(".")
    return f"{header}.{part(claims(more='x'))}.{signature}"


def self_signed(**headers):
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": number(public.n), "e": number(public.e), "kid": "authority-1"}
    return attest(claims(), key, **headers | {"jwk": jwk})


ATTACKS = {
    "algorithm none": (lambda: forged({"alg": "none", "kid": "authority-1"}), "its algorithm is none of"),
    "algorithm none, no signature": (lambda: forged({"alg": "none", "kid": "authority-1"}, signature=b""), "no signed"),
    "HS256 with the public key": (with_public_key_as_secret, "its algorithm is none of"),
    "another key of the same name": (lambda: attest(claims(), authority_key(number=2)), "signature is not its"),
    "its own key brought along": (self_signed, "its signature is not its authority's"),
    "its own key set named": (lambda: self_signed(jku="https://evil.example.test/keys"), "its signature is not"),
    "a certificate brought along": (lambda: self_signed(x5c=["MII"]), "its signature is not its authority's"),
    "a key that is not published": (lambda: attest(claims(), kid="authority-2"), "publishes no such key"),
    "no name of a key": (lambda: forged({"alg": "RS256"}), "it lacks what every attestation has"),
    "a key that is no text": (lambda: forged({"alg": "RS256", "kid": 1}), "it lacks what every attestation has"),
    "an algorithm of another type": (lambda: attest(claims(), authority_key("EC"), "ES256"), "no such key for this"),
    "critical extensions": (lambda: attest(claims(), crit=["exp"]), "critical extensions"),
    "a changed payload": (tampered, "its signature is not its authority's"),
    "a cut signature": (lambda: attest(claims())[:-8], "its signature is not its authority's"),
    "another issuer": (lambda: attest(claims(iss="https://other.example.test")), "issued by another"),
    "an issuer that begins alike": (lambda: attest(claims(iss=AUTHORITY + ".evil.test")), "issued by another"),
    "no issuer": (lambda: attest(claims(iss=None)), "it lacks what every attestation has"),
    "expired": (lambda: attest(claims(exp=SECONDS)), "it has expired"),
    "expired, as text": (lambda: attest(claims(exp="9999999999")), "it lacks what every attestation has"),
    "for ever": (lambda: attest(claims(exp=None)), "it lacks what every attestation has"),
    "not yet valid": (lambda: attest(claims(nbf=SECONDS + LEEWAY.total_seconds() + 1)), "it is not yet valid"),
    "too long": (lambda: attest(claims(more="x" * TOKEN_BYTES)), "no signed token of at most"),
    "two tokens": (lambda: f"{attest(claims())} {attest(claims())}", "it is no signed token"),
    "five parts": (lambda: f"{attest(claims())}.a.b", "it is no signed token"),
    "empty": (lambda: "", "it is no signed token"),
    "no base64": (lambda: "a.b.c", "it is no signed token"),
    "no JSON": (lambda: f"{encoded(b'{')}.{encoded(b'{')}.AA", "it lacks what every attestation has"),
    "nested deeply": (lambda: f"{encoded(b'[' * 9000)}.{encoded(b'{')}.AA", "it lacks what every attestation has"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_no_authority_attested_is_refused(attack):
    make, told = ATTACKS[attack]
    with pytest.raises(Forbidden, match="Target environment attestation statement cannot be verified: ") as refused:
        await verify(make())
    assert told in refused.value.message
    assert (refused.value.code, refused.value.inner) == ("Forbidden", None)


async def test_times_are_kept_to_the_second():
    assert await verify(attest(claims(exp=SECONDS + 1)))
    assert await verify(attest(claims(nbf=SECONDS + LEEWAY.total_seconds())))
    token = attest(claims(exp=SECONDS + 10))
    with pytest.raises(Forbidden, match="expired"):
        await verify(token, now=NOW + timedelta(seconds=10))


async def test_where_no_authority_is_allowed_nobody_attests():
    with pytest.raises(Forbidden, match=r"has not allowed the authority 'https://attest\.example\.test'"):
        await verify(attest(claims()), NoAuthorities())


async def test_only_the_policy_s_authority_is_asked_whatever_a_token_says():
    authorities = SomeAuthorities()
    with pytest.raises(Forbidden, match="issued by another"):
        await verify(attest(claims(iss="http://127.0.0.1")), authorities)
    assert authorities.asked == [AUTHORITY]
    assert unverified_issuer(attest(claims(iss="x"))) == "x"


@pytest.mark.parametrize(
    ("key", "algorithm", "said", "fits"),
    [
        (authority_key(), "RS256", None, True),
        (authority_key(), "PS512", None, True),
        (authority_key(), "PS512", "RS256", False),
        (authority_key(), "ES256", None, False),
        (authority_key("EC"), "ES256", "ES256", True),
        (authority_key("EC"), "ES384", None, False),
        (authority_key("EC"), "RS256", None, False),
        (ec.generate_private_key(ec.SECP256K1()), "ES256", None, False),
        (rsa.generate_private_key(65537, 1024), "RS256", None, False),
    ],
)
def test_a_key_fits_an_algorithm_or_not(key, algorithm, said, fits):
    assert AuthorityKey("k", key.public_key(), said).fits(algorithm) is fits


def described(key=None, **changes):
    public = (key or authority_key()).public_key().public_numbers()
    return {"kty": "RSA", "kid": "k", "n": number(public.n), "e": number(public.e)} | changes


def described_ec(curve=None, **changes):
    public = ec.generate_private_key(curve or ec.SECP256R1()).public_key().public_numbers()
    return {"kty": "EC", "kid": "k", "crv": "P-256", "x": number(public.x), "y": number(public.y)} | changes


def a_certificate():
    from strongroom.hosting.ca import new_authority

    return base64.b64encode(new_authority("localhost", NOW).certificate.public_bytes(Encoding.DER)).decode()


@pytest.mark.parametrize(
    ("key", "is_taken"),
    [
        (described(), True),
        (described(use="sig", alg="RS256"), True),
        (described(use="enc"), False),
        (described(n="!"), False),
        (described(n="AA"), False),
        (described(kid=None), False),
        (described_ec(), True),
        (described_ec(crv="P-192"), False),
        (described_ec(x="AA"), False),
        ({"kty": "RSA", "kid": "k", "x5c": [a_certificate()]}, True),
        ({"kty": "RSA", "kid": "k", "x5c": ["AAAA"]}, False),
        ({"kty": "RSA", "kid": "k", "x5c": []}, False),
        ({"kty": "oct", "kid": "k", "k": "AAAA"}, False),
        ("no key", False),
    ],
)
def test_of_a_key_set_what_signs_is_taken(key, is_taken):
    found = parse_key_set(json.dumps({"keys": [key, described(kid="other")]}).encode())
    assert [each.kid for each in found] == (["k", "other"] if is_taken else ["other"])


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"keys": 1}', b"\xff"])
def test_what_is_no_key_set_is_refused(raw):
    with pytest.raises(ValueError, match="no JSON Web Key set"):
        parse_key_set(raw)


@pytest.mark.parametrize(
    "address",
    ["", "attest.example.test", "ftp://a", "https://", "https://a?b", "https://a#b", "https://u@a", "https://a b",
     "https://a:x", "https://a:99999", "https://[::1", "https://ä.test", "https://a\\b", "https://" + "a" * 600],
)  # fmt: skip
def test_what_is_no_address_of_an_authority_has_no_spelling(address):
    assert normal_authority(address) == ""


@given(st.text())
def test_a_spelling_is_its_own(text):
    found = normal_authority(text)
    assert normal_authority(found) == found or found == ""


def test_addresses_of_every_kind_have_one_spelling():
    assert normal_authority("HTTP://[::1]:80/A/") == "http://[::1]/A"
    assert normal_authority("https://A.test:8443//") == "https://a.test:8443"


async def test_the_library_would_take_what_is_attested_too():
    token = attest(claims_of())
    assert jwt.decode(token, authority_key().public_key(), algorithms=["RS256"])["iss"] == AUTHORITY
