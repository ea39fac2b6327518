"""Every column of every noted table, attacked in every way: nothing is believed, all is found, the rest goes on.

The matrix comes from the schema: a new table or column is in it by itself. Attacks: a bit flipped, a value swapped with
another row's or taken from another server (another master key, the same contents), a whole row from there, a row put in
twice under another name.
"""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from data_doubles import DOMAIN, DataWorld, a_vault, an_application, signing_material, token_for
from directory_doubles import a_membership, a_security_group, a_user
from doubles import a_custodian
from jwk_doubles import a_policy
from storage_doubles import (
    NOON,
    a_connection,
    a_data_directory,
    a_group,
    a_lock,
    a_network,
    a_record,
    a_role,
    a_signing_key,
    a_subscription,
    a_tenant,
    adding,
    an_assignment,
    discrepancies,
    find_break,
    put_late,
)
from storage_doubles import an_application as a_stored_application
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.access.identity.model import Relation
from strongroom.access.identity.verifier import Verifier
from strongroom.audit.log import whole_chain
from strongroom.clock import CLOCK_FACT
from strongroom.custody.sealing import Custodian, MasterKeyWrong, SealBroken
from strongroom.custody.store import Purpose
from strongroom.errors import StrongroomError
from strongroom.objects.secrets.model import SecretEdit
from strongroom.objects.secrets.service import Secrets
from strongroom.planes.data.plane import DataPlane
from strongroom.planes.data.throttling import Limiter
from strongroom.planes.gate import Gate
from strongroom.sensitive import Sensitive
from strongroom.storage.baseline import NOTED
from strongroom.storage.connection import MAIN_FILE
from strongroom.storage.inspection import inspect
from strongroom.storage.notes import encode_notes, gone
from strongroom.storage.outbox import LATE_COLUMNS
from strongroom.storage.resources import FACTS
from strongroom.storage.snapshot import take_snapshot
from strongroom.storage.sqlite import SqliteStorage

MASTERS = {"ours": bytes(range(32)), "theirs": bytes(range(1, 33))}
COLUMNS = [(shape, column) for shape in NOTED for column in shape.columns]
ALIKE = {
    "data_keys": {"purpose", "version", "created"},
    "resource_groups": {"subscription_id"},
    "vaults": {"subscription_id", "resource_group", "deleted"},
    "assignments": {"scope", "role_id"},
    "locks": {"subscription_id"},
    "virtual_networks": {"subscription_id"},
    "objects": {"vault_id", "kind", "name", "deleted", "purge"},
    "versions": {"kind", "document"},
    "memberships": {"group_id", "relation"},
}
"""Columns that have no two values to swap here, or none that the schema would let stand."""

SWAPPED = [(shape, column) for shape, column in COLUMNS if column not in ALIKE.get(shape.table, ())]
OWN = [(shape, column) for shape, column in COLUMNS if column in {"mac", "sealed", "key_id", "latest", "version"}]
"""Columns in which two servers differ that have the same contents; the number of a data key is no such version."""

OWN.remove((NOTED[0], "version"))
UNDECIDING = {("data_keys", "created")}
"""What says when a key was made decides nothing; an edit of it is found by its note alone."""

# What makes the rows of a table others: the columns that a copy must have anew, since they are unique.
UNIQUE = {
    "data_keys": ("scope", "key_id"),
    "applications": ("object_id", "app_id"),
    "vaults": ("vault_id", "name"),
    "assignments": ("assignment_id", "scope"),
    "users": ("object_id", "principal_name"),
    "private_endpoint_connections": ("vault_id", "address"),
}
VAULTS = ("kv1", "kv2")
NAMES = ("one", "two")


def secrets_in(stores, custodian, vault):
    return Secrets(stores.secrets, stores.keyring, custodian, vault=a_vault(vault), now=NOON)


async def fill(storage, custodian):
    """Put two of everything into a storage."""

    async def add_vault(stores, name):
        await stores.vaults.add(a_vault(name))
        await stores.keyring.add(custodian.new_key(Purpose.VAULT, a_vault(name).vault_id, 1, NOON))
        for secret in NAMES:
            for value in (b"first", b"second"):
                await secrets_in(stores, custodian, name).set(secret, Sensitive(value + name.encode()), SecretEdit())

    works = []
    for number in (1, 2):
        works += [
            lambda stores, number=number: stores.identity.add_tenant(a_tenant(number)),
            lambda stores, number=number: stores.identity.add_application(a_stored_application(number)),
            lambda stores, number=number: stores.identity.add_signing_key(a_signing_key(number)),
            lambda stores, number=number: stores.resources.add_subscription(a_subscription(number)),
            lambda stores, number=number: stores.resources.put_group(a_group(f"group-{number}")),
            lambda stores, number=number: stores.facts.put(f"fact-{number}", b"%d" % number),
            lambda stores, number=number: add_vault(stores, VAULTS[number - 1]),
            lambda stores, number=number: stores.assignments.add(an_assignment(number, principal=f"object-{number}")),
            lambda stores, number=number: stores.roles.put(a_role(number)),
            lambda stores, number=number: stores.locks.put(
                a_lock(number, f"/subscriptions/s1/resourceGroups/{number}")
            ),
            lambda stores, number=number: stores.networks.put(a_network(number, f"rg-{number}")),
            lambda stores, number=number: stores.connections.put(a_connection(number, f"id-of-kv{number}")),
            lambda stores, number=number: stores.keys.put_policy(*a_stored_policy(number)),
            lambda stores, number=number: stores.identity.add_user(a_user(number)),
            lambda stores, number=number: stores.identity.add_group(a_security_group(number)),
            lambda stores, number=number: stores.identity.add_membership(a_membership(member=f"user-{number}")),
        ]
    await storage.change(adding(*works))


def a_stored_policy(number):
    moment = NOON + timedelta(days=number)
    return f"id-of-kv{number}", f"key-{number}", a_policy(updated=moment), moment


async def custom_roles(stores, custodian):
    del custodian
    return [role for role in (await stores.roles.roles()).all if role.custom]


async def all_policies(stores, custodian):
    """Return the policies as they are come by: who is due is looked at, and the others by their names."""
    del custodian
    due = await stores.keys.list_due(NOON + timedelta(days=9), after=None, limit=9)
    names = [(each.vault_id, each.name) for each in due] + [a_stored_policy(number)[:2] for number in (1, 2)]
    found = [(name, await stores.keys.find_policy(*name)) for name in dict.fromkeys(names)]
    return [each for each in found if each[1] is not None]


async def all_secrets(stores, custodian):
    found = []
    for vault in VAULTS:
        secrets = secrets_in(stores, custodian, vault)
        for name in NAMES:
            secret, value = await secrets.get(name)
            versions = await stores.secrets.list_versions(a_vault(vault).vault_id, name, after=None, limit=9)
            found += [(vault, name, secret, value.reveal()), *versions]
    return found


async def all_memberships(identity):
    """Return the memberships from both ends: as groups have them, and as they count for a member."""
    inside = await identity.list_memberships("group-1", Relation.MEMBER)
    counting = [(number, group) for number in (1, 2) for group in await identity.groups_of(f"user-{number}")]
    return [*inside, *counting]


async def all_keys(stores, custodian):
    del custodian
    fresh = Custodian(Sensitive(MASTERS["ours"]))  # has opened none yet
    keys = await stores.keyring.list_all()
    return [(key.key_id, key.purpose, key.scope, fresh.mac(key, b"")) for key in keys]


async def both(find, names):
    found = [await find(name) for name in names]
    return [each for each in found if each is not None]


READS = {
    "data_keys": all_keys,
    "tenants": lambda stores, _: stores.identity.list_tenants(),
    "applications": lambda stores, _: stores.identity.list_applications(),
    "signing_keys": lambda stores, _: stores.identity.list_signing_keys(),
    "subscriptions": lambda stores, _: stores.resources.list_subscriptions(),
    "resource_groups": lambda stores, _: stores.resources.list_groups("s1"),
    "facts": lambda stores, _: both(stores.facts.get, ["fact-1", "fact-2"]),
    "vaults": lambda stores, _: both(stores.vaults.find, VAULTS),
    "assignments": lambda stores, _: stores.assignments.list_all(),
    "roles": custom_roles,
    "rotation_policies": all_policies,
    "users": lambda stores, _: stores.identity.list_users(),
    "security_groups": lambda stores, _: stores.identity.list_groups(),
    "memberships": lambda stores, _: all_memberships(stores.identity),
    "locks": lambda stores, _: stores.locks.list_in("s1"),
    "virtual_networks": lambda stores, _: stores.networks.list_in("s1"),
    "private_endpoint_connections": lambda stores, _: stores.connections.list_all(),
    "objects": all_secrets,
    "versions": all_secrets,
}


async def make(place, custodian):
    storage = SqliteStorage.open(a_data_directory(place), custodian)
    await fill(storage, custodian)
    storage.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two servers with the same contents."""
    folder = tmp_path_factory.mktemp("servers")
    for name, master in MASTERS.items():
        asyncio.run(make(folder / name, Custodian(Sensitive(master))))
    return folder


@pytest.fixture
def servers(made, tmp_path):
    """Copies of the two, to be spoiled."""
    for name in MASTERS:
        a_copy_of(made / name, tmp_path / name)
    return tmp_path


def a_copy_of(place, copy):
    copy.mkdir(mode=0o700)
    for path in place.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())


class Attacked:
    """The first server, open before the attack and after."""

    def __init__(self, servers):
        self.place = servers / "ours"
        self.custodian = Custodian(Sensitive(MASTERS["ours"]))
        self.storage = SqliteStorage.open(self.place, self.custodian)
        self._theirs = servers / "theirs" / MAIN_FILE

    async def read(self, table):
        return list(await READS[table](self.storage.read(), self.custodian))

    def sql(self, *statements):
        """Run statements on both files behind the server's back; `theirs` is the other server's."""
        rows = []
        with closing(sqlite3.connect(self.place / MAIN_FILE, isolation_level=None)) as connection:
            connection.execute("ATTACH ? AS theirs", (str(self._theirs),))
            connection.create_function("flip", 1, flip, deterministic=True)
            connection.execute("BEGIN")
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            connection.execute("UPDATE epoch SET value = value + 1")
            connection.execute("COMMIT")
        return rows


def flip(value):
    """Return a value with its lowest bit flipped at one place."""
    match value:
        case None:
            return 1
        case int():
            return value ^ 1
        case str():
            return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
        case _:
            middle = len(value) // 2
            return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]


@pytest.fixture
async def attacked(servers):
    attacked = Attacked(servers)
    yield attacked
    attacked.storage.close()


async def require_found(attacked, before, table, *, decides=True):
    """Require that nothing else than before is believed of a table, that it is found, and that all others go on."""
    try:
        after = await attacked.read(table)
    except (SealBroken, MasterKeyWrong):
        pass
    except StrongroomError as error:  # what is asked for is not there any more under its name
        assert error.status == 404, error  # noqa: PT017 - one of two outcomes that are right
    else:
        assert not decides or [each for each in after if each not in before[table]] == []
    assert table in {each.table for each in discrepancies(attacked.place)}
    linked = {"objects", "versions", "data_keys"}
    for other in READS:
        if other != table and not {other, table} <= linked:
            assert await attacked.read(other) == before[other]


async def before_of(attacked):
    assert discrepancies(attacked.place) == []
    return {table: await attacked.read(table) for table in READS}


def one_of(shape):
    """Return which row is attacked: the last, of the second vault where it belongs to one."""
    return f"rowid = (SELECT MAX(rowid) FROM {shape.table})" if shape.table != "objects" else "name = 'two'"


def key_of(shape):
    return ", ".join(shape.columns[: shape.keys])


def test_the_reads_are_those_of_every_table():
    assert set(READS) == {shape.table for shape in NOTED}


@pytest.mark.parametrize(("shape", "column"), COLUMNS, ids=lambda each: getattr(each, "table", each))
async def test_a_flipped_bit(attacked, shape, column):
    before = await before_of(attacked)
    where = f"{one_of(shape)} AND vault_id = 'id-of-kv2'" if shape.table == "objects" else one_of(shape)
    attacked.sql(f"UPDATE {shape.table} SET {column} = flip({column}) WHERE {where}")
    await require_found(attacked, before, shape.table, decides=(shape.table, column) not in UNDECIDING)


@pytest.mark.parametrize(("shape", "column"), SWAPPED, ids=lambda each: getattr(each, "table", each))
async def test_a_value_swapped_with_another_row(attacked, shape, column):
    before = await before_of(attacked)
    where = "WHERE purpose = 'vault'" if shape.table == "data_keys" else ""  # the first keys of all are not noted
    rows = attacked.sql(f"SELECT {key_of(shape)}, {column} FROM main.{shape.table} {where} ORDER BY 1, 2")
    first = rows[0]
    second = next(row for row in rows[::-1] if row[-1] != first[-1])
    scratch = flip(first[-1])
    for key, value in ((first, scratch), (second, first[-1]), (first, second[-1])):
        names = [*shape.columns[: shape.keys]]
        # A key column changes on the way: the row is then found by the value that it has now.
        now = [scratch if name == column and value is not scratch and key is first else part
               for name, part in zip(names, key[:-1], strict=True)]  # fmt: skip
        with closing(sqlite3.connect(attacked.place / MAIN_FILE, isolation_level=None)) as connection:
            where = " AND ".join(f"{name} IS ?" for name in names)
            statement = f"UPDATE {shape.table} SET {column} = ? WHERE {where}"
            assert connection.execute(statement, (value, *now)).rowcount == 1
    attacked.sql()
    await require_found(attacked, before, shape.table, decides=(shape.table, column) not in UNDECIDING)


@pytest.mark.parametrize(("shape", "column"), OWN, ids=lambda each: getattr(each, "table", each))
async def test_a_value_of_another_server(attacked, shape, column):
    before = await before_of(attacked)
    names = shape.columns[: shape.keys]
    same = " AND ".join(f"t.{name} = {shape.table}.{name}" for name in names)
    if shape.table == "data_keys":
        same += " AND t.purpose = 'vault'"
    if shape.table == "versions":  # version ids are random: the first of each of the same secret
        same = "t.vault_id = versions.vault_id AND t.name = versions.name"
    theirs = f"(SELECT t.{column} FROM theirs.{shape.table} t WHERE {same} LIMIT 1)"
    where = f"EXISTS {theirs} AND {column} IS NOT {theirs}"
    changed = attacked.sql(f"SELECT COUNT(*) FROM main.{shape.table} WHERE {where}")[0][0]
    assert changed
    attacked.sql(f"UPDATE {shape.table} SET {column} = {theirs} WHERE {where} AND {one_or_all(shape)}")
    await require_found(attacked, before, shape.table, decides=(shape.table, column) not in UNDECIDING)


def one_or_all(shape):
    return "rowid = (SELECT MAX(rowid) FROM versions)" if shape.table == "versions" else "1"


@pytest.mark.parametrize("shape", NOTED, ids=lambda shape: shape.table)
async def test_whole_rows_of_another_server(attacked, shape):
    before = await before_of(attacked)
    columns = ", ".join(shape.columns)
    where = "WHERE purpose = 'vault'" if shape.table == "data_keys" else ""
    attacked.sql(
        f"DELETE FROM main.{shape.table} {where}",
        f"INSERT INTO main.{shape.table} ({columns}) SELECT {columns} FROM theirs.{shape.table} {where}",
    )
    await require_found(attacked, before, shape.table)


@pytest.mark.parametrize("shape", NOTED, ids=lambda shape: shape.table)
async def test_rows_that_are_put_in_twice(attacked, shape):
    before = await before_of(attacked)
    fresh = UNIQUE.get(shape.table, shape.columns[shape.keys - 1 : shape.keys])
    copied = ", ".join(f"flip({name}) || 'x'" if name in fresh else name for name in shape.columns)
    attacked.sql(
        f"INSERT INTO main.{shape.table} ({', '.join(shape.columns)}) SELECT {copied} FROM main.{shape.table} LIMIT 1"
    )
    await require_found(attacked, before, shape.table)


@pytest.mark.parametrize("shape", NOTED, ids=lambda shape: shape.table)
async def test_rows_that_are_taken_away(attacked, shape):
    before = await before_of(attacked)
    where = "purpose = 'vault'" if shape.table == "data_keys" else "1"
    attacked.sql(f"DELETE FROM main.{shape.table} WHERE {where}")
    await require_found(attacked, before, shape.table)


async def test_the_objects_of_one_vault_moved_into_another(attacked):
    before = await before_of(attacked)
    for table in ("objects", "versions"):
        attacked.sql(
            f"DELETE FROM main.{table} WHERE vault_id = 'id-of-kv2'",
            f"UPDATE main.{table} SET vault_id = 'id-of-kv2' WHERE vault_id = 'id-of-kv1'",
        )
    await require_found(attacked, before, "objects")
    with pytest.raises(SealBroken):
        await attacked.storage.read().secrets.find("id-of-kv2", "one")


# --- records on their way into the chain


@pytest.fixture
def late(servers):
    """A server that was killed: three records are on their way."""
    place = servers / "ours"
    records = [a_record(number) for number in range(3)]
    put_late(place, records, Custodian(Sensitive(MASTERS["ours"])))
    return place, records


def run(place, statement, parameters=()):
    with closing(sqlite3.connect(place / MAIN_FILE, isolation_level=None)) as connection:
        connection.create_function("flip", 1, flip, deterministic=True)
        return connection.execute(statement, parameters).fetchall()


def chained(storage):
    return [entry.record.record_id for entry in whole_chain(storage.records)]


def require_not_carried(place, genuine):
    """Require that one row of the outbox is named and stays, and that all others go into the chain, at once."""
    custodian = Custodian(Sensitive(MASTERS["ours"]))
    with take_snapshot(place, touching=True) as snapshot:
        problems = inspect(snapshot.items(), custodian, lambda _: None)
    assert len([problem for problem in problems if problem.startswith("outbox ")]) == 1
    with structlog.testing.capture_logs() as lines, pytest.MonkeyPatch.context() as patch:
        patch.setattr("strongroom.storage.keeper.CARRY_BATCH", 1)
        storage = SqliteStorage.open(place, custodian)
        assert storage.records.pending() == ()
        assert chained(storage)[1:] == [record.record_id for record in genuine]  # the first is of `fill`
        assert find_break(storage.chain(), whole_chain(storage.records)) is None
        storage.close()
    assert [(line["event"], line["error"]) for line in lines] == [("alarm", "SealBroken")]
    assert len(run(place, "SELECT * FROM outbox")) == 1


def test_the_outbox_has_no_column_that_is_not_attacked(late):
    place, _ = late
    assert {name for _, name, *_ in run(place, "PRAGMA table_info(outbox)")} == set(LATE_COLUMNS)


@pytest.mark.parametrize("column", LATE_COLUMNS)
def test_a_flipped_bit_of_a_record_on_its_way(late, column):
    place, records = late
    value = {"rows": "x'01'", "change": "change + 100"}.get(column, f"flip({column})")  # what is empty has no bit
    run(place, f"UPDATE outbox SET {column} = {value} WHERE change = (SELECT MIN(change) FROM outbox)")
    require_not_carried(place, records[1:])


@pytest.mark.parametrize(
    "forged",
    [
        "SELECT -5, zeroblob(16), 0, x'7b7d', x'', NULL",
        "SELECT 100, zeroblob(16), 0, x'7b7d', x'', zeroblob(32)",
        "SELECT 100, 'text', 'noon', 1, 2, 'text'",
        "SELECT 100, zeroblob(16), time, body, rows, mac FROM main.outbox LIMIT 1",
        "SELECT 100, zeroblob(16), time, body || rows, x'', mac FROM main.outbox LIMIT 1",
    ],
)
def test_a_record_that_was_put_in_on_the_way(late, forged):
    place, records = late
    run(place, f"INSERT INTO outbox (change, id, time, body, rows, mac) {forged}")
    require_not_carried(place, records)


async def test_a_note_that_was_put_in_on_the_way_is_not_believed(attacked):
    attacked.storage.close()
    kept = attacked.sql("SELECT * FROM main.facts WHERE name = 'fact-1'")[0]
    attacked.sql("DELETE FROM main.facts WHERE name = 'fact-1'")
    note = encode_notes([gone(FACTS.shape, kept[:1])])
    run(attacked.place, "INSERT INTO outbox (id, time, body, rows) VALUES (zeroblob(16), 0, x'7b7d', ?)", (note,))
    assert [each.table for each in discrepancies(attacked.place)] == ["facts"]
    attacked.storage = SqliteStorage.open(attacked.place, attacked.custodian)
    assert [each.table for each in discrepancies(attacked.place)] == ["facts"]


# --- what callers and the operator see


class StoredWorld(DataWorld):
    """The same plane on files, with a second vault under RBAC, and a secret in each."""

    def __init__(self, place):
        super().__init__()
        self.storage = SqliteStorage.open(place, a_custodian())
        self.gate = Gate(DataPlane(Verifier(DOMAIN), Limiter(), self.keepers), self.storage, a_custodian(), DOMAIN)
        self.other = an_application(2)

    async def furnish(self):
        reader = next(role for role in BUILT_IN if role.name == "Key Vault Secrets User")
        assignment = replace(an_assignment(principal=self.other.object_id, role=reader.role_id), scope="/subscriptions")

        async def work(stores):
            await stores.identity.add_signing_key(signing_material()[0])
            await stores.facts.put(CLOCK_FACT, b"0")
            for application in (self.application, self.other):
                await stores.identity.add_application(application)
            await self._add_vault(stores, a_vault("kv1", access_policies=(self.policy(),)))
            await self._add_vault(stores, a_vault("kv2", rbac=True))
            scope = f"/subscriptions/{a_vault().subscription_id}"
            await stores.assignments.add(replace(assignment, scope=scope))
            return None, a_record()

        await self.storage.change(work)
        return self

    async def _add_vault(self, stores, vault):
        await stores.vaults.add(vault)
        await stores.keyring.add(a_custodian().new_key(Purpose.VAULT, vault.vault_id, 1, NOON))
        for name in NAMES:
            secrets = Secrets(stores.secrets, stores.keyring, a_custodian(), vault=vault, now=NOON)
            await secrets.set(name, Sensitive(b"value"), SecretEdit())

    async def get(self, vault, name):
        token = token_for(self.application if vault == "kv1" else self.other)
        return await self.ask("GET", f"/secrets/{name}", host=f"{vault}.vault.{DOMAIN}", token=token)


ALARMS = {
    # what is edited: who is kept from going on
    "UPDATE vaults SET document = CAST(replace(document, 'secrets', 'secretz') AS BLOB) WHERE name = 'kv1'": "kv1",
    "UPDATE vaults SET mac = (SELECT mac FROM vaults WHERE name = 'kv2') WHERE name = 'kv1'": "kv1",
    "UPDATE applications SET document = CAST(replace(document, 'app 1', 'app 9') AS BLOB)"
    " WHERE app_id LIKE '%1'": "kv1",
    "UPDATE assignments SET scope = '/'": "kv2",
    "UPDATE objects SET deleted = 1 WHERE vault_id = 'id-of-kv1' AND name = 'one'": "kv1/one",
    "UPDATE versions SET mac = zeroblob(32) WHERE vault_id = 'id-of-kv1' AND name = 'one'": "kv1/one",
    "UPDATE versions SET sealed = zeroblob(length(sealed)) WHERE vault_id = 'id-of-kv2' AND name = 'two'": "kv2/two",
    "UPDATE versions SET sealed = (SELECT sealed FROM versions WHERE vault_id = 'id-of-kv1' AND name = 'one')"
    " WHERE vault_id = 'id-of-kv1' AND name = 'two'": "kv1/two",
    "UPDATE signing_keys SET document = CAST(replace(document, 'created', 'crested') AS BLOB)": "",
    "UPDATE facts SET document = CAST('{\"value\":\"OTk5OTk5\"}' AS BLOB) WHERE name = 'clock.offset'": "",
}


@pytest.mark.parametrize(("edit", "struck"), ALARMS.items())
async def test_a_request_that_needs_it_fails_opaquely_with_an_alarm_and_all_others_go_on(place, sql, edit, struck):
    world = await StoredWorld(place).furnish()
    places = [(vault, name) for vault in VAULTS for name in NAMES]
    assert [(await world.get(*each)).status for each in places] == [200] * 4
    edit = edit.replace("clock.offset", CLOCK_FACT)
    before = sql("SELECT total_changes()")
    sql(edit)
    sql("UPDATE epoch SET value = value + 1")
    assert before
    world.gate = Gate(DataPlane(Verifier(DOMAIN), Limiter(), world.keepers), world.storage, a_custodian(), DOMAIN)
    for vault, name in places:
        with structlog.testing.capture_logs() as lines:
            answer = await world.get(vault, name)
        alarms = [(line["event"], line["log_level"]) for line in lines if line["log_level"] == "error"]
        if f"{vault}/{name}".startswith(struck):
            assert answer.status == 500, (vault, name)
            assert answer.error["code"] == "InternalServerError"
            assert "seal" not in answer.raw.decode().lower()
            assert alarms == [("alarm", "error")]
        else:
            assert answer.status == 200, (vault, name)
            assert alarms == []
    world.storage.close()
