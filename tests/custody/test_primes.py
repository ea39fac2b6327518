"""Which numbers are prime, and that whoever waits for the interpreter is not kept waiting."""

import math

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from key_doubles import CURVES
from key_vectors import nist
from strongroom.custody import primes
from strongroom.custody.primes import is_prime, power_in_steps

CARMICHAEL = [561, 1105, 1729, 2465, 2821, 6601, 8911, 10585, 15841, 29341, 825265, 321197185, 5394826801, 232250619601]
# Strong pseudoprimes to the first 1, 2, … 12 primes as bases (OEIS A014233): what a fixed set of bases would let pass.
PSEUDOPRIMES = [
    *(2047, 1373653, 25326001, 3215031751, 2152302898747, 3474749660383, 341550071728321, 3825123056546413051),
    *(318665857834031151167461, 3317044064679887385961981),
]


def is_prime_by_division(number):
    return number > 1 and all(number % each for each in range(2, math.isqrt(number) + 1))


def test_small_numbers():
    assert [n for n in range(-10, 5_000) if is_prime(n)] == [n for n in range(5_000) if is_prime_by_division(n)]


@settings(deadline=None)
@given(number=st.integers(0, 10**8))
def test_numbers_by_division(number):
    assert is_prime(number, rounds=40) == is_prime_by_division(number)


@pytest.mark.parametrize("number", CARMICHAEL + PSEUDOPRIMES)
def test_composite_numbers_that_behave_like_primes_to_many_bases(number):
    assert not is_prime(number, rounds=40)


def test_products_that_behave_like_primes_as_often_as_any_can():
    """n = p(2p - 1) passes with nearly a quarter of all bases: the worst case that there is."""
    worst = [p * (2 * p - 1) for p in range(1_000_003, 1_003_000, 4) if is_prime(p) and is_prime(2 * p - 1)]
    assert worst
    assert not [number for number in worst if is_prime(number, rounds=40)]


@pytest.mark.parametrize("bits", [1024, 2048, 4096])
def test_primes_of_real_keys_and_their_products(bits):
    numbers = rsa.generate_private_key(65537, bits).private_numbers()
    assert is_prime(numbers.p)
    assert is_prime(numbers.q)
    assert not is_prime(numbers.public_numbers.n)
    assert not is_prime(numbers.p + 2) or not is_prime(numbers.p + 4), "one of three odd neighbours is divided by 3"


def test_the_orders_of_curves_are_prime():
    assert all(is_prime(curve.group_order) for curve in CURVES.values())


def test_nist_primes():
    cases = [case for case in nist("asymmetric/RSA/FIPS_186-2/KeyGenRSA.rsp", "n") if case["mod"] == "2048"]
    assert len(cases) >= 6
    for case in cases:
        assert is_prime(int(case["p"], 16))
        assert is_prime(int(case["q"], 16))


@settings(deadline=None)
@given(base=st.integers(0, 2**300), exponent=st.integers(0, 2**300), modulus=st.integers(1, 2**300))
def test_a_power_is_a_power(base, exponent, modulus):
    assert power_in_steps(base % modulus, exponent, modulus) % modulus == pow(base, exponent, modulus)


@pytest.mark.parametrize("bits", [1024, 2048])
def test_others_have_their_turn_every_few_steps(bits, monkeypatch):
    pauses, powers = [], []
    monkeypatch.setattr(primes.time, "sleep", pauses.append)
    monkeypatch.setattr(primes, "pow", lambda *given: powers.append(given) or pow(*given), raising=False)
    power_in_steps(3, (1 << bits) - 1, (1 << bits) + 1)
    assert {exponent for _, exponent, _ in powers} == {32}, "five squarings at most without a turn to take"
    assert len(powers) == -(-bits // 5)
    assert len(pauses) == -(-len(powers) // 16)
    assert min(pauses) > 0
