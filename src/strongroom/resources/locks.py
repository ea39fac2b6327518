"""Management locks: what they keep from being deleted or changed, and the rules of a lock itself.

A lock counts at its scope and everywhere below, for everyone, on the management plane alone. One that lies below a
scope keeps that scope from being deleted, since its deletion would take what is locked with it.
Source: Azure "Lock your resources to protect your infrastructure"; REST Management Locks; texts see `docs/errors.md`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from strongroom.errors import BadRequest, Conflict
from strongroom.ids import Scope
from strongroom.resources.model import SystemData

MAX_LOCKS = 20
"""Locks of one scope. Source: Azure subscription limits."""
MAX_NAME = 260
MAX_NOTES = 512
MAX_OWNERS = 100
NOT_IN_NAMES = frozenset("<>%&:\\?/")
NO_SEGMENTS = frozenset({".", ".."})
"""Names that most clients take out of a URL: a lock of such a name could not be removed with them."""
LOCKS = "microsoft.authorization/locks/"


class Level(StrEnum):
    """What a lock keeps from happening."""

    CAN_NOT_DELETE = "CanNotDelete"
    READ_ONLY = "ReadOnly"


class Effect(Enum):
    """What an action does to its scope, as refusals name it."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock. scope: the resource id of what is locked, as resources write it. owners: application ids."""

    subscription_id: str
    scope: str
    name: str
    level: Level
    notes: str | None
    owners: tuple[str, ...]
    system_data: SystemData


def effect_of(action: str) -> Effect:
    """Return what an RBAC action does: all that neither reads nor deletes counts as writing, as its POSTs do."""
    verb = action.lower().rpartition("/")[2]
    return Effect(verb) if verb in {Effect.READ.value, Effect.DELETE.value} else Effect.WRITE


def may_be_locked(action: str) -> bool:
    """Answer whether locks have a say in an action: in what changes something other than locks."""
    return effect_of(action) is not Effect.READ and not action.lower().startswith(LOCKS)


def locks_against(locks: Iterable[Lock], action: str, scope: Scope, *, whole: bool) -> tuple[Lock, ...]:
    """Return the locks that keep an action from happening at a scope.

    whole: the action takes the scope itself with all that lies below it, not only something that is set on it.
    """
    if not may_be_locked(action):
        return ()
    deleting = effect_of(action) is Effect.DELETE
    return tuple(
        lock
        for lock in locks
        if _reaches(Scope.parse(lock.scope), scope, below=deleting and whole)
        and (deleting or lock.level is Level.READ_ONLY)
    )


def _reaches(locked: Scope, scope: Scope, *, below: bool) -> bool:
    return scope.within(locked) or (below and locked.within(scope))


def require_unlocked(locks: Iterable[Lock], action: str, scope: str, *, whole: bool) -> None:
    """Raise Conflict (ScopeLocked) when a lock keeps an action from happening at a scope, a resource id."""
    against = locks_against(locks, action, Scope.parse(scope), whole=whole)
    if against:
        named = ", ".join(f"'{place}'" for place in dict.fromkeys(lock.scope for lock in against))
        raise Conflict(
            f"The scope '{scope}' cannot perform {effect_of(action).value} operation because following scope(s) are "
            f"locked: {named}. Please remove the lock and try again.",
            code="ScopeLocked",
        )


def require_lock_name(name: str) -> str:
    """Return a lock's name; BadRequest (InvalidLock) for one that none can have."""
    fits = 1 <= len(name) <= MAX_NAME and name.isprintable() and not NOT_IN_NAMES & set(name)
    if not fits or name in NO_SEGMENTS:
        raise BadRequest(
            f"The lock name '{name}' is invalid: it has 1 to {MAX_NAME} characters, none of them one of <>%&:\\?/ or a "
            "control character, and is neither '.' nor '..'.",
            code="InvalidLock",
        )
    return name


def require_level(text: str) -> Level:
    """Return a lock's level; BadRequest (InvalidLock) for one that locks nothing."""
    found = next((level for level in Level if level.value.lower() == text.lower()), None)
    if found is None:
        raise BadRequest(f"The lock level '{text}' is invalid; use CanNotDelete or ReadOnly.", code="InvalidLock")
    return found


def require_notes(notes: str | None, owners: Sequence[str]) -> None:
    """Raise BadRequest (InvalidLock) when there is more said of a lock than is kept."""
    if len(notes or "") > MAX_NOTES:
        raise BadRequest(f"The notes of a lock have at most {MAX_NOTES} characters.", code="InvalidLock")
    if len(owners) > MAX_OWNERS:
        raise BadRequest(f"A lock has at most {MAX_OWNERS} owners.", code="InvalidLock")


def require_room(locks: Iterable[Lock], scope: str) -> None:
    """Raise Conflict (LockCountQuotaReached) when a scope has as many locks as it may have."""
    place = Scope.parse(scope)
    if sum(Scope.parse(lock.scope) == place for lock in locks) >= MAX_LOCKS:
        raise Conflict(
            f"The scope '{scope}' has {MAX_LOCKS} locks; it has at most so many.", code="LockCountQuotaReached"
        )
