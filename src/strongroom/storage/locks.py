"""Locks in SQL. Implements `resources.store.LockStore`."""

from strongroom.errors import NotFound
from strongroom.resources.locks import Lock
from strongroom.storage.session import WITHIN, Documents, Session, within

LOCKS = Documents("locks", Lock, "scope", "name", "subscription_id", keys=2)


class SqlLocks:
    """Locks, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list_in(self, subscription_id: str) -> tuple[Lock, ...]:
        """Return the locks at and below a subscription, by scope and name."""
        wanted = subscription_id.lower()

        def load() -> tuple[Lock, ...]:
            return LOCKS.read(self._session, "WHERE subscription_id = ? ORDER BY scope, name", (wanted,))

        return self._session.remember(("locks", wanted), load)

    async def put(self, lock: Lock) -> None:
        """Add a lock, or replace the one of that scope and name."""
        columns = (lock.scope.lower(), lock.name.lower(), lock.subscription_id.lower())
        LOCKS.put(self._session, columns, lock)

    async def remove(self, scope: str, name: str) -> None:
        """Remove a lock; NotFound (LockNotFound) when there is none."""
        if not LOCKS.delete(self._session, (scope.lower(), name.lower())):
            raise NotFound(f"The lock '{name}' could not be found.", code="LockNotFound")

    async def remove_within(self, scope: str) -> None:
        """Remove every lock at `scope` or below: the scope is gone."""
        LOCKS.delete_where(self._session, WITHIN, within(scope))
