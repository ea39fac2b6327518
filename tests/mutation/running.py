"""Do the tests of who may do what notice when the rules are wrong? Each mutant is given to them; one must fail.

A mutant lives in a process of its own, forked from one that has loaded everything but the server, so that a run costs
little more than its tests. The quick tests are asked first, the others only of what survives them.
"""

import contextlib
import importlib.util
import os
import signal
import sys
import time
import tomllib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from mutation.mutants import mutants_of

TESTS = Path(__file__).parents[1]
PACKAGE = "strongroom.access.authorization"
SOURCE = TESTS.parent / "src" / "strongroom" / "access" / "authorization"
OWN = TESTS / "access" / "authorization"
QUICK = "test_evaluation.py test_roles.py test_service.py test_conditions.py test_definitions.py test_assignments.py"
# What each module's mutants are given to, one after the other: what ends most of them soonest comes first.
STAGES = {
    "evaluation": (QUICK, "test_properties.py", "test_matrix.py"),
    "conditions": (QUICK, "test_conditions_at_random.py", "test_properties.py"),
    "patterns": ("test_patterns.py", QUICK, "test_properties.py", "test_matrix.py"),
    "service": (QUICK, "test_properties.py", "test_matrix.py"),
}
MODULES = tuple(STAGES)
KEPT = Path(__file__).with_name("unchanged.toml")
PATIENCE_SECONDS = 120  # of the processor
LOADED = (
    *("asyncio", "sqlite3", "msgspec", "structlog", "pytest", "pytest_asyncio", "hypothesis", "hypothesis.strategies"),
    *("hypothesis.extra._patching", "cryptography.x509", "cryptography.hazmat.primitives.asymmetric.rsa"),
)
"""What tests load beside the server; loaded once for all of them."""


@dataclass
class Report:
    """What became of the mutants. surprising: survivors that are not listed; stale: listed ones that are none."""

    killed: int = 0
    listed: int = 0
    surprising: list = field(default_factory=list)
    stale: list = field(default_factory=list)

    @property
    def passed(self):
        return bool(self.killed) and not self.surprising and not self.stale

    def words(self):
        lines = [f"{self.killed} killed, {self.listed} listed as changing nothing, {len(self.surprising)} survived"]
        lines += [f"survived: {_told(mutant)}" for mutant in self.surprising]
        lines += [f"listed in {KEPT.name}, and not (or no more) a survivor: {name}" for name in self.stale]
        return "\n".join(lines)


def listed():
    """Return the survivors that change nothing, with the reason of each: by module and name."""
    kept = tomllib.loads(KEPT.read_text())
    return {(module, name): reason for module, entries in kept.items() for name, reason in entries.items()}


def made(modules=MODULES):
    """Return the mutants of modules."""
    return [mutant for name in modules for mutant in mutants_of(name, (SOURCE / f"{name}.py").read_text())]


def play(say, *, modules=MODULES, workers=2, every=1):
    """Give every mutant, or one in `every`, to the tests; return the report.

    RuntimeError when the tests fail without any mutant.
    """
    for name in LOADED:
        if importlib.util.find_spec(name.partition(".")[0]):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    for stage in sorted({stage for name in modules for stage in STAGES[name]}):
        if _ended(_begin(None, stage)):
            raise RuntimeError(f"{stage} fails without any mutant")
    mutants, report = made(modules)[::every], Report()
    say(f"{len(mutants)} mutants of {', '.join(modules)}")
    survivors = list(_survivors(mutants, workers, say))
    known = listed()
    report.surprising = [mutant for mutant in survivors if (mutant.module, mutant.name) not in known]
    report.listed, report.killed = len(survivors) - len(report.surprising), len(mutants) - len(survivors)
    tried, left = ({(mutant.module, mutant.name) for mutant in those} for those in (mutants, survivors))
    of_modules = {key for key in known if key[0] in modules and (every == 1 or key in tried)}
    report.stale = sorted(f"{module}: {name}" for module, name in of_modules - left)
    return report


def _survivors(mutants, workers, say):
    """Yield the mutants that no test notices; as many processes at a time as there are workers."""
    due, running, done, begun = deque((mutant, 0) for mutant in mutants), {}, 0, time.monotonic()
    while due or running:
        while due and len(running) < workers:
            mutant, stage = due.popleft()
            running[_begin(mutant, STAGES[mutant.module][stage])] = mutant, stage
        pid, status = os.wait()
        mutant, stage = running.pop(pid)
        if not status and stage + 1 < len(STAGES[mutant.module]):
            due.appendleft((mutant, stage + 1))
            continue
        done += 1
        if not status:
            say(f"nobody notices {_told(mutant)}")
            yield mutant
        if done % 50 == 0:
            say(f"{done} of {len(mutants)}, {time.monotonic() - begun:.0f} s")


def _told(mutant):
    return f"{mutant.module}.py:{mutant.line} {mutant.name}"


def _begin(mutant, stage):
    """Run the tests of a stage on a mutant in a process of its own; return its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        # A mutant that never ends is noticed too; on a busy machine time alone says nothing of that.
        signal.setitimer(signal.ITIMER_PROF, PATIENCE_SECONDS)
        signal.alarm(PATIENCE_SECONDS * 10)
        code = _run(mutant, [str(OWN / name) for name in stage.split()])
    finally:
        os._exit(code)


def _ended(pid):
    return os.waitpid(pid, 0)[1]


def _run(mutant, paths):
    import pytest
    from hypothesis import Phase, settings

    out = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(out, stream)
    # What a mutant survives must not depend on chance, and how it failed need not be shown small.
    phases = Phase.explicit, Phase.generate
    settings.register_profile("mutants", derandomize=True, database=None, max_examples=60, phases=phases)
    settings.load_profile("mutants")
    if mutant is not None:
        sys.meta_path.insert(0, _Finder(mutant))
    without = [option for name in ("cacheprovider", "xdist", "cov") for option in ("-p", f"no:{name}")]
    return int(pytest.main(["-x", "-q", "--assert=plain", f"--rootdir={TESTS.parent}", *without, *paths]))


class _Finder:
    """Finds one module in a mutant instead of in its file."""

    def __init__(self, mutant):
        self._mutant = mutant
        self._name = f"{PACKAGE}.{mutant.module}"

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == self._name else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self._mutant.source, f"<{self._mutant.name}>", "exec"), module.__dict__)
