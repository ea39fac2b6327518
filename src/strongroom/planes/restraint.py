"""What network rules refuse gives way to what is let in: a storm of refusals must not make others wait.

While others are served by this worker, refusals are answered together, every few milliseconds: who is refused and asks
again at once asks the less often. Alone, nobody waits.
"""

import asyncio

SERVED_SECONDS = 0.25
"""How long after a request that was let in refusals give way."""
HOLD_SECONDS = 0.01
"""How long one that gives way waits at most."""


class Restraint:
    """Holds the refusals of one worker back. served: when a request was let in last, of `time.perf_counter`."""

    __slots__ = ("_held", "served")

    def __init__(self) -> None:
        self.served = -SERVED_SECONDS
        self._held: list[asyncio.Future[None]] = []

    async def give_way(self, seconds: float) -> None:
        """Wait, where others are served at `seconds`, until those refused are answered."""
        if seconds - self.served >= SERVED_SECONDS:
            return
        loop = asyncio.get_running_loop()
        held: asyncio.Future[None] = loop.create_future()
        if not self._held:
            loop.call_later(HOLD_SECONDS, self.release)
        self._held.append(held)
        await held

    def release(self) -> None:
        """Let those that wait be answered."""
        held, self._held = self._held, []
        for each in held:
            if not each.done():
                each.set_result(None)
