"""The life of vaults and secrets as a machine, on a clock that moves: the same for every world there is.

What must hold, whoever acts: nothing protected is purged, nothing that is not yet due ends; what has ended is not to be
had again; what is recovered is as it was to the byte; nobody shortens a retention; a name is free exactly when the
service says so; a purged vault leaves nothing.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from retention_worlds import OK

VAULTS = st.sampled_from(["kv-one", "kv-two"])
SECRETS = st.sampled_from(["a", "b"])
DAYS = st.sampled_from([7, 8, 31, 90])


@dataclass
class Thing:
    """A vault or a secret. ends: when it is purged by itself, None while it lives. picture: all that it is."""

    picture: Any
    ends: Any = None


@dataclass
class House(Thing):
    """A vault with its secrets."""

    days: int = 90
    protected: bool = False
    secrets: dict = field(default_factory=dict)


class Life(RuleBasedStateMachine):
    """The machine; a world subclasses it."""

    def __init__(self):
        super().__init__()
        self.world = self.make_world()
        self.houses = {}
        self.values = 0

    def make_world(self):
        """Return the world of a new example."""
        raise NotImplementedError

    def name(self, name):
        """Return what a vault is really called: examples may share a server."""
        return name

    def teardown(self):
        self.world.close()

    def living(self, name):
        house = self.houses.get(name)
        return house if house and house.ends is None else None

    def deleted(self, name):
        house = self.houses.get(name)
        return house if house and house.ends is not None else None

    def begin_end(self, told, days):
        """Return when something ends that was deleted now, as it was told."""
        deleted, ends = told
        assert abs(self.world.now() - deleted) < self.world.tolerance
        assert ends - deleted == timedelta(days=days)
        return ends

    @initialize(days=DAYS, protected=st.booleans(), deleted=st.booleans())
    def begin(self, days, protected, deleted):
        """Begin where something is: a vault with two secrets, one of them perhaps deleted."""
        self.make_vault("kv-one", days, protected)
        for name in ("a", "b"):
            self.set("kv-one", name)
        if deleted:
            self.delete("kv-one", "b")

    # --- time

    @rule(data=st.data())
    def time_passes(self, data):
        self.advance(data.draw(st.sampled_from(self.world.moves)))

    @rule(number=st.integers(0, 5), short_of=st.sampled_from([timedelta(0), timedelta(microseconds=1)]))
    def time_passes_to_the_very_end_of_something(self, number, short_of):
        things = [*self.houses.values(), *(one for house in self.houses.values() for one in house.secrets.values())]
        ends = sorted({thing.ends for thing in things if thing.ends})
        if self.world.is_exact and ends:
            self.advance(max(ends[number % len(ends)] - short_of - self.world.now(), timedelta(0)))

    def advance(self, passed):
        self.world.advance(passed)
        now = self.world.now()
        self.houses = {name: house for name, house in self.houses.items() if not is_over(house, now)}
        for house in self.houses.values():
            house.secrets = {name: one for name, one in house.secrets.items() if not is_over(one, now)}

    @rule()
    def the_server_sweeps(self):
        self.world.sweep()
        kept = {(self.name(name), None) for name in self.houses}
        kept |= {(self.name(name), secret) for name, house in self.houses.items() for secret in house.secrets}
        assert self.world.stored() in (kept, None)

    # --- vaults

    @rule(name=VAULTS, days=DAYS, protected=st.booleans())
    def make_vault(self, name, days, protected):
        if self.living(name):
            return
        said = {"retention_days": days, "purge_protection": protected or None}
        outcome = self.world.put_vault(self.name(name), **said)
        if self.deleted(name):
            assert outcome == 409
        else:
            assert outcome == OK
            picture = self.world.vault_picture(self.name(name))
            self.houses[name] = House(picture, days=days, protected=protected)

    @rule(name=VAULTS)
    def protect(self, name):
        house = self.living(name)
        outcome = self.world.patch_vault(self.name(name), purge_protection=True)
        assert outcome == (OK if house else 404)
        if house:
            house.protected, house.picture = True, self.world.vault_picture(self.name(name))

    @rule(name=VAULTS, days=DAYS)
    def weaken(self, name, days):
        house = self.living(name)
        assert self.world.patch_vault(self.name(name), purge_protection=False) == (400 if house else 404)
        outcome = self.world.patch_vault(self.name(name), retention_days=days)
        assert outcome == (404 if not house else OK if days == house.days else 400)

    @rule(name=VAULTS)
    def delete_vault(self, name):
        house = self.living(name)
        assert self.world.delete_vault(self.name(name)) == (OK if house else 404)
        if house:
            house.ends = self.begin_end(self.world.deleted_vault(self.name(name)), house.days)

    @rule(name=VAULTS)
    def recover_vault(self, name):
        house = self.deleted(name)
        expected = OK if house else 409 if self.living(name) else 404
        assert self.world.recover_vault(self.name(name)) == expected
        if house:
            house.ends = None

    @rule(name=VAULTS)
    def purge_vault(self, name):
        house = self.deleted(name)
        outcome = self.world.purge_vault(self.name(name))
        assert outcome == (404 if not house else 405 if house.protected else OK)
        if outcome == OK:
            del self.houses[name]

    # --- secrets

    @rule(vault=VAULTS, name=SECRETS)
    def set(self, vault, name):
        self.values += 1
        house = self.living(vault)
        known = house and house.secrets.get(name)
        outcome = self.world.set(self.name(vault), name, f"value {self.values}")
        assert outcome == (404 if not house else 409 if known and known.ends else OK)
        if outcome == OK:
            house.secrets[name] = Thing(self.world.picture(self.name(vault), name))

    @rule(vault=VAULTS, name=SECRETS)
    def delete(self, vault, name):
        house = self.living(vault)
        known = house and house.secrets.get(name)
        outcome = self.world.delete(self.name(vault), name)
        assert outcome == (OK if known and not known.ends else 404)
        if outcome == OK:
            known.ends = self.begin_end(self.world.deleted_secret(self.name(vault), name), house.days)

    @rule(vault=VAULTS, name=SECRETS)
    def recover(self, vault, name):
        house = self.living(vault)
        known = house and house.secrets.get(name)
        outcome = self.world.recover(self.name(vault), name)
        assert outcome == (OK if known and known.ends else 404)
        if outcome == OK:
            known.ends = None

    @rule(vault=VAULTS, name=SECRETS)
    def purge(self, vault, name):
        house = self.living(vault)
        known = house and house.secrets.get(name)
        outcome = self.world.purge(self.name(vault), name)
        assert outcome == (404 if not (known and known.ends) else 403 if house.protected else OK)
        if outcome == OK:
            del house.secrets[name]

    # --- what holds at any time

    @invariant()
    def everything_is_where_it_should_be(self):
        for name in ("kv-one", "kv-two"):
            self.look_at(name, self.houses.get(name))
        assert not self.world.orphans()

    def look_at(self, name, house):
        known = self.name(name)
        assert self.world.is_free(known) is (house is None)
        deleted = self.world.deleted_vault(known)
        assert (deleted and deleted[1]) == (house and house.ends)
        is_living = house is not None and house.ends is None
        assert self.world.vault_picture(known) == (house.picture if is_living else None)
        for secret in ("a", "b") if is_living else ():
            one = house.secrets.get(secret)
            deleted = self.world.deleted_secret(known, secret)
            assert (deleted and deleted[1]) == (one and one.ends)
            assert self.world.picture(known, secret) == (one.picture if one and one.ends is None else None)


def is_over(thing, now):
    return thing.ends is not None and now >= thing.ends
