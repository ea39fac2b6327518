"""A file becomes durable while the loop goes on, by the kernel or by a thread: told once, and not after the end."""

import asyncio
import errno
import os
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from strongroom.storage import syncing as module
from strongroom.storage.syncing import KernelSyncing, ThreadSyncing, syncing

WAYS = {"kernel": KernelSyncing, "thread": ThreadSyncing}


@pytest.fixture
def handle(tmp_path):
    handle = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield handle
    os.close(handle)


@pytest.fixture(params=WAYS)
def way(request, handle):
    """A way that the kernel of this machine has, or any machine."""
    return WAYS[request.param]


@pytest.fixture
async def made(way, handle):
    made = way(handle, asyncio.get_running_loop())
    yield made
    made.close()


def count_open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


async def outcome_of(syncing):
    told = asyncio.get_running_loop().create_future()
    syncing.sync(told.set_result)  # which fails where it is told twice
    return await told


async def test_what_was_written_is_told_durable_again_and_again(made, handle):
    for _ in range(50):
        os.write(handle, b"record")
        assert await outcome_of(made) is None


async def test_the_loop_goes_on_meanwhile(made):
    turned, told = [], asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turned.append, 1)
    made.sync(told.set_result)
    assert not told.done()
    assert not turned
    assert await told is None
    assert turned


async def test_a_file_that_cannot_be_made_durable_is_told_and_the_next_time_too(made, handle, tmp_path):
    """A handle of a pipe has taken the place of the file's: no disk stands behind it."""
    reading, writing = os.pipe()
    kept = os.dup(handle)
    os.dup2(writing, handle)
    for _ in range(2):
        assert (await outcome_of(made)).errno in {errno.EINVAL, None}
    os.dup2(kept, handle)
    assert await outcome_of(made) is None
    for each in (reading, writing, kept):
        os.close(each)


async def test_what_is_under_way_at_the_end_is_not_told(way, handle):
    loop, told = asyncio.get_running_loop(), []
    for _ in range(20):
        made = way(handle, loop)
        os.write(handle, b"record" * 10_000)
        made.sync(told.append)
        made.close()
        await asyncio.sleep(0)
    after = way(handle, loop)
    assert await outcome_of(after) is None  # whatever was told would have been by now
    after.close()
    assert told == []


async def test_what_was_closed_keeps_nothing_open_though_a_sync_was_under_way(way, handle):
    """A disk that fails again and again has journals made again and again."""
    loop, before = asyncio.get_running_loop(), count_open_files()
    for number in range(50):
        made = way(handle, loop)
        if number % 2:
            made.sync(lambda _: None)
        made.close()
        del made
    while count_open_files() > before:  # noqa: ASYNC110 - the kernel tells nobody else
        await asyncio.sleep(0)


async def test_a_thread_that_cannot_be_begun_is_told_and_the_next_is_tried(handle, monkeypatch):
    def fail(_):
        raise RuntimeError("can't start new thread")

    made = ThreadSyncing(handle, asyncio.get_running_loop())
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        assert "thread" in str(await outcome_of(made))
    assert await outcome_of(made) is None
    made.close()


async def test_a_handle_that_is_none_is_no_file_for_the_kernel():
    reading, writing = os.pipe()
    try:
        with pytest.raises(OSError, match=r".+"):
            KernelSyncing(writing, asyncio.get_running_loop())
    finally:
        os.close(reading)
        os.close(writing)


async def test_the_kernel_makes_files_durable_where_it_can(handle):
    made = syncing(handle, asyncio.get_running_loop())
    assert isinstance(made, KernelSyncing)
    made.close()


def forbidden(*_, **__):
    raise OSError(errno.EPERM, "forbidden")


def refusing(error):
    return lambda **_: Refusing(error)


REAL = module.linux_aio.Context
CONTEXTS = {
    "forbidden": forbidden,
    "more than the system has": lambda max_requests: REAL(max_requests=max_requests << 28),
    "a file system that has none": refusing(ValueError("not this file")),
    "too much is under way": refusing(OverflowError("try again")),
    "a kernel of its own mind": refusing(SystemError("no")),
}


class Refusing(NamedTuple):
    """A context that takes nothing, as the library tells that."""

    error: Exception

    def submit(self, *_operations):
        raise self.error


async def test_a_thread_does_it_where_the_kernel_has_no_way_at_all(handle, monkeypatch):
    monkeypatch.setattr(module, "linux_aio", None)
    made = syncing(handle, asyncio.get_running_loop())
    assert isinstance(made, ThreadSyncing)
    assert await outcome_of(made) is None
    made.close()


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
async def test_a_thread_does_it_where_the_kernel_refuses(handle, monkeypatch, context):
    monkeypatch.setattr(module.linux_aio, "Context", context)
    made = syncing(handle, asyncio.get_running_loop())
    assert isinstance(made, ThreadSyncing)
    assert await outcome_of(made) is None
    made.close()


class Failed:
    """What was asked of the kernel, and has failed."""

    def get_value(self):
        raise OSError(errno.EIO, "no disk")


async def test_what_the_disk_failed_is_told(handle, monkeypatch):
    loop = asyncio.get_running_loop()
    made = KernelSyncing(handle, loop)

    def submit(end):
        made._operation = Failed()
        loop.call_soon(end, -errno.EIO)

    with monkeypatch.context() as patched:
        patched.setattr(made, "_submit", submit)
        assert (await outcome_of(made)).errno == errno.EIO
    assert await outcome_of(made) is None
    made.close()


async def test_an_error_of_a_thread_that_is_none_of_the_system_is_told_as_one(handle, monkeypatch):
    def fail(_):
        raise ValueError("odd")

    made = ThreadSyncing(handle, asyncio.get_running_loop())
    monkeypatch.setattr(module.os, "fdatasync", fail)
    error = await outcome_of(made)
    assert isinstance(error, OSError)
    assert "odd" in str(error)
    made.close()


def test_a_thread_that_ends_after_its_loop_tells_nobody(handle, monkeypatch):
    let, begun = threading.Event(), threading.Event()

    def wait(_):
        begun.set()
        let.wait()

    monkeypatch.setattr(module.os, "fdatasync", wait)

    async def begin():
        made = ThreadSyncing(handle, asyncio.get_running_loop())
        made.sync(lambda _: None)
        return made

    made = asyncio.run(begin())
    begun.wait()
    let.set()
    made._thread.shutdown(wait=True)
    made.close()
