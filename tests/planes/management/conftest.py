import pytest

from management_doubles import ManagementWorld


@pytest.fixture
async def world():
    return await ManagementWorld().furnish()
