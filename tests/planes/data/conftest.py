import pytest

from data_doubles import DataWorld


@pytest.fixture
async def world():
    return await DataWorld().furnish()
