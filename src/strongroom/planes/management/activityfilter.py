"""What `$filter` of the activity log keeps. Source: REST Activity Logs, List (`$filter`); what `az` sends."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from strongroom.errors import BadRequest
from strongroom.ids import Scope
from strongroom.planes.management.filters import bad_filter, read_terms

if TYPE_CHECKING:
    from strongroom.planes.management.activity import Event

TIME = "eventtimestamp"
FIELDS = frozenset(
    {"resourcegroupname", "resourceuri", "resourceid", "resourceprovider", "correlationid", "caller", "status"}
)
IGNORED = "eventchannels"
TERM = re.compile(r"\s*(\w+)\s+(ge|le|eq)\s+(?:'((?:[^']|'')*)'|([^\s']+))\s*", re.ASCII | re.IGNORECASE)
LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityFilter:
    """Which events are wanted: those of a span of time, both ends in it, whose fields equal these values."""

    since: datetime
    until: datetime
    terms: Mapping[str, str]

    def keeps(self, moment: datetime, event: "Event") -> bool:
        """Answer whether an event of this moment passes."""
        return self.since <= moment <= self.until and all(
            _fits(event, name, value) for name, value in self.terms.items()
        )


def _fits(event: "Event", name: str, value: str) -> bool:
    if name in {"resourceuri", "resourceid"}:
        return Scope.parse(str(event.resource_id)).within(Scope.parse(value))
    said = {
        "resourcegroupname": event.resource_group_name,
        "resourceprovider": str(event.authorization.action).partition("/")[0] if event.authorization else "",
        "correlationid": event.correlation_id,
        "caller": event.caller,
        "status": event.status.value if event.status else "",
    }
    return str(said[name]).lower() == value.lower()


def parse_activity_filter(text: str) -> ActivityFilter:
    """Return the filter of a query; BadRequest when it says no beginning, or what is not kept here."""
    times: dict[str, datetime] = {}
    terms: dict[str, str] = {}
    for _, found in read_terms(text, TERM):
        if not _take(found, times, terms):
            raise bad_filter(text)
    if "ge" not in times:
        raise BadRequest(
            "The $filter query parameter must say the beginning of the time: eventTimestamp ge '…'.", code="BadRequest"
        )
    return ActivityFilter(since=times["ge"], until=times.get("le", LATEST), terms=terms)


def _take(found: re.Match[str], times: dict[str, datetime], terms: dict[str, str]) -> bool:
    """Put a term where it belongs; answer False where there is no such place, or it was taken."""
    name, test = found[1].lower(), found[2].lower()
    value = found[4] if found[3] is None else found[3].replace("''", "'")
    if name == TIME:
        moment = _moment(value)
        if test == "eq" or test in times or moment is None:
            return False
        times[test] = moment
        return True
    if test != "eq" or name in terms or name not in FIELDS | {IGNORED}:
        return False
    if name != IGNORED:
        terms[name] = value
    return True


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
