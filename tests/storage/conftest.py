import sqlite3
from contextlib import closing

import pytest

from storage_doubles import CUSTODIAN, a_data_directory
from strongroom.storage.connection import MAIN_FILE
from strongroom.storage.sqlite import SqliteStorage


@pytest.fixture
def place(tmp_path):
    return a_data_directory(tmp_path / "data")


@pytest.fixture
async def storage(place):
    storage = SqliteStorage.open(place, CUSTODIAN)
    yield storage
    storage.close()


@pytest.fixture
def sql(place):
    """Run a statement on a database file behind the storage's back."""

    def run(statement, parameters=(), *, file=MAIN_FILE):
        with closing(sqlite3.connect(place / file, isolation_level=None)) as connection:
            return connection.execute(statement, parameters).fetchall()

    return run
