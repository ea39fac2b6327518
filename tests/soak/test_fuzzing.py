"""The short form of `scripts/soak fuzz`, and that every documented answer of every operation is met at least once."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from clients.direct import Direct
from clients.harness import start_server
from soak.documented import Reach
from soak.fuzzing import fuzz
from soak.graph_recipes import GraphRecipes
from soak.recipes import DataRecipes, IdentityRecipes, ManagementRecipes, document_of
from strongroom.hosting.attestor import Attestor

pytestmark = pytest.mark.xdist_group("fuzzing")

EXAMPLES, SEED = 8, 1
every_plane = pytest.mark.parametrize("run", ["data", "management", "identity", "graph"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def run(request, tmp_path_factory):
    """A plane's document, what its answers were to directed requests and to the fuzzer, and what the server told."""
    folder, plane = tmp_path_factory.mktemp("fuzz"), request.param
    with attesting() as attestor:
        flags = ("--dev", "--workers", "2", "--attestation-authority", attestor.address)
        with served(folder / "server", *flags) as (server, direct):
            reach = Reach(document_of(direct, plane))
            follow(plane, server, direct, reach, folder, attestor)
            found = fuzz(direct, plane, reach.document, examples=EXAMPLES, seed=SEED)
    reach.met.update(found.sent)
    return SimpleNamespace(plane=plane, reach=reach, found=found, server=server)


@contextmanager
def served(folder, *flags):
    """A server, asked directly; it is ended whatever happens."""
    server = start_server(folder, "--no-proxy", *flags)
    direct = Direct(SimpleNamespace(**server.connection))
    try:
        yield server, direct
    finally:
        direct.close()
        server.stop()


@contextmanager
def attesting():
    """An authority that attests what it is asked to."""
    with Attestor() as attestor:
        thread = threading.Thread(target=attestor.serve_forever, daemon=True)
        thread.start()
        try:
            yield attestor
        finally:
            attestor.shutdown()
            thread.join()


def follow(plane, server, direct, reach, folder, attestor):
    """Reach every documented answer. The strict server beside it knows no strangers and no rehearsal clock."""
    if plane == "data":
        DataRecipes(server, direct, reach, attestor).follow()
        return
    with served(folder / "strict", "--workers", "1", "--unauthenticated-per-minute", "1") as (_, strict):
        if plane == "identity":
            IdentityRecipes(direct, reach, strict).follow()
        elif plane == "graph":
            GraphRecipes(server, direct, reach, strict).follow()
        else:
            ManagementRecipes(server, direct, reach, strict).follow()


RACED = ["rotateKey 409"]
"""Answers that only a race gives: a key became one of another type while its next version was made. It is met in
`tests/objects/keys/test_service.py`."""


@every_plane
def test_every_documented_answer_was_met_and_no_other(run, record_property):
    record_property("counts", [f"{run.plane} plane", *run.reach.table(), ""])
    assert [answer for answer in run.reach.missing if answer not in RACED] == []
    assert run.reach.undocumented == []


@every_plane
def test_every_answer_is_as_documented(run):
    assert run.reach.wrong == []


@every_plane
def test_the_fuzzer_reached_every_operation_and_found_nothing(run):
    assert not run.found.failures, "\n\n".join(run.found.failures.values())
    assert run.found.errors == []
    assert {name for name, _ in run.found.sent} == set(run.reach.operations)
    assert {"COVERAGE", "FUZZING", "STATEFUL_TESTING"} <= set(run.found.phases)


@every_plane
def test_the_server_met_no_fault_of_its_own(run):
    assert run.server.process.returncode == 0
    assert "Traceback" not in run.server.errors
    assert "alarm" not in run.server.errors
