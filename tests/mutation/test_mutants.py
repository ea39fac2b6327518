"""Of the runner itself: which mutants it makes, and that it tells a wrong rule from a right one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mutation.mutants import mutants_of
from mutation.running import MODULES, SOURCE, listed, made

TESTS = Path(__file__).parents[1]


def changed(source):
    """Return what the mutants of a module are, each by the line that differs."""
    found = [mutant.source.splitlines() for mutant in mutants_of("m", source)]
    original = source.strip().splitlines()
    return {line for lines in found for line in lines if line not in original}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = b == c", {"a = b != c"}),
        ("a = b < c", {"a = b <= c", "a = b >= c"}),
        ("a = b not in c", {"a = b in c"}),
        ("a = b is None", {"a = b is not None"}),
        ("a = b and c", {"a = b or c", "a = b", "a = c"}),
        ("a = not b", {"a = b"}),
        ("a = b - c", {"a = b + c", "a = b", "a = c"}),
        ("a = True", {"a = False"}),
        ("a = 2", {"a = 3", "a = 1"}),
        ("a = 'b'", {"a = 'bx'"}),
        ("a = f'b'", set()),
        ("a = b if c else d", {"a = b if True else d", "a = b if False else d"}),
        ("a = any(b)", {"a = all(b)"}),
        ("a = b.lower()", {"a = b"}),
        ("a = b.startswith(c)", {"a = b.endswith(c)"}),
        ("a = [b for c in d if e]", {"a = [b for c in d]"}),
        ("a = [b, c]", {"a = [b]", "a = [c]"}),
        ("a = {b: c}", {"a = {}"}),
        ("a = b(c=d)", {"a = b()"}),
        ("a = lambda b: c", {"a = lambda b: None"}),
        ("a += b", {"pass"}),
        ("a.b = c", {"pass"}),
        ("b(c)", {"pass"}),
        ("def a():\n    return b", {"    return None"}),
        ("def a():\n    return None", set()),
        ("while a:\n    continue", {"while False:", "    pass"}),
        ("if a:\n    raise b('c')", {"if True:", "if False:", "    pass", "    raise b('cx')"}),
        ("from a import b", set()),
        ("'''Text.'''", set()),
        ("a: b | c = d", set()),
        ("Kind = int | str", set()),
        ("@a(b=c)\ndef d(e: f = True): ...", {"def d(e: f=False):", "    ..."}),
    ],
)
def test_what_is_changed(source, expected):
    assert changed(source) == expected


def test_every_mutant_is_python_and_another_one_than_the_source():
    for name in MODULES:
        source = (SOURCE / f"{name}.py").read_text()
        mutants = mutants_of(name, source)
        assert len({mutant.name for mutant in mutants}) == len(mutants)
        for mutant in mutants[::7]:  # all of them take half a minute
            compile(mutant.source, mutant.name, "exec")


def test_a_list_of_what_changes_nothing_names_mutants_and_reasons():
    mutants = {(mutant.module, mutant.name) for mutant in made()}
    assert set(listed()) <= mutants
    assert all(len(reason.split()) > 3 for reason in listed().values())


def test_a_run_tells_what_became_of_its_mutants():
    """A few of them only: the whole run is `scripts/soak mutants`."""
    command = [sys.executable, "-m", "soak", "mutants", "--module", "service", "--every", "40"]
    told = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(TESTS)}, capture_output=True, text=True, timeout=300, check=False
    )
    count, killed = re.search(r"(\d+) mutants of service.* (\d+) killed", told.stdout, re.DOTALL).groups()
    assert 0 < int(killed) <= int(count), told.stdout + told.stderr
