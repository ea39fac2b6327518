"""The life of a vault under any sequence of events, on a clock that moves, against a model of a few lines."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from doubles import MemoryStorage
from strongroom.custody.store import Purpose
from strongroom.errors import Conflict, MethodNotAllowed, NotFound
from strongroom.resources.locations import Locations
from strongroom.resources.model import ResourceGroup, Subscription
from strongroom.resources.service import Author
from strongroom.vaults import service
from strongroom.vaults.request import VaultRequest
from vault_doubles import MADE, NOON, SUBSCRIPTION, TENANT

NAME = "kv1"
WHERE = Subscription(subscription_id=SUBSCRIPTION, tenant_id=TENANT, display_name="s", created=NOON)


class VaultLife(RuleBasedStateMachine):
    """state: free, living, or the moment when a deleted vault is purged by itself."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.storage = MemoryStorage()
        self.stores = self.storage.stores
        self.now = NOON
        self.living = False
        self.ends = None
        self.days = 0
        self.protected = False
        self.ids = set()
        self.run(self.stores.resources.add_subscription(WHERE))
        group = ResourceGroup(subscription_id=SUBSCRIPTION, name="g", location="local", tags=(), system_data=MADE)
        self.run(self.stores.resources.put_group(group))

    def teardown(self):
        self.loop.close()

    def run(self, work):
        return self.loop.run_until_complete(work)

    def change(self):
        return service.VaultChange(
            author=Author("a", "Application"), object_id="o", may_assign_roles=True, now=self.now
        )

    def put(self, **said):
        request = VaultRequest(location="local", tenant_id=TENANT, sku="standard", access_policies=(), **said)
        return self.run(
            service.put_vault(
                self.stores,
                self.storage.custodian,
                Locations("local"),
                subscription=WHERE,
                group="g",
                name=NAME,
                request=request,
                rbac_by_default=True,
                change=self.change(),
            )
        )

    def raises(self, error, code, work):
        with pytest.raises(error) as raised:
            work()
        assert raised.value.code == code

    def is_deleted(self):
        return self.ends is not None and self.now < self.ends

    def is_free(self):
        return not self.living and not self.is_deleted()

    @rule(days=st.integers(7, 90), protected=st.booleans())
    def make(self, days, protected):
        asked = {"retention_days": days, "purge_protection": protected or None}
        if self.is_deleted():
            self.raises(Conflict, "ConflictError", lambda: self.put(**asked))
        elif self.is_free():
            vault, before = self.put(**asked)
            assert before is None
            assert vault.vault_id not in self.ids
            self.ids.add(vault.vault_id)
            self.living, self.ends, self.days, self.protected = True, None, days, protected

    @precondition(lambda self: self.living)
    @rule(protected=st.booleans())
    def update(self, protected):
        vault, before = self.put(purge_protection=protected or None)
        assert before.vault_id == vault.vault_id
        self.protected = self.protected or protected
        assert (vault.purge_protection, vault.retention_days) == (self.protected, self.days)

    @rule()
    def delete(self):
        vault = self.run(service.find_vault(self.stores, SUBSCRIPTION, "g", NAME))
        assert (vault is not None) is self.living
        if vault is not None:
            deleted = self.run(service.delete_vault(self.stores, vault, self.now))
            self.living, self.ends = False, deleted.deletion.scheduled_purge
            assert timedelta(0) <= self.now + timedelta(days=self.days) - self.ends < timedelta(seconds=1)

    @rule()
    def recover(self):
        if self.is_deleted():
            vault, _ = self.put(recover=True)
            assert (vault.retention_days, vault.purge_protection) == (self.days, self.protected)
            self.living, self.ends = True, None
        elif self.living:
            self.raises(Conflict, "VaultAlreadyExists", lambda: self.put(recover=True))
        else:
            self.raises(NotFound, "DeletedVaultNotFound", lambda: self.put(recover=True))

    def deleted_vault(self):
        return self.run(
            service.get_deleted_vault(
                self.stores.vaults, subscription_id=SUBSCRIPTION, location="local", name=NAME, now=self.now
            )
        )

    @rule()
    def purge(self):
        if not self.is_deleted():
            self.raises(NotFound, "DeletedVaultNotFound", self.deleted_vault)
            return
        vault = self.deleted_vault()

        def purge():
            self.run(service.purge_vault(self.stores.vaults, vault))

        if self.protected:
            self.raises(MethodNotAllowed, "MethodNotAllowed", purge)
        else:
            purge()
            self.ends = None

    @rule(days=st.integers(0, 100), seconds=st.integers(0, 86400))
    def wait(self, days, seconds):
        self.now += timedelta(days=days, seconds=seconds)

    @invariant()
    def it_is_where_it_should_be(self):
        listed = self.run(service.list_deleted_vaults(self.stores.vaults, SUBSCRIPTION, self.now))
        assert len(listed) == self.is_deleted()
        found = self.run(self.stores.vaults.list_living(SUBSCRIPTION))
        assert len(found) == self.living
        free = self.run(service.check_name(self.stores.vaults, NAME, self.now))
        assert free.available is self.is_free()

    @invariant()
    def a_data_key_lives_as_long_as_its_vault(self):
        kept = [key for key in self.stores.keyring.keys if key.purpose is Purpose.VAULT]
        vault = self.run(self.stores.vaults.find(NAME))
        assert [key.scope for key in kept] == ([vault.vault_id] if vault else [])


VaultLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestVaultLife = VaultLife.TestCase
