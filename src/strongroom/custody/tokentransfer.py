"""A key that comes wrapped, opened inside of a token: what it is made of is never seen outside.

What `custody.transfer` does in software the token does in one call where its module has the mechanism for that, else in
two: the AES key that was made for the transfer becomes an object of the session (RSA-OAEP), which unwraps the key that
travels (AES key wrap with padding) into the token. Both are sensitive and not extractable from their first moment on.
What is public of the key is read from it, or found from what it signs; what it signs shows as well that the private
half belongs to it.
Whether OAEP or what follows failed is in no answer. OAEP is made so that knowing it would tell nothing; that a module
does not tell more by the time it takes is the module's affair.
Sources: PKCS #11 v3.1, sections 5.18.4 (C_UnwrapKey), 6.1.8 (OAEP), 6.1.26 (both in one call) and 6.13 (AES key wrap).
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any

import pkcs11
from pkcs11 import MGF, Attribute, Mechanism, MechanismFlag, ObjectClass
from pkcs11.constants import DEFAULT

from strongroom.custody import elliptic, rsa
from strongroom.custody.algorithms import ALGORITHMS, Algorithm, spec_of
from strongroom.custody.mechanisms import mechanism_of, sign
from strongroom.custody.provider import KeySpec, KeyType, PublicParts, TransferForm, TransferKey, WrappedKey
from strongroom.custody.recovery import recover_point
from strongroom.custody.refusals import no_key, not_unwrapped
from strongroom.custody.rsaaeswrap import RSA_AES_KEY_WRAP, parameters
from strongroom.custody.token import CONFUSED, SURELY_AWAY, TRANSIENT, Opened
from strongroom.custody.tokenkeys import KEPT, OIDS, USES, destroy, new_id, require_made_to_stay, rsa_parts
from strongroom.custody.transfer import AES_BYTES, wrap
from strongroom.errors import BadRequest

Find = Callable[[Algorithm], Mechanism | None]
"""Returns the mechanism of an algorithm that the token carries out rightly, None when there is none."""

PADDED_WRAP = ALGORITHMS["CKM_AES_KEY_WRAP_PAD"]
BLOCK_BYTES = 8
"""What AES key wrap is made of: a wrapped key is whole blocks, two at least."""
NOT_OF_BLOB = (
    *SURELY_AWAY,
    *CONFUSED,
    *TRANSIENT,
    pkcs11.FunctionNotSupported,
    pkcs11.MechanismInvalid,
    pkcs11.PinExpired,
    pkcs11.SessionReadOnly,
    pkcs11.TokenWriteProtected,
)
"""What says that the token does not unwrap now, whatever it is given."""

_OAEP = (Mechanism.SHA_1, MGF.SHA1, None)  # as PKCS#11 and the service have it
_TYPES = MappingProxyType({KeyType.RSA: pkcs11.KeyType.RSA, KeyType.EC: pkcs11.KeyType.EC})
_PROOFS = (ALGORITHMS["RS256"], ALGORITHMS["PS256"])
_NOT_OF_PRIVATE_KEYS = dict.fromkeys((Attribute.ENCRYPT, Attribute.VERIFY, Attribute.WRAP), DEFAULT)
"""What the binding says of every object, and SoftHSM takes amiss in one for a private key."""


def mechanisms_of(offered: frozenset[Mechanism]) -> tuple[Mechanism, ...]:
    """Return what might unwrap in a token that offers these mechanisms, the best first; none, or one or two."""
    in_two = mechanism_of(PADDED_WRAP, offered)
    in_one = RSA_AES_KEY_WRAP if int(RSA_AES_KEY_WRAP) in map(int, offered) else None
    return tuple(each for each in (in_one, in_two) if each is not None)


def require_exchange(key: Any) -> None:
    """Raise BadRequest for a key exchange key that was made when the server did not unwrap in tokens."""
    if not key[Attribute.UNWRAP]:
        raise BadRequest(
            "The HSM of this server lets this key exchange key unwrap nothing: an older Strongroom made it. Rotate it, "
            "or make another one, and wrap your key to that."
        )


def open_wrapped(
    opened: Opened, exchange: Any, mechanism: Mechanism, wrapped: WrappedKey, template: Mapping[Attribute, Any]
) -> Any:
    """Return the private key that a blob carries to `exchange`, as an object with what `template` says.

    mechanism: of `mechanisms_of`. BadRequest, with one text whatever it does not unwrap for; PKCS11Error when the token
    does not unwrap now at all; what may be left of it then has the id of `template`.
    """
    length = exchange.key_length // 8
    once, carried = wrapped.blob[:length], wrapped.blob[length:]
    if len(carried) < 2 * BLOCK_BYTES or len(carried) % BLOCK_BYTES:
        raise not_unwrapped()
    described = {**KEPT, **_NOT_OF_PRIVATE_KEYS, **dict.fromkeys(USES[wrapped.type], True), **template}
    with _blamed(opened, not_unwrapped()):
        if mechanism is RSA_AES_KEY_WRAP:
            return _unwrap(exchange, wrapped.type, wrapped.blob, mechanism, described)
        with _opened_once(exchange, once) as wrapping:
            return _unwrap(wrapping, wrapped.type, carried, mechanism, described)


def _unwrap(by: Any, type_: KeyType, blob: bytes, mechanism: Mechanism, described: dict[Attribute, Any]) -> Any:
    return by.unwrap_key(
        ObjectClass.PRIVATE_KEY,
        _TYPES[type_],
        blob,
        mechanism=mechanism,
        mechanism_param=parameters(AES_BYTES * 8) if mechanism is RSA_AES_KEY_WRAP else None,
        capabilities=MechanismFlag(0),
        template=described,
    )


@contextmanager
def _blamed(opened: Opened, refusal: BadRequest) -> Iterator[None]:
    """Raise `refusal` for what a token says of what it was given, and leave what it says of itself."""
    try:
        yield
    except NOT_OF_BLOB:
        raise
    except (pkcs11.PKCS11Error, ValueError, AttributeError):  # the last: the binding lets objects do what they may
        opened.session.token.slot.get_token()  # raises where the token has gone: then what it was given is not to blame
        raise refusal from None


@contextmanager
def _opened_once(exchange: Any, encrypted: bytes) -> Iterator[Any]:
    """Give the AES key that was made for one transfer, as an object that unwraps, cannot leave, and ends with this."""
    key = exchange.unwrap_key(
        ObjectClass.SECRET_KEY,
        pkcs11.KeyType.AES,
        encrypted,
        mechanism=Mechanism.RSA_PKCS_OAEP,
        mechanism_param=_OAEP,
        capabilities=MechanismFlag.UNWRAP,
        template={**KEPT, Attribute.TOKEN: False},
    )
    try:
        require_made_to_stay(key)
        yield key
    finally:
        with suppress(pkcs11.PKCS11Error):
            key.destroy()


def identify(opened: Opened, key: Any, wrapped: WrappedKey, find: Find) -> tuple[KeySpec, PublicParts]:
    """Return what an unwrapped key is and what is public of it; BadRequest when it is none that may be kept here.

    It is as sound as can be seen from outside: of a size or curve that there is, and its private half belongs to it.
    That the primes of an RSA key are good ones only their maker knows.
    """
    with _blamed(opened, no_key("what was wrapped is no key that the HSM of this server can sign with")):
        spec, public = _identify_rsa(key, find) if wrapped.type is KeyType.RSA else _identify_ec(key, wrapped, find)
    wrapped.require_said(public)
    return spec, public


def _identify_rsa(key: Any, find: Find) -> tuple[KeySpec, PublicParts]:
    public = rsa_parts(key)
    spec = rsa.require_sound_public(public)
    for row in _PROOFS:
        mechanism = find(row)
        if mechanism is not None:
            digest = os.urandom(row.digest_bytes or 0)
            if not rsa.load_public(public).verify(row, digest, sign(key, row, mechanism, digest)):
                raise ValueError("the private half is of another key")
            return spec, public
    raise BadRequest("The HSM of this server does not sign with RSA keys, and so cannot show that one is whole.")


def _identify_ec(key: Any, wrapped: WrappedKey, find: Find) -> tuple[KeySpec, PublicParts]:
    told = bytes(key[Attribute.EC_PARAMS])
    name = next((name for name, oid in OIDS.items() if oid == told), None)
    if name is None or wrapped.curve not in (None, name):
        raise no_key("what was wrapped is of another kty or crv")
    spec = spec_of(KeyType.EC, curve=name)

    def signed(row: Algorithm, digest: bytes) -> bytes:
        mechanism = find(row)
        if mechanism is None:
            raise BadRequest(f"The HSM of this server does not sign with keys of the curve {name}.")
        return sign(key, row, mechanism, digest)

    return spec, recover_point(spec, signed)


def transfers(opened: Opened, exchange: Any, mechanism: Mechanism, type_: KeyType, find: Find) -> bool:
    """Answer whether a token takes a wrapped key of this type, by bringing it one that ends with this.

    BadRequest or PKCS11Error where it does not take it, or not now.
    """
    sample = rsa.generate(spec_of(type_)) if type_ is KeyType.RSA else elliptic.generate(spec_of(type_))
    receiver = rsa_parts(exchange)
    blob = wrap(sample.material(), TransferForm.CKM, TransferKey(receiver.n or b"", receiver.e or b""))
    id_ = new_id()
    try:
        wrapped = WrappedKey(type=type_, blob=blob)
        key = open_wrapped(opened, exchange, mechanism, wrapped, {Attribute.TOKEN: False, Attribute.ID: id_})
        require_made_to_stay(key)
        return identify(opened, key, wrapped, find) == (sample.spec, sample.public)
    finally:
        destroy(opened, id_)
