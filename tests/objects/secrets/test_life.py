"""The life cycle as a machine: whatever is done in whatever order, on a clock that only moves forward."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from doubles import MemoryStorage
from strongroom.errors import Conflict, Forbidden, NotFound, ObjectDisabled
from strongroom.objects.secrets.backup import back_up, restore
from strongroom.objects.secrets.model import SecretEdit
from strongroom.sensitive import Sensitive
from vault_doubles import NOON, a_vault, put_vault, secrets_of

NAMES = st.sampled_from(["a", "A", "b", "B-1"])
VALUES = st.text(alphabet=st.characters(codec="utf-8"), max_size=5)


class Life(RuleBasedStateMachine):
    """A model beside the service: by lower-case name the values in order, which are enabled, and when it is purged."""

    @initialize(protected=st.booleans(), retention=st.sampled_from([7, 8, 90]))
    def begin(self, protected, retention):
        self.storage, self.now, self.model, self.backups = MemoryStorage(), NOON, {}, []
        self.retention = timedelta(days=retention)
        vault = a_vault(purge_protection=protected, retention_days=retention)
        self.vault = asyncio.run(put_vault(self.storage, vault))

    def run(self, operation):
        return asyncio.run(operation(secrets_of(self.storage, self.vault, self.now)))

    def raises(self, error, operation):
        with pytest.raises(error):
            self.run(operation)

    def living(self, name):
        found = self.model.get(name.lower())
        return found if found and found["purge"] is None else None

    def deleted(self, name):
        found = self.model.get(name.lower())
        return found if found and found["purge"] is not None else None

    @rule(passed=st.sampled_from([timedelta(0), timedelta(seconds=1), timedelta(days=3), timedelta(days=7)]))
    def time_passes(self, passed):
        self.now += passed
        self.model = {n: one for n, one in self.model.items() if one["purge"] is None or self.now < one["purge"]}

    @rule(name=NAMES, value=VALUES, enabled=st.booleans())
    def set(self, name, value, enabled):
        def operation(s):
            return s.set(name, Sensitive(value.encode()), SecretEdit(enabled=enabled))

        if self.deleted(name):
            self.raises(Conflict, operation)
            return
        self.run(operation)
        known = self.model.setdefault(name.lower(), {"name": name, "versions": [], "purge": None})
        known["versions"].append([value, enabled])

    @rule(name=NAMES, enabled=st.booleans())
    def update(self, name, enabled):
        def operation(s):
            return s.update(name, None, SecretEdit(enabled=enabled))

        if self.living(name):
            self.run(operation)
            self.living(name)["versions"][-1][1] = enabled
        else:
            self.raises(NotFound, operation)

    @rule(name=NAMES)
    def get(self, name):
        def operation(s):
            return s.get(name)

        found = self.living(name)
        if not found:
            self.raises(NotFound, operation)
        elif not found["versions"][-1][1]:
            self.raises(ObjectDisabled, operation)
        else:
            secret, value = self.run(operation)
            assert value.reveal().decode() == found["versions"][-1][0]
            assert secret.state.name == found["name"]

    @rule(name=NAMES)
    def delete(self, name):
        def operation(s):
            return s.delete(name)

        found = self.living(name)
        if found:
            self.run(operation)
            found["purge"] = self.now.replace(microsecond=0) + self.retention
        else:
            self.raises(NotFound, operation)

    @rule(name=NAMES)
    def recover(self, name):
        def operation(s):
            return s.recover(name)

        found = self.deleted(name)
        if found:
            self.run(operation)
            found["purge"] = None
        else:
            self.raises(NotFound, operation)

    @rule(name=NAMES)
    def purge(self, name):
        def operation(s):
            return s.purge(name)

        if not self.deleted(name):
            self.raises(NotFound, operation)
        elif self.vault.purge_protection:
            self.raises(Forbidden, operation)
        else:
            self.run(operation)
            del self.model[name.lower()]

    @rule(name=NAMES)
    def back_up(self, name):
        found = self.living(name)
        if found:
            backup = self.run(lambda s: back_up(s, name))
            self.backups.append((backup, found["name"], [list(version) for version in found["versions"]]))
        else:
            self.raises(NotFound, lambda s: back_up(s, name))

    @rule(number=st.integers(0, 5))
    def restore(self, number):
        if number >= len(self.backups):
            return
        backup, name, versions = self.backups[number]
        if name.lower() in self.model:
            self.raises(Conflict, lambda s: restore(s, backup))
        else:
            self.run(lambda s: restore(s, backup))
            self.model[name.lower()] = {"name": name, "versions": [list(v) for v in versions], "purge": None}

    @invariant()
    def lists_tell_what_is_there(self):
        living = [one["name"] for _, one in sorted(self.model.items()) if one["purge"] is None]
        deleted = [(one["name"], one["purge"]) for _, one in sorted(self.model.items()) if one["purge"] is not None]
        assert [one.state.name for one in self.run(lambda s: s.list(None, 25))] == living
        told = self.run(lambda s: s.list_deleted(None, 25))
        assert [(one.state.name, one.state.scheduled_purge) for one in told] == deleted
        for name in living:
            versions = self.run(lambda s, name=name: s.list_versions(name, None, 25))
            assert [one.version.enabled for one in versions] == [v[1] for v in self.model[name.lower()]["versions"]][
                :25
            ]


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
