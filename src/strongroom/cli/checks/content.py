"""What the two files hold: whole for SQLite, every row as it was written, the records in their chain."""

import sqlite3
from collections.abc import Callable
from typing import Any

from strongroom.cli.checks.finding import Finding, Findings, Verdict, ok, problem, warning
from strongroom.cli.shown import progress_bar
from strongroom.custody.sealing import Custodian
from strongroom.errors import StrongroomError
from strongroom.storage.connection import AUDIT_FILE, FOREIGN, MAIN_FILE
from strongroom.storage.directory import HEADS
from strongroom.storage.history import find_discrepancies
from strongroom.storage.inspection import inspect, seal_of
from strongroom.storage.keyring import SELECT, key_of
from strongroom.storage.snapshot import FILES, Snapshot

SHOWN = 5
"""How many of one kind of trouble are told; the others are counted."""
BACKUP = "restore a backup; find out who changed the files"
CHAIN = "strongroom logs verify says which and what was done; compare with records that were kept elsewhere; " + BACKUP
OTHER_KEY = "name the one of these data: --master-key-file FILE"
IN_CHAIN = "SELECT 1 FROM records WHERE id = ?"
FEW_PENDING = 1000


def check_content(snapshot: Snapshot, custodian: Custodian | None, *, quick: bool) -> Findings:
    """Look at what the files hold. custodian: None without a key that opens it. quick: leave out what takes long."""
    yield _check_schema(snapshot)
    if not quick:
        yield from _guarded("databases", lambda: _check_files(snapshot))
    if custodian is None:
        yield warning("rows", "not looked at, for want of the master key", "see above")
        return
    if quick:
        yield ok("rows", "not looked at (--quick)")
    else:
        yield from _guarded("rows", lambda: _check_rows(snapshot, custodian))
        yield from _guarded("history", lambda: _check_history(snapshot, custodian))
    yield from _guarded("late records", lambda: _check_outbox(snapshot))


def check_keyring(snapshot: Snapshot, custodian: Custodian) -> Finding:
    """Look whether the master key opens the data keys, every one."""
    rows = snapshot.connections[MAIN_FILE].execute(SELECT).fetchall()
    shut = [told for row in rows if (told := _why_shut(row, custodian))]
    if rows and not shut:
        return ok("keyring", f"the master key opens all {len(rows)} data keys")
    if len(shut) < len(rows):
        return problem("keyring", f"{len(shut)} of {len(rows)} data keys do not open: {shut[0]}", BACKUP)
    if rows:
        return problem("keyring", "the master key is another data directory's: it opens no data key", OTHER_KEY)
    return problem("keyring", "there is no data key: the keyring is gone", BACKUP)


def _why_shut(row: tuple[Any, ...], custodian: Custodian) -> str | None:
    try:
        custodian.authenticator(key_of(row))
    except StrongroomError as error:
        return error.message
    return None


def _guarded(check: str, look: Callable[[], Findings]) -> Findings:
    """Tell what cannot even be read as a problem."""
    try:
        yield from look()
    except (sqlite3.Error, StrongroomError) as error:
        yield problem(check, f"cannot be read: {error}", "restore a backup")


def _check_schema(snapshot: Snapshot) -> Finding:
    planted = [f"{file}: {name}" for file in FILES for (name,) in snapshot.connections[file].execute(FOREIGN)]
    if planted:
        return problem("schema", f"triggers or views were planted: {', '.join(planted)}", BACKUP)
    versions = snapshot.versions()
    if versions == HEADS:
        return ok("schema", f"{versions[MAIN_FILE]}, this version's own")
    told = ", ".join(f"{file} {version}" for file, version in versions.items())
    advice = "the next start brings it up to date; back up first, with the version that wrote it"
    return warning("schema", f"older than this version: {told}", advice)


def _check_files(snapshot: Snapshot) -> Findings:
    found = [f"{file}: {told}" for file in FILES for told in snapshot.damage(file)]
    yield from _told("databases", found, "restore a backup; look at the disk, and at who may write there")
    if not found:
        yield ok("databases", "whole: " + " and ".join(FILES))


def _check_rows(snapshot: Snapshot, custodian: Custodian) -> Findings:
    """Check every row's MAC, every sealed value, every link of the chain and the marks that hold it."""
    counts = snapshot.counts()
    total = sum(sum(tables.values()) for tables in counts.values())
    with progress_bar("checking every row", total) as progress:
        found = inspect(snapshot.items(), custodian, progress)
    chain = [told for told in found if told.startswith(("records", "marks"))]
    rows = [told for told in found if told not in chain]
    yield from _told("rows", rows, BACKUP)
    if not rows:
        count = sum(counts[MAIN_FILE].values())
        yield ok("rows", f"{count:,} rows, each as it was written, every sealed value opens")
    yield from _told("records", chain, CHAIN)
    if not chain:
        yield ok("records", f"{snapshot.count_records():,} in one chain, from the first to the one marked")


def _check_history(snapshot: Snapshot, custodian: Custodian) -> Findings:
    if snapshot.versions() != HEADS:
        yield ok("history", "not looked at until the next start has brought the schema up to date")
        return
    main, audit = snapshot.connections[MAIN_FILE], snapshot.connections[AUDIT_FILE]
    with progress_bar("comparing with the records", sum(snapshot.counts()[MAIN_FILE].values())) as progress:
        discrepancies = find_discrepancies(main, audit, seal_of(snapshot, custodian), progress)
        found = [f"{each.table} {' '.join(each.key)} {each.difference}" for each in discrepancies]
    yield from _told("history", found, BACKUP)
    if not found:
        yield ok("history", "every row is as the newest record of it says; none was set back, taken away or put in")


def _check_outbox(snapshot: Snapshot) -> Findings:
    """Look whether records of changes have not reached the chain."""
    waiting = snapshot.connections[MAIN_FILE].execute("SELECT id FROM outbox LIMIT ?", (FEW_PENDING,)).fetchall()
    audit = snapshot.connections[AUDIT_FILE]
    late = [record_id for (record_id,) in waiting if audit.execute(IN_CHAIN, (record_id,)).fetchone() is None]
    if len(late) > SHOWN:
        advice = f"see the server's log for why {AUDIT_FILE} cannot be written; they are safe and follow later"
        yield warning("late records", f"{len(late)} records of changes are not in the chain yet", advice)
    else:
        yield ok("late records", f"{len(late)} on their way into the chain" if late else "none")


def _told(check: str, found: list[str], advice: str) -> Findings:
    yield from [Finding(check, Verdict.PROBLEM, told, advice) for told in found[:SHOWN]]
    if len(found) > SHOWN:
        yield problem(check, f"{len(found) - SHOWN:,} more like these", advice)
