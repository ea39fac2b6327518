"""The rules of the house that no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "strongroom"
MODULES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in MODULES}

MODULE_LINES = 400
FUNCTION_LINES = 40
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "base"}

# Who may open a Sensitive, and why.
REVEALS = {
    "access/identity/applications.py": "hashes a client secret that was just made",
    "access/identity/signing.py": "loads the token-signing key",
    "bootstrap.py": "seals the secret of a rehearsal server",
    "cli/": "shows a client secret once to the person who asked for it",
    "custody/": "is what custody is for",
    "hosting/ca.py": "loads the key of the CA",
    "hosting/passthrough.py": "signs in to the proxy that the environment named before",
    "objects/backup.py": "reads an object backup that was opened just now",
    "objects/secrets/backup.py": "writes an object backup that is sealed in the same breath",
    "objects/secrets/service.py": "checks the length of a value",
    "planes/data/keywire.py": "renders what a key decrypted for the one who asked",
    "planes/data/wire.py": "renders a secret for its owner",
    "planes/identity/token.py": "compares a client secret",
    "planes/paging.py": "reads a paging token of our own",
}
# Who may ask what time it is, and why; all others are told.
ASK_TIME = {
    "clock.py": "is where time comes from",
    "app.py": "measures how long the server's own answers took",
    "audit/event.py": "makes ids that sort by time",
    "planes/gate.py": "measures how long a request took",
    "hosting/": "times connections and processes",
    "cli/": "is an edge: commands pass the time on",
    "scheduling/": "is an edge: work that no request began",
    "storage/": "dates the keys of a new keyring",
}


def place(path):
    return path.relative_to(SOURCE).as_posix()


def is_listed(path, listed):
    return any(place(path) == entry or (entry.endswith("/") and place(path).startswith(entry)) for entry in listed)


def calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_a_module_says_what_it_is_for_and_stays_one_idea(path):
    assert ast.get_docstring(TREES[path]), "a module begins with the question that it answers"
    assert len(path.read_text().splitlines()) <= MODULE_LINES
    assert path.stem not in VAGUE_NAMES


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_functions_fit_on_a_screen(path):
    functions = [n for n in ast.walk(TREES[path]) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {
        f.name: f.end_lineno - f.body[0].lineno + 1
        for f in functions
        if f.end_lineno - f.body[0].lineno >= FUNCTION_LINES
    }
    assert not long


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_public_names_have_their_contract(path):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    bare = [n.name for n in TREES[path].body if isinstance(n, kinds) and n.name[0] != "_" and not ast.get_docstring(n)]
    assert not bare


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_secrets_are_opened_only_where_listed(path):
    opened = [call.lineno for call in calls(TREES[path]) if call.func.attr == "reveal"]
    assert not opened or is_listed(path, REVEALS)


def test_no_exception_outlives_its_reason():
    opening = {path for path in MODULES for call in calls(TREES[path]) if call.func.attr == "reveal"}
    assert not [entry for entry in REVEALS if not any(is_listed(path, {entry}) for path in opening)]


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_time_is_passed_in(path):
    asked = [
        call.lineno
        for call in calls(TREES[path])
        if (
            call.func.attr in {"now", "utcnow", "today"}
            and ast.unparse(call.func.value) in {"datetime", "datetime.datetime", "date"}
        )
        or ast.unparse(call.func) in {"time.time", "time.monotonic", "time.perf_counter"}
    ]
    asked += [n.lineno for n in ast.walk(TREES[path]) if isinstance(n, ast.Call) and ast.unparse(n.func) == "real_now"]
    assert not asked or is_listed(path, ASK_TIME)


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_randomness_comes_from_the_operating_system(path):
    imported = {alias.name for n in ast.walk(TREES[path]) if isinstance(n, ast.Import) for alias in n.names}
    assert "random" not in imported


def tracked_files():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def found_anywhere(pattern):
    """Say in which files of the repository a pattern is found, and what it found."""
    found = []
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in pattern.finditer(text)]
    return found


def test_no_file_carries_a_path_of_one_machine_or_an_address_of_a_registry():
    pattern = re.compile(
        r"/(?:root|work|Users)/\w|" + "|".join(["pypi" + r"\.org", "registry" + r"\.npmjs", "python" + "hosted"])
    )
    assert not found_anywhere(pattern)


def test_no_file_carries_two_sides_of_a_merge():
    assert not found_anywhere(re.compile(r"^(?:<{7}|>{7}) .*$", re.MULTILINE))
