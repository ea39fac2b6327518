"""Secrets as resources: what templates write into a vault. Values go in and never come out, in no answer or record.

Source: REST Secrets of the resource manager, `SecretCreateOrUpdateParameters`, `SecretPatchParameters`, `Secret`.
"""

from functools import partial

import msgspec
from msgspec import UNSET, UnsetType

from strongroom.access.authorization.actions import SECRETS_WRITE
from strongroom.audit.event import Category
from strongroom.objects.secrets.model import Secret
from strongroom.objects.secrets.service import Secrets
from strongroom.planes.call import Call
from strongroom.planes.data.secrets import SET_LIMIT
from strongroom.planes.data.wire import AttributesPatch, ContentType, Moment, SecretUpdate, Tags, Value, seconds_of
from strongroom.planes.http import Response
from strongroom.planes.management import answers
from strongroom.planes.management.listing import PAGE
from strongroom.planes.management.places import OBJECT_SCOPES
from strongroom.planes.management.vaultobjects import ask_vault, note_version, object_uri, page_of_objects, resource_id
from strongroom.planes.management.wire import Wire, render
from strongroom.planes.operation import Operation

SECRET = OBJECT_SCOPES[0]
SECRETS = SECRET.rpartition("/")[0]
READ = "Microsoft.KeyVault/vaults/secrets/read"
WRITE = SECRETS_WRITE


class VaultSecretChange(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a secret is asked to become. A value makes a new version."""

    value: Value | None = None
    content_type: ContentType | None = None
    attributes: AttributesPatch | None = None


class VaultSecretProperties(VaultSecretChange, frozen=True, rename="camel", kw_only=True):
    """What a secret is asked to be; the value is sensitive from its first moment here."""

    value: Value


class VaultSecretBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a secret's PUT."""

    properties: VaultSecretProperties
    tags: Tags | None = None


class VaultSecretPatch(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a secret's PATCH."""

    properties: VaultSecretChange | None = None
    tags: Tags | None = None


class VaultSecretAttributes(Wire, kw_only=True):
    """Attributes of a secret; times are seconds since 1970."""

    enabled: bool
    nbf: Moment | UnsetType = UNSET
    exp: Moment | UnsetType = UNSET
    created: int
    updated: int


class VaultSecretAnswerProperties(Wire, kw_only=True):
    """What a secret is, but for its value."""

    attributes: VaultSecretAttributes
    content_type: ContentType | UnsetType = UNSET
    secret_uri: str
    secret_uri_with_version: str


class VaultSecretAnswer(Wire, kw_only=True):
    """A secret as a resource."""

    id: str
    name: str
    type: str
    location: str
    tags: Tags
    properties: VaultSecretAnswerProperties


async def put(call: Call) -> Response:
    """Add a version to a secret, its first one where there is none; the value is not repeated."""
    secrets = await _secrets(call)
    body: VaultSecretBody = call.body
    before = await secrets.find_living(call.parameters["secret"])
    secret = await secrets.set(call.parameters["secret"], body.properties.value, _change(body).edit())
    return _shown(call, secret, 201 if before is None else 200)


async def patch(call: Call) -> Response:
    """Edit the newest version of a secret; with a value, add a version that says what the newest one said, edited."""
    secrets = await _secrets(call)
    body: VaultSecretPatch = call.body
    name, edit = call.parameters["secret"], _change(body).edit()
    value = body.properties.value if body.properties else None
    if value is None:
        return _shown(call, await secrets.update(name, None, edit))
    return _shown(call, await secrets.revise(name, value, edit))


async def get(call: Call) -> Response:
    """Tell what a secret says of itself; its value stays sealed."""
    return _shown(call, await (await _secrets(call)).living(call.parameters["secret"]))


async def list_secrets(call: Call) -> Response:
    """List the living secrets of a vault, without their values."""
    secrets = await _secrets(call)
    return await page_of_objects(call, secrets.list, lambda each: each.state.name, partial(_answer, call))


async def _secrets(call: Call) -> Secrets:
    vault, stores = await ask_vault(call), call.stores
    grants = stores.assignments
    return Secrets(stores.secrets, stores.keyring, call.custodian, vault=vault, now=call.now, grants=grants)


def _change(body: VaultSecretBody | VaultSecretPatch) -> SecretUpdate:
    """Return what is asked for beside the value, as a vault itself is asked."""
    asked = body.properties or VaultSecretChange()
    return SecretUpdate(content_type=asked.content_type, attributes=asked.attributes, tags=body.tags)


def _shown(call: Call, secret: Secret, status: int = 200) -> Response:
    note_version(call, secret)
    return render(_answer(call, secret), status)


def _answer(call: Call, secret: Secret) -> VaultSecretAnswer:
    vault, version, uri = call.known_vault(), secret.version, object_uri(call, secret)
    return VaultSecretAnswer(
        id=resource_id(vault, secret),
        name=secret.state.name,
        type=f"{answers.VAULT_TYPE}/secrets",
        location=vault.location,
        tags=dict(version.tags),
        properties=VaultSecretAnswerProperties(
            attributes=VaultSecretAttributes(
                enabled=version.enabled,
                nbf=UNSET if version.not_before is None else seconds_of(version.not_before),
                exp=UNSET if version.expires is None else seconds_of(version.expires),
                created=seconds_of(version.created),
                updated=seconds_of(version.updated),
            ),
            content_type=UNSET if version.content_type is None else version.content_type,
            secret_uri=uri,
            secret_uri_with_version=f"{uri}/{version.version}",
        ),
    )


ROW = partial(Operation, category=Category.AUDIT)
CHANGE = partial(
    ROW,
    path=SECRET,
    needs=WRITE,
    gives=VaultSecretAnswer,
    changes=True,
    body_limit=SET_LIMIT,
)

OPERATIONS = (
    CHANGE(
        method="PUT",
        handler=put,
        log="SecretSet",
        takes=VaultSecretBody,
        refuses=(409,),
        success=(200, 201),
        name="put_vault_secret",
    ),
    CHANGE(method="PATCH", handler=patch, log="SecretUpdate", takes=VaultSecretPatch, name="update_vault_secret"),
    ROW(
        method="GET",
        path=SECRET,
        handler=get,
        needs=READ,
        log="SecretGetMetadata",
        gives=VaultSecretAnswer,
        name="get_vault_secret",
    ),
    ROW(
        method="GET",
        path=SECRETS,
        handler=list_secrets,
        needs=READ,
        log="SecretList",
        gives=answers.Page[VaultSecretAnswer],
        query=PAGE,
        name="list_vault_secrets",
    ),
)
