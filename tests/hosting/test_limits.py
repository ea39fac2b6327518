"""How many connections a process can afford."""

import resource
import subprocess
import sys

import pytest

from strongroom.hosting import limits
from strongroom.hosting.limits import Limits, affordable_connections, raise_descriptor_limit, refuse_core_dumps


@pytest.mark.parametrize(("descriptors", "connections"), [(65_536, 10_000), (1024, 768), (300, 44), (100, 16)])
def test_connections_are_counted_against_the_descriptors(descriptors, connections):
    assert affordable_connections(Limits(), descriptors) == connections


@pytest.mark.parametrize(
    ("soft", "hard", "now", "raised_to"),
    [
        (1024, 4096, 4096, 4096),
        (1024, resource.RLIM_INFINITY, 65_536, 65_536),
        (4096, 4096, 4096, None),
        (100_000, 200_000, 100_000, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 65_536, None),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_allowed(monkeypatch, soft, hard, now, raised_to):
    told = []
    monkeypatch.setattr(limits.resource, "getrlimit", lambda _which: (soft, hard))
    monkeypatch.setattr(limits.resource, "setrlimit", lambda _which, pair: told.append(pair))
    assert raise_descriptor_limit() == now
    assert told == ([] if raised_to is None else [(raised_to, hard)])


@pytest.mark.parametrize(("hard", "soft"), [(0, 0), (1, 1), (4096, 1), (resource.RLIM_INFINITY, 1)])
def test_no_core_is_dumped_to_a_file_nor_to_a_program(monkeypatch, hard, soft):
    told = []
    monkeypatch.setattr(limits.resource, "getrlimit", lambda _which: (hard, hard))
    monkeypatch.setattr(limits.resource, "setrlimit", lambda which, pair: told.append((which, pair)))
    refuse_core_dumps()
    assert told == [(resource.RLIMIT_CORE, (soft, hard))]


CRASH = """
import os, resource, sys
from strongroom.hosting.limits import refuse_core_dumps
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
most = resource.RLIM_INFINITY if os.geteuid() == 0 else hard
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
if sys.argv[1] == "refused":
    refuse_core_dumps()
pid = os.fork()
if not pid:
    os.abort()
status = os.waitpid(pid, 0)[1]
print(os.WIFSIGNALED(status), os.WCOREDUMP(status))
"""


@pytest.mark.parametrize("wanted", ["refused", "allowed"])
def test_a_child_that_crashes_leaves_no_core(tmp_path, wanted):
    """The second shows what would be left without it, where the machine leaves anything."""
    done = subprocess.run(
        [sys.executable, "-c", CRASH, wanted], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    signaled, dumped = done.stdout.split()
    assert signaled == "True"
    if wanted == "refused":
        assert dumped == "False"
        assert list(tmp_path.iterdir()) == []
    elif dumped == "False":
        pytest.skip("this machine leaves no core dumps by itself")
