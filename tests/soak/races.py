"""Clients that race for one name: whatever they were answered, one order of their requests explains all of it.

Two clients or three act at once, each a few times in its own order; then the next round begins on what the last one
left. Hypothesis chooses what they do, the server and the system what happens first.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from clients.acts import SecretActs, VaultActs
from clients.direct import unique
from lives import FREE, SECRET_ACTS, VAULT_ACTS, Act, Life, secret_outcome, vault_outcome
from orders import Done, lives_after, told

CLIENTS = 3
ROUNDS = 8
MOST_SETS = 20  # a page of versions has 25


class Arena:
    """Clients that really act at once, each with kept connections and a thread of its own."""

    def __init__(self, direct, *acts):
        self._direct = direct
        self._acts = {kind: each for each in acts for kind in each.kinds}
        self._connections = [{} for _ in range(CLIENTS)]
        self._pool = ThreadPoolExecutor(CLIENTS)

    def race(self, name, wanted):
        """Let each client do its acts; return for each what it did."""
        return tuple(self._pool.map(lambda pair: self._play(name, *pair), zip(self._connections, wanted, strict=False)))

    def close(self):
        self._pool.shutdown()
        for connections in self._connections:
            for connection in connections.values():
                connection.close()

    def _play(self, name, connections, wanted):
        return tuple([self._act(name, connections, act) for act in wanted])

    def _act(self, name, connections, act):
        acts = self._acts[act.kind]
        method, path, body = acts.request(act, name)
        url = acts.address(name)
        if url not in connections:
            connections[url] = self._direct.open(url)
        begun = time.monotonic()
        answer = connections[url].ask(method, path, token=acts.token, body=body)
        return Done(act, begun, time.monotonic(), acts.told(act, answer))


@dataclass
class Counted:
    """What the races of a run came to."""

    rounds: int = 0
    acts: int = 0


def run_races(arena, kinds, step, *, examples, make_name, before=FREE):
    """Race for one name after another; AssertionError when no order explains what was answered. Return what was done.

    before: the life that every name begins with; step: returns the outcome of an act on a life and the life after it.
    """
    counted = Counted()

    class Race(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.name = make_name()
            self.lives = frozenset({before})
            self.count = self.sets = 0

        def act(self, kind):
            self.count += 1
            self.sets += kind == "set"
            kind = "get" if kind == "set" and self.sets > MOST_SETS else kind
            return Act(kind, value=f"value {self.count}", mark=f"m{self.count}")

        @rule(wanted=st.lists(st.lists(st.sampled_from(kinds), min_size=1, max_size=3), min_size=2, max_size=CLIENTS))
        def race(self, wanted):
            histories = arena.race(self.name, [[self.act(kind) for kind in each] for each in wanted])
            counted.rounds += 1
            counted.acts += sum(map(len, histories))
            lives = lives_after(histories, self.lives, step)
            assert lives, f"no order explains this, after {sorted(map(str, self.lives))}:\n{told(histories)}"
            self.lives = lives

    run_state_machine_as_test(
        Race,
        settings=settings(
            max_examples=examples,
            stateful_step_count=ROUNDS,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # a race does not come again to be made smaller
            suppress_health_check=list(HealthCheck),
        ),
    )
    arena.close()
    return counted


def race_for_secrets(direct, examples):
    """Race for secrets of the rehearsal vault."""
    arena = Arena(direct, SecretActs(direct))
    return run_races(arena, SECRET_ACTS, secret_outcome, examples=examples, make_name=lambda: unique("race-"))


def race_for_vaults(direct, examples):
    """Race for vaults."""
    arena = Arena(direct, VaultActs(direct))
    return run_races(arena, VAULT_ACTS, vault_outcome, examples=examples, make_name=lambda: unique("race"))


@dataclass(frozen=True, slots=True)
class House:
    """A vault and the one secret that is raced for in it."""

    vault: Life = FREE
    secret: Life = FREE


def house_outcome(house, act):
    """Return the outcome of an act on a vault (`vault-…`) or on its secret, and what there is after it."""
    kind = act.kind.removeprefix("vault-")
    if kind != act.kind:
        outcome, vault = vault_outcome(house.vault, replace(act, kind=kind))
        return outcome, House(vault, house.secret if vault != FREE else FREE)
    if not house.vault.is_living:
        return (404, None), house
    outcome, secret = secret_outcome(house.secret, act)
    return outcome, replace(house, secret=secret)


class VaultOfTheName(VaultActs):
    """Acts on the vault that is raced for, apart from those on the secret in it."""

    kinds = tuple(f"vault-{kind}" for kind in ("put", "delete", "recover", "purge"))

    def request(self, act, name):
        return super().request(_bare(act), name)

    def told(self, act, answer):
        return super().told(_bare(act), answer)


class SecretInTheVaultOfTheName(SecretActs):
    """Acts on one secret in the vault that is raced for."""

    kinds = ("set", "get", "delete", "recover", "purge")

    def __init__(self, direct):
        super().__init__(direct)
        self._direct = direct

    def address(self, name):
        return self._direct.vault_url(name)

    def request(self, act, name):
        del name
        return super().request(act, "one")


def _bare(act):
    return replace(act, kind=act.kind.removeprefix("vault-"))


def race_for_vaults_with_a_secret(direct, examples):
    """Race for a secret in a vault that is deleted, recovered, purged and made again meanwhile."""
    acts = VaultOfTheName(direct), SecretInTheVaultOfTheName(direct)
    kinds = [kind for each in acts for kind in each.kinds] + ["vault-put", "set"]
    return run_races(
        Arena(direct, *acts), kinds, house_outcome, examples=examples, make_name=lambda: unique("house"), before=House()
    )
