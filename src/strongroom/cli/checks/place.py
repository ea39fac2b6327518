"""Where the data and its key lie: whose they are, who else may open them, how much room is left."""

import os
import shlex
import stat
from pathlib import Path

from strongroom.cli.checks.finding import Finding, Findings, ok, problem, warning
from strongroom.custody.files import OTHERS, is_credential
from strongroom.settings import Settings
from strongroom.storage.journal import damaged_in, foreign_in
from strongroom.storage.space import MIB, Level, space_of

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
OPEN_FOLDER = "trust"
"""The one folder in a data directory that anyone may read, once they are let in."""
FOREIGN = "its owner is another than the data directory's"


def check_place(settings: Settings) -> Findings:
    """Look at the data directory and what lies in it, the master key's file, the disk."""
    data_dir = settings.data_dir
    found = data_dir.stat()
    if found.st_mode & OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        yield problem("data directory", f"{data_dir} can be opened by others ({mode:04o})", _chmod(700, data_dir))
    elif os.geteuid() not in (0, found.st_uid):
        yield problem("data directory", f"{data_dir} belongs to another user", "run this as the user who owns the data")
    else:
        yield ok("data directory", f"{data_dir}, closed to others")
    wrong = [finding for path in sorted(data_dir.iterdir()) for finding in _check_file(path, found.st_uid)]
    yield from _check_journals(data_dir)
    yield from wrong or [ok("files", "closed to others, of one owner, none lies elsewhere")]
    for key in (settings.master_key_file, settings.master_key_passphrase_file):
        if isinstance(key, Path) and key.exists():  # one that is missing is told where it is opened
            yield from _check_key_place(key, data_dir, found.st_uid)
    yield _check_room(settings)


def _check_file(path: Path, owner: int) -> Findings:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        target = path.readlink()
        yield problem("files", f"{path} is a link to {target}", "put the file itself here; find out who made the link")
        return
    if found.st_uid != owner:
        yield problem("files", f"{path}: {FOREIGN}", f"chown it to user {owner}; a server of theirs cannot open it")
    if found.st_mode & OTHERS and path.name != OPEN_FOLDER:
        mode = stat.S_IMODE(found.st_mode)
        yield problem("files", f"{path} can be opened by others ({mode:04o})", _chmod(600, path))


def _check_journals(data_dir: Path) -> Findings:
    damaged, foreign = damaged_in(data_dir), foreign_in(data_dir)
    if not damaged and not foreign:
        yield ok("journals", "none was set aside as damaged")
    for path in damaged:
        yield warning(
            "journals",
            f"{path} ends with what is not as it was written: a failure of power cut it off, or somebody changed it",
            "what was answered in the last moments of its process may have no record; compare with records kept "
            "elsewhere, then remove the file",
        )
    for path in foreign:
        yield warning("journals", f"{path} is no journal", "find out who put it there, and remove it")


def _chmod(mode: int, path: Path) -> str:
    return f"chmod {mode} {shlex.quote(str(path))}"


def _check_key_place(path: Path, data_dir: Path, owner: int) -> Findings:
    name = "master key's place"
    wrong = []
    if path.resolve().is_relative_to(data_dir.resolve()):
        advice = "move it elsewhere: whoever copies the data would have both"
        wrong.append(problem(name, f"{path} leads into the data directory", advice))
    if path.parent.stat().st_mode & WRITABLE_BY_OTHERS:
        wrong.append(problem(name, f"others may replace files in {path.parent}", _chmod(700, path.parent)))
    if path.stat().st_uid != owner and not is_credential(path, os.environ):
        wrong.append(warning(name, f"{path}: {FOREIGN}", "chown it to the user that the server runs as"))
    yield from wrong or [ok(name, f"{path}, apart from the data")]


def _check_room(settings: Settings) -> Finding:
    space = space_of(settings)
    level = space.level(0)
    told = f"{space.free // MIB:,} MiB free on the disk of the data, {space.reserve // MIB:,} of them reserved"
    if level is Level.RESERVED:
        return problem("room", told, "make room now: only authenticated requests are served, and soon none")
    if level is Level.LOW:
        return warning("room", told, "make room, or move the data to a larger disk")
    return ok("room", told)
