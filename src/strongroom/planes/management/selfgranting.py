"""Whoever gives itself access to data by its own change is told: what it gained goes into the record of that change.

The gate makes an event of its own of it, which commits with the change, and a line in the log. That a vault's maker may
use what it made is no such event.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.access.authorization.evaluation import Holdings, Roles, decide, decide_on_data
from strongroom.access.authorization.model import Action, Decision, RoleAssignment
from strongroom.access.authorization.operations import OPERATIONS
from strongroom.access.authorization.service import holdings_of
from strongroom.access.authorization.world import path_of
from strongroom.planes.call import Call
from strongroom.vaults.model import Vault


@dataclass(frozen=True, slots=True)
class Held:
    """What the caller and its groups hold at one moment, and what the roles are then."""

    holders: tuple[Holdings, ...]
    roles: Roles

    def without(self, gone: RoleAssignment | None) -> "Held":
        """Return the same, but for one assignment."""
        if gone is None:
            return self
        kept = [
            Holdings(held for at_scope in each.by_scope.values() for held in at_scope if held != gone)
            for each in self.holders
        ]
        return Held(tuple(kept), self.roles)


async def held_by_caller(call: Call) -> Held:
    """Return what counts for the caller as things are."""
    holders = await holdings_of(call.stores, call.known_caller())
    return Held(tuple(holders), await call.stores.roles.roles())


async def note_vault_change(call: Call, before: Vault | None, after: Vault) -> None:
    """Note what the caller may do with the data of a vault that it might not before it changed the vault."""
    if before is None:
        return
    held = await held_by_caller(call)
    gained = [
        name
        for name, action in OPERATIONS.items()
        if _level(call, after, action, held) > _level(call, before, action, held)
    ]
    _note(call, gained)


def note_role_change(call: Call, before: Held, after: Held, scopes: Iterable[str]) -> None:
    """Note what data actions roles grant the caller at scopes that they did not before; lower-case resource ids.

    Whether roles decide in the vaults there is not asked: where they do not now they may later.
    """
    where = tuple(scopes)
    gained = [
        name
        for name, action in OPERATIONS.items()
        if any(_may(call, after, action, scope) > _may(call, before, action, scope) for scope in where)
    ]
    _note(call, gained)


def _note(call: Call, gained: list[str]) -> None:
    if gained:
        call.notes["selfGranted"] = gained


def _level(call: Call, vault: Vault, action: Action, held: Held) -> int:
    caller, place = call.known_caller(), path_of(vault)
    return _rank(
        decide_on_data(vault, caller, held.holders, held.roles, action=action, object_scope=place, now=call.now)
    )


def _may(call: Call, held: Held, action: Action, scope: str) -> int:
    return _rank(decide(held.holders, held.roles, action.data_action, scope, data=True, now=call.now))


def _rank(decision: Decision) -> int:
    """Return how far a decision lets somebody in: not at all, to what a condition names, to everything."""
    return 2 if decision.allowed else int(decision.undecided)
