"""Keys as clients are told them: the one mapping from the model to the service's JSON.

Sources: REST `KeyBundle`, `KeyItem`, `DeletedKeyBundle`, `KeyAttributes`, `JsonWebKey`, `KeyOperationResult`,
`KeyVerifyResult`; RFC 7517, 7518. Bytes are base64url without padding; of a key only what is public goes out.
"""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from strongroom.custody.provider import Ciphertext
from strongroom.objects.keys.model import HSM_SUFFIX, Key
from strongroom.objects.keys.release import CONTENT_TYPE
from strongroom.objects.lifecycle import recovery_level
from strongroom.octets import PATTERN, SensitiveOctets, encode_octets
from strongroom.planes.data.keyrequests import Curve, Operations, Tags, Type
from strongroom.planes.data.wire import Moment, seconds_of
from strongroom.sensitive import Sensitive
from strongroom.vaults.model import Vault

OCTETS = Meta(extra_json_schema={"pattern": f"^{PATTERN}$"})


class KeyAttributes(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """Attributes of a key as the service tells them."""

    enabled: bool
    nbf: Moment | None = None
    exp: Moment | None = None
    created: int
    updated: int
    recovery_level: str
    recoverable_days: int
    exportable: bool
    hsm_platform: str


class JsonWebKey(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is public of a key."""

    kid: str
    kty: Type
    key_ops: Operations
    n: str | None = None
    e: str | None = None
    crv: Curve | None = None
    x: str | None = None
    y: str | None = None
    alg: str | None = None
    pub: str | None = None
    key_hsm: str | None = None


class KeyReleasePolicy(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """On which terms a key may leave. data: the policy's JSON."""

    content_type: str
    data: Annotated[str, OCTETS]
    immutable: bool = False


class KeyBundle(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """A version of a key."""

    key: JsonWebKey
    attributes: KeyAttributes
    tags: Tags | None = None
    release_policy: KeyReleasePolicy | None = msgspec.field(default=None, name="release_policy")


class KeyItem(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """A key, or one of its versions, in a list."""

    kid: str
    attributes: KeyAttributes
    tags: Tags | None = None


class DeletedKey(KeyBundle, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """A deleted key with its newest version."""

    recovery_id: str
    deleted_date: int
    scheduled_purge_date: int


class DeletedKeyItem(KeyItem, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """A deleted key in a list."""

    recovery_id: str
    deleted_date: int
    scheduled_purge_date: int


class KeyList(msgspec.Struct, frozen=True, rename="camel"):
    """A page of keys; `nextLink` is null on the last one."""

    value: tuple[KeyItem, ...]
    next_link: str | None


class DeletedKeyList(msgspec.Struct, frozen=True, rename="camel"):
    """A page of deleted keys; `nextLink` is null on the last one."""

    value: tuple[DeletedKeyItem, ...]
    next_link: str | None


class KeyOperationResult(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What an operation with a key brought: a signature, a ciphertext, or a plaintext."""

    kid: str
    value: Annotated[Sensitive[bytes], OCTETS]
    iv: str | None = None
    tag: str | None = None
    aad: str | None = None


class KeyVerifyResult(msgspec.Struct, frozen=True):
    """Whether the signature is one."""

    value: bool


def write_bundle(base: str, vault: Vault, key: Key) -> bytes:
    """Return a key as KeyBundle."""
    return encode(KeyBundle(**_bundle(base, vault, key)))


def released_bundle(base: str, vault: Vault, key: Key, key_hsm: str) -> KeyBundle:
    """Return a key that leaves as KeyBundle, with its wrapped self."""
    told = _bundle(base, vault, key)
    return KeyBundle(**told | {"key": msgspec.structs.replace(told["key"], key_hsm=key_hsm)})


def write_deleted(base: str, vault: Vault, key: Key) -> bytes:
    """Return a deleted key as DeletedKeyBundle."""
    return encode(DeletedKey(**_bundle(base, vault, key), **_deletion(base, key)))


def write_list(base: str, vault: Vault, page: Iterable[Key], next_link: str | None) -> bytes:
    """Return a page of keys, one item each with the newest version's attributes."""
    return encode(KeyList(tuple(KeyItem(**_item(base, vault, key, with_version=False)) for key in page), next_link))


def write_versions(base: str, vault: Vault, page: Iterable[Key], next_link: str | None) -> bytes:
    """Return a page of versions of one key."""
    return encode(KeyList(tuple(KeyItem(**_item(base, vault, key, with_version=True)) for key in page), next_link))


def write_deleted_list(base: str, vault: Vault, page: Iterable[Key], next_link: str | None) -> bytes:
    """Return a page of deleted keys."""
    found = tuple(DeletedKeyItem(**_item(base, vault, key, with_version=False), **_deletion(base, key)) for key in page)
    return encode(DeletedKeyList(found, next_link))


def write_plaintext(base: str, key: Key, plaintext: Sensitive[bytes]) -> bytes:
    """Return what was decrypted or unwrapped as KeyOperationResult."""
    return encode(KeyOperationResult(kid=key_id(base, key), value=plaintext))


def write_signature(base: str, key: Key, signature: bytes) -> bytes:
    """Return a signature as KeyOperationResult."""
    return encode(KeyOperationResult(kid=key_id(base, key), value=SensitiveOctets(signature)))


def write_ciphertext(base: str, key: Key, made: Ciphertext) -> bytes:
    """Return a ciphertext as KeyOperationResult, with what decrypting it needs."""
    return encode(
        KeyOperationResult(
            kid=key_id(base, key),
            value=SensitiveOctets(made.value),
            iv=_text(made.iv),
            tag=_text(made.tag),
            aad=_text(made.aad),
        )
    )


def key_id(base: str, key: Key, *, with_version: bool = True) -> str:
    """Return the id of a version, or of its key."""
    name = f"{base}/keys/{key.state.name}"
    return f"{name}/{key.version.version}" if with_version else name


def _reveal(value: Sensitive[bytes]) -> str:
    """Render what a key brought for the one who may ask it: the one type here that msgspec cannot write."""
    return encode_octets(value.reveal())


encode = msgspec.json.Encoder(enc_hook=_reveal).encode


def _bundle(base: str, vault: Vault, key: Key) -> dict[str, Any]:
    return {
        "key": _web_key(base, key),
        "attributes": _attributes(vault, key),
        "tags": dict(key.version.tags) or None,
        "release_policy": _policy(key),
    }


def _policy(key: Key) -> KeyReleasePolicy | None:
    policy = key.version.release_policy
    if policy is None:
        return None
    return KeyReleasePolicy(content_type=CONTENT_TYPE, data=encode_octets(policy.data), immutable=policy.immutable)


def _item(base: str, vault: Vault, key: Key, *, with_version: bool) -> dict[str, Any]:
    kid = key_id(base, key, with_version=with_version)
    return {"kid": kid, "attributes": _attributes(vault, key), "tags": dict(key.version.tags) or None}


def _deletion(base: str, key: Key) -> dict[str, Any]:
    state = key.state
    assert state.deleted is not None  # only deleted keys come here
    assert state.scheduled_purge is not None
    return {
        "recovery_id": f"{base}/deletedkeys/{state.name}",
        "deleted_date": seconds_of(state.deleted),
        "scheduled_purge_date": seconds_of(state.scheduled_purge),
    }


def _web_key(base: str, key: Key) -> JsonWebKey:
    version = key.version
    spec, public = version.spec, version.public
    return JsonWebKey(
        kid=key_id(base, key),
        kty=f"{spec.type}{HSM_SUFFIX}" if version.hsm else spec.type,
        key_ops=version.operations,
        n=_text(public.n),
        e=_text(public.e),
        crv=spec.curve,
        x=_text(public.x),
        y=_text(public.y),
        alg=spec.algorithm,
        pub=_text(public.pub),
    )


def _attributes(vault: Vault, key: Key) -> KeyAttributes:
    version = key.version
    return KeyAttributes(
        enabled=version.enabled,
        nbf=None if version.not_before is None else seconds_of(version.not_before),
        exp=None if version.expires is None else seconds_of(version.expires),
        created=seconds_of(version.created),
        updated=seconds_of(version.updated),
        recovery_level=recovery_level(vault.retention_days, purge_protection=vault.purge_protection),
        recoverable_days=vault.retention_days,
        exportable=version.exportable,
        hsm_platform=version.platform,
    )


def _text(octets: bytes | None) -> str | None:
    return None if octets is None else encode_octets(octets)
