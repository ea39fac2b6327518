"""The secrets of the data plane: parse, make one call, render."""

from strongroom.access.authorization import actions
from strongroom.objects.secrets.backup import back_up, restore
from strongroom.objects.secrets.model import Secret
from strongroom.objects.secrets.service import Secrets
from strongroom.planes.call import Call
from strongroom.planes.data import wire
from strongroom.planes.data.pages import PAGE, name_of, read_page, version_of
from strongroom.planes.http import JSON, Response
from strongroom.planes.operation import Operation
from strongroom.sensitive import Sensitive

# JSON may write each byte of a value in six; the largest backup is 14 MiB before base64. Both are below what a
# connection takes at all, so that it is the plane that refuses, with a record.
SET_LIMIT = 512 * 1024
RESTORE_LIMIT = 19 * 1024 * 1024


async def set_secret(call: Call) -> Response:
    """Add a version; the answer repeats its value, as the service does."""
    body: wire.SecretSet = call.body
    secret = await _secrets(call).set(call.parameters["name"], body.value, body.edit())
    return _bundle(call, secret, body.value)


async def get_secret(call: Call) -> Response:
    """Tell a version with its value, the newest when the path names none."""
    secret, value = await _secrets(call).get(call.parameters["name"], call.parameters.get("version"))
    return _bundle(call, secret, value)


async def update_secret(call: Call) -> Response:
    """Edit attributes, content type and tags of a version, the newest when the path names none."""
    body: wire.SecretUpdate = call.body
    secret = await _secrets(call).update(call.parameters["name"], call.parameters.get("version"), body.edit())
    return _bundle(call, secret)


async def list_secrets(call: Call) -> Response:
    """List the living secrets."""
    page = await read_page(call, "/secrets")
    found = await _secrets(call).list(page.after, page.limit + 1)
    return await page.answer(found, wire.write_list, name_of)


async def list_versions(call: Call) -> Response:
    """List the versions of a secret."""
    name = call.parameters["name"]
    page = await read_page(call, f"/secrets/{name}/versions")
    found = await _secrets(call).list_versions(name, page.after, page.limit + 1)
    return await page.answer(found, wire.write_versions, version_of)


async def delete_secret(call: Call) -> Response:
    """Delete a secret; it can be recovered for a while."""
    return _deleted(call, await _secrets(call).delete(call.parameters["name"]))


async def get_deleted_secret(call: Call) -> Response:
    """Tell a deleted secret, without its value."""
    return _deleted(call, await _secrets(call).get_deleted(call.parameters["name"]))


async def list_deleted_secrets(call: Call) -> Response:
    """List the deleted secrets that can be recovered."""
    page = await read_page(call, "/deletedsecrets")
    found = await _secrets(call).list_deleted(page.after, page.limit + 1)
    return await page.answer(found, wire.write_deleted_list, name_of)


async def recover_secret(call: Call) -> Response:
    """Bring a deleted secret back."""
    return _bundle(call, await _secrets(call).recover(call.parameters["name"]))


async def purge_secret(call: Call) -> Response:
    """Remove a deleted secret for good."""
    await _secrets(call).purge(call.parameters["name"])
    return Response(204)


async def backup_secret(call: Call) -> Response:
    """Hand out a sealed backup of a secret with all its versions."""
    value = await back_up(_secrets(call), call.parameters["name"])
    return Response(200, wire.encode(wire.Backup(value)), (JSON,))


async def restore_secret(call: Call) -> Response:
    """Take a backup back in."""
    body: wire.Backup = call.body
    return _bundle(call, await restore(_secrets(call), body.value))


def _secrets(call: Call) -> Secrets:
    stores = call.stores
    vault, grants = call.known_vault(), stores.assignments
    return Secrets(stores.secrets, stores.keyring, call.custodian, vault=vault, now=call.now, grants=grants)


def _bundle(call: Call, secret: Secret, value: Sensitive[bytes] | None = None) -> Response:
    call.object_id, bundle = _shown(call, secret)
    return Response(200, bundle if value is None else wire.add_value(bundle, value), (JSON,))


def _shown(call: Call, secret: Secret) -> tuple[str, bytes]:
    """Return the id of a version and what is shown of it beside its value, which is never remembered."""
    base, unchanged = call.request.base, call.stores.unchanged
    asked = ("secret", base, secret.state.vault_id, secret.state.name, secret.version.version)
    shown: tuple[str, bytes] | None = unchanged.get(asked)
    if shown is None:
        bundle = wire.write_bundle(base, call.known_vault(), secret)
        shown = wire.secret_id(base, secret), bundle
        unchanged.keep(asked, shown, len(bundle))
    return shown


def _deleted(call: Call, secret: Secret) -> Response:
    return Response(200, wire.write_deleted(call.request.base, call.known_vault(), secret), (JSON,))


OPERATIONS = (
    Operation(
        method="PUT",
        path="/secrets/{name}",
        handler=set_secret,
        needs=actions.SECRET_SET,
        log="SecretSet",
        takes=wire.SecretSet,
        gives=wire.SecretBundle,
        refuses=(409,),
        changes=True,
        body_limit=SET_LIMIT,
    ),
    *(
        Operation(
            method="GET",
            path=path,
            handler=get_secret,
            needs=actions.SECRET_GET,
            log="SecretGet",
            gives=wire.SecretBundle,
            name=name,
        )
        for path, name in (("/secrets/{name}", "get_secret"), ("/secrets/{name}/{version}", "get_secret_version"))
    ),
    *(
        Operation(
            method="PATCH",
            path=path,
            handler=update_secret,
            needs=actions.SECRET_UPDATE,
            log="SecretUpdate",
            takes=wire.SecretUpdate,
            gives=wire.SecretBundle,
            changes=True,
            body_limit=SET_LIMIT,
            name=name,
        )
        for path, name in (("/secrets/{name}", "update_secret"), ("/secrets/{name}/{version}", "update_secret_version"))
    ),
    Operation(
        method="GET",
        path="/secrets",
        handler=list_secrets,
        needs=actions.SECRET_LIST,
        log="SecretList",
        gives=wire.SecretList,
        query=PAGE,
    ),
    Operation(
        method="GET",
        path="/secrets/{name}/versions",
        handler=list_versions,
        needs=actions.SECRET_LIST,
        log="SecretListVersions",
        gives=wire.SecretList,
        query=PAGE,
    ),
    Operation(
        method="DELETE",
        path="/secrets/{name}",
        handler=delete_secret,
        needs=actions.SECRET_DELETE,
        log="SecretDelete",
        gives=wire.DeletedSecret,
        changes=True,
    ),
    Operation(
        method="GET",
        path="/deletedsecrets/{name}",
        handler=get_deleted_secret,
        needs=actions.SECRET_GET_DELETED,
        log="SecretGetDeleted",
        gives=wire.DeletedSecret,
    ),
    Operation(
        method="GET",
        path="/deletedsecrets",
        handler=list_deleted_secrets,
        needs=actions.SECRET_LIST,
        log="SecretListDeleted",
        gives=wire.DeletedSecretList,
        query=PAGE,
    ),
    Operation(
        method="POST",
        path="/deletedsecrets/{name}/recover",
        handler=recover_secret,
        needs=actions.SECRET_RECOVER,
        log="SecretRecover",
        gives=wire.SecretBundle,
        changes=True,
    ),
    Operation(
        method="DELETE",
        path="/deletedsecrets/{name}",
        handler=purge_secret,
        needs=actions.SECRET_PURGE,
        log="SecretPurge",
        gives=None,
        success=(204,),
        changes=True,
    ),
    Operation(
        method="POST",
        path="/secrets/{name}/backup",
        handler=backup_secret,
        needs=actions.SECRET_BACKUP,
        log="SecretBackup",
        gives=wire.Backup,
        changes=True,
    ),
    Operation(
        method="POST",
        path="/secrets/restore",
        handler=restore_secret,
        needs=actions.SECRET_RESTORE,
        log="SecretRestore",
        takes=wire.Backup,
        gives=wire.SecretBundle,
        refuses=(409,),
        changes=True,
        body_limit=RESTORE_LIMIT,
    ),
)
