"""Keys as objects of a token: how they are made there, brought there, found and destroyed.

Private and secret keys are sensitive and not extractable from their first moment on. All objects of one key have the
same random id; their label names the vault, so that whoever looks into the token, and the command that finds what
nobody refers to, can tell whose they are.
"""

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any

import pkcs11
from pkcs11 import Attribute, MechanismFlag, ObjectClass

from strongroom.custody import elliptic, rsa, symmetric
from strongroom.custody.algorithms import CURVES
from strongroom.custody.members import number
from strongroom.custody.provider import KeySpec, KeyType, PrivateParts, PublicParts
from strongroom.custody.refusals import invalid
from strongroom.custody.token import KeyAbsent, Opened
from strongroom.errors import BadRequest

ID_BYTES = 16
LABEL = "strongroom "
"""How labels of ours begin; the vault's unique id follows."""
MOST_FOUND = 4_096
"""How many objects a session remembers where they are."""

NOT_LET = (
    pkcs11.ArgumentsBad,
    pkcs11.AttributeReadOnly,
    pkcs11.AttributeTypeInvalid,
    pkcs11.AttributeValueInvalid,
    pkcs11.DataInvalid,
    pkcs11.DataLenRange,
    pkcs11.DomainParamsInvalid,
    pkcs11.FunctionNotSupported,
    pkcs11.FunctionRejected,
    pkcs11.KeySizeRange,
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
    pkcs11.TemplateIncomplete,
    pkcs11.TemplateInconsistent,
)
"""How tokens say that they do not do what they were asked for."""

_ENCRYPTION = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
_SIGNATURE = MechanismFlag.SIGN | MechanismFlag.VERIFY
_WRAPPING = MechanismFlag.WRAP | MechanismFlag.UNWRAP
_CAPABILITIES = MappingProxyType(
    {KeyType.RSA: _ENCRYPTION | _SIGNATURE, KeyType.EC: _SIGNATURE, KeyType.OCT: _ENCRYPTION | _WRAPPING}
)
KEPT = MappingProxyType({Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False})
"""What is said of every private and secret key, from its first moment on."""
OIDS = MappingProxyType(
    {
        "P-256": bytes.fromhex("06082a8648ce3d030107"),
        "P-384": bytes.fromhex("06052b81040022"),
        "P-521": bytes.fromhex("06052b81040023"),
        "P-256K": bytes.fromhex("06052b8104000a"),
    }
)
"""Curves as CKA_EC_PARAMS names them: object identifiers in DER. Source: RFC 5480, section 2.1.1.1; SEC 2, A.2.1."""
_OCTET_STRING, _UNCOMPRESSED, _LONG_LENGTH = 0x04, 0x04, 0x80


def new_id() -> bytes:
    """Return an id that no other key has."""
    return secrets.token_bytes(ID_BYTES)


@contextmanager
def new_object(opened: Opened, given_up: threading.Event | None = None) -> Iterator[bytes]:
    """Give the id of a new key, drawn for each attempt; what a failed one may have left is destroyed, if it can be.

    given_up: set once nobody waits for the key any more, which is destroyed then too.
    """
    id_ = new_id()
    try:
        yield id_
        if given_up is not None and given_up.is_set():
            raise BadRequest("Nobody waits for this key any more.")
    except BaseException:
        with suppress(pkcs11.PKCS11Error):
            destroy(opened, id_)
        raise


def label_of(owner: str) -> str:
    """Return the label of a vault's objects. owner: the vault's unique id."""
    return LABEL + owner


def generate(
    session: pkcs11.Session, spec: KeySpec, id_: bytes, label: str, *, kept: bool = True, exchange: bool = False
) -> tuple[Any, PublicParts]:
    """Make a key, and return its private or secret object. kept: in the token; else it ends with the session.

    exchange: an RSA key that unwraps keys that are brought, and does nothing else in its token either.
    """
    capabilities = _WRAPPING if exchange else _CAPABILITIES.get(spec.type)
    named: dict[str, Any] = {"id": id_, "label": label, "store": kept, "capabilities": capabilities}
    if spec.type is KeyType.OCT:
        secret = session.generate_key(pkcs11.KeyType.AES, spec.bits, template=dict(KEPT), **named)
        return secret, symmetric.NO_PUBLIC_PARTS
    if spec.type is KeyType.RSA:
        exponent = (spec.exponent or 0).to_bytes(3, "big").lstrip(b"\0")
        public, private = session.generate_keypair(
            pkcs11.KeyType.RSA,
            spec.bits,
            public_template={Attribute.PUBLIC_EXPONENT: exponent},
            private_template=dict(KEPT),
            **named,
        )
        return private, rsa_parts(public)
    if spec.type is KeyType.EC:
        return _generate_ec(session, spec, named)
    raise not_kept(spec.type)


def take(session: pkcs11.Session, parts: PrivateParts, id_: bytes, label: str) -> tuple[Any, KeySpec, PublicParts]:
    """Bring a caller's key into the token, after checking all of it, and return its object and what is public of it.

    BadRequest when it is not sound, or the module does not let.
    """
    spec, public, template = _checked(parts)
    described = {
        **template,
        **KEPT,
        Attribute.TOKEN: True,
        Attribute.ID: id_,
        Attribute.LABEL: label,
        **dict.fromkeys(USES[spec.type], True),
    }
    try:
        key = session.create_object(described)
    except NOT_LET as error:
        raise BadRequest(
            f"The HSM of this server takes no keys of type {spec.type} that were made elsewhere "
            f"({type(error).__name__}): make one in it."
        ) from error
    return key, spec, public


USES = MappingProxyType(
    {
        KeyType.RSA: (Attribute.DECRYPT, Attribute.SIGN),
        KeyType.EC: (Attribute.SIGN,),
        KeyType.OCT: (Attribute.ENCRYPT, Attribute.DECRYPT, Attribute.WRAP, Attribute.UNWRAP),
    }
)
"""What the private or secret object of a key that was made elsewhere is for."""


def find(opened: Opened, id_: bytes, type_: KeyType) -> Any:
    """Return the private or secret object of a key; KeyAbsent when the token has none, or none that it keeps."""
    class_ = ObjectClass.SECRET_KEY if type_ is KeyType.OCT else ObjectClass.PRIVATE_KEY
    known = opened.objects.get((id_, class_))
    if known is not None:
        return known
    found = list(opened.session.get_objects({Attribute.ID: id_, Attribute.CLASS: class_}))
    if len(found) != 1:
        raise KeyAbsent(f"{len(found)} objects have the id {id_.hex()}")
    require_kept(found[0])
    if len(opened.objects) >= MOST_FOUND:
        opened.objects.clear()
    opened.objects[id_, class_] = found[0]
    return found[0]


def require_kept(key: Any) -> None:
    """Raise KeyAbsent when a key could leave its token: ours cannot, and this one was put in its place."""
    if not key[Attribute.SENSITIVE] or key[Attribute.EXTRACTABLE]:
        raise KeyAbsent("an object with the id of a key can leave the token")


def require_made_to_stay(key: Any) -> None:
    """Raise BadRequest when a key that was just made could leave its token: some modules do not obey."""
    try:
        require_kept(key)
    except KeyAbsent:
        raise BadRequest(
            "The HSM of this server makes keys that could leave it; such keys are not kept here."
        ) from None


def destroy(opened: Opened, id_: bytes) -> int:
    """Destroy every object of a key, private ones first; return how many there were."""
    done = 0
    for class_ in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY, ObjectClass.PUBLIC_KEY):
        opened.objects.pop((id_, class_), None)
        for each in list(opened.session.get_objects({Attribute.ID: id_, Attribute.CLASS: class_})):
            each.destroy()
            done += 1
    return done


def list_kept(opened: Opened) -> Mapping[bytes, str]:
    """Return the owners of all keys in the token that a server like this one made there, by their ids."""
    found: dict[bytes, str] = {}
    for class_ in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY, ObjectClass.PUBLIC_KEY):
        for each in list(opened.session.get_objects({Attribute.CLASS: class_})):
            label = _label(each)
            if label.startswith(LABEL):
                found[bytes(each[Attribute.ID])] = label.removeprefix(LABEL)
    return found


def _label(key: Any) -> str:
    """Return the label of an object, "" where others left none or one that is no text."""
    try:
        return str(key[Attribute.LABEL])
    except (UnicodeDecodeError, pkcs11.AttributeTypeInvalid):
        return ""


def not_kept(type_: KeyType) -> BadRequest:
    """Return the error for a type of keys that no HSM keeps here."""
    return invalid("kty", f"the HSM of this server keeps keys of the types RSA-HSM, EC-HSM and oct-HSM, not {type_}")


def _generate_ec(session: pkcs11.Session, spec: KeySpec, named: dict[str, Any]) -> tuple[Any, PublicParts]:
    assert spec.curve is not None
    curve = session.create_domain_parameters(pkcs11.KeyType.EC, {Attribute.EC_PARAMS: OIDS[spec.curve]}, local=True)
    try:
        public, private = curve.generate_keypair(private_template=dict(KEPT), **named)
    except (pkcs11.AttributeValueInvalid, pkcs11.DomainParamsInvalid, pkcs11.TemplateInconsistent) as error:
        raise invalid("crv", f"the HSM of this server has no curve {spec.curve}") from error
    length = CURVES[spec.curve].coordinate_bytes
    point = _point(bytes(public[Attribute.EC_POINT]), 2 * length + 1)
    return private, PublicParts(x=point[1 : 1 + length], y=point[1 + length :])


def _point(told: bytes, length: int) -> bytes:
    """Return an uncompressed point of this length, which modules tell bare or, as they should, in an OCTET STRING."""
    if len(told) > length and told[0] == _OCTET_STRING:
        told = told[3:] if told[1] & _LONG_LENGTH else told[2:]
    if len(told) != length or told[0] != _UNCOMPRESSED:
        raise pkcs11.PublicKeyInvalid("the token tells no uncompressed point")
    return told


def rsa_parts(key: Any) -> PublicParts:
    """Return what is public of an RSA key, as either object of it tells."""
    n, e = (bytes(key[member]).lstrip(b"\0") for member in (Attribute.MODULUS, Attribute.PUBLIC_EXPONENT))
    return PublicParts(n=n, e=e)


def _checked(parts: PrivateParts) -> tuple[KeySpec, PublicParts, dict[Attribute, Any]]:
    """Return what a caller brings, checked as strictly as software does, as the template of an object."""
    if parts.type is KeyType.OCT:
        secret = symmetric.take(parts)
        value = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: pkcs11.KeyType.AES}
        return secret.spec, secret.public, value | {Attribute.VALUE: secret.material().reveal()}
    private = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
    if parts.type is KeyType.RSA:
        key = rsa.take(parts)
        numbers = {attribute: _octets(number(parts, member, 512)) for attribute, member in _RSA_MEMBERS.items()}
        return key.spec, key.public, private | {Attribute.KEY_TYPE: pkcs11.KeyType.RSA} | numbers
    if parts.type is not KeyType.EC:
        raise not_kept(parts.type)
    point = elliptic.take(parts)
    curve = point.spec.curve
    assert curve is not None
    d = number(parts, "d", CURVES[curve].coordinate_bytes).to_bytes(CURVES[curve].coordinate_bytes, "big")
    described = {Attribute.KEY_TYPE: pkcs11.KeyType.EC, Attribute.EC_PARAMS: OIDS[curve], Attribute.VALUE: d}
    return point.spec, point.public, private | described


_RSA_MEMBERS = MappingProxyType(
    {
        Attribute.MODULUS: "n",
        Attribute.PUBLIC_EXPONENT: "e",
        Attribute.PRIVATE_EXPONENT: "d",
        Attribute.PRIME_1: "p",
        Attribute.PRIME_2: "q",
        Attribute.EXPONENT_1: "dp",
        Attribute.EXPONENT_2: "dq",
        Attribute.COEFFICIENT: "qi",
    }
)


def _octets(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
