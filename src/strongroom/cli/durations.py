"""Spans of time as people write them on a command line."""

import re
from datetime import UTC, datetime, timedelta

import click

UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
PATTERN = re.compile(r"(?:(?P<d>\d{1,6})d)?(?:(?P<h>\d{1,8})h)?(?:(?P<m>\d{1,9})m)?(?:(?P<s>\d{1,10})s)?", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Return the span that `text` names, such as 90d, 36h or 1d12h; ValueError when it names none."""
    found = PATTERN.fullmatch(text.lower())
    if found is None or not any(found.groups()):
        raise ValueError("a duration is written like 90d, 36h, 15m, 30s or 1d12h")
    return timedelta(**{UNITS[unit]: int(count) for unit, count in found.groupdict().items() if count})


class _Duration(click.ParamType[timedelta]):
    """A duration as a parameter of a command."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(f"'{value}': {error}", param, ctx)


class _Moment(click.ParamType[datetime]):
    """A time on the command line: how long ago, or when."""

    name = "when"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        from strongroom.clock import real_now

        text = str(value)
        try:
            return real_now() - parse_duration(text)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"'{text}' is neither a duration, such as 2h, nor a time, such as 2030-01-31T12:00Z", param, ctx)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


DURATION = _Duration()
MOMENT = _Moment()
