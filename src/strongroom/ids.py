"""Identifiers of vaults, objects and resources, parsed once at the edge.

Sources: ARM resource ids (`/subscriptions/{s}/resourceGroups/{g}/providers/…`), compared without regard to case;
Key Vault object names `^[0-9a-zA-Z-]+$`, 1 to 127 characters; vault names 3 to 24 characters, a letter first, a letter
or digit last, no two hyphens in a row.
"""

import re
import secrets
import uuid
from dataclasses import dataclass

VAULT_NAME = re.compile(r"(?=.{3,24}\Z)[a-zA-Z](?:-?[a-zA-Z0-9])*\Z", re.ASCII)
OBJECT_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}\Z", re.ASCII)
OBJECT_VERSION = re.compile(r"[0-9a-fA-F]{32}\Z", re.ASCII)
GROUP_NAME = re.compile(r"(?=.{1,90}\Z)[\w().-]*[\w()-]\Z")
SUBNET_ID = re.compile(
    r"/subscriptions/([^/\s]{1,64})/resourceGroups/([^/\s]{1,90})/providers/Microsoft\.Network"
    r"/virtualNetworks/([^/\s]{1,80})/subnets/([^/\s]{1,80})\Z",
    re.IGNORECASE | re.ASCII,
)
GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.ASCII | re.IGNORECASE)


def new_guid() -> str:
    """Return a fresh random GUID in its usual lower-case form."""
    return str(uuid.uuid4())


def new_version() -> str:
    """Return a fresh object version: 32 lower-case hexadecimal digits."""
    return secrets.token_hex(16)


def is_guid(text: str) -> bool:
    """Answer whether `text` is a GUID with hyphens and without braces."""
    return GUID.match(text) is not None


@dataclass(frozen=True, slots=True)
class Scope:
    """A place where a role may be assigned: `/`, a subscription, a resource group, a vault or an object in it.

    Kept in lower case, without a slash at the end: scopes compare as text.
    """

    path: str

    @classmethod
    def parse(cls, text: str) -> "Scope":
        """Return the scope that `text` names."""
        return cls("/" + text.strip("/").lower())

    def within(self, other: "Scope") -> bool:
        """Answer whether this scope is `other` or lies below it."""
        return other.path in ("/", self.path) or self.path.startswith(other.path + "/")

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class SubnetId:
    """What the resource id of a subnet names, in lower case: such ids are compared without regard to case."""

    subscription_id: str
    group: str
    network: str
    subnet: str

    @property
    def place(self) -> tuple[str, str, str]:
        """The subscription, the group and the name of the network that the subnet is in."""
        return self.subscription_id, self.group, self.network


def find_subnet_id(text: str) -> SubnetId | None:
    """Return what the resource id of a subnet names, None for a text that is none."""
    found = SUBNET_ID.match(text)
    return None if found is None else SubnetId(*[name.lower() for name in found.groups()])


def subscription_scope(subscription_id: str) -> str:
    """Return the resource id of a subscription."""
    return f"/subscriptions/{subscription_id}"


def group_scope(subscription_id: str, group: str) -> str:
    """Return the resource id of a resource group."""
    return f"/subscriptions/{subscription_id}/resourceGroups/{group}"


def vault_scope(subscription_id: str, group: str, vault: str) -> str:
    """Return the resource id of a vault."""
    return f"{group_scope(subscription_id, group)}/providers/Microsoft.KeyVault/vaults/{vault}"
