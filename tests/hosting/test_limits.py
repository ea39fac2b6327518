"""How many connections a process can afford."""

import resource

import pytest

from strongroom.hosting import limits
from strongroom.hosting.limits import Limits, affordable_connections, raise_descriptor_limit


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
