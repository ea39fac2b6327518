"""Who exists: tenants, users, groups, applications with their credentials, token-signing keys; and who is calling.

All values are frozen; times are aware UTC, whole seconds. Applications and their service principals are one thing here:
`app_id` is what signs in, `object_id` is what policies and roles name.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PrincipalType(StrEnum):
    """Kinds of principal, spelled as role assignments spell them."""

    USER = "User"
    GROUP = "Group"
    SERVICE_PRINCIPAL = "ServicePrincipal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A directory: every principal and every subscription belongs to one."""

    tenant_id: str
    display_name: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """A client secret as kept: its HMAC-SHA-256 under the sealed key `digest_key`, never the secret.

    hint: its first three characters, as the directory shows them.
    """

    key_id: str
    digest: bytes
    digest_key: str
    hint: str
    display_name: str
    created: datetime
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """A certificate (DER) whose key may sign client assertions."""

    key_id: str
    der: bytes
    sha1: bytes
    sha256: bytes
    display_name: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application and its service principal. trusted: whether it counts as a trusted service of the network."""

    app_id: str
    object_id: str
    tenant_id: str
    display_name: str
    created: datetime
    enabled: bool = True
    secrets: tuple[ClientSecret, ...] = ()
    certificates: tuple[ClientCertificate, ...] = ()
    trusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person of the directory. user_principal_name: as it was written; no two differ in case alone."""

    object_id: str
    tenant_id: str
    user_principal_name: str
    display_name: str
    created: datetime
    enabled: bool = True
    mail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A security group: what is granted to it counts for its members, and for those of groups in it."""

    object_id: str
    tenant_id: str
    display_name: str
    created: datetime
    description: str = ""


class Relation(StrEnum):
    """What a principal is to a group. Owners gain nothing by it: they are no members."""

    MEMBER = "member"
    OWNER = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """That a principal belongs to a group, itself and not through another group."""

    group_id: str
    relation: Relation
    member_id: str
    member_type: PrincipalType
    added: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever something can be granted to, of whichever kind.

    name: what tells it from others of its kind: a user's principal name, an application's id, a group's object id.
    """

    object_id: str
    type: PrincipalType
    display_name: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A token-signing key: RSA-2048, the private half (PKCS#8 DER) sealed by custody.

    begins: when it begins to sign, None for since it was made; it is published before. retired: when it stops signing;
    it verifies until every token it signed has expired.
    """

    kid: str
    public_der: bytes
    sealed_private: bytes
    created: datetime
    begins: datetime | None = None
    retired: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a verified token says is calling. Made by `access.identity.verifier` and by nobody else.

    principals: every object id whose grants count: the caller's own, then its groups'.
    """

    object_id: str
    app_id: str
    tenant_id: str
    issuer: str
    type: PrincipalType
    audience: str
    token_id: str
    expires: datetime
    user_principal_name: str | None = None
    principals: frozenset[str] = frozenset()
