"""Keys as resources: what templates make in a vault. What is private of them stays where their keeper has it.

A PUT makes the first version of a key, and tells one that is there as it is. Making takes its time: it is done before
the change, as on the data plane, and counts for the vault's limit as it does there.
"""

from dataclasses import replace
from functools import partial

from strongroom.access.authorization.actions import KEYS_WRITE
from strongroom.audit.event import Category
from strongroom.clock import whole_seconds
from strongroom.errors import Conflict
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.keys.making import Made
from strongroom.objects.keys.model import Key
from strongroom.objects.keys.service import Keys
from strongroom.planes.call import Call
from strongroom.planes.data.keys import keys_of
from strongroom.planes.http import Response
from strongroom.planes.management import answers
from strongroom.planes.management.listing import PAGE
from strongroom.planes.management.places import OBJECT_SCOPES
from strongroom.planes.management.vaultkeywire import VaultKeyAnswer, VaultKeyBody, write_key, write_version
from strongroom.planes.management.vaultobjects import ask_vault, find_vault, note_version, object_uri, page_of_objects
from strongroom.planes.management.versions import KEYS_SINCE
from strongroom.planes.management.wire import render
from strongroom.planes.operation import Operation

KEY = OBJECT_SCOPES[1]
KEYS = KEY.rpartition("/")[0]
VERSIONS = KEY + "/versions"
READ = "Microsoft.KeyVault/vaults/keys/read"
READ_VERSIONS = "Microsoft.KeyVault/vaults/keys/versions/read"
WRITE = KEYS_WRITE


async def prepare_put(keepers: Keepers, call: Call) -> None:
    """Make the key before the change that adds it, unless there is one of that name."""
    body: VaultKeyBody = call.body
    await ask_vault(call)
    keys, name = keys_of(keepers, call), call.parameters["key"]
    (spec, hsm), edit, policy = body.spec(), body.edit(), body.policy()
    if policy is not None:
        policy.require_sense(whole_seconds(call.now))
    if await keys.find_living(name) is None:
        call.prepared = made = await keys.make(name, spec, edit, hsm=hsm)
        call.made.append(keys.undoing(name, made))


async def put(keepers: Keepers, call: Call) -> Response:
    """Make a key where there is none of that name; one that is there is told as it is, and stays so."""
    body: VaultKeyBody = call.body
    await find_vault(call)
    keys, name, made = keys_of(keepers, call), call.parameters["key"], call.prepared
    found = await keys.find_living(name)
    if found is not None:
        _tell_existing(call)
        return await _shown(call, keys, found)
    key = await keys.add(name, _require_made(name, keys, made), body.edit())
    policy = body.policy()
    if policy is not None:
        await keys.set_policy(name, policy)
    return await _shown(call, keys, key)


async def get(keepers: Keepers, call: Call) -> Response:
    """Tell a key with its newest version."""
    await ask_vault(call)
    keys = keys_of(keepers, call)
    return await _shown(call, keys, await keys.get(call.parameters["key"]))


async def get_version(keepers: Keepers, call: Call) -> Response:
    """Tell a version of a key."""
    await ask_vault(call)
    keys = keys_of(keepers, call)
    key = await keys.get(call.parameters["key"], call.parameters["version"])
    note_version(call, key)
    policy = await keys.find_given_policy(key.state.name)
    return render(write_version(call.known_vault(), key, object_uri(call, key), policy))


async def list_keys(keepers: Keepers, call: Call) -> Response:
    """List the living keys of a vault, without their rotation policies."""
    vault = await ask_vault(call)
    find = keys_of(keepers, call).list
    return await page_of_objects(
        call, find, lambda each: each.state.name, lambda each: write_key(vault, each, object_uri(call, each))
    )


async def list_versions(keepers: Keepers, call: Call) -> Response:
    """List the versions of a key, oldest first."""
    vault = await ask_vault(call)
    find = partial(keys_of(keepers, call).list_versions, call.parameters["key"])
    return await page_of_objects(
        call, find, lambda each: each.version.version, lambda each: write_version(vault, each, object_uri(call, each))
    )


async def _shown(call: Call, keys: Keys, key: Key) -> Response:
    note_version(call, key)
    policy = await keys.find_given_policy(key.state.name)
    return render(write_key(keys.vault, key, object_uri(call, key), policy))


def _tell_existing(call: Call) -> None:
    """Note in the record that nothing was made; what was, while another made a key of that name, is destroyed."""
    assert call.operation is not None  # a handler runs for an operation
    call.operation = replace(call.operation, log="KeyGet")
    call.removed.extend(call.made)


def _require_made(name: str, keys: Keys, made: Made | None) -> Made:
    """Return the key that was made for this vault; Conflict when key or vault are others than they were then."""
    if made is None or made.key.scope != keys.vault.vault_id:
        raise Conflict(f"The key {name}, or its vault, was removed while this was asked; try again.")
    return made


ROW = partial(Operation, category=Category.AUDIT, since=KEYS_SINCE)
READING = partial(ROW, method="GET", needs=READ, gives=VaultKeyAnswer)
LISTING = partial(READING, gives=answers.Page[VaultKeyAnswer], query=PAGE)


def operations(keepers: Keepers) -> tuple[Operation, ...]:
    """Return the rows of this module. keepers: who keeps the keys."""
    return (
        ROW(
            method="PUT",
            path=KEY,
            handler=partial(put, keepers),
            prepare=partial(prepare_put, keepers),
            needs=WRITE,
            log="KeyCreate",
            takes=VaultKeyBody,
            gives=VaultKeyAnswer,
            refuses=(409,),
            changes=True,
            name="put_vault_key",
        ),
        READING(path=KEY, handler=partial(get, keepers), log="KeyGet", name="get_vault_key"),
        LISTING(path=KEYS, handler=partial(list_keys, keepers), log="KeyList", name="list_vault_keys"),
        READING(
            path=VERSIONS + "/{version}",
            handler=partial(get_version, keepers),
            needs=READ_VERSIONS,
            log="KeyGet",
            name="get_vault_key_version",
        ),
        LISTING(
            path=VERSIONS,
            handler=partial(list_versions, keepers),
            needs=READ_VERSIONS,
            log="KeyListVersions",
            name="list_vault_key_versions",
        ),
    )
