import pytest

from graph_doubles import GraphWorld


@pytest.fixture
async def world():
    return await GraphWorld().furnish()
