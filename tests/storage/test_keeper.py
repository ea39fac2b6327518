"""What is left of workers is taken into the log, as soon as that is possible."""

import errno
import os

from storage_doubles import CUSTODIAN, a_record
from strongroom.audit.log import whole_chain
from strongroom.clock import real_now
from strongroom.storage import journal
from strongroom.storage.journal import Journal, journals_in
from strongroom.storage.rows import RowSeal
from strongroom.storage.serverkeys import server_keys
from strongroom.storage.sqlite import SqliteStorage


def ids(storage):
    return [entry.record.record_id for entry in whole_chain(storage.records)]


async def test_an_orphan_that_cannot_be_read_keeps_nobody_from_recording_and_is_taken_later(place, monkeypatch):
    seal = RowSeal(CUSTODIAN.authenticator(server_keys(place, CUSTODIAN, real_now()).rows))
    left, later = a_record(1), a_record(2)
    orphan = Journal(place, seal)
    orphan.write([left])
    orphan.close()

    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as failing:
        failing.setattr(journal.os, "pread", fail)
        storage = SqliteStorage.open(place, CUSTODIAN)
        await storage.record(later)
        assert ids(storage) == [later.record_id]
        storage.close()
        assert journals_in(place) == [orphan.path]
    storage = SqliteStorage.open(place, CUSTODIAN)
    assert ids(storage) == [later.record_id, left.record_id]
    assert journals_in(place) == []
    storage.close()
