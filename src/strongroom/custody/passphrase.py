"""A master key made of a passphrase: Argon2id, with a salt and costs that are no secret and lie with the data.

With them a backup of the data and the passphrase are enough to open it again. Costs: twice the memory of the second
recommendation of RFC 9106, section 4; length: NIST SP 800-63B, section 3.1.1.
"""

import secrets
import unicodedata
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from strongroom.custody.holder import KEY_BYTES
from strongroom.errors import StrongroomError
from strongroom.sensitive import Sensitive

SALT_BYTES = 16
MEMORY_KIB = 128 * 1024
ITERATIONS = 3
LANES = 4
MOST_MEMORY_KIB = 512 * 1024
MOST_ITERATIONS = 8
MOST_LANES = 16
"""What a derivation may ask for that was read: some seconds, where an archive of a stranger could ask for an hour."""
SHORTEST = 15
LONGEST = 1024
FEWEST_DIFFERENT = 6


class PassphraseUnfit(StrongroomError):
    """A passphrase is too weak to guard anything, or too long to be one."""


class DerivationUnavailable(StrongroomError):
    """This machine cannot derive the key: its OpenSSL has no Argon2id, or there is too little memory."""


class DerivationExcessive(StrongroomError):
    """A derivation asks for more memory or time than any key of Strongroom needs."""


class Derivation(msgspec.Struct, frozen=True, kw_only=True):
    """How a key is made of a passphrase. Limits keep an edited row from taking all memory, or the salt its length."""

    algorithm: Literal["argon2id"] = "argon2id"
    salt: Annotated[bytes, msgspec.Meta(min_length=SALT_BYTES, max_length=64)]
    memory_kib: Annotated[int, msgspec.Meta(ge=8 * 1024, le=4 * 1024 * 1024)]
    iterations: Annotated[int, msgspec.Meta(ge=1, le=64)]
    lanes: Annotated[int, msgspec.Meta(ge=1, le=64)]


def new_derivation() -> Derivation:
    """Return a derivation at today's costs, with a salt of its own."""
    return Derivation(salt=secrets.token_bytes(SALT_BYTES), memory_kib=MEMORY_KIB, iterations=ITERATIONS, lanes=LANES)


def derive(passphrase: Sensitive[str], derivation: Derivation) -> Sensitive[bytes]:
    """Return the 256-bit key of a passphrase; takes a quarter of a second and 128 MiB at today's costs.

    DerivationExcessive, before it costs anything, or DerivationUnavailable.
    """
    _require_affordable(derivation)
    try:
        argon = Argon2id(
            salt=derivation.salt,
            length=KEY_BYTES,
            iterations=derivation.iterations,
            lanes=derivation.lanes,
            memory_cost=derivation.memory_kib,
        )
        return Sensitive(argon.derive(_plain(passphrase).encode()))
    except UnsupportedAlgorithm:
        raise DerivationUnavailable("this installation's OpenSSL has no Argon2id, which the passphrase needs") from None
    except MemoryError:
        raise DerivationUnavailable(f"the passphrase needs {derivation.memory_kib // 1024} MiB of memory") from None


def _require_affordable(derivation: Derivation) -> None:
    """Raise DerivationExcessive where memory and time would be a stranger's to choose: what was read is not proven."""
    asked = (derivation.memory_kib, derivation.iterations, derivation.lanes)
    most = (MOST_MEMORY_KIB, MOST_ITERATIONS, MOST_LANES)
    if any(each > bound for each, bound in zip(asked, most, strict=True)):
        raise DerivationExcessive(
            f"the key asks for {asked[0] // 1024} MiB of memory, {asked[1]} passes and {asked[2]} lanes to be made of "
            f"its passphrase; at most {most[0] // 1024} MiB, {most[1]} and {most[2]} are granted: Strongroom did not "
            "write that"
        )


def require_strong(passphrase: Sensitive[str]) -> None:
    """Raise PassphraseUnfit unless a new passphrase is long and varied enough to be worth its name."""
    plain = _plain(passphrase)
    if not SHORTEST <= len(plain) <= LONGEST:
        raise PassphraseUnfit(f"a passphrase has {SHORTEST} to {LONGEST} characters; five words or more do well")
    if len(set(plain)) < FEWEST_DIFFERENT:
        raise PassphraseUnfit(f"a passphrase has at least {FEWEST_DIFFERENT} different characters")


def _plain(passphrase: Sensitive[str]) -> str:
    """Return the passphrase in the one form that all keyboards' ways to write it share (Unicode NFC)."""
    return unicodedata.normalize("NFC", passphrase.reveal())
