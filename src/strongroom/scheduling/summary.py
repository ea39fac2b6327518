"""What strangers sent past their limit: one record a minute for all of it, instead of one for each request.

`docs/audit.md` lists its fields. The sum of all records and of the counts in all summaries is the number of requests.
"""

from collections.abc import Mapping
from datetime import datetime

import structlog

from strongroom.access.network.tally import OTHERS, Tally
from strongroom.audit.event import Record
from strongroom.audit.local import local_record
from strongroom.errors import StorageUnavailable
from strongroom.scheduling.store import RecordingStorage

OPERATION = "Strongroom.Unauthenticated/refuse"
REFUSAL = "{count} requests without valid credentials: too many of one address, or too little space on the disk."
NAMED_ADDRESSES = 100

log = structlog.get_logger(__name__)


async def summarize(tally: Tally, storage: RecordingStorage, now: datetime) -> int:
    """Record at `now` what was refused since the last summary, if anything was; return how many requests that were.

    StorageUnavailable when it cannot be made durable; it is then in the next summary.
    """
    taken = tally.take()
    if not taken:
        return 0
    count = sum(taken.values())
    try:
        await storage.record(_record(taken, count, now))
    except StorageUnavailable:
        tally.put_back(taken)
        raise
    log.warning("unauthenticated requests were refused", requests=count, addresses=len(taken))
    return count


def _record(taken: Mapping[str, int], count: int, now: datetime) -> Record:
    """Return the summary; it names the addresses that sent most, so that it stays small however many there are."""
    known = sorted((each for each in taken.items() if each[0] != OTHERS), key=lambda each: -each[1])
    named = [{"address": address, "requests": requests} for address, requests in known[:NAMED_ADDRESSES]]
    properties = {
        "requests": count,
        "addresses": named,
        "otherRequests": count - sum(requests for _, requests in known[:NAMED_ADDRESSES]),
    }
    return local_record(OPERATION, now=now, properties=properties, actor="server", refusal=REFUSAL.format(count=count))
