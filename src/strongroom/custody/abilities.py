"""What a token can do, found out by trying: lists of mechanisms do not say which parameters a module takes.

An algorithm is tried with a key that ends with the trial, against what `cryptography` makes of its public half, before
the first use of it; what fails there is refused by name, and is never made up for outside of the token.
"""

import os
from collections.abc import Callable
from typing import Any

import pkcs11
from pkcs11 import Mechanism

from strongroom.custody import elliptic, rsa
from strongroom.custody.algorithms import ALGORITHMS, CURVES, Algorithm, Family, Use, spec_of
from strongroom.custody.mechanisms import decrypt_aes, decrypt_rsa, encrypt_aes, mechanism_of, sign, unwrap, wrap
from strongroom.custody.provider import KeySpec, KeyType, PublicParts
from strongroom.custody.refusals import invalid
from strongroom.custody.token import CONFUSED, SURELY_AWAY, TRANSIENT, Opened
from strongroom.custody.tokenkeys import NOT_LET, destroy, generate, new_id
from strongroom.custody.tokentransfer import mechanisms_of, transfers
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

TRANSFERRED = (KeyType.RSA, KeyType.EC)
"""The types whose keys may come wrapped."""
TRIALS = 3
_TRIAL = "strongroom-trial"
_SAID = bytes(range(24))  # whole units of every key wrap
_BLOCKS = bytes(range(32))
_ODD = bytes(range(1, 22))  # and what needs padding


class Abilities:
    """What one token can do, as one process found out."""

    def __init__(self) -> None:
        self._generation = 0
        self._found: dict[str, Mechanism | None] = {}

    def require(self, opened: Opened, row: Algorithm) -> Mechanism:
        """Return the mechanism of an algorithm; BadRequest by its name when this token does not have it."""
        mechanism = self.find(opened, row)
        if mechanism is None:
            raise lacking(row)
        return mechanism

    def find(self, opened: Opened, row: Algorithm) -> Mechanism | None:
        """Return the mechanism of an algorithm that this token carries out rightly, tried if it never was."""
        return self._remembered(opened, row.name, lambda: find_mechanism(opened, row))

    def require_transfer(self, opened: Opened, type_: KeyType) -> Mechanism:
        """Return the mechanism that unwraps keys of this type that are brought; BadRequest when this token has none."""
        mechanism = self._remembered(opened, f"wrapped {type_}", lambda: find_transfer(opened, type_))
        if mechanism is None:
            raise BadRequest(
                f"The HSM of this server takes no wrapped keys of type {type_}-HSM. "
                "Import the key itself, or create one."
            )
        return mechanism

    def _remembered(self, opened: Opened, name: str, find: Callable[[], Mechanism | None]) -> Mechanism | None:
        if opened.generation != self._generation:  # what is there now may be another token, or a module that learned
            self._generation, self._found = opened.generation, {}
        if name not in self._found:
            self._found[name] = find()
        return self._found[name]


def lacking(row: Algorithm) -> BadRequest:
    """Return the error for an algorithm that a token does not have."""
    return invalid("alg", f"the HSM of this server cannot carry out {row.name}, and its keys cannot leave it")


def find_mechanism(opened: Opened, row: Algorithm) -> Mechanism | None:
    """Return the mechanism of an algorithm, after trying it; None when the token does not do it, or not rightly."""
    offered = frozenset(opened.session.token.slot.get_mechanisms())
    mechanism = mechanism_of(row, offered)
    return mechanism if mechanism is not None and _succeeds(opened, row, mechanism) else None


def find_transfer(opened: Opened, type_: KeyType) -> Mechanism | None:
    """Return the mechanism that unwraps keys of this type that are brought, after trying it; None when none does."""
    for mechanism in mechanisms_of(frozenset(opened.session.token.slot.get_mechanisms())):

        def brings(exchange: Any, _public: PublicParts, mechanism: Mechanism = mechanism) -> bool:
            return transfers(opened, exchange, mechanism, type_, lambda row: find_mechanism(opened, row))

        if _tried(opened, spec_of(KeyType.RSA), brings, exchange=True):
            return mechanism
    return None


def can_make(opened: Opened, spec: KeySpec) -> bool:
    """Answer whether the token makes keys like this, after trying it."""
    return _tried(opened, spec, lambda _key, _public: True)


def all_specs() -> tuple[KeySpec, ...]:
    """Return every kind of key that a token may be asked for."""
    return (
        *(spec_of(KeyType.RSA, bits=bits) for bits in (2048, 3072, 4096)),
        *(spec_of(KeyType.EC, curve=curve) for curve in CURVES),
        *(spec_of(KeyType.OCT, bits=bits) for bits in (128, 192, 256)),
    )


def all_algorithms() -> tuple[Algorithm, ...]:
    """Return every algorithm that a token may be asked for."""
    return tuple(row for row in ALGORITHMS.values() if row.family is not Family.ML_DSA)


def _succeeds(opened: Opened, row: Algorithm, mechanism: Mechanism) -> bool:
    return _tried(opened, _spec_for(row), lambda key, public: _is_right(opened.session, row, mechanism, key, public))


def _tried(
    opened: Opened, spec: KeySpec, is_right: Callable[[Any, PublicParts], bool], *, exchange: bool = False
) -> bool:
    """Answer whether a key can be made and what is made with it is right; the key ends with this.

    What fails for no known reason is tried again: some modules have no other words for what they do not do.
    """
    for _ in range(TRIALS):
        try:
            return _tried_once(opened, spec, is_right, exchange=exchange)
        except (BadRequest, *NOT_LET):
            return False
        except pkcs11.PKCS11Error as error:
            _require_there(opened, error)
    return False


def _tried_once(opened: Opened, spec: KeySpec, is_right: Callable[[Any, PublicParts], bool], *, exchange: bool) -> bool:
    id_ = new_id()
    try:
        return is_right(*generate(opened.session, spec, id_, _TRIAL, kept=False, exchange=exchange))
    finally:
        destroy(opened, id_)


def _require_there(opened: Opened, error: pkcs11.PKCS11Error) -> None:
    """Raise what says more of the token than of what was tried."""
    if isinstance(error, (*SURELY_AWAY, *TRANSIENT, *CONFUSED)):
        raise error
    opened.session.token.slot.get_token()


def _spec_for(row: Algorithm) -> KeySpec:
    return spec_of(row.type, bits=row.bits if row.type is KeyType.OCT else None, curve=row.curve)


def _is_right(session: pkcs11.Session, row: Algorithm, mechanism: Mechanism, key: Any, public: PublicParts) -> bool:
    if row.type is KeyType.OCT:
        return _is_right_aes(session, row, mechanism, key)
    if row.type is KeyType.EC:
        digest = bytes(row.digest_bytes or 0)
        return elliptic.load_public(_spec_for(row), public).verify(row, digest, sign(key, row, mechanism, digest))
    half = rsa.load_public(public)
    if Use.SIGN in row.uses:
        digest = bytes(range(row.digest_bytes or 32))
        return half.verify(row, digest, sign(key, row, mechanism, digest))
    return decrypt_rsa(key, row, mechanism, half.encrypt(row, _SAID).value) == _SAID


def _is_right_aes(session: pkcs11.Session, row: Algorithm, mechanism: Mechanism, key: Any) -> bool:
    if Use.WRAP in row.uses:
        return _wraps_rightly(session, row, mechanism, key)
    iv = os.urandom(row.iv_bytes or 0)
    aad = _ODD if row.takes_aad else None
    said = _BLOCKS if row.family is Family.CBC else _ODD
    sealed, tag = encrypt_aes(key, row, mechanism, said, iv=iv, aad=aad)
    return decrypt_aes(key, row, mechanism, sealed + (tag or b""), iv=iv, aad=aad) == said


def _wraps_rightly(session: pkcs11.Session, row: Algorithm, mechanism: Mechanism, key: Any) -> bool:
    """Try what is wrapped there and back. With padding whole units get none by RFC 5649, and more by PKCS#7."""
    for said in (_SAID, _ODD) if row.family is Family.KEY_WRAP_PADDED else (_SAID,):
        wrapped = wrap(session, key, mechanism, Sensitive(said))
        if len(wrapped) != 32 or unwrap(key, mechanism, wrapped).reveal() != said:
            return False
    return True
