"""What the document of the management plane says beside its rows."""

from functools import cache
from typing import Annotated, Any

from msgspec import Meta

from strongroom.ids import OBJECT_NAME, OBJECT_VERSION, VAULT_NAME
from strongroom.planes.management.answers import ErrorBody, VaultAnswer
from strongroom.planes.management.versions import API_VERSION, versions_of
from strongroom.planes.management.wire import Guid
from strongroom.planes.openapi import Face, bounds_of
from strongroom.planes.operation import Operation, Parameter
from strongroom.resources.locks import MAX_NAME, may_be_locked
from strongroom.resources.networks.request import NETWORK_NAME, SUBNET_NAME
from strongroom.resources.service import MAX_TAG_NAME, MAX_TAG_VALUE
from strongroom.vaults.policies import PolicyChange

Word = Annotated[str, Meta(min_length=1)]
ObjectName = Annotated[str, Meta(extra_json_schema=bounds_of(OBJECT_NAME))]
VaultName = Annotated[str, Meta(extra_json_schema=bounds_of(VAULT_NAME))]


def _version(bounds: dict[str, Any]) -> Parameter:
    return Parameter(
        name="api-version",
        kind=Annotated[str, Meta(extra_json_schema=bounds)],
        text="The version of the interface that the client speaks; there is no default.",
        required=True,
    )


@cache
def _one_of(versions: tuple[str, ...]) -> Parameter:
    return _version({"enum": sorted(versions)})


ANY_VERSION = _version(bounds_of(API_VERSION))


def _always(row: Operation) -> tuple[Parameter, ...]:
    """Return the api-version, by what the path names; what is our own has none."""
    if row.anonymous:
        return (ANY_VERSION,)
    versions = versions_of(row.path, row.since)
    return () if versions is None else (_one_of(versions),)


def _refuses(row: Operation) -> frozenset[int]:
    """Return what every row may be refused for, and what its permission and the places in its path add."""
    found = {400}
    if not row.anonymous:
        found.add(401)
    if row.needs is not None:
        found.add(403)
    if row.placeholders:
        found.add(404)
    if isinstance(row.needs, str) and "subscription" in row.placeholders and may_be_locked(row.needs):
        found.add(409)
    return frozenset(found)


FACE = Face(
    title="Strongroom: the management plane",
    text="Subscriptions, resource groups, vaults, roles and locks: the resource manager that `az` and the SDKs speak. "
    "Any request may be answered 503 while the disk cannot be written; nothing was changed then. One without valid "
    "credentials is answered 429 when its address sent too many of them.",
    host="management",
    audience="management",
    errors=(ErrorBody,),
    places=(
        Parameter(
            name="subscription",
            kind=Guid,
            text="The id of a subscription.",
        ),
        Parameter(
            name="group",
            kind=Annotated[str, Meta(min_length=1, max_length=90)],
            text="The name of a resource group: letters, digits, `_`, `-`, `.`, `(`, `)`; no dot at its end.",
        ),
        Parameter(name="vault", kind=VaultName, text="The name of a vault."),
        Parameter(
            name="collection",
            kind=Annotated[str, Meta(extra_json_schema={"enum": ["secrets", "keys", "certificates"]})],
            text="The kind of an object in a vault.",
        ),
        Parameter(name="object", kind=ObjectName, text="The name of an object in a vault; it need not exist."),
        Parameter(name="denial", kind=Guid, text="The id of a deny assignment; there are none."),
        Parameter(name="role", kind=Guid, text="The id of a role."),
        Parameter(name="assignment", kind=Guid, text="The id of a role assignment: a GUID of the client's choice."),
        Parameter(name="secret", kind=ObjectName, text="The name of a secret in the vault."),
        Parameter(name="key", kind=ObjectName, text="The name of a key in the vault."),
        Parameter(
            name="version",
            kind=Annotated[str, Meta(extra_json_schema=bounds_of(OBJECT_VERSION))],
            text="A version of the key: 32 hexadecimal digits.",
        ),
        Parameter(name="connection", kind=Word, text="The name of a private endpoint connection."),
        Parameter(name="principal", kind=Guid, text="The object id of an application, a user or a group."),
        Parameter(name="deleted", kind=VaultName, text="The name of a deleted vault."),
        Parameter(name="location", kind=Word, text="Where it was: the location that the vault said."),
        Parameter(
            name="kind",
            kind=Annotated[str, Meta(extra_json_schema={"enum": [change.value for change in PolicyChange]})],
            text="What is done with the policies of the body.",
        ),
        Parameter(name="namespace", kind=Word, text="The name of a resource provider, such as `Microsoft.KeyVault`."),
        Parameter(name="operation", kind=Word, text="The id of an operation, from the `Location` of a 202."),
        Parameter(
            name="lock",
            kind=Annotated[str, Meta(min_length=1, max_length=MAX_NAME)],
            text="The name of a lock: none of `<>%&:\\?/` and no control character.",
        ),
        Parameter(
            name="tag",
            kind=Annotated[str, Meta(min_length=1, max_length=MAX_TAG_NAME)],
            text="The name of a tag: none of `<>%&\\?/`.",
        ),
        Parameter(
            name="value",
            kind=Annotated[str, Meta(min_length=1, max_length=MAX_TAG_VALUE)],
            text="The value of a tag.",
        ),
        Parameter(
            name="network",
            kind=Annotated[str, Meta(extra_json_schema=bounds_of(NETWORK_NAME))],
            text="The name of a virtual network.",
        ),
        Parameter(
            name="subnet",
            kind=Annotated[str, Meta(extra_json_schema=bounds_of(SUBNET_NAME))],
            text="The name of a subnet.",
        ),
        Parameter(name="hsm", kind=Word, text="The name of a managed HSM; there are none."),
        Parameter(name="deletedHsm", kind=Word, text="The name of a deleted managed HSM; there are none."),
    ),
    always=_always,
    refuses=_refuses,
    free=frozenset({"kind"}),
    carried={VaultAnswer: {"deleted": "$request.path.vault", "location": "$response.body#/location"}},
)
