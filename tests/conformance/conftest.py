"""What every storage promises, tested on every storage there is."""

import pytest

from doubles import MemoryStorage
from storage_doubles import a_record
from storage_kinds import KINDS

DOUBLE = "memory"


@pytest.fixture(params=KINDS)
async def kind(request, tmp_path):
    """A kind of storage, for tests of what only a storage on a disk can show."""
    kind = KINDS[request.param].make(tmp_path / "data")
    yield kind
    kind.close()


@pytest.fixture(params=["sqlite", DOUBLE])
async def storage(request, tmp_path):
    """A storage; among them the double that other tests stand on, so that it does not promise what no storage holds."""
    if request.param == DOUBLE:
        yield MemoryStorage()
        return
    kind = KINDS[request.param].make(tmp_path / "data")
    yield kind.open()
    kind.close()


@pytest.fixture
def change(storage):
    """Run a function of the stores as a change."""

    async def run(function):
        async def work(stores):
            return await function(stores), a_record()

        return await storage.change(work)

    return run
