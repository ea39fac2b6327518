"""How much one vault may be asked: 4,000 transactions in 10 seconds, all vaults of a subscription five times that.

A request is one; what keys do may count as more (`objects/keys/weights.py`).

The counts lie in memory that all workers share, mapped before they are forked. Nobody locks it: two workers that count
at the very same moment may count one request for two. A limit can bear that, but no lock that a killed worker held.
Source: "Azure Key Vault service limits"; requests refused for the limit do not count towards it.
"""

import hashlib
import mmap
from datetime import datetime
from functools import lru_cache

from strongroom.errors import Throttled
from strongroom.vaults.model import Vault

WINDOW_SECONDS = 10
VAULT_LIMIT = 4_000
SUBSCRIPTION_LIMIT = 5 * VAULT_LIMIT
SLOTS = 8_192  # each is a key and a count, 8 bytes each; more vaults than slots are not limited, never wrongly refused
PROBES = 8
THROTTLED = "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
COUNT_BITS = 32
COUNT_MASK = (1 << COUNT_BITS) - 1


class Limiter:
    """Counts the transactions of vaults and subscriptions in windows of 10 seconds.

    memory: shared by all workers, `SLOTS` × 16 bytes of zeros; one of its own when None. weighs: whether what keys do
    counts for what it weighs; not in a rehearsal, where tests make many keys.
    """

    def __init__(self, memory: mmap.mmap | None = None, *, weighs: bool = True) -> None:
        self.weighs = weighs
        self._cells = memoryview(memory or allocate()).cast("Q")

    def admit(self, vault_id: str, subscription_id: str, seconds: float, transactions: int = 1) -> bool:
        """Count transactions at `seconds` and return True, or return False and count nothing: it would pass a limit.

        Less than none are given back.
        """
        window = int(seconds) // WINDOW_SECONDS + 1  # no window is 0: that is a cell never used
        vault = self._slot(_key("vault", vault_id), window)
        subscription = self._slot(_key("subscription", subscription_id), window)
        if window + 1 in (self._window(vault), self._window(subscription)):
            window += 1  # a request that came before its end, and is counted after it
        in_vault = self._count(vault, window)
        in_subscription = self._count(subscription, window)
        if in_vault + transactions > VAULT_LIMIT or in_subscription + transactions > SUBSCRIPTION_LIMIT:
            return False
        self._put(vault, window, max(in_vault + transactions, 0))
        self._put(subscription, window, max(in_subscription + transactions, 0))
        return True

    def _slot(self, key: int, window: int) -> int | None:
        """Return the cell of a key's count: its own, else the first one nearby that nobody counts in any more."""
        cells, free = self._cells, None
        for probe in range(PROBES):
            cell = 2 * ((key + probe) % SLOTS)
            if cells[cell] == key:
                return cell + 1
            if free is None and cells[cell + 1] >> COUNT_BITS not in (window, window + 1):
                free = cell
        if free is None:
            return None
        cells[free] = key
        cells[free + 1] = window << COUNT_BITS
        return free + 1

    def _window(self, cell: int | None) -> int:
        return 0 if cell is None else self._cells[cell] >> COUNT_BITS

    def _count(self, cell: int | None, window: int) -> int:
        if cell is None:
            return 0
        found = self._cells[cell]
        return found & COUNT_MASK if found >> COUNT_BITS == window else 0

    def _put(self, cell: int | None, window: int, count: int) -> None:
        if cell is not None:
            self._cells[cell] = window << COUNT_BITS | count


def count(limiter: Limiter, vault: Vault, moment: datetime, transactions: int = 1) -> None:
    """Count transactions of a vault, if it counts any; Throttled past its limit."""
    if vault.throttled and not limiter.admit(vault.vault_id, vault.subscription_id, moment.timestamp(), transactions):
        raise Throttled(THROTTLED)


def count_more(limiter: Limiter, vault: Vault, moment: datetime, transactions: int) -> None:
    """Count what a request that was counted already takes beside itself; one that is Throttled counts for nothing."""
    if transactions > 0 and limiter.weighs:
        try:
            count(limiter, vault, moment, transactions)
        except Throttled:
            count(limiter, vault, moment, -1)
            raise


def allocate() -> mmap.mmap:
    """Return memory for the counts that processes forked from this one share."""
    return mmap.mmap(-1, SLOTS * 16)


@lru_cache(maxsize=4_096)
def _key(kind: str, name: str) -> int:
    """Return a key that every process makes alike; never 0, which marks a free cell."""
    return int.from_bytes(hashlib.blake2b(f"{kind}/{name}".encode(), digest_size=8).digest()) | 1
