"""Access policies: the permission names that they may hold, and how they are added, replaced and removed.

Names are kept in lower case and compared without regard to case. Sources: REST Vaults `KeyPermissions`,
`SecretPermissions`, `CertificatePermissions`, `StoragePermissions`; REST Vaults "Update Access Policy".
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum

from strongroom.errors import BadRequest
from strongroom.ids import is_guid
from strongroom.vaults.model import AccessPolicy

MAX_POLICIES = 1024
ALL = "all"
# The service gives `purge` by name only: it cannot be undone.
NOT_IN_ALL = frozenset({"purge"})

_CRYPTO = "encrypt decrypt wrapkey unwrapkey sign verify release"
_COMMON = "all get list delete backup restore recover purge"
PERMISSIONS: dict[str, frozenset[str]] = {
    "keys": frozenset(f"{_COMMON} {_CRYPTO} create update import rotate getrotationpolicy setrotationpolicy".split()),
    "secrets": frozenset(f"{_COMMON} set".split()),
    "certificates": frozenset(
        f"{_COMMON} create import update managecontacts getissuers listissuers setissuers deleteissuers"
        " manageissuers".split()
    ),
    "storage": frozenset(f"{_COMMON} set update regeneratekey setsas listsas getsas deletesas".split()),
}
KINDS = tuple(PERMISSIONS)


class PolicyChange(StrEnum):
    """What an access-policy request does with the policies that it carries."""

    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"


def permission_names(kind: str, names: Iterable[str]) -> frozenset[str]:
    """Return permission names of one kind in lower case; BadRequest when one is none."""
    found = frozenset(name.lower() for name in names)
    if found - PERMISSIONS[kind]:
        raise BadRequest("An invalid value was provided for 'accessPolicies'.", code="BadRequest")
    return found


def require_policies(policies: Iterable[AccessPolicy]) -> tuple[AccessPolicy, ...]:
    """Return policies as a vault may hold them: ids in lower case, one for each principal, at most 1024.

    Policies of the same tenant, object and application become one that grants what each of them did.
    """
    merged: dict[tuple[str, str, str | None], AccessPolicy] = {}
    for position, policy in enumerate(policies):
        _require_ids(position, policy)
        _put(merged, _in_lower_case(policy), _union)
    if len(merged) > MAX_POLICIES:
        raise BadRequest(f"A vault holds at most {MAX_POLICIES} access policies.", code="BadRequest")
    return tuple(merged.values())


def require_tenant(policies: Iterable[AccessPolicy], tenant_id: str) -> None:
    """Raise BadRequest when a policy is for another tenant than the vault's: nobody of it could ever use the vault.

    Source: REST Vaults, `accessPolicies`: all identities must use the tenant of the vault.
    """
    for position, policy in enumerate(policies):
        if is_guid(policy.tenant_id) and policy.tenant_id.lower() != tenant_id:
            raise BadRequest(
                f"Invalid value found at accessPolicies[{position}].TenantId: {policy.tenant_id}. It must be the "
                f"tenant of the vault, which is {tenant_id}.",
                code="BadRequest",
            )


def change_policies(
    present: tuple[AccessPolicy, ...], change: PolicyChange, given: Iterable[AccessPolicy]
) -> tuple[AccessPolicy, ...]:
    """Return the policies after a change; policies of principals that `given` does not name stay as they are.

    add: permissions are joined with those that a principal has. replace: they take their place.
    remove: they are taken away, and a policy that grants nothing any more goes.
    """
    result = {_key(policy): policy for policy in present}
    for policy in require_policies(given):
        if change is PolicyChange.ADD:
            _put(result, policy, _union)
        elif change is PolicyChange.REPLACE:
            result[_key(policy)] = policy
        elif _key(policy) in result:
            _put(result, policy, _difference)
            if not _grants_anything(result[_key(policy)]):
                del result[_key(policy)]
    return require_policies(result.values())


def _key(policy: AccessPolicy) -> tuple[str, str, str | None]:
    return policy.tenant_id, policy.object_id, policy.application_id


def _put(
    policies: dict[tuple[str, str, str | None], AccessPolicy],
    policy: AccessPolicy,
    combine: Callable[[AccessPolicy, AccessPolicy], AccessPolicy],
) -> None:
    before = policies.get(_key(policy))
    policies[_key(policy)] = policy if before is None else combine(before, policy)


def _union(one: AccessPolicy, other: AccessPolicy) -> AccessPolicy:
    return replace(
        one,
        keys=one.keys | other.keys,
        secrets=one.secrets | other.secrets,
        certificates=one.certificates | other.certificates,
        storage=one.storage | other.storage,
    )


def _difference(one: AccessPolicy, other: AccessPolicy) -> AccessPolicy:
    return replace(
        one,
        keys=_less("keys", one.keys, other.keys),
        secrets=_less("secrets", one.secrets, other.secrets),
        certificates=_less("certificates", one.certificates, other.certificates),
        storage=_less("storage", one.storage, other.storage),
    )


def _less(kind: str, granted: frozenset[str], removed: frozenset[str]) -> frozenset[str]:
    """Return what is left. `all` is spelled out before a part of it goes, so that what is removed is really gone."""
    if ALL in removed:
        return frozenset()
    if removed and ALL in granted:
        granted = granted | (PERMISSIONS[kind] - NOT_IN_ALL)
        return granted - removed - {ALL}
    return granted - removed


def _grants_anything(policy: AccessPolicy) -> bool:
    return bool(policy.keys or policy.secrets or policy.certificates or policy.storage)


def _in_lower_case(policy: AccessPolicy) -> AccessPolicy:
    return replace(
        policy,
        tenant_id=policy.tenant_id.lower(),
        object_id=policy.object_id.lower(),
        application_id=policy.application_id.lower() if policy.application_id else None,
    )


def _require_ids(position: int, policy: AccessPolicy) -> None:
    named = (("TenantId", policy.tenant_id), ("ObjectId", policy.object_id), ("ApplicationId", policy.application_id))
    for name, value in named:
        if value is not None and not is_guid(value):
            raise BadRequest(f"Invalid value found at accessPolicies[{position}].{name}: {value}", code="BadRequest")
