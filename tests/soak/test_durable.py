"""The short form of `scripts/soak durable`, and that its judge can say no."""

import shutil
from types import SimpleNamespace

import pytest

from clients.direct import Direct
from clients.harness import start_server
from soak.durable import judge, watch

SYNC = "71 fdatasync(12</data/strongroom.db-wal>) = 0"
BEGUN, ENDED = "71 fdatasync(12</data/strongroom.db-wal> <unfinished ...>", "71 <... fdatasync resumed>) = 0"
KERNEL = "70 io_getevents(0x7f14, 0, 512, [{data=0x7f, obj=0x7e, res=%s, res2=0}], {tv_sec=0, tv_nsec=0}) = 1"
SENT = '70 write(25<TCP:[127.0.0.1:8443->127.0.0.1:5000]>, "", 900) = 900'


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([SYNC, SENT, SYNC, SENT], (2, 2)),
        ([SENT, SYNC], (0, 1)),
        ([SYNC, SENT, SENT], (1, 2)),
        ([BEGUN, SENT, ENDED], (0, 1)),
        ([BEGUN, ENDED, SENT], (1, 1)),
        (["71 fdatasync(12</data/strongroom.db-wal>) = -1 EIO (Input/output error)", SENT], (0, 1)),
        (["71 fdatasync(12</data/audit.db-wal>) = 0", SENT], (0, 1)),  # of records that were answered before
        (["72 fdatasync(14</data/journals/36f3a3>) = 0", SENT], (1, 1)),
        ([KERNEL % 0, SENT], (1, 1)),
        ([KERNEL % -5, SENT], (0, 1)),
        (["70 io_getevents(0x7f14, 0, 512, [], {tv_sec=0, tv_nsec=0}) = 0", SENT], (0, 1)),
        ([ENDED, SENT], (0, 1)),
    ],
)
def test_an_answer_counts_when_a_sync_returned_since_the_one_before(lines, found):
    assert judge(lines) == found


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed; scripts/soak installs it")
def test_answers_leave_after_what_they_tell_of_was_synced(tmp_path):
    server = start_server(tmp_path, "--dev", "--no-proxy", "--workers", "1")
    direct = Direct(SimpleNamespace(**server.connection))
    synced, answers = watch(direct, 5)
    direct.close()
    assert server.stop() == 0
    assert synced == answers == 10
