"""Worlds in which vaults and secrets live, all with the same face: domain services over a storage, or a real server.

Whoever acts is an Owner: all that keeps something from being purged are the rules. Outcomes are "ok" or the status of
the refusal. What is told of a deletion is the pair (deleted, ends), None for what is not deleted.
"""

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from doubles import MemoryStorage
from storage_doubles import CUSTODIAN, a_data_directory, a_record
from strongroom.access.identity.model import PrincipalType
from strongroom.custody.store import Purpose
from strongroom.errors import NotFound, StrongroomError
from strongroom.objects.secrets.model import SecretEdit
from strongroom.objects.secrets.service import Secrets
from strongroom.resources.locations import Locations
from strongroom.resources.model import ResourceGroup, Subscription
from strongroom.resources.service import Author
from strongroom.scheduling.retention import sweep
from strongroom.sensitive import Sensitive
from strongroom.storage.sqlite import SqliteStorage
from strongroom.vaults import service
from strongroom.vaults.request import VaultRequest
from vault_doubles import MADE, NOON, SUBSCRIPTION, TENANT

OK = "ok"
WHERE = Subscription(subscription_id=SUBSCRIPTION, tenant_id=TENANT, display_name="s", created=NOON)
GROUP = ResourceGroup(subscription_id=SUBSCRIPTION, name="g", location="local", tags=(), system_data=MADE)
NOT_FOUND = 404
ORPHANS = (
    """SELECT vault_id FROM objects UNION SELECT vault_id FROM versions
    UNION SELECT scope FROM data_keys WHERE purpose = 'vault' EXCEPT SELECT vault_id FROM vaults""",
    "SELECT vault_id || '/' || name FROM versions EXCEPT SELECT vault_id || '/' || name FROM objects",
)


class DomainWorld:
    """The services over a storage, at a time that is what the world says, to the second."""

    moves = tuple(
        timedelta(**each)
        for each in (
            {"milliseconds": 750},
            {"seconds": 1},
            {"days": 1},
            {"days": 7, "seconds": -1},
            {"days": 7},
            {"days": 31},
            {"days": 90, "milliseconds": -250},
        )
    )
    tolerance = timedelta(seconds=1)
    is_exact = True

    def __init__(self, storage, custodian):
        self._storage, self._custodian = storage, custodian
        self._loop = asyncio.new_event_loop()
        self._now = NOON

        async def furnish(stores):
            await stores.resources.add_subscription(WHERE)
            await stores.resources.put_group(GROUP)

        assert self._change(furnish) == OK

    def close(self):
        self._loop.close()

    # --- time

    def now(self):
        return self._now

    def advance(self, passed):
        self._now += passed

    def sweep(self):
        """Let what has expired be purged, as the server does once a minute."""
        self._loop.run_until_complete(sweep(self._storage, self._now, self._now))

    # --- vaults

    def put_vault(self, name, **said):
        access = {"location": "local", "tenant_id": TENANT, "sku": "standard", "access_policies": ()}

        async def put(stores):
            await service.put_vault(
                stores,
                self._custodian,
                Locations("local"),
                subscription=WHERE,
                group="g",
                name=name,
                request=VaultRequest(**access | said),
                rbac_by_default=True,
                change=self._by(),
            )

        return self._change(put)

    def recover_vault(self, name):
        return self.put_vault(name, recover=True)

    def patch_vault(self, name, **said):
        async def patch(stores):
            await service.update_vault(
                stores,
                subscription_id=SUBSCRIPTION,
                group="g",
                name=name,
                request=VaultRequest(**said),
                change=self._by(),
            )

        return self._change(patch)

    def delete_vault(self, name):
        async def delete(stores):
            vault = await service.get_vault(stores, SUBSCRIPTION, "g", name)
            await service.delete_vault(stores, vault, self._now)

        return self._change(delete)

    def purge_vault(self, name):
        async def purge(stores):
            await service.purge_vault(stores.vaults, await self._deleted(stores, name))

        return self._change(purge)

    def deleted_vault(self, name):
        found = self._read(lambda stores: self._deleted(stores, name))
        return found and (found.deletion.deleted, found.deletion.scheduled_purge)

    def vault_picture(self, name):
        """Return all that a living vault is, but for who changed it last; None when there is none."""
        vault = self._read(lambda stores: service.get_vault(stores, SUBSCRIPTION, "g", name))
        return vault and replace(vault, system_data=MADE)

    def is_free(self, name):
        return self._read(lambda stores: service.check_name(stores.vaults, name, self._now)).available

    # --- secrets

    def set(self, vault, name, value):
        edit = SecretEdit(content_type=value, tags=(("a", value),))
        return self._on_secrets(vault, lambda secrets: secrets.set(name, Sensitive(value.encode()), edit))

    def delete(self, vault, name):
        return self._on_secrets(vault, lambda secrets: secrets.delete(name))

    def recover(self, vault, name):
        return self._on_secrets(vault, lambda secrets: secrets.recover(name))

    def purge(self, vault, name):
        return self._on_secrets(vault, lambda secrets: secrets.purge(name))

    def deleted_secret(self, vault, name):
        async def tell(stores):
            state = (await (await self._secrets(stores, vault)).get_deleted(name)).state
            return state.deleted, state.scheduled_purge

        return self._read(tell)

    def picture(self, vault, name):
        """Return all that a living secret is, every version with its value; None when there is none."""

        async def tell(stores):
            secrets = await self._secrets(stores, vault)
            await secrets.get(name)
            versions = await secrets.list_versions(name, None, 100)
            return [(each, (await secrets.open(each)).reveal()) for each in versions]

        return self._read(tell)

    # --- the store itself

    def orphans(self):
        """Return the ids of vaults that are gone and have left something, and of secrets that have."""
        stores = self._storage.stores
        keys = {key.scope for key in stores.keyring.keys if key.purpose is Purpose.VAULT}
        held = keys | {vault_id for vault_id, _ in [*stores.secrets.states, *stores.secrets.versions]}
        gone = stores.secrets.versions.keys() - stores.secrets.states.keys()
        return held - {vault.vault_id for vault in stores.vaults.rows.values()} | gone

    def stored(self):
        """Return (vault, None) and (vault, secret) for all that has rows."""
        stores = self._storage.stores
        names = {vault.vault_id: name for name, vault in stores.vaults.rows.items()}
        return {(name, None) for name in names.values()} | {
            (names[vault_id], secret) for vault_id, secret in stores.secrets.states
        }

    # --- how

    def _by(self):
        author = Author("owner", PrincipalType.SERVICE_PRINCIPAL)
        return service.VaultChange(author=author, object_id="o", may_assign_roles=True, now=self._now)

    async def _deleted(self, stores, name):
        return await service.get_deleted_vault(
            stores.vaults, subscription_id=SUBSCRIPTION, location="local", name=name, now=self._now
        )

    async def _secrets(self, stores, name):
        vault = await service.get_vault(stores, SUBSCRIPTION, "g", name)
        return Secrets(stores.secrets, stores.keyring, self._custodian, vault=vault, now=self._now)

    def _on_secrets(self, vault, operation):
        async def work(stores):
            await operation(await self._secrets(stores, vault))

        return self._change(work)

    def _change(self, operation):
        async def work(stores):
            return await operation(stores), a_record()

        try:
            self._loop.run_until_complete(self._storage.change(work))
        except StrongroomError as error:
            return error.status
        return OK

    def _read(self, operation):
        async def read():
            return await operation(self._storage.read())

        try:
            return self._loop.run_until_complete(read())
        except NotFound:
            return None


class MemoryWorld(DomainWorld):
    """Over the double that other tests stand on."""

    def __init__(self, place):
        del place
        storage = MemoryStorage()
        super().__init__(storage, storage.custodian)


class SqliteWorld(DomainWorld):
    """Over a data directory of its own."""

    def __init__(self, place):
        self._place = a_data_directory(place)
        super().__init__(SqliteStorage.open(self._place, CUSTODIAN), CUSTODIAN)

    def close(self):
        self._storage.close()
        super().close()

    def orphans(self):
        return orphans_in(self._place)

    def stored(self):
        return stored_in(self._place)


def orphans_in(data_dir):
    with closing(sqlite3.connect(data_dir / "strongroom.db")) as connection:
        return {left for statement in ORPHANS for (left,) in connection.execute(statement)}


def stored_in(data_dir):
    with closing(sqlite3.connect(data_dir / "strongroom.db")) as connection:
        secrets = connection.execute("SELECT v.name, o.name FROM objects o JOIN vaults v USING (vault_id)")
        return {*secrets} | {(name, None) for (name,) in connection.execute("SELECT name FROM vaults")}


class ServerWorld:
    """A rehearsal server, asked over HTTPS, on its rehearsal clock. It sweeps when it likes."""

    moves = tuple(timedelta(days=days) for days in (1, 6, 7, 31, 89))
    tolerance = timedelta(seconds=60)
    is_exact = False

    def __init__(self, direct, data_dir):
        self._direct, self._data_dir = direct, data_dir

    def close(self):
        """Leave the server to others."""

    def now(self):
        return _moment(self._clock("GET")["now"])

    def advance(self, passed):
        self._clock("PUT", {"advance": f"P{passed.days}D"})

    def sweep(self):
        """Wait for nothing: what has expired is gone to everybody, swept or not."""

    def put_vault(self, name, *, retention_days, purge_protection):
        policies = [self._direct.policy(self._direct.owner_id, "all", "purge")]
        said = {"softDeleteRetentionInDays": retention_days, "accessPolicies": policies}
        if purge_protection:
            said["enablePurgeProtection"] = True
        return self._manage("PUT", self._direct.vault_path(name), self._direct.vault_body(**said))

    def recover_vault(self, name):
        recovery = {"location": self._direct.facts.location, "properties": {"createMode": "recover"}}
        return self._manage("PUT", self._direct.vault_path(name), recovery)

    def patch_vault(self, name, *, retention_days=None, purge_protection=None):
        said = {"softDeleteRetentionInDays": retention_days, "enablePurgeProtection": purge_protection}
        body = {"properties": {key: value for key, value in said.items() if value is not None}}
        return self._manage("PATCH", self._direct.vault_path(name), body)

    def delete_vault(self, name):
        status = self._direct.manage("DELETE", self._direct.vault_path(name)).status
        return {200: OK, 204: NOT_FOUND}.get(status, status)

    def purge_vault(self, name):
        return self._manage("POST", f"{self._deleted_path(name)}/purge")

    def deleted_vault(self, name):
        answer = self._direct.manage("GET", self._deleted_path(name))
        return _deletion(answer, "properties", "deletionDate", "scheduledPurgeDate", read=_moment)

    def vault_picture(self, name):
        answer = self._direct.manage("GET", self._direct.vault_path(name))
        return None if answer.status == NOT_FOUND else json.dumps(answer.json | {"systemData": None})

    def is_free(self, name):
        path = f"{self._direct.subscription}/providers/Microsoft.KeyVault/checkNameAvailability"
        body = {"name": name, "type": "Microsoft.KeyVault/vaults"}
        return self._direct.manage("POST", path, body).json["nameAvailable"]

    def set(self, vault, name, value):
        return self._ask("PUT", vault, f"/secrets/{name}", {"value": value, "contentType": value, "tags": {"a": value}})

    def delete(self, vault, name):
        return self._ask("DELETE", vault, f"/secrets/{name}")

    def recover(self, vault, name):
        return self._ask("POST", vault, f"/deletedsecrets/{name}/recover")

    def purge(self, vault, name):
        return self._ask("DELETE", vault, f"/deletedsecrets/{name}")

    def deleted_secret(self, vault, name):
        answer = self._secret("GET", vault, f"/deletedsecrets/{name}")
        return _deletion(answer, None, "deletedDate", "scheduledPurgeDate", read=_from_seconds)

    def picture(self, vault, name):
        """Return the very bytes of the list of versions and of each of them, but for what the vault's rules add."""
        listed = self._secret("GET", vault, f"/secrets/{name}/versions")
        if listed.status == NOT_FOUND or not listed.json["value"]:
            return None
        ids = [item["id"].rpartition("/")[2] for item in listed.json["value"]]
        told = [listed.raw, *(self._secret("GET", vault, f"/secrets/{name}/{each}").raw for each in ids)]
        return [raw.replace(b"+Purgeable", b"") for raw in told]

    def orphans(self):
        return orphans_in(self._data_dir)

    def stored(self):
        return None  # what has expired and was not swept yet is stored

    def _clock(self, method, body=None):
        answer = self._direct.manage(method, "/providers/Strongroom.Rehearsal/clock", body, version=None)
        assert answer.status == 200, answer
        return answer.json

    def _deleted_path(self, name):
        place = f"{self._direct.subscription}/providers/Microsoft.KeyVault/locations/{self._direct.facts.location}"
        return f"{place}/deletedVaults/{name}"

    def _manage(self, *asked):
        return _outcome(self._direct.manage(*asked))

    def _secret(self, method, vault, path, body=None):
        return self._direct.secret(method, self._direct.vault_url(vault), path, body)

    def _ask(self, *asked):
        return _outcome(self._secret(*asked))


def _outcome(answer):
    return OK if answer.status < 300 else answer.status


def _deletion(answer, inside, *names, read):
    if answer.status == NOT_FOUND:
        return None
    said = answer.json[inside] if inside else answer.json
    return tuple(read(said[name]) for name in names)


def _moment(text):
    return datetime.fromisoformat(text)


def _from_seconds(seconds):
    return datetime.fromtimestamp(seconds, UTC)
