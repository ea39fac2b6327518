"""What the data says of itself: when it was last backed up, what its clock is, how long its CA lasts."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta

from strongroom.cli.archives import LAST_BACKUP, read_last_backup
from strongroom.cli.checks.finding import Finding, Findings, ok, problem, warning
from strongroom.cli.shown import shown_time
from strongroom.clock import from_microseconds
from strongroom.custody.sealing import Custodian
from strongroom.errors import StrongroomError
from strongroom.hosting.ca import Authority, find_authority
from strongroom.resources.facts import clock_offset
from strongroom.storage.commit import drive
from strongroom.storage.connection import AUDIT_FILE
from strongroom.storage.inspection import stores_of
from strongroom.storage.snapshot import Snapshot
from strongroom.storage.sqlite import SqlStores

BACKUP_AGE = timedelta(days=7)
CA_ENDS_SOON = timedelta(days=90)
CLOCKS_DIFFER = timedelta(minutes=2)
NEWEST_RECORD = "SELECT time FROM records ORDER BY seq DESC LIMIT 1"


def check_keeping(snapshot: Snapshot, custodian: Custodian, domain: str, now: datetime) -> Findings:
    """Look at the facts of the data. What was edited in them is told by the check of rows."""
    stores = stores_of(snapshot, custodian)
    yield _check_clock(snapshot, now)
    yield _guarded("backup", lambda: _check_backup(stores, now))
    yield _guarded("rehearsal clock", lambda: _check_offset(stores))
    yield _guarded("private CA", lambda: _check_authority(find_ca(snapshot, custodian, domain), domain, now))


def _guarded(check: str, look: Callable[[], Finding]) -> Finding:
    """Tell what cannot even be read as a problem."""
    try:
        return look()
    except (StrongroomError, sqlite3.Error, ValueError) as error:
        return problem(check, str(error), "restore a backup; find out who changed the data")


def find_ca(snapshot: Snapshot, custodian: Custodian, domain: str) -> Authority | None:
    """Return the CA of a domain; SealBroken when it was tampered with."""
    stores = stores_of(snapshot, custodian)
    found: Authority | None = drive(find_authority(stores.facts, stores.keyring, custodian, domain))
    return found


def _check_clock(snapshot: Snapshot, now: datetime) -> Finding:
    row = snapshot.connections[AUDIT_FILE].execute(NEWEST_RECORD).fetchone()
    try:
        newest = from_microseconds(row[0]) if row and isinstance(row[0], int) else now
    except OverflowError:  # it was tampered with, which the check of records tells
        newest = now
    if newest > now + CLOCKS_DIFFER:
        told = f"it is {shown_time(now)} here, and the newest record is of {shown_time(newest)}"
        return problem("clock", told, "set the clock (timedatectl); tokens and retention go by it")
    return ok("clock", f"{shown_time(now)}, not before the newest record")


def _check_backup(stores: SqlStores, now: datetime) -> Finding:
    fact = drive(stores.facts.get(LAST_BACKUP))
    advice = "strongroom backup FILE, and keep FILE and the master key apart from this machine and each other"
    if fact is None:
        return warning("backup", "none was ever made", advice)
    said = read_last_backup(fact)
    age = now - said["taken"]
    told = f"taken {shown_time(said['taken'])}, {age.days} days ago: {said['archive']}"
    return warning("backup", told, advice) if age > BACKUP_AGE else ok("backup", told)


def _check_offset(stores: SqlStores) -> Finding:
    seconds = drive(clock_offset(stores.facts))
    if seconds:
        told = f"vaults and secrets live {timedelta(seconds=seconds)} ahead of real time"
        return warning("rehearsal clock", told, "strongroom clock reset, unless this is a rehearsal")
    return ok("rehearsal clock", "real time")


def _check_authority(authority: Authority | None, domain: str, now: datetime) -> Finding:
    if authority is None:
        return warning(
            "private CA", f"there is none for {domain} yet", f"the next start with --domain {domain} makes it"
        )
    ends = authority.certificate.not_valid_after_utc
    told = f"of {domain}, until {shown_time(ends)}"
    if ends <= now:
        return problem("private CA", f"{told}: over", "serve a certificate of your own, or begin a new domain")
    if ends - now < CA_ENDS_SOON:
        return warning("private CA", told, "plan for another: clients must trust it before this one ends")
    return ok("private CA", told)
