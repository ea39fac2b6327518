"""A key: one name, many immutable versions. What is private lies sealed; attributes, operations and tags are edited.

Sources: REST `KeyBundle`, `KeyAttributes`, `JsonWebKeyOperation`; "About keys", date-time controlled operations.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from msgspec.structs import replace

from strongroom.custody.provider import KeptKey, KeySpec, KeyType, PublicParts
from strongroom.errors import BadRequest, KeyDisabled, KeyExpired, KeyNotYetValid, KeyOperationForbidden
from strongroom.objects.keys.release import AskedPolicy, ReleasePolicy
from strongroom.objects.model import Edit, Held, Version, edited, invalid_property, require_tags_within

MAX_TAG_TEXT = 256  # source: "About keys", key tags
HSM_SUFFIX = "-HSM"


class Operation(StrEnum):
    """What a key may be used for; the value is its name on the wire."""

    ENCRYPT = "encrypt"
    DECRYPT = "decrypt"
    SIGN = "sign"
    VERIFY = "verify"
    WRAP = "wrapKey"
    UNWRAP = "unwrapKey"
    IMPORT = "import"
    EXPORT = "export"


# What reads what the key made before; the others make something new, which a key must be valid for.
OUTSIDE_WINDOW = frozenset({Operation.DECRYPT, Operation.UNWRAP, Operation.VERIFY})

_CIPHER = (Operation.ENCRYPT, Operation.DECRYPT)
_SIGNATURE = (Operation.SIGN, Operation.VERIFY)
_WRAPPING = (Operation.WRAP, Operation.UNWRAP)
DEFAULTS = MappingProxyType(
    {
        KeyType.RSA: (*_CIPHER, *_SIGNATURE, *_WRAPPING),
        KeyType.EC: _SIGNATURE,
        KeyType.OCT: (*_CIPHER, *_WRAPPING),
        KeyType.AKP: _SIGNATURE,
    }
)
"""The operations of a key whose maker says none, as the service has them."""
POSSIBLE = MappingProxyType({**DEFAULTS, KeyType.OCT: (*_CIPHER, *_WRAPPING, *_SIGNATURE)})
"""What keys of a type can do at all. Exportable ones may say `export` too; but what lets a key leave is its policy."""
EXCHANGE = (Operation.IMPORT,)
"""The operations of a key exchange key, which unwraps keys that are brought and does nothing else."""
RELEASABLE = frozenset({KeyType.RSA, KeyType.EC, KeyType.OCT})
"""The types whose keys have a form to leave in."""


class KeyVersion(Version, frozen=True, kw_only=True):
    """One version of a key; rotation adds one and changes none.

    sealed: the handle of its provider (`custody.provider`), meaningless elsewhere. hsm: it was asked for as a key of an
    HSM, and its type is told so. platform: the `hsmPlatform` of who keeps it, "0" where software stands in.
    exportable: it may leave, as its release policy says. The policy of a key is that of its newest version.
    """

    spec: KeySpec
    public: PublicParts
    operations: tuple[Operation, ...]
    hsm: bool = False
    platform: str = "0"
    exportable: bool = False
    release_policy: ReleasePolicy | None = None

    def require(self, operation: Operation, now: datetime) -> None:
        """Raise KeyDisabled, KeyOperationForbidden, KeyNotYetValid or KeyExpired unless `operation` may run at `now`.

        Outside its dates a key still reads what it made: it decrypts, unwraps and verifies.
        """
        self.require_enabled(operation)
        if operation not in self.operations:
            raise KeyOperationForbidden(f"Operation {operation} is not permitted on this key.")
        if operation in OUTSIDE_WINDOW:
            return
        if self.not_before is not None and now < self.not_before:
            raise KeyNotYetValid(f"Operation {operation} is not allowed on a key that is not yet valid.")
        if self.expires is not None and now >= self.expires:
            raise KeyExpired(f"Operation {operation} is not allowed on an expired key.")

    def require_enabled(self, use: str) -> None:
        """Raise KeyDisabled while the version is disabled. use: what is asked of it, as its operations are called."""
        if not self.enabled:
            raise KeyDisabled(f"Operation {use} is not allowed on a disabled key.")

    def require_exportable(self) -> None:
        """Raise KeyOperationForbidden unless this version may be released at all; when does not count."""
        self.require_enabled("release")
        if not self.exportable:
            raise KeyOperationForbidden("Operation release is not permitted on this key.")

    def kept(self, handle: bytes) -> KeptKey:
        """Return the key as its provider takes it. handle: what is sealed, as it lies there now."""
        return KeptKey(spec=self.spec, handle=handle, public=self.public, exportable=self.exportable)


Key = Held[KeyVersion]


class KeyEdit(Edit, frozen=True, kw_only=True):
    """What a caller wants a version to say. `not_before` after `expires` is accepted: such a key makes nothing new."""

    operations: tuple[Operation, ...] | None = None
    exportable: bool | None = None
    release_policy: AskedPolicy | None = None

    def require_within_limits(self, spec: KeySpec, *, exportable: bool, hsm: bool = False) -> None:
        """Raise BadRequest when the tags are longer or more than a key may have, or the key cannot do an operation."""
        require_tags_within(self.tags, MAX_TAG_TEXT)
        if self.operations is not None and Operation.IMPORT in self.operations:
            if self.operations != EXCHANGE or spec.type is not KeyType.RSA or exportable or not hsm:
                raise invalid_property("key_ops", f"{Operation.IMPORT} stands alone, in keys of type RSA-HSM")
            return
        possible = (*POSSIBLE[spec.type], Operation.EXPORT) if exportable else POSSIBLE[spec.type]
        if any(operation not in possible for operation in self.operations or ()):
            raise invalid_property("key_ops", f"a key of type {spec.type} can {', '.join(possible)}")

    def is_for_exchange(self) -> bool:
        """Answer whether this asks for a key exchange key."""
        return self.operations == EXCHANGE

    def require_not_for_exchange(self) -> None:
        """Raise BadRequest when this would make a key exchange key of one that is brought: somebody else has it too."""
        if self.is_for_exchange():
            raise invalid_property("key_ops", f"a key for {Operation.IMPORT} is made here, and not brought")

    def require_same_purpose(self, version: KeyVersion) -> None:
        """Raise BadRequest when this would make a key exchange key of another, or the reverse."""
        if self.operations is not None and self.is_for_exchange() != (version.operations == EXCHANGE):
            raise invalid_property("key_ops", f"a key is made with {Operation.IMPORT} and keeps it, or never has it")

    def require_same_state(self, version: KeyVersion) -> None:
        """Raise BadRequest when this would make a key exportable, or no longer so: a key stays what it was made."""
        if self.exportable not in (None, version.exportable):
            raise BadRequest("AKV.SKR.1014: Cannot modify the exportable state of a key.")

    def applied_to(self, version: KeyVersion, now: datetime) -> KeyVersion:
        """Return `version` edited at `now`: what the edit does not mention stays, tags are replaced as a whole."""
        operations = version.operations if self.operations is None else self.operations
        return replace(edited(version, self, now), operations=operations)


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a key may leave: never, or as a policy says."""

    exportable: bool = False
    policy: ReleasePolicy | None = None


def terms_of(before: KeyVersion | None, edit: KeyEdit, type_: KeyType, *, hsm: bool) -> Terms:
    """Return the terms of a new version. before: the newest version of its name, whose terms it is bound to.

    BadRequest, in the service's words, where exportable, policy and kind of key do not go together.
    """
    if before is not None:
        edit.require_same_state(before)
    exportable = bool(edit.exportable) if before is None else before.exportable
    policy = None if before is None else before.release_policy
    if edit.release_policy is not None:
        if not exportable:
            raise BadRequest("AKV.SKR.1005: Non-exportable keys must not have release policy.")
        policy = edit.release_policy.replacing(policy)
    if exportable and policy is None:
        raise BadRequest("AKV.SKR.1004: Exportable keys must have release policy.")
    if exportable and not (hsm and type_ in RELEASABLE):
        raise BadRequest("AKV.SKR.1006: Exportable keys are of type RSA-HSM, EC-HSM or oct-HSM.")
    return Terms(exportable, policy)


def known_operations(names: Iterable[str]) -> tuple[Operation, ...]:
    """Return the operations of these names, each once, in any case; BadRequest for a name that is none of a vault's.

    `release` names a use that is asked for in no such way: it is refused, not ignored.
    """
    found = [_BY_NAME.get(name.lower()) for name in names]
    operations = tuple(dict.fromkeys([operation for operation in found if operation is not None]))
    if None in found:
        raise invalid_property("key_ops", f"the operations of a key here are {', '.join(Operation)}")
    return operations


_BY_NAME = MappingProxyType({operation.lower(): operation for operation in Operation})
