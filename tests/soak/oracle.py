"""Compares what clients wrote down with what the store holds and what the records say, after the server was killed."""

import json
import sqlite3
from collections import Counter
from contextlib import asynccontextmanager, closing

from clients.acts import RECORDED_AS
from clients.direct import on_server_data
from lives import FREE, OUTCOMES, Life
from soak.clients import UNRECORDED
from soak.journal import lives_of
from soak.keys import KeptKey, ToldVersions, read_key
from storage_kinds import is_whole
from strongroom.audit.log import whole_chain
from strongroom.clock import real_now
from strongroom.custody.software import SoftwareProvider
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.keys.service import Keys
from strongroom.objects.model import Held
from strongroom.objects.secrets.service import Secrets

VERSIONS = 10_000
HALF_MADE = {
    "an object whose newest version is not there": """SELECT o.name FROM objects o LEFT JOIN versions v ON
        v.vault_id = o.vault_id AND v.kind = o.kind AND v.name = o.name AND v.version = o.latest WHERE v.seq IS NULL""",
    "a version of no object": """SELECT v.name FROM versions v LEFT JOIN objects o ON
        v.vault_id = o.vault_id AND v.kind = o.kind AND v.name = o.name WHERE o.name IS NULL""",
    "an object of no vault": "SELECT name FROM objects WHERE vault_id NOT IN (SELECT vault_id FROM vaults)",
    "a vault without its key": """SELECT name FROM vaults WHERE vault_id NOT IN
        (SELECT scope FROM data_keys WHERE purpose = 'vault')""",
    "a key of no vault": """SELECT scope FROM data_keys WHERE purpose = 'vault'
        AND scope NOT IN (SELECT vault_id FROM vaults)""",
    "a rotation policy of no key": """SELECT p.name FROM rotation_policies p LEFT JOIN objects o ON
        o.vault_id = p.vault_id AND o.kind = 'keys' AND o.name = p.name WHERE o.name IS NULL""",
    "a record still on its way": "SELECT hex(id) FROM outbox",
}


def compare(server, journal):
    """Return what is wrong, in words, nothing when all is well; and counts of what became of unanswered writes.

    server: one that was stopped in good order, so that no record is on its way any more.
    """
    records, whole = on_server_data(server, _read_records)
    wrong = list(journal.faults)
    if not whole:
        wrong.append("the chain of records is not whole")
    wrong += what_is_half_made(server.data_dir)
    wrong += _records_that_differ(journal.entries, records)
    kept = on_server_data(server, lambda data: _read_lives(data, journal.entries))
    ends = Counter()
    for thing, entries in lives_of(journal.entries).items():
        wrong += _life_that_differs(thing, entries, records, kept[thing], ends)
    return wrong, ends


async def _read_records(data):
    """Return {correlation id: bodies of the records}, and whether the chain is whole."""
    log = data.storage.records
    bodies = [json.loads(entry.record.body) for entry in whole_chain(log)]
    found = {}
    for body in bodies:
        found.setdefault(body["correlationId"], []).append(body)
    return found, is_whole(data.storage)


def what_is_half_made(data_dir):
    """Return what is there in part only, in words."""
    wrong = []
    for file in ("strongroom.db", "audit.db"):
        with closing(sqlite3.connect(data_dir / file)) as connection:
            state = connection.execute("PRAGMA integrity_check").fetchall()
            if state != [("ok",)]:
                wrong.append(f"{file} is not sound: {state}")
    with closing(sqlite3.connect(data_dir / "strongroom.db")) as connection:
        for what, statement in HALF_MADE.items():
            wrong += [f"{what}: {name}" for (name,) in connection.execute(statement)]
    return wrong


def _records_that_differ(entries, records):
    """Every answer has one record that says the same; a request without an answer has one at most.

    503 may have none: what cannot be recorded is not done, and that is what it says.
    """
    wrong = []
    for entry in entries:
        found = records.get(entry.ident, [])
        told = [(body["operationName"], body["properties"]["httpStatusCode"]) for body in found]
        if entry.status is None:
            if len(found) > 1:
                wrong.append(f"{entry.ident} was not answered and has {len(found)} records")
        elif entry.status == UNRECORDED and not told:
            continue
        elif told != [(RECORDED_AS[entry.kind][entry.act.kind], entry.status)]:
            wrong.append(f"{entry.ident} ({entry.act.kind}) was answered {entry.status}, its records: {told}")
    strangers = set(records) - {entry.ident for entry in entries}
    wrong += [f"a record of a request that nobody wrote down: {ident}" for ident in strangers if ident[:1] == "s"]
    return wrong


async def _read_lives(data, entries):
    stores = data.storage.read()
    vault = await stores.vaults.find("dev")
    secrets = Secrets(stores.secrets, stores.keyring, data.custodian, vault=vault, now=real_now())
    async with keys_of(data) as keys:
        read = {
            "secrets": lambda name: _secret_life(secrets, name),
            "keys": lambda name: read_key(keys, name),
            "vaults": lambda name: _vault_life(stores, name),
        }
        return {(kind, name): await read[kind](name) for kind, name in lives_of(entries)}


@asynccontextmanager
async def keys_of(data):
    """The keys of the rehearsal vault, kept by software as the server keeps them."""
    stores, keepers = data.storage.read(), Keepers(software=SoftwareProvider(data.custodian))
    vault = await stores.vaults.find("dev")
    yield Keys(stores.keys, stores.keyring, data.custodian, keepers=keepers, vault=vault, now=real_now())
    keepers.close()


async def _secret_life(secrets, name):
    state = await secrets.store.find_state(secrets.vault.vault_id, name)
    if state is None:
        return FREE
    versions = await secrets.store.list_versions(secrets.vault.vault_id, name, after=None, limit=VERSIONS)
    values = [(await secrets.open(Held(state, version))).reveal().decode() for version in versions]
    if [state.latest] != [version.version for version in versions[-1:]]:
        return "a secret whose newest version is not the last of its versions"
    marks = [version.content_type for version in versions]
    return Life(tuple(zip(values, marks, strict=True)), state.is_deleted())


async def _vault_life(stores, name):
    vault = await stores.vaults.find(name)
    return FREE if vault is None else Life((("", dict(vault.tags)["mark"]),), vault.deletion is not None)


def _life_that_differs(thing, entries, records, kept, ends):
    """What was answered was done; what was not answered was done whole, with its record, or not at all, without."""
    kind, name = thing
    life, versions = FREE, ToldVersions()
    for entry in entries:
        if not entry.is_write or entry.status == UNRECORDED:
            continue
        if entry.status is None:
            ends["done" if entry.ident in records else "undone"] += 1
            if entry.ident not in records:
                continue
        _, after = OUTCOMES[kind](life, entry.act)
        versions.follow(entry, life, after)
        life = after
    wrong = versions.compare(name, kept) if isinstance(kept, KeptKey) else []
    found = kept.life if isinstance(kept, KeptKey) else kept
    return wrong if life == found else [*wrong, f"{kind} {name} should be {life} and is {found}"]
