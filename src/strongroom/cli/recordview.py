"""Records as `strongroom logs` chooses and shows them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from strongroom.access.identity.challenges import CHALLENGES
from strongroom.audit.event import OBJECT_CLAIM, UPN_CLAIM, Record
from strongroom.cli.shown import printable

REASON_LENGTH = 120
UNAUTHORIZED = 401
UNREADABLE: dict[str, Any] = {
    "category": "",
    "operationName": "(unreadable)",
    "resourceId": "",
    "resultType": "",
    "resultDescription": "",
    "durationMs": 0,
    "callerIpAddress": "",
    "identity": {},
    "properties": {},
}
# Where a record names who it is about: the caller's claims, else what sign-ins and commands note.
CALLER_CLAIMS = ("appid", OBJECT_CLAIM, UPN_CLAIM)
CALLER_PROPERTIES = ("localUser", "actor", "appId", "servicePrincipalId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which records are wanted; what is None or empty does not choose. Names compare without regard to case.

    callers: ids any of which the record names as its caller. failed: only what was refused or went wrong, challenges
    not among it.
    """

    category: str | None = None
    operation: str | None = None
    vault: str | None = None
    callers: frozenset[str] = field(default=frozenset())
    failed: bool = False
    since: datetime | None = None

    def fits(self, record: Record) -> bool:
        """Answer whether a record is wanted."""
        if self.since is not None and record.time < self.since:
            return False
        body = body_of(record)
        return (
            _same(self.category, body["category"])
            and _same(self.operation, body["operationName"])
            and (self.vault is None or f"{body['resourceId']}/".upper().find(f"/VAULTS/{self.vault.upper()}/") >= 0)
            and (not self.callers or not self.callers.isdisjoint(name.lower() for name in _callers(body)))
            and (not self.failed or (body["resultType"] != "Success" and not is_challenge(body)))
        )


def is_challenge(body: Mapping[str, Any]) -> bool:
    """Answer whether a record is of a request without a token that was asked for one, as clients first ask."""
    return body["properties"].get("httpStatusCode") == UNAUTHORIZED and body["resultDescription"] in CHALLENGES


def body_of(record: Record) -> dict[str, Any]:
    """Return what a record says; of one that was tampered with so that it says nothing, that."""
    try:
        body = json.loads(record.body)
    except ValueError:
        return UNREADABLE
    return UNREADABLE | body if isinstance(body, dict) else UNREADABLE


def named(record: Record) -> str:
    """Return a record by its operation and its time."""
    return printable(f"{body_of(record)['operationName']} of {moment_of(record)}")


def moment_of(record: Record) -> str:
    """Return when a record's request began, for a person."""
    return f"{record.time:%Y-%m-%d %H:%M:%S} UTC"


def _same(wanted: str | None, found: str) -> bool:
    return wanted is None or wanted.lower() == found.lower()


def _callers(body: Mapping[str, Any]) -> list[str]:
    """Return every name by which a record tells who it is about, best known first."""
    claim, properties = body["identity"].get("claim", {}), body["properties"]
    found = [claim.get(name) for name in CALLER_CLAIMS] + [properties.get(name) for name in CALLER_PROPERTIES]
    return [str(name) for name in found if name]


def as_line(record: Record, names: Mapping[str, str]) -> str:
    """Return a record as one line of columns. names: what applications are called, by their application ids."""
    body = body_of(record)
    properties = body["properties"]
    caller = next(iter(_callers(body)), "-")
    what = properties.get("requestUri") or body["resourceId"].lower() or properties.get("displayName", "")
    columns = (
        f"{record.time:%Y-%m-%d %H:%M:%S}.{record.time.microsecond // 1000:03d}",
        f"{body['operationName']:<22}",
        f"{properties.get('httpStatusCode', body['resultType'])!s:<7}",
        f"{float(body['durationMs']):>8.1f} ms",
        f"{names.get(caller, caller):<18}",
        f"{body['callerIpAddress'] or 'local':<11}",
        str(what),
    )
    reason = " ".join(body["resultDescription"].split())[:REASON_LENGTH]
    return printable("  ".join(columns) + (f"  | {reason}" if reason else ""))
