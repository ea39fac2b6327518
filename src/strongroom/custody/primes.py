"""Whether a number is prime, found out in small steps: OpenSSL would keep every other thread waiting until it knows.

Source: FIPS 186-5, appendix B.3.1 (Miller-Rabin).
"""

import secrets
import time

ROUNDS = 8
"""A composite number passes with a chance of one in 4^8, if its owner made it for that; any other one never does."""

_WINDOW = 5  # bits of an exponent that a step takes
_STEPS = 16  # about a millisecond's, for numbers of 2,048 bits
_PAUSE = 0.0002  # seconds: whoever waits for the interpreter has it then
_SMALL_PRIMES = tuple(n for n in range(3, 1000, 2) if all(n % each for each in range(3, 32, 2) if each < n))


def is_prime(number: int, rounds: int = ROUNDS) -> bool:
    """Answer whether a number is prime; with 2,048 bits that takes some 0.3 s of a thread, and no other waits."""
    if number < 4 or number % 2 == 0:
        return number in (2, 3)
    if has_small_factor(number):
        return number in _SMALL_PRIMES
    return all(_passes(number, 2 + secrets.randbelow(number - 3)) for _ in range(rounds))


def has_small_factor(number: int) -> bool:
    """Answer whether a prime below 1,000 divides a number."""
    return number % 2 == 0 or any(number % small == 0 for small in _SMALL_PRIMES)


def _passes(number: int, base: int) -> bool:
    """Answer whether an odd number behaves to a base as a prime does."""
    twos = (number - 1 & 1 - number).bit_length() - 1
    power = power_in_steps(base, number - 1 >> twos, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False


def power_in_steps(base: int, exponent: int, modulus: int) -> int:
    """Return what `pow` would, letting other threads have their turn every millisecond."""
    powers = [1]
    for _ in range((1 << _WINDOW) - 1):
        powers.append(powers[-1] * base % modulus)
    result, left = 1, -(-exponent.bit_length() // _WINDOW)
    while left:
        left -= 1
        digit = exponent >> left * _WINDOW & (1 << _WINDOW) - 1
        result = pow(result, 1 << _WINDOW, modulus) * powers[digit] % modulus
        if left % _STEPS == 0:
            time.sleep(_PAUSE)
    return result
