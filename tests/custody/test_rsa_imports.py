"""RSA keys that callers bring: the sound ones are taken as they are, all others refused in words, and quickly."""

import math
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from key_doubles import changed, octets, public_key_of, rsa_parts, taken, value_of
from key_vectors import nist, parts_of, unpadded, wycheproof
from strongroom.custody import rsa as ours
from strongroom.custody.provider import KeyType, PrivateParts
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

MEMBERS = ("n", "e", "d", "p", "q", "dp", "dq", "qi")
UNSOUND = "RSA key is not valid - cannot instantiate crypto service: "
NO_KEY = 'The property "key" must be a valid JsonWebKey object: '


@pytest.fixture(scope="module")
def sound():
    return rsa_parts(rsa.generate_private_key(65537, 2048))


def refusal(parts):
    with pytest.raises(BadRequest) as caught:
        ours.take(parts)
    return caught.value.message


def built(p, q, e=65537, **members):
    """Return the key of two numbers that are taken for primes, with other members where they are given."""
    d = pow(e, -1, math.lcm(p - 1, q - 1))
    numbers = {"n": p * q, "e": e, "d": d, "p": p, "q": q, "dp": d % (p - 1), "dq": d % (q - 1), "qi": pow(q, -1, p)}
    found = {name: octets(value) for name, value in (numbers | members).items()}
    return PrivateParts(
        type=KeyType.RSA, **{name: value if name in "ne" else Sensitive(value) for name, value in found.items()}
    )


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
@pytest.mark.parametrize("exponent", [65537, 3])
async def test_a_sound_key_is_taken_as_it_is(keeper, place, bits, exponent):
    theirs = rsa.generate_private_key(exponent, bits)
    key = await keeper.take(rsa_parts(theirs), place)
    assert (key.spec.bits, key.spec.exponent) == (bits, exponent)
    assert public_key_of(key) == theirs.public_key()
    assert key.public.n[0] != 0
    assert key.public.e == {65537: b"\1\0\1", 3: b"\3"}[exponent]


async def test_a_leading_zero_byte_and_primes_in_either_order_are_fine(keeper, place, sound):
    padded = changed(sound, **{name: b"\0" + octets(value_of(sound, name)) for name in MEMBERS})
    assert (await keeper.take(padded, place)).public.n == sound.n
    p, q = value_of(sound, "p"), value_of(sound, "q")
    assert (await keeper.take(built(q, p), place)).public.n == sound.n


def test_d_modulo_either_function_of_the_modulus_is_fine(sound):
    p, q = value_of(sound, "p"), value_of(sound, "q")
    for modulus in (math.lcm(p - 1, q - 1), (p - 1) * (q - 1)):
        assert ours.take(changed(sound, d=pow(65537, -1, modulus))).public.n == sound.n


@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_is_needed(sound, name):
    assert refusal(changed(sound, **{name: None})) == f"{NO_KEY}{name} is missing."
    assert "has 0 bytes" in refusal(changed(sound, **{name: b""}))


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("length", [600, 1_000_000])
def test_a_number_that_is_too_long_is_refused_before_it_is_one(sound, name, length, monkeypatch):
    monkeypatch.setattr(ours.rsa, "RSAPrivateNumbers", None)  # nothing is computed with any of them
    message = refusal(changed(sound, **{name: b"\xff" * length}))
    assert message.startswith(f"{NO_KEY}{name} has {length} bytes, where ")


@pytest.mark.parametrize("name", MEMBERS)
def test_a_number_that_is_another_is_refused(sound, name):
    for other in (value_of(sound, name) ^ 2, 1):
        assert refusal(changed(sound, **{name: other})).startswith((UNSOUND, "Unsupported key size"))
    assert refusal(changed(sound, **{name: b"\0"})).startswith((UNSOUND, "Unsupported key size"))


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(MEMBERS), value=st.binary(max_size=300))
def test_no_bytes_are_taken_for_a_member_that_they_are_not(name, value):
    parts = a_sound_key()
    if int.from_bytes(value, "big") != value_of(parts, name):
        refusal(changed(parts, **{name: value}))


def a_sound_key(kept=[]):  # noqa: B006 - made once
    if not kept:
        kept.append(rsa_parts(rsa.generate_private_key(65537, 2048)))
    return kept[0]


@pytest.mark.parametrize("bits", [512, 1024, 1536, 2040, 2056])
def test_another_size_is_refused(bits):
    numbers = rsa.generate_private_key(65537, max(bits, 1024)).private_numbers()
    parts = rsa_parts(numbers.private_key())
    modulus = octets(secrets.randbits(bits) | 1 << (bits - 1) | 1)
    assert (
        refusal(changed(parts, n=modulus)) == f"Unsupported key size ({bits}). Supported sizes are [2048, 3072, 4096]"
    )


@pytest.mark.parametrize("exponent", [1, 2, 17, 257, 65535, 65539, (1 << 64) + 1])
def test_another_exponent_is_refused(sound, exponent):
    message = refusal(changed(sound, e=exponent))
    assert message in (f"{UNSOUND}e is not 65537 or 3.", f"{NO_KEY}e has 9 bytes, where 9 are the most.")


def test_a_key_whose_prime_is_composite_is_refused():
    """It is consistent in every number, and its owner could factor it: only a test of p and q finds out."""
    attempts = []
    while not any(attempts):  # two primes of 1024 bits each may have a product of 2047
        small, large = (rsa.generate_private_key(65537, bits).private_numbers() for bits in (1024, 2048))
        composite = small.p * small.q
        assert composite.bit_length() == large.q.bit_length() == 1024
        attempts = [attempt(composite, large.q), attempt(large.q, composite)]
    assert {refusal(parts) for parts in attempts if parts} == {f"{UNSOUND}p or q is no prime number."}


def attempt(p, q):
    try:
        return built(p, q) if (p * q).bit_length() == 2048 else None
    except ValueError:
        return None


@pytest.mark.parametrize("factor", [3, 65537, (1 << 127) - 1])
def test_a_modulus_with_a_small_factor_is_refused(factor, sound):
    large = value_of(sound, "p")
    rest = secrets.randbits(2048 - factor.bit_length()) | 1 << (2047 - factor.bit_length()) | 1
    while (rest * factor).bit_length() < 2048:
        rest += 1 << (rest.bit_length() - 1)
    parts = changed(sound, n=rest * factor, p=factor, q=large)
    assert refusal(parts) == f"{UNSOUND}p and q do not have 1024 bits each."


def test_a_modulus_that_is_a_square_is_refused(sound):
    prime = value_of(sound, "p")
    while (prime * prime).bit_length() != 2048:
        prime = rsa.generate_private_key(65537, 2048).private_numbers().p
    parts = changed(sound, n=prime * prime, p=prime, q=prime)
    assert refusal(parts) == f"{UNSOUND}p and q are too close to each other."


def test_primes_that_are_too_close_are_refused(sound):
    """Fermat's method factors such a modulus at once."""
    p = value_of(sound, "p")
    while (p * p).bit_length() != 2048:
        p = rsa.generate_private_key(65537, 2048).private_numbers().p
    close = p + (1 << 900)
    parts = changed(sound, n=p * close, p=p, q=close)
    assert refusal(parts) == f"{UNSOUND}p and q are too close to each other."


def test_a_private_exponent_that_is_small_is_refused():
    """Wiener's and Boneh and Durfee's attacks find one of less than 0.29 times the bits; half is the least there is."""
    while True:
        numbers = rsa.generate_private_key(65537, 2048).private_numbers()
        d = secrets.randbits(500) | 1
        if math.gcd(d, math.lcm(numbers.p - 1, numbers.q - 1)) == 1:
            break
    parts = changed(rsa_parts(numbers.private_key()), d=d)
    assert refusal(parts) == f"{UNSOUND}d is not between 2^1024 and n."


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda parts: changed(parts, n=value_of(parts, "n") - 2), "n is not the product of p and q"),
        (lambda parts: changed(parts, d=value_of(parts, "n") + 2), "d is not between 2^1024 and n"),
        (lambda parts: changed(parts, d=value_of(parts, "d") + 2), "d does not belong to e"),
        (lambda parts: changed(parts, dp=value_of(parts, "dp") + 1), "dp is not d modulo p - 1"),
        (lambda parts: changed(parts, dq=value_of(parts, "dq") + 1), "dq is not d modulo q - 1"),
        (lambda parts: changed(parts, qi=value_of(parts, "qi") + 1), "qi is not the inverse of q modulo p"),
        (lambda parts: changed(parts, qi=b"\0"), "qi is not the inverse of q modulo p"),
    ],
)
def test_numbers_that_do_not_belong_together_are_refused(sound, change, told):
    assert refusal(change(sound)) == f"{UNSOUND}{told}."


def test_the_public_half_of_another_key_is_refused(sound):
    other = rsa_parts(rsa.generate_private_key(65537, 2048))
    assert refusal(changed(sound, n=other.n)) == f"{UNSOUND}n is not the product of p and q."


def test_what_a_key_is_refused_for_does_not_show_its_numbers(sound):
    message = refusal(changed(sound, d=value_of(sound, "d") + 2))
    assert not any(str(value_of(sound, name)) in message for name in MEMBERS)


# --- official vectors


def test_keys_of_a_chip_whose_keys_can_be_broken_are_known_by_their_modulus():
    groups = [*wycheproof("json_web_key_test")["testGroups"], *wycheproof("json_web_crypto_test")["testGroups"]]
    keys = [key for group in groups for key in (group.get("private") or {}).get("keys", []) if "n" in key]
    found = {(key["kid"], ours.is_roca(int.from_bytes(unpadded(key["n"]), "big"))) for key in keys}
    assert ("kid-rsa-roca-sign", True) in found
    assert ("kid-rsa-sign", False) in found


def test_such_a_key_is_refused(sound, monkeypatch):
    monkeypatch.setattr(ours, "is_roca", lambda _modulus: True)
    assert refusal(sound) == f"{UNSOUND}it was made by a chip whose keys can be broken (CVE-2017-15361)."


def test_wycheproof_keys_that_must_not_be_used_are_refused():
    refused = {"keysize_too_small", "exponentOne", "jws_rsa_roca_key"}
    for group in wycheproof("json_web_key_test")["testGroups"]:
        for jwk in group["private"]["keys"]:
            if jwk["kty"] == "RSA" and group["comment"] in refused:
                refusal(parts_of(jwk))
            elif jwk["kty"] == "RSA" and "n" in jwk:
                ours.take(parts_of(jwk))


def test_nist_keys():
    cases = nist("asymmetric/RSA/FIPS_186-2/KeyGenRSA.rsp", "n")
    exponents = set()
    for case in cases:
        numbers = {name: int(case[name], 16) for name in ("e", "p", "q", "n", "d")}
        if numbers["n"].bit_length() not in (2048, 3072, 4096):
            continue
        exponents.add(numbers["e"])
        parts = built(numbers["p"], numbers["q"], numbers["e"], d=numbers["d"])
        parts = changed(parts, dp=numbers["d"] % (numbers["p"] - 1), dq=numbers["d"] % (numbers["q"] - 1))
        if numbers["e"] in (3, 65537):
            assert int.from_bytes(ours.take(parts).public.n, "big") == numbers["n"]
        else:
            assert refusal(parts) == f"{UNSOUND}e is not 65537 or 3."
    assert exponents == {3, 17, 65537}


def test_a_key_that_is_taken_signs():
    key = taken(a_sound_key())
    assert key.spec.bits == 2048
