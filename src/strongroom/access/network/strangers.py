"""Requests that end with nobody proven: how many of one address are let through, and which leave a record.

Whoever proves who they are is never asked here. Why the proof comes first, and what a bad one costs:
`docs/decisions/0009-strangers-are-counted-after-their-proof-failed.md`.
"""

from collections.abc import Callable

from strongroom.access.network.tally import WINDOW_SECONDS, Tally
from strongroom.errors import ServiceUnavailable, StrongroomError, TooManyUnauthenticated

TOO_MANY = "Too many requests without valid credentials came from this address."
NO_ROOM = "The server is short of disk space; what is left is kept for requests with valid credentials."
ROOM_SECONDS = 30


class Strangers:
    """The limit of one server, as each worker asks it.

    tally: shared by all workers. per_minute: for each address, None for no limit. has_room: answers, at a time as
    `refusal` takes it, whether the disk has room for records of strangers.
    """

    def __init__(self, tally: Tally, per_minute: int | None, has_room: Callable[[float], bool]) -> None:
        self._tally = tally
        self._per_minute = per_minute
        self._has_room = has_room

    def refusal(self, address: str, seconds: float) -> StrongroomError | None:
        """Count a request that proved nobody; return None for it to be recorded and answered, else what to answer.

        What is refused here is counted for the next summary and has no record of its own.
        seconds: of a clock that is the same in every worker and never goes back.
        """
        has_room = self._has_room(seconds)
        if has_room and self._per_minute is None:
            return None
        if self._tally.count(address, seconds, self._per_minute if has_room else 0):
            return None
        if has_room:
            return TooManyUnauthenticated(TOO_MANY, retry_after=WINDOW_SECONDS - int(seconds) % WINDOW_SECONDS)
        return ServiceUnavailable(NO_ROOM, retry_after=ROOM_SECONDS)
