"""Keys as resources on the wire: what is asked for when one is made, and what is told of it.

Source: REST Keys of the resource manager, `KeyCreateParameters`, `KeyProperties`, `RotationPolicy`. Beside the vault's
own words some are spelled in the resource manager's way: `keyOps` has `release` where a vault says `export`.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from strongroom.custody.provider import KeySpec
from strongroom.objects.keys.model import HSM_SUFFIX, Key, KeyEdit, Operation
from strongroom.objects.keys.release import CONTENT_TYPE
from strongroom.objects.keys.rotation import Period, RotationPolicy
from strongroom.objects.lifecycle import recovery_level
from strongroom.objects.model import invalid_property
from strongroom.octets import encode_octets
from strongroom.planes.data.keyrequests import Curve, KeyAttributesPatch, KeyCreate, ReleasePolicyAsked, Tags, Type
from strongroom.planes.data.keywire import OCTETS
from strongroom.planes.data.rotationwire import Duration, KeyRotationPolicy
from strongroom.planes.data.wire import Moment, seconds_of
from strongroom.planes.management import answers
from strongroom.planes.management.wire import Wire
from strongroom.vaults.model import Vault, id_of_vault

RELEASE = "release"
_NAMES = {each.value: RELEASE if each is Operation.EXPORT else each.value for each in Operation}
_OPERATIONS = {name.lower(): value for value, name in _NAMES.items()}
KeyOps = list[Annotated[str, Meta(extra_json_schema={"enum": list(_NAMES.values())})]]
KEY_TYPE = f"{answers.VAULT_TYPE}/keys"
VERSION_TYPE = f"{KEY_TYPE}/versions"


class VaultKeyProperties(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a key is asked to be."""

    kty: Type
    key_ops: KeyOps | None = None
    key_size: int | None = None
    curve_name: Curve | None = None
    attributes: KeyAttributesPatch | None = None
    rotation_policy: KeyRotationPolicy | None = None
    release_policy: ReleasePolicyAsked | None = msgspec.field(default=None, name="release_policy")


class VaultKeyBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a key's PUT."""

    properties: VaultKeyProperties
    tags: Tags | None = None

    def spec(self) -> tuple[KeySpec, bool]:
        """Return what key this asks for, and whether as an HSM's; BadRequest for one that there is not."""
        return self._asked().spec()

    def edit(self) -> KeyEdit:
        """Return what this asks for beside the key; BadRequest when a time or an operation cannot be one."""
        return self._asked().edit()

    def policy(self) -> RotationPolicy | None:
        """Return the rotation policy that this asks for, None for none; BadRequest for one that is none."""
        asked = self.properties.rotation_policy
        return None if asked is None else asked.policy()

    def _asked(self) -> KeyCreate:
        """Return the same as a vault itself is asked."""
        asked = self.properties
        return KeyCreate(
            kty=asked.kty,
            key_ops=None if asked.key_ops is None else _vault_operations(asked.key_ops),
            key_size=asked.key_size,
            crv=asked.curve_name,
            attributes=asked.attributes,
            tags=self.tags,
            release_policy=asked.release_policy,
        )


class VaultKeyAttributes(Wire, kw_only=True):
    """Attributes of a key; times are seconds since 1970."""

    enabled: bool
    nbf: Moment | UnsetType = UNSET
    exp: Moment | UnsetType = UNSET
    created: int
    updated: int
    recovery_level: str
    exportable: bool


class VaultKeyTrigger(Wire, kw_only=True):
    """When something is done to a key."""

    time_after_create: Duration | UnsetType = UNSET
    time_before_expiry: Duration | UnsetType = UNSET


class VaultKeyActionType(Wire, kw_only=True):
    """What is done to a key: `rotate` or `notify`, in lower case here."""

    type: str


class VaultKeyAction(Wire, kw_only=True):
    """What is done to a key, and when."""

    trigger: VaultKeyTrigger
    action: VaultKeyActionType


class VaultKeyPolicyAttributes(Wire, kw_only=True):
    """How long what rotation makes is valid; when the policy was made and changed."""

    created: int | UnsetType = UNSET
    updated: int | UnsetType = UNSET
    expiry_time: Duration | UnsetType = UNSET


class VaultKeyPolicy(Wire, kw_only=True):
    """When a key is rotated by itself."""

    attributes: VaultKeyPolicyAttributes
    lifetime_actions: list[VaultKeyAction]


class VaultKeyReleasePolicy(Wire, kw_only=True):
    """On which terms a key may leave. data: the policy's JSON."""

    content_type: str
    data: Annotated[str, OCTETS]


class VaultKeyAnswerProperties(Wire, kw_only=True):
    """What a key is, but for the key itself."""

    attributes: VaultKeyAttributes
    kty: str
    key_ops: KeyOps
    key_size: int | UnsetType = UNSET
    curve_name: str | UnsetType = UNSET
    key_uri: str
    key_uri_with_version: str
    rotation_policy: VaultKeyPolicy | UnsetType = UNSET
    release_policy: VaultKeyReleasePolicy | UnsetType = msgspec.field(default=UNSET, name="release_policy")


class VaultKeyAnswer(Wire, kw_only=True):
    """A key, or a version of one, as a resource."""

    id: str
    name: str
    type: str
    location: str
    tags: Tags
    properties: VaultKeyAnswerProperties


def write_key(vault: Vault, key: Key, uri: str, policy: RotationPolicy | None = None) -> VaultKeyAnswer:
    """Return a key with its newest version. uri: where the vault tells it. policy: how it is rotated."""
    return VaultKeyAnswer(
        id=_key_id(vault, key),
        name=key.state.name,
        type=KEY_TYPE,
        location=vault.location,
        tags=dict(key.version.tags),
        properties=_properties(vault, key, uri, policy),
    )


def write_version(vault: Vault, key: Key, uri: str, policy: RotationPolicy | None = None) -> VaultKeyAnswer:
    """Return a version of a key. uri: where the vault tells the key. policy: how it is rotated."""
    return VaultKeyAnswer(
        id=f"{_key_id(vault, key)}/versions/{key.version.version}",
        name=key.version.version,
        type=VERSION_TYPE,
        location=vault.location,
        tags=dict(key.version.tags),
        properties=_properties(vault, key, uri, policy),
    )


def _vault_operations(names: Sequence[str]) -> tuple[str, ...]:
    """Return operations as a vault calls them; BadRequest for one that is none."""
    found = [_OPERATIONS.get(name.lower()) for name in names]
    if None in found:
        raise invalid_property("keyOps", f"the operations of a key here are {', '.join(_NAMES.values())}")
    return tuple([each for each in found if each is not None])


def _key_id(vault: Vault, key: Key) -> str:
    return f"{id_of_vault(vault)}/keys/{key.state.name}"


def _properties(vault: Vault, key: Key, uri: str, policy: RotationPolicy | None) -> VaultKeyAnswerProperties:
    version = key.version
    spec, release = version.spec, version.release_policy
    return VaultKeyAnswerProperties(
        attributes=_attributes(vault, key),
        kty=f"{spec.type}{HSM_SUFFIX}" if version.hsm else str(spec.type),
        key_ops=[_NAMES[each.value] for each in version.operations],
        key_size=spec.bits or UNSET,
        curve_name=spec.curve or UNSET,
        key_uri=uri,
        key_uri_with_version=f"{uri}/{version.version}",
        rotation_policy=UNSET if policy is None else _policy(policy),
        release_policy=UNSET
        if release is None
        else VaultKeyReleasePolicy(content_type=CONTENT_TYPE, data=encode_octets(release.data)),
    )


def _attributes(vault: Vault, key: Key) -> VaultKeyAttributes:
    version = key.version
    return VaultKeyAttributes(
        enabled=version.enabled,
        nbf=UNSET if version.not_before is None else seconds_of(version.not_before),
        exp=UNSET if version.expires is None else seconds_of(version.expires),
        created=seconds_of(version.created),
        updated=seconds_of(version.updated),
        recovery_level=recovery_level(vault.retention_days, purge_protection=vault.purge_protection),
        exportable=version.exportable,
    )


def _policy(policy: RotationPolicy) -> VaultKeyPolicy:
    return VaultKeyPolicy(
        attributes=VaultKeyPolicyAttributes(
            created=UNSET if policy.created is None else seconds_of(policy.created),
            updated=UNSET if policy.updated is None else seconds_of(policy.updated),
            expiry_time=_text(policy.expiry),
        ),
        lifetime_actions=[
            VaultKeyAction(
                trigger=VaultKeyTrigger(
                    time_after_create=_text(trigger.after_create), time_before_expiry=_text(trigger.before_expiry)
                ),
                action=VaultKeyActionType(type=kind),
            )
            for kind, trigger in (("rotate", policy.rotate), ("notify", policy.notify))
            if trigger is not None
        ],
    )


def _text(period: Period | None) -> str | UnsetType:
    return UNSET if period is None else period.text
