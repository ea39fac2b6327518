"""Canaries: values that must lie nowhere in clear, how they are planted, and the search for them when a run has ended.

Two kinds are searched for. The mark, which begins secret values that tests set anywhere, is searched for in every file
below the run's temporary folders and in all that tests caught of output and log lines. What one server must keep to
itself (its client secrets, its master key, what a test planted in it) is searched for in all that lies beside it.
"""

import base64
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

MARK = "canary-of-strongroom-"
SHORTEST = 16
"""Forms shorter than this would be found by chance."""

PLANTED = "planted.canaries"
"""The file in which a test notes what it planted in a server, beside the server's data."""

CONNECTION, MASTER_KEY = "connection.json", "master.key"
MASTER_KEY_FILE = b"strongroom-master-key-"
"""How a file of a master key begins, by whatever name: that is the place for it."""

CLIENTS_OWN = {".azure", ".IdentityService", "node_modules", "__pycache__"}
"""Folders in which clients keep what is theirs: az writes the credentials that it signs in with."""

SQLITE = b"SQLite format 3\0"


def forms(canary):
    """Return the byte strings of which one is in whatever has the canary in it, as itself or encoded."""
    found = {canary, canary[::-1], canary.upper(), canary.lower(), canary.hex().encode(), canary.hex().upper().encode()}
    for shift in range(3):
        # Base64 writes three bytes together: what the neighbours have a part in is left out at both ends.
        text = base64.b64encode(b"\0" * shift + canary)[4 if shift else 0 :].rstrip(b"=")
        whole = text[: len(text) // 4 * 4]
        found |= {whole, whole.replace(b"+", b"-").replace(b"/", b"_")}
    if canary.isascii():
        text = canary.decode()
        found |= {text.encode("utf-16-le"), text.encode("utf-16-be"), quote(text, safe="").encode()}
    return {form for form in found if len(form) >= SHORTEST}


def finder(canaries):
    """Return what answers whether some bytes hold any form of any of some canaries."""
    wanted = sorted({form for canary in canaries for form in forms(canary)})
    return lambda content: any(form in content for form in wanted)


def new_canary():
    """Return a secret value that stands nowhere else."""
    return MARK + secrets.token_urlsafe(16)


def plant(folder, *canaries):
    """Note what a server in `folder` must keep to itself, for the search at the end of the run."""
    with (Path(folder) / PLANTED).open("a") as file:
        file.writelines(json.dumps(canary) + "\n" for canary in canaries)


@dataclass
class Finding:
    """What a search went through, and what it found: a line for each file."""

    files: int = 0
    databases: int = 0
    size: int = 0
    servers: int = 0
    canaries: int = 0
    leaks: list = field(default_factory=list)


def search(root):
    """Search every file below a folder; return the finding."""
    finding = Finding()
    is_marked = finder([MARK.encode()])
    own = {folder: finder(canaries) for folder, canaries in _kept_by_servers(root, finding).items()}
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or CLIENTS_OWN & set(path.parts):
            continue
        try:
            content = path.read_bytes()
        except OSError:  # it is gone, or a test took the right to read it away
            continue
        finding.files += 1
        finding.size += len(content)
        finding.databases += content.startswith(SQLITE)
        if path.name == PLANTED or content.startswith(MASTER_KEY_FILE):
            continue
        if is_marked(content):
            finding.leaks.append(f"{path}: a secret value that a test set")
        if not _is_connection(content):
            for folder, holds in own.items():
                if folder in path.parents and holds(content):
                    finding.leaks.append(f"{path}: what the server in {folder} keeps to itself")
    return finding


def _is_connection(content):
    """Answer whether this is a connection file, by whatever name: it is written on request, with what is secret."""
    if not content.startswith(b"{"):
        return False
    try:
        return {"clientSecret", "tenantId", "authority"} <= json.loads(content).keys()
    except ValueError:
        return False


def _kept_by_servers(root, finding):
    """Return what each server keeps to itself, by the folder that it was started in."""
    kept = {}
    for path in root.rglob(CONNECTION):
        found = kept.setdefault(path.parent, set())
        secret = json.loads(path.read_text() or "{}").get("clientSecret")
        found |= {secret.encode()} if secret else set()
        for key in path.parent.glob(f"*/{MASTER_KEY}"):
            content = key.read_bytes().strip()
            if content.startswith(MASTER_KEY_FILE):  # one that an HSM wrapped is no secret
                encoded = content.rpartition(b":")[2]
                found |= {encoded, base64.b64decode(encoded)}
    for path in root.rglob(PLANTED):
        lines = path.read_text().splitlines()
        kept.setdefault(path.parent, set()).update(json.loads(line).encode() for line in lines)
    finding.servers = len(kept)
    finding.canaries = sum(map(len, kept.values()))
    return kept


class Search:
    """Searches when a run has ended, in the process that has the whole of it, and fails the run when it finds.

    It fails too when it went through implausibly little: a search of nothing finds nothing.
    """

    WHOLE_RUN = 10_000  # tests; what is less is a part of the suite, such as the rules of the house
    LEAST = Finding(files=1000, databases=300, size=30_000_000, servers=5, canaries=60)

    def __init__(self, config):
        self._config = config
        self._is_marked = finder([MARK.encode()])
        self._tests = 0
        self._servers = False
        self._leaks = []
        self._lines = []

    def pytest_runtest_logreport(self, report):
        """Search what a test caught of output and log lines."""
        self._tests += report.when == "call"
        self._servers |= (
            report.passed and report.when == "call" and report.nodeid.startswith("tests/clients/test_server")
        )
        for name, text in report.sections:
            if name.startswith("Captured") and self._is_marked(text.encode()):
                self._leaks.append(f"{report.nodeid}: a secret value in '{name}'")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session):
        """Search the files."""
        if not self._tests:
            return
        finding = search(self._config._tmp_path_factory.getbasetemp())
        problems = [*self._leaks, *finding.leaks, *self._too_little(finding)]
        told = (
            f"{finding.files:,} files, {finding.databases:,} databases, {finding.size / 1e6:,.0f} MB, "
            f"{finding.canaries:,} secrets of {finding.servers:,} servers"
        )
        self._lines = [f"searched {told}", *problems]
        if problems:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        """Tell what was searched and found."""
        if self._lines:
            terminalreporter.section("canaries")
            for line in self._lines:
                terminalreporter.write_line(line, red=line is not self._lines[0])

    def _too_little(self, finding):
        least = self.LEAST if self._tests >= self.WHOLE_RUN else Finding(canaries=int(self._servers))
        return [
            f"implausibly little was searched: {name} {getattr(finding, name):,}, at least {getattr(least, name):,}"
            for name in ("files", "databases", "size", "servers", "canaries")
            if getattr(finding, name) < getattr(least, name)
        ]


def install(config):
    """Have a run searched when it has ended; processes of xdist leave that to the one that started them."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Search(config), "canaries")
