"""What `cryptography` does by itself on all cores: what private keys of the server are measured against."""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

DIGEST, WRAPPED = bytes(range(32)), bytes(32)
OAEP = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
PADDINGS = MappingProxyType(
    {"RS256": padding.PKCS1v15(), "PS256": padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH)}
)


@cache
def a_key(bits: int) -> rsa.RSAPrivateKey:
    """Return a key of a size, made once."""
    return rsa.generate_private_key(65537, bits)


def signing(algorithm: str, bits: int = 2048) -> Callable[[], object]:
    """Return the work of signing one digest."""
    key, chosen, hashed = a_key(bits), PADDINGS[algorithm], Prehashed(SHA256())
    return lambda: key.sign(DIGEST, chosen, hashed)


def unwrapping(bits: int = 2048) -> Callable[[], object]:
    """Return the work of unwrapping one key by RSA-OAEP-256."""
    key = a_key(bits)
    wrapped = key.public_key().encrypt(WRAPPED, OAEP)
    return lambda: key.decrypt(wrapped, OAEP)


def times_per_second(work: Callable[[], object], seconds: float) -> float:
    """Return how often a second some work is done by as many threads as there are cores."""

    def go_on(until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            work()
            done += 1
        return done

    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        return sum(pool.map(go_on, [time.perf_counter() + seconds] * cores)) / seconds


if __name__ == "__main__":
    print(f"{times_per_second(signing(sys.argv[1], int(sys.argv[2])), float(sys.argv[3])):.0f} signatures a second")
