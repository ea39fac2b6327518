"""The keys of the data plane: parse, make one call, render."""

from collections.abc import Iterator
from functools import partial

from strongroom.access.authorization import actions
from strongroom.objects.keys.backup import back_up, restore
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.keys.making import Made
from strongroom.objects.keys.model import Key, KeyEdit
from strongroom.objects.keys.rotation import RotationPolicy
from strongroom.objects.keys.service import Keys
from strongroom.planes.call import Call
from strongroom.planes.data import keyrequests as asked
from strongroom.planes.data import keywire as wire
from strongroom.planes.data.pages import PAGE, name_of, read_page, version_of
from strongroom.planes.data.rotationwire import KeyRotationPolicy, write_policy
from strongroom.planes.data.secrets import RESTORE_LIMIT
from strongroom.planes.data.throttling import count_more
from strongroom.planes.data.wire import Backup
from strongroom.planes.http import JSON, Response
from strongroom.planes.operation import Operation


async def prepare_created(keepers: Keepers, call: Call) -> None:
    """Make the key, before the change that adds it."""
    body: asked.KeyCreate = call.body
    spec, hsm = body.spec()
    keys, name = keys_of(keepers, call), call.parameters["name"]
    _prepare(call, keys, await keys.make(name, spec, _edit(call), hsm=hsm))


async def prepare_imported(keepers: Keepers, call: Call) -> None:
    """Take the key in, before the change that adds it: checking all of it takes its time."""
    body: asked.KeyImport = call.body
    name, keys = call.parameters["name"], keys_of(keepers, call)
    if body.key.key_hsm is not None:
        wrapped, exchange = body.wrapped(body.key.key_hsm, call.request.host.partition(":")[0])
        _prepare(call, keys, await keys.take_wrapped(name, wrapped, exchange, _edit(call)))
        return
    parts, hsm = body.parts()
    _prepare(call, keys, await keys.take(name, parts, _edit(call), hsm=hsm))


async def prepare_rotated(keepers: Keepers, call: Call) -> None:
    """Make the next key, before the change that adds it."""
    keys = keys_of(keepers, call)
    _prepare(call, keys, await keys.make_next(call.parameters["name"]))


def _prepare(call: Call, keys: Keys, made: Made) -> None:
    call.prepared = made
    call.made.append(keys.undoing(call.parameters["name"], made))


async def add_key(keepers: Keepers, call: Call) -> Response:
    """Add a version with the key that was made, and tell what is public of it."""
    return _bundle(call, await keys_of(keepers, call).add(call.parameters["name"], call.prepared, _edit(call)))


async def create_key(keepers: Keepers, call: Call) -> Response:
    """Make a new key, the newest version of its name."""
    return await add_key(keepers, call)


async def import_key(keepers: Keepers, call: Call) -> Response:
    """Take in a key that was made elsewhere, the newest version of its name."""
    return await add_key(keepers, call)


async def rotate_key(keepers: Keepers, call: Call) -> Response:
    """Make the next key of a name: of the same type, size, operations and tags."""
    return _bundle(call, await keys_of(keepers, call).rotate(call.parameters["name"], call.prepared))


async def get_rotation_policy(keepers: Keepers, call: Call) -> Response:
    """Tell when a key is rotated by itself."""
    name = call.parameters["name"]
    return _policy(call, await keys_of(keepers, call).get_policy(name))


async def update_rotation_policy(keepers: Keepers, call: Call) -> Response:
    """Say when a key is rotated by itself, and how long what is made then is valid."""
    body: KeyRotationPolicy = call.body
    return _policy(call, await keys_of(keepers, call).set_policy(call.parameters["name"], body.policy()))


async def get_key(keepers: Keepers, call: Call) -> Response:
    """Tell what is public of a version, the newest when the path names none."""
    return _bundle(call, await keys_of(keepers, call).get(call.parameters["name"], version_in(call)))


async def get_key_attestation(keepers: Keepers, call: Call) -> Response:
    """Tell what `get_key` tells: `attributes.attestation` is left out, since no keeper of keys can attest one."""
    return await get_key(keepers, call)


async def update_key(keepers: Keepers, call: Call) -> Response:
    """Edit attributes, operations and tags of a version, the newest when the path names none."""
    return _bundle(call, await keys_of(keepers, call).update(call.parameters["name"], version_in(call), _edit(call)))


async def list_keys(keepers: Keepers, call: Call) -> Response:
    """List the living keys."""
    page = await read_page(call, "/keys")
    found = await keys_of(keepers, call).list(page.after, page.limit + 1)
    return await page.answer(found, wire.write_list, name_of)


async def list_key_versions(keepers: Keepers, call: Call) -> Response:
    """List the versions of a key."""
    name = call.parameters["name"]
    page = await read_page(call, f"/keys/{name}/versions")
    found = await keys_of(keepers, call).list_versions(name, page.after, page.limit + 1)
    return await page.answer(found, wire.write_versions, version_of)


async def delete_key(keepers: Keepers, call: Call) -> Response:
    """Delete a key; it can be recovered for a while."""
    return _deleted(call, await keys_of(keepers, call).delete(call.parameters["name"]))


async def get_deleted_key(keepers: Keepers, call: Call) -> Response:
    """Tell what is public of a deleted key."""
    return _deleted(call, await keys_of(keepers, call).get_deleted(call.parameters["name"]))


async def list_deleted_keys(keepers: Keepers, call: Call) -> Response:
    """List the deleted keys that can be recovered."""
    page = await read_page(call, "/deletedkeys")
    found = await keys_of(keepers, call).list_deleted(page.after, page.limit + 1)
    return await page.answer(found, wire.write_deleted_list, name_of)


async def recover_key(keepers: Keepers, call: Call) -> Response:
    """Bring a deleted key back."""
    return _bundle(call, await keys_of(keepers, call).recover(call.parameters["name"]))


async def purge_key(keepers: Keepers, call: Call) -> Response:
    """Remove a deleted key for good."""
    await keys_of(keepers, call).purge(call.parameters["name"])
    return Response(204)


async def backup_key(keepers: Keepers, call: Call) -> Response:
    """Hand out a sealed backup of a key with all its versions."""
    value = await back_up(keys_of(keepers, call), call.parameters["name"])
    return Response(200, wire.encode(Backup(value)), (JSON,))


async def restore_key(keepers: Keepers, call: Call) -> Response:
    """Take a backup back in."""
    body: Backup = call.body
    return _bundle(call, await restore(keys_of(keepers, call), body.value))


def keys_of(keepers: Keepers, call: Call) -> Keys:
    """Return the keys of the vault that is asked."""
    stores = call.stores
    return Keys(
        stores.keys,
        stores.keyring,
        call.custodian,
        keepers=keepers,
        vault=call.known_vault(),
        now=call.now,
        grants=stores.assignments,
        removed=call.removed,
        spend=partial(_spend, call),
    )


def _spend(call: Call, transactions: int) -> None:
    """Count what a key takes of the limit of its vault beside the request itself; Throttled past the limit."""
    assert call.limiter is not None  # the gate has counted the request before it comes here
    count_more(call.limiter, call.known_vault(), call.real_now, transactions)


def version_in(call: Call) -> str | None:
    """Return the version that the path names; some clients write none as an empty segment."""
    return call.parameters.get("version") or None


def _edit(call: Call) -> KeyEdit:
    return asked.edit_of(call.body, call.request.query.get("api-version"))


def _bundle(call: Call, key: Key) -> Response:
    return answer_with(call, key, wire.write_bundle(call.request.base, call.known_vault(), key))


def answer_with(call: Call, key: Key, body: bytes) -> Response:
    """Return an answer about a version of a key, which the record then names."""
    call.object_id = wire.key_id(call.request.base, key)
    return Response(200, body, (JSON,))


def _policy(call: Call, policy: RotationPolicy) -> Response:
    return Response(200, write_policy(call.request.base, call.parameters["name"], policy), (JSON,))


def _deleted(call: Call, key: Key) -> Response:
    return Response(200, wire.write_deleted(call.request.base, call.known_vault(), key), (JSON,))


def operations(keepers: Keepers) -> tuple[Operation, ...]:
    """Return the rows of keys. keepers: who keeps them."""
    return (
        *_makings(keepers),
        *_policies(keepers),
        *_metadata(keepers),
        *_lists(keepers),
        *_deletions(keepers),
        *_copies(keepers),
    )


def _makings(keepers: Keepers) -> Iterator[Operation]:
    yield Operation(
        method="POST",
        path="/keys/{name}/create",
        handler=partial(create_key, keepers),
        prepare=partial(prepare_created, keepers),
        needs=actions.KEY_CREATE,
        log="KeyCreate",
        takes=asked.KeyCreate,
        gives=wire.KeyBundle,
        refuses=(409,),
        changes=True,
    )
    yield Operation(
        method="PUT",
        path="/keys/{name}",
        handler=partial(import_key, keepers),
        prepare=partial(prepare_imported, keepers),
        needs=actions.KEY_IMPORT,
        log="KeyImport",
        takes=asked.KeyImport,
        gives=wire.KeyBundle,
        refuses=(409,),
        changes=True,
    )
    yield Operation(
        method="POST",
        path="/keys/{name}/rotate",
        handler=partial(rotate_key, keepers),
        prepare=partial(prepare_rotated, keepers),
        needs=actions.KEY_ROTATE,
        log="KeyRotate",
        gives=wire.KeyBundle,
        refuses=(409,),
        changes=True,
        since="7.3",
    )


def _policies(keepers: Keepers) -> Iterator[Operation]:
    for method, handle, needs, log in (
        ("GET", get_rotation_policy, actions.KEY_ROTATION_POLICY_GET, "KeyRotationPolicyGet"),
        ("PUT", update_rotation_policy, actions.KEY_ROTATION_POLICY_SET, "KeyRotationPolicySet"),
    ):
        yield Operation(
            method=method,
            path="/keys/{name}/rotationpolicy",
            handler=partial(handle, keepers),
            needs=needs,
            log=log,
            takes=KeyRotationPolicy if method == "PUT" else None,
            gives=KeyRotationPolicy,
            changes=method == "PUT",
            since="7.3",
        )


def _copies(keepers: Keepers) -> Iterator[Operation]:
    yield Operation(
        method="POST",
        path="/keys/{name}/backup",
        handler=partial(backup_key, keepers),
        needs=actions.KEY_BACKUP,
        log="KeyBackup",
        gives=Backup,
        changes=True,
    )
    yield Operation(
        method="POST",
        path="/keys/restore",
        handler=partial(restore_key, keepers),
        needs=actions.KEY_RESTORE,
        log="KeyRestore",
        takes=Backup,
        gives=wire.KeyBundle,
        refuses=(409,),
        changes=True,
        body_limit=RESTORE_LIMIT,
    )


def _metadata(keepers: Keepers) -> Iterator[Operation]:
    for path, suffix in (("/keys/{name}", ""), ("/keys/{name}/{version}", "_version")):
        yield Operation(
            method="GET",
            path=path,
            handler=partial(get_key, keepers),
            needs=actions.KEY_GET,
            log="KeyGet",
            gives=wire.KeyBundle,
            name=f"get_key{suffix}",
        )
        yield Operation(
            method="GET",
            path=f"{path}/attestation",
            handler=partial(get_key_attestation, keepers),
            needs=actions.KEY_GET,
            log="KeyGetAttestation",
            gives=wire.KeyBundle,
            since="7.6-preview.2",
            name=f"get_key_attestation{suffix}",
        )
        yield Operation(
            method="PATCH",
            path=path,
            handler=partial(update_key, keepers),
            needs=actions.KEY_UPDATE,
            log="KeyUpdate",
            takes=asked.KeyUpdate,
            gives=wire.KeyBundle,
            changes=True,
            name=f"update_key{suffix}",
        )


def _lists(keepers: Keepers) -> Iterator[Operation]:
    for path, list_, log, gives in (
        ("/keys", list_keys, "KeyList", wire.KeyList),
        ("/keys/{name}/versions", list_key_versions, "KeyListVersions", wire.KeyList),
        ("/deletedkeys", list_deleted_keys, "KeyListDeleted", wire.DeletedKeyList),
    ):
        yield Operation(
            method="GET",
            path=path,
            handler=partial(list_, keepers),
            needs=actions.KEY_LIST,
            log=log,
            gives=gives,
            query=PAGE,
        )


def _deletions(keepers: Keepers) -> Iterator[Operation]:
    yield Operation(
        method="DELETE",
        path="/keys/{name}",
        handler=partial(delete_key, keepers),
        needs=actions.KEY_DELETE,
        log="KeyDelete",
        gives=wire.DeletedKey,
        changes=True,
    )
    yield Operation(
        method="GET",
        path="/deletedkeys/{name}",
        handler=partial(get_deleted_key, keepers),
        needs=actions.KEY_GET,
        log="KeyGetDeleted",
        gives=wire.DeletedKey,
    )
    yield Operation(
        method="POST",
        path="/deletedkeys/{name}/recover",
        handler=partial(recover_key, keepers),
        needs=actions.KEY_RECOVER,
        log="KeyRecover",
        gives=wire.KeyBundle,
        changes=True,
    )
    yield Operation(
        method="DELETE",
        path="/deletedkeys/{name}",
        handler=partial(purge_key, keepers),
        needs=actions.KEY_PURGE,
        log="KeyPurge",
        gives=None,
        success=(204,),
        changes=True,
    )
