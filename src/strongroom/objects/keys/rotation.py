"""When a key is rotated by itself, how long what rotation makes is valid, and when its end is told: its policy.

Pure rules over a policy, the newest version of its key, and `now`. Source: "Configure cryptographic key auto-rotation";
REST `KeyRotationPolicy`. The least spans are the service's as its portal and its answers have them, from memory.
"""

import calendar
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from strongroom.errors import BadRequest
from strongroom.objects.keys.model import KeyVersion

LEAST_LIFETIME = timedelta(days=28)
LEAST_MARGIN = timedelta(days=7)
"""Between the making of a key and an action, and between an action and the key's end."""
MONTHS = 12
PERIOD = re.compile(r"P(?=\d)(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?\Z", re.ASCII)
LATEST = 9999


@dataclass(frozen=True, slots=True)
class Period:
    """A span of the calendar, as it was written: P90D, P1Y, P1Y6M (ISO 8601, without a time)."""

    text: str
    months: int
    days: int

    def after(self, moment: datetime) -> datetime:
        """Return when the span that begins at `moment` ends; a day that a month has not is the month's last one."""
        return self._shifted(moment, 1)

    def before(self, moment: datetime) -> datetime:
        """Return when the span that ends at `moment` begins."""
        return self._shifted(moment, -1)

    def _shifted(self, moment: datetime, sign: int) -> datetime:
        years, month = divmod(moment.month - 1 + sign * self.months, MONTHS)
        year = min(max(moment.year + years, 1), LATEST)
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        try:
            return moment.replace(year=year, month=month + 1, day=day) + sign * timedelta(days=self.days)
        except OverflowError:
            return moment.replace(year=LATEST if sign > 0 else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """When something is done to a key: so long after its newest version was made, or before that expires."""

    after_create: Period | None = None
    before_expiry: Period | None = None

    def due(self, version: KeyVersion) -> datetime | None:
        """Return when it is due for this version, None when never."""
        if self.after_create is not None:
            return self.after_create.after(version.created)
        if self.before_expiry is not None and version.expires is not None:
            return self.before_expiry.before(version.expires)
        return None


class Notice(StrEnum):
    """What is told of a key's end."""

    NEAR = "near"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPolicy:
    """What is to become of a key. expiry: how long what rotation makes is valid. Times are aware UTC, whole seconds.

    told_near, told_end: the version whose end was told when it was near, and when it had come.
    """

    expiry: Period | None = None
    rotate: Trigger | None = None
    notify: Trigger | None = None
    created: datetime | None = None
    updated: datetime | None = None
    told_near: str = ""
    told_end: str = ""

    def require_sense(self, now: datetime) -> None:
        """Raise BadRequest unless every span is long enough and fits the others, counted from `now`."""
        end = None if self.expiry is None else self.expiry.after(now)
        if end is not None and end < now + LEAST_LIFETIME:
            raise _invalid("expiryTime", f"it is at least {LEAST_LIFETIME.days} days")
        if self.notify is not None and self.notify.before_expiry is None:
            raise _invalid("lifetimeActions", "Notify has a trigger of timeBeforeExpiry")
        for trigger in (self.rotate, self.notify):
            if trigger is not None:
                _require_margins(trigger, now, end, needs_end=trigger is self.rotate)

    def due(self, version: KeyVersion) -> datetime | None:
        """Return when a key with this newest version is to be rotated, None when never."""
        return None if self.rotate is None else self.rotate.due(version)

    def near(self, version: KeyVersion) -> datetime | None:
        """Return from when on it is told that this version will expire, None for never."""
        return None if self.notify is None else self.notify.due(version)

    def due_notices(self, version: KeyVersion, now: datetime) -> tuple[Notice, ...]:
        """Return what is to be told of a key with this newest version at `now`."""
        return tuple([notice for notice, moment in self._notices(version) if moment <= now])

    def next_look(self, version: KeyVersion) -> datetime | None:
        """Return before when there is nothing to do for a key with this newest version, None for never."""
        rotates = self.due(version)
        moments = [moment for _, moment in self._notices(version)] + ([] if rotates is None else [rotates])
        return min(moments, default=None)

    def _notices(self, version: KeyVersion) -> list[tuple[Notice, datetime]]:
        """Return when what is not told yet is to be told."""
        near, end = self.near(version), version.expires
        found = [] if near is None or self.told_near == version.version else [(Notice.NEAR, near)]
        return found if end is None or self.told_end == version.version else [*found, (Notice.END, end)]

    def telling(self, notices: Collection[Notice], version: KeyVersion) -> "RotationPolicy":
        """Return the policy once these were told of a version."""
        return replace(
            self,
            told_near=version.version if Notice.NEAR in notices else self.told_near,
            told_end=version.version if Notice.END in notices else self.told_end,
        )

    def edited(self, version: KeyVersion, now: datetime) -> "RotationPolicy":
        """Return the policy once it, or its key's newest version, was edited: what lies ahead again is told again."""
        near, end = self.near(version), version.expires
        return replace(
            self,
            told_near="" if near is not None and near > now else self.told_near,
            told_end="" if end is not None and end > now else self.told_end,
        )

    def expires(self, made: datetime) -> datetime | None:
        """Return when a version expires that rotation makes at `made`."""
        return None if self.expiry is None else self.expiry.after(made)

    def stamped(self, before: "RotationPolicy | None", now: datetime) -> "RotationPolicy":
        """Return the policy as it is kept from `now` on, in the place of the one before."""
        if before is None:
            return replace(self, created=now, updated=now)
        created = before.created or now
        return replace(self, created=created, updated=now, told_near=before.told_near, told_end=before.told_end)


DEFAULT_POLICY = RotationPolicy(notify=Trigger(before_expiry=Period("P30D", 0, 30)))
"""What a key has that nobody gave a policy."""


def parse_period(name: str, text: str) -> Period:
    """Return the span that a property tells, in years, months, weeks and days; BadRequest when it is none."""
    found = PERIOD.match(text.upper())
    if found is None:
        raise _invalid(name, "it is an ISO 8601 duration of years, months and days, such as P90D or P1Y")
    years, months, weeks, days = (int(part or 0) for part in found.groups())
    return Period(text, years * MONTHS + months, weeks * 7 + days)


def _require_margins(trigger: Trigger, now: datetime, end: datetime | None, *, needs_end: bool) -> None:
    if (trigger.after_create is None) == (trigger.before_expiry is None):
        raise _invalid("lifetimeActions", "a trigger is either timeAfterCreate or timeBeforeExpiry")
    if trigger.after_create is not None:
        acts = trigger.after_create.after(now)
    elif trigger.before_expiry is not None and end is not None:
        acts = trigger.before_expiry.before(end)
    elif needs_end:
        raise _invalid("timeBeforeExpiry", "to rotate before the expiry needs an expiryTime")
    else:
        return
    if acts < now + LEAST_MARGIN:
        raise _invalid("lifetimeActions", f"an action is at least {LEAST_MARGIN.days} days after the key is made")
    if end is not None and end - acts < LEAST_MARGIN:
        raise _invalid("lifetimeActions", f"an action is at least {LEAST_MARGIN.days} days before the key expires")


def _invalid(name: str, rule: str) -> BadRequest:
    return BadRequest(f"Property {name} has invalid value: {rule}.")
