"""Keys as clients send them: the one mapping from the service's JSON to what the model and custody take.

Sources: REST `KeyCreateParameters`, `KeyImportParameters`, `KeyUpdateParameters`, `KeyOperationsParameters`,
`KeySignParameters`, `KeyVerifyParameters`, `JsonWebKey`; RFC 7517, 7518.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from strongroom.custody.algorithms import ALGORITHMS, CURVES, OLD_CURVE_NAMES, spec_of
from strongroom.custody.provider import Ciphertext, KeySpec, KeyType, PrivateParts, PublicParts, WrappedKey
from strongroom.objects.keys.keepers import not_exportable_here
from strongroom.objects.keys.model import HSM_SUFFIX, MAX_TAG_TEXT, KeyEdit, Operation, known_operations
from strongroom.objects.keys.release import AskedPolicy
from strongroom.objects.model import MAX_TAGS, invalid_property
from strongroom.octets import Octets, SensitiveOctets
from strongroom.planes.data.transferwire import read_transfer
from strongroom.planes.data.wire import AttributesPatch, moment_of

TYPES = {
    **{type_.lower(): (type_, False) for type_ in KeyType},
    **{f"{type_}{HSM_SUFFIX}".lower(): (type_, True) for type_ in KeyType},
}
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "k")
BEFORE_RELEASE = frozenset({"7.0", "7.1", "7.2"})
"""The api-versions that know no release of keys."""

# Bounds that documents tell; the rules behind them are held by the model and by custody, in the service's words.
Tags = Annotated[
    dict[str, Annotated[str, Meta(extra_json_schema={"maxLength": MAX_TAG_TEXT})]],
    Meta(extra_json_schema={"maxProperties": MAX_TAGS, "propertyNames": {"maxLength": MAX_TAG_TEXT}}),
]
Type = Annotated[
    str, Meta(extra_json_schema={"enum": [f"{type_}{suffix}" for type_ in KeyType for suffix in ("", HSM_SUFFIX)]})
]
Operations = tuple[Annotated[str, Meta(extra_json_schema={"enum": [each.value for each in Operation]})], ...]
Curve = Annotated[str, Meta(extra_json_schema={"enum": [*CURVES, *OLD_CURVE_NAMES]})]
AlgorithmName = Annotated[str, Meta(extra_json_schema={"enum": list(ALGORITHMS)})]


class KeyAttributesPatch(AttributesPatch, frozen=True):
    """Attributes of a key as a client sends them; null says nothing, like absence. Read-only ones are ignored."""

    exportable: bool | None = None


class ReleasePolicyAsked(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A release policy as a client sends it. data: its JSON."""

    content_type: str | None = None
    data: Octets | None = None
    immutable: bool | None = None

    def asked(self) -> AskedPolicy:
        """Return the policy as the model takes it, not looked into."""
        return AskedPolicy(self.data, self.content_type, bool(self.immutable))


class KeyUpdate(msgspec.Struct, frozen=True):
    """The body of UpdateKey."""

    key_ops: Operations | None = None
    attributes: KeyAttributesPatch | None = None
    tags: Tags | None = None
    release_policy: ReleasePolicyAsked | None = None

    def edit(self) -> KeyEdit:
        """Return what this asks for; BadRequest when a time or an operation cannot be one."""
        return _edit(self.attributes, self.tags, self.release_policy, self.key_ops)


class KeyCreate(KeyUpdate, frozen=True, kw_only=True):
    """The body of CreateKey."""

    kty: Type
    key_size: int | None = None
    public_exponent: int | None = None
    crv: Curve | None = None
    alg: str | None = None

    def spec(self) -> tuple[KeySpec, bool]:
        """Return what key this asks for, and whether as an HSM's; BadRequest for one that there is not."""
        type_, hsm = known_type(self.kty)
        exponent = self.public_exponent or None  # the Java client sends 0 where its user says none
        curve = known_curve(self.crv)
        return spec_of(type_, bits=self.key_size, exponent=exponent, curve=curve, algorithm=self.alg), hsm


class ImportedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON Web Key with its private part, on its way in; what is private is sensitive from its first moment here."""

    kty: Type
    key_ops: Operations | None = None
    crv: Curve | None = None
    n: Octets | None = None
    e: Octets | None = None
    x: Octets | None = None
    y: Octets | None = None
    d: SensitiveOctets | None = None
    p: SensitiveOctets | None = None
    q: SensitiveOctets | None = None
    dp: SensitiveOctets | None = None
    dq: SensitiveOctets | None = None
    qi: SensitiveOctets | None = None
    k: SensitiveOctets | None = None
    key_hsm: Octets | None = None


class KeyImport(msgspec.Struct, frozen=True, kw_only=True):
    """The body of ImportKey."""

    key: ImportedKey
    hsm: bool | None = msgspec.field(default=None, name="Hsm")
    attributes: KeyAttributesPatch | None = None
    tags: Tags | None = None
    release_policy: ReleasePolicyAsked | None = None

    def edit(self) -> KeyEdit:
        """Return what this asks for beside the key; BadRequest when a time or an operation cannot be one.

        An empty list of operations says nothing: the Java client sends one with each key whose operations its user does
        not name, and its own tests decrypt with such a key.
        """
        return _edit(self.attributes, self.tags, self.release_policy, self.key.key_ops or None)

    def wrapped(self, blob: bytes, host: str) -> tuple[WrappedKey, tuple[str, str | None]]:
        """Return the key in `blob` as custody takes it, and name and version of the key that it is wrapped to.

        host: of the vault that is asked. BadRequest for what is no such key.
        """
        key = self.key
        type_, hsm = known_type(key.kty)
        if type_ not in {KeyType.RSA, KeyType.EC} or not (hsm or self.hsm):
            raise invalid_property("kty", "a key that comes wrapped is of type RSA-HSM or EC-HSM")
        if any(getattr(key, member) is not None for member in PRIVATE):
            raise invalid_property("key", "it comes wrapped, in key_hsm, or with its private members, not both")
        transfer = read_transfer(blob, host)
        told = PublicParts(n=key.n, e=key.e, x=key.x, y=key.y)
        wrapped = WrappedKey(type=type_, blob=transfer.ciphertext, curve=known_curve(key.crv), public=told)
        return wrapped, (transfer.name, transfer.version)

    def parts(self) -> tuple[PrivateParts, bool]:
        """Return the key as custody takes it, and whether for an HSM; BadRequest for a type that there is not."""
        key = self.key
        type_, hsm = known_type(key.kty)
        parts = PrivateParts(
            type=type_,
            curve=known_curve(key.crv),
            n=key.n,
            e=key.e,
            x=key.x,
            y=key.y,
            d=key.d,
            p=key.p,
            q=key.q,
            dp=key.dp,
            dq=key.dq,
            qi=key.qi,
            k=key.k,
        )
        return parts, hsm or bool(self.hsm)


class KeyEncrypt(msgspec.Struct, frozen=True, kw_only=True):
    """The body of Encrypt and WrapKey; the value is a plaintext."""

    alg: AlgorithmName
    value: SensitiveOctets
    iv: Octets | None = None
    aad: Octets | None = None


class KeyDecrypt(msgspec.Struct, frozen=True, kw_only=True):
    """The body of Decrypt and UnwrapKey; the value is a ciphertext."""

    alg: AlgorithmName
    value: Octets
    iv: Octets | None = None
    aad: Octets | None = None
    tag: Octets | None = None

    def ciphertext(self) -> Ciphertext:
        """Return what is to be decrypted."""
        return Ciphertext(value=self.value, iv=self.iv, tag=self.tag, aad=self.aad)


class KeySign(msgspec.Struct, frozen=True, kw_only=True):
    """The body of Sign. The value is a digest; for ML-DSA the message, or its representative (`external_mu`)."""

    alg: AlgorithmName
    value: Octets
    external_mu: bool | None = None
    context: Octets | None = None


class KeyVerify(msgspec.Struct, frozen=True, kw_only=True):
    """The body of Verify: what was signed, as Sign takes it, and the signature as `value`."""

    alg: AlgorithmName
    digest: Octets
    value: Octets
    external_mu: bool | None = None
    context: Octets | None = None


def edit_of(body: KeyUpdate | KeyImport, api_version: str | None) -> KeyEdit:
    """Return what a body asks for beside a key; BadRequest for terms of release that its api-version does not know."""
    edit = body.edit()
    if api_version in BEFORE_RELEASE and (edit.exportable or edit.release_policy is not None):
        raise not_exportable_here()
    return edit


def known_type(name: str) -> tuple[KeyType, bool]:
    """Return the type of a key by its name in any case, and whether it is an HSM's; BadRequest when it is none."""
    found = TYPES.get(name.lower())
    if found is None:
        raise invalid_property("kty", "it is EC, EC-HSM, RSA, RSA-HSM or oct-HSM")
    return found


def known_curve(name: str | None) -> str | None:
    """Return a curve's name as it is spelled, whatever its case, None for none; BadRequest when it is none."""
    if name is None:
        return None
    found = OLD_CURVE_NAMES.get(name.upper(), name.upper())
    if found not in CURVES:
        raise invalid_property("crv", f"it is one of {', '.join(CURVES)}")
    return found


def _edit(
    attributes: KeyAttributesPatch | None,
    tags: dict[str, str] | None,
    release_policy: ReleasePolicyAsked | None,
    key_ops: Iterable[str] | None,
) -> KeyEdit:
    given = attributes or KeyAttributesPatch()
    return KeyEdit(
        enabled=given.enabled,
        not_before=moment_of("nbf", given.nbf),
        expires=moment_of("exp", given.exp),
        tags=None if tags is None else tuple(tags.items()),
        operations=None if key_ops is None else known_operations(key_ops),
        exportable=given.exportable,
        release_policy=None if release_policy is None else release_policy.asked(),
    )
