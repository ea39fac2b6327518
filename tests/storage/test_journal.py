"""A journal gives back what was written, once and in order; what was done to it is told; one process has it."""

import errno
import fcntl
import os
import signal
import struct
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal_doubles import SEAL, a_sized_record, ids_of, write_all
from storage_kinds import play
from strongroom.storage import journal as journals
from strongroom.storage.journal import (
    LARGEST,
    SIZE,
    START,
    Journal,
    Position,
    RecordTooLarge,
    damaged_in,
    held_orphan,
    journals_in,
    read_journal,
    remove,
)

HEAD = struct.Struct("<IQ32s")


@pytest.fixture
def journal(tmp_path):
    with closing(Journal(tmp_path, SEAL)) as journal:
        yield journal


def read(journal, position=START, until=None):
    return read_journal(journal.path, SEAL, position, until)


def content(journal):
    return journal.path.read_bytes()


# --- what was written is read


class Told:
    """A journal, and beside it what it should hold: the ids of each frame, and where the frame before it ends."""

    def __init__(self, journal):
        self.journal = journal
        self.frames = [None]
        self.places = [START]
        self.released = 0
        self._count = 0

    def write(self, sizes):
        records = [a_sized_record(size, self._count + number) for number, size in enumerate(sizes)]
        self._count += len(sizes)
        while records and (count := self.journal.write(records)):
            self.frames.append(ids_of(records[:count]))
            records = records[count:]
            self.places.append(read(self.journal, self.places[-1], len(self.frames) - 1).position)
            assert self.places[-1].frame == self.journal.number == len(self.frames) - 1
        assert not records or self.released < self.journal.number  # there is room when everything was taken

    def release(self, share):
        self.released += (self.journal.number - self.released) * share // 4
        self.journal.release(self.released)

    def wipe(self, _):
        if self.journal.wipe():
            assert self.released == self.journal.number
        else:
            assert self.released < self.journal.number
        assert len(content(self.journal).replace(b"\0", b"")) <= self.journal.filled

    def read(self, share):
        """Read from every place that the log may have reached; what lay before it may be gone, never other."""
        newest = self.journal.number
        for position in self.places:
            until = None if share == 0 else position.frame + (newest - position.frame) * share // 4
            page = read(self.journal, position, until)
            wanted = self.frames[position.frame + 1 : page.position.frame + 1]
            assert ids_of(page.records) == [each for frame in wanted for each in frame]
            if position.frame >= self.released:
                assert page.position == self.places[newest if until is None else until]
                assert not page.is_broken


acts = st.one_of(
    st.tuples(st.just("write"), st.lists(st.integers(0, 700), min_size=1, max_size=12)),
    st.tuples(st.just("write"), st.lists(st.integers(1500, 3900), min_size=1, max_size=2)),
    st.tuples(st.sampled_from(["release", "wipe", "read"]), st.integers(0, 4)),
)


@given(st.lists(acts, max_size=25))
@settings(deadline=None, max_examples=200)
def test_whatever_is_written_released_and_wiped_each_reader_gets_its_rest_once_and_in_order(tmp_path_factory, acts):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(journals, "SIZE", 4096)
        patched.setattr(journals, "LARGEST", 512)
        patched.setattr(journals.os, "fsync", lambda _: None)
        with closing(Journal(tmp_path_factory.mktemp("data"), SEAL)) as journal:
            told = Told(journal)
            for name, said in acts:
                getattr(told, name)(said)
            told.read(0)


def test_records_of_more_than_a_frame_holds_are_written_in_parts(journal):
    records = [a_sized_record(LARGEST // 4, number) for number in range(10)]
    left = records
    while left:
        count = journal.write(left)
        assert 0 < count < 4
        left = left[count:]
    assert ids_of(read(journal).records) == ids_of(records)
    large = a_sized_record(LARGEST + 1)
    assert journal.write([large, a_sized_record(1)]) == 1  # a frame of its own
    assert read(journal).records[-1].body == large.body


def test_a_full_journal_takes_nothing_until_something_was_taken(journal):
    record = a_sized_record(LARGEST - 100)
    count = 0
    while journal.write([record]):
        count += 1
    assert count == 8
    assert journal.filled > SIZE - LARGEST
    first = read(journal, until=1).position
    journal.release(1)
    assert journal.write([record]) == 1  # where the first one lay
    assert journal.write([record]) == 0
    page = read(journal, first)
    assert page.position.frame == count + 1
    assert not page.is_broken


def test_a_frame_that_begins_the_file_anew_is_found_behind_those_that_lie_before_it(journal):
    positions = write_all(journal, [a_sized_record(SIZE // 3, number) for number in range(2)])
    journal.release(1)
    newest = [a_sized_record(SIZE // 4, number) for number in (2, 3)]
    assert [journal.write([record]) for record in newest] == [1, 1]  # behind the second, and before it
    page = read(journal, positions[1])
    assert [record.body[:2] for record in page.records] == [b"1 ", b"2 ", b"3 "]
    assert page.position.end < positions[1].end
    assert not page.is_broken


def test_what_no_journal_has_room_for_is_told_whether_it_is_full_or_empty(journal):
    for _ in range(2):
        with pytest.raises(RecordTooLarge):
            journal.write([a_sized_record(SIZE), a_sized_record(1)])
        assert journal.write([a_sized_record(1)]) == 1
    assert len(read(journal).records) == 2
    journal.release(2)
    assert journal.write([a_sized_record(SIZE - 100)]) == 1  # the largest, alone
    assert journal.write([a_sized_record(1)]) == 0


def test_no_byte_of_a_record_that_was_taken_outlives_a_wipe(journal):
    """Nor while others wait there: in a worker that has never done there is always one."""
    positions = write_all(journal, [a_sized_record(SIZE // 8, number) for number in range(6)])
    journal.release(4)
    last = a_sized_record(SIZE // 6, 6)
    assert journal.write([a_sized_record(SIZE // 8, 5)]) == journal.write([last]) == 1  # before the others
    journal.release(5)
    assert not journal.wipe()
    page = read(journal, positions[5])
    assert [record.body[:2] for record in page.records] == [b"5 ", b"5 ", b"6 "]
    page_of = ids_of(page.records)
    kept = sum(len(record.body) for record in page.records)
    assert kept < len(content(journal).replace(b"\0", b"")) < kept + 1000
    assert not journal.wipe()
    assert ids_of(read(journal, positions[5]).records) == page_of
    journal.release(8)
    assert journal.wipe()
    assert content(journal) == bytes(SIZE)
    assert journal.wipe()


def test_what_is_written_in_part_is_an_error(journal, monkeypatch):
    monkeypatch.setattr(journals.os, "pwritev", lambda *_: 3)
    with pytest.raises(OSError, match="in part"):
        journal.write([a_sized_record(1)])


# --- what is not as it was written


def test_older_frames_at_the_place_of_the_next_are_no_evidence(journal):
    """Frames of earlier laps lie wherever the next one may; so may what looks like a frame in a record's body."""
    write_all(journal, [a_sized_record(100 + number, number) for number in range(50)])
    journal.release(50)
    records = [a_sized_record(70 + number, number) for number in range(60)]
    position = read(journal, Position(50, 0), until=50).position
    for number, record in enumerate(records):
        journal.write([record])
        page = read(journal, position)
        assert ids_of(page.records) == [record.record_id]
        assert not page.is_broken
        position = page.position
        if number % 7 == 0:
            journal.release(journal.number)
        assert not read(journal, position).is_broken


def test_what_looks_like_the_next_frame_hides_it_from_nobody(journal):
    """Whatever was written where the log has ended lies there still when the next frame begins the file anew."""
    positions = write_all(journal, [a_sized_record(100), a_sized_record(200)])
    journal.release(2)
    third = a_sized_record(50)
    journal.write([third])
    os.pwrite(journal.handle, HEAD.pack(4, 3, bytes(32)), positions[2].end)
    page = read(journal, positions[2], until=3)
    assert ids_of(page.records) == [third.record_id]
    assert not page.is_broken


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A journal of five frames that nobody has taken, its records, and where each frame ends."""
    with closing(Journal(tmp_path_factory.mktemp("data"), SEAL)) as journal:
        records = [a_sized_record(20 * number, number) for number in range(5)]
        yield journal, records, write_all(journal, records)


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_a_flipped_bit_ends_the_reading_where_it_is_and_is_told(written, data):
    journal, records, positions = written
    place = data.draw(st.integers(0, positions[-1].end - 1), label="place")
    octet = os.pread(journal.handle, 1, place)
    os.pwrite(journal.handle, bytes([octet[0] ^ 1 << data.draw(st.integers(0, 7), label="bit")]), place)
    before = sum(position.end <= place for position in positions) - 1
    try:
        known, whole = read(journal, until=len(records)), read(journal)
    finally:
        os.pwrite(journal.handle, octet, place)
    for page in (known, whole):
        assert ids_of(page.records) == ids_of(records[:before])
        assert page.position == positions[before]
    assert known.is_broken
    assert whole.is_broken


def frame(data, positions, number):
    return data[positions[number - 1].end : positions[number].end]


SPOILED = {
    "two frames swapped": lambda data, at: frame(data, at, 1) + frame(data, at, 3) + frame(data, at, 2),
    "a frame is gone, another in its place": lambda data, at: frame(data, at, 1) + frame(data, at, 3),
    "a frame twice": lambda data, at: frame(data, at, 1) * 2 + frame(data, at, 2),
    "cut within a frame": lambda data, at: data[: at[2].end + 50],
    "cut within a head": lambda data, at: data[: at[2].end + 20],
    "cut behind a frame": lambda data, at: data[: at[2].end],
    "a frame overwritten": lambda data, at: data[: at[1].end] + bytes(at[2].end - at[1].end) + data[at[2].end :],
    "a length that is past the end": lambda data, at: data[: at[1].end] + b"\xff" * 4 + data[at[1].end + 4 :],
    "empty": lambda data, at: data[: at[0].end],
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_what_a_worker_has_told_of_and_is_not_there_is_told_as_broken(written, spoil):
    journal, records, positions = written
    data = content(journal)
    try:
        journal.path.write_bytes(spoil(data, positions))
        page = read(journal, until=5)
        rest = read(journal, page.position)
    finally:
        journal.path.write_bytes(data)
    assert page.is_broken
    assert ids_of(page.records) == ids_of(records[: page.position.frame])
    assert page.position.frame < 4
    assert rest.records == []


def test_frames_of_another_journal_are_none_of_this_one(written, tmp_path):
    journal, _, _ = written
    with closing(Journal(tmp_path, SEAL)) as other:
        other.path.write_bytes(content(journal))
        for until in (None, 5):
            page = read(other, until=until)
            assert (page.records, page.position, page.is_broken) == ([], START, True)
    moved = tmp_path / "journals" / ("0" * 32)
    moved.write_bytes(content(journal))
    assert read_journal(moved, SEAL, START).is_broken


def test_an_earlier_lap_that_is_put_back_is_taken_for_nothing_new(journal):
    write_all(journal, [a_sized_record(100, number) for number in range(3)])
    earlier = content(journal)
    journal.release(3)
    journal.write([a_sized_record(100, 3)])
    last = read(journal, Position(3, SIZE), until=4).position
    journal.path.write_bytes(earlier)
    for position in (Position(3, SIZE // 2), last):
        page = read(journal, position, until=5)
        assert (page.records, page.is_broken) == ([], True)
        assert read(journal, position).records == []


def test_a_later_frame_where_the_next_should_be_is_told_though_nobody_knows_how_many_there_are(journal):
    write_all(journal, [a_sized_record(100)])
    journal.release(1)
    journal.write([a_sized_record(100)])  # overwrites the first, which a reader has not got
    page = read(journal)
    assert (page.records, page.is_broken) == ([], True)


def test_a_journal_that_was_removed_is_not_found(journal):
    journal.path.unlink()
    with pytest.raises(FileNotFoundError):
        read(journal)


# --- whose a journal is


def is_orphan(path):
    with held_orphan(path) as is_held:
        return is_held


def test_a_journal_is_held_until_it_is_closed(tmp_path):
    journal = Journal(tmp_path, SEAL)
    assert not is_orphan(journal.path)
    journal.close()
    assert is_orphan(journal.path)
    with held_orphan(journal.path):
        assert not is_orphan(journal.path)  # another holds it
    assert journals_in(tmp_path) == [journal.path]
    remove(journal.path, damaged=False)
    assert not is_orphan(journal.path)
    assert journals_in(tmp_path) == damaged_in(tmp_path) == []


def test_a_damaged_one_stays_beside_the_others(tmp_path):
    journals = [Journal(tmp_path, SEAL) for _ in range(3)]
    for each in journals:
        each.close()
    remove(journals[0].path, damaged=True)
    assert journals_in(tmp_path) == sorted(each.path for each in journals[1:])
    assert [path.stem for path in damaged_in(tmp_path)] == [journals[0].name]
    for _ in range(2):  # put back again and again, it takes no evidence's place
        journals[0].path.touch()
        remove(journals[0].path, damaged=True)
    assert [path.name[32:] for path in damaged_in(tmp_path)] == [".2.damaged", ".3.damaged", ".damaged"]
    for path in damaged_in(tmp_path)[:2]:
        path.unlink()


def test_where_there_never_was_a_journal_there_is_none(tmp_path):
    assert journals_in(tmp_path) == damaged_in(tmp_path) == []


def test_what_is_no_journal_is_left_alone(tmp_path):
    """A disk of its own for the journals may have a folder like that; somebody may have put a note there."""
    with closing(Journal(tmp_path, SEAL)) as journal:
        (tmp_path / "journals" / "lost+found").mkdir()
        (tmp_path / "journals" / "README").write_text("what is this?")
        assert journals_in(tmp_path) == [journal.path]


def test_a_pipe_in_the_place_of_a_journal_cannot_be_read_and_is_not_waited_for(tmp_path):
    """Whoever waited for a writer of it would wait for ever."""
    with closing(Journal(tmp_path, SEAL)) as journal:
        journal.path.unlink()
        os.mkfifo(journal.path)
        with pytest.raises(OSError, match=os.strerror(errno.ESPIPE)):
            read(journal)


def test_a_file_that_was_put_in_the_place_of_another_is_not_held(tmp_path, monkeypatch):
    journal = Journal(tmp_path, SEAL)
    journal.close()
    flock = fcntl.flock

    def replace(handle, operation):
        flock(handle, operation)
        journal.path.unlink()
        journal.path.touch()

    monkeypatch.setattr(journals.fcntl, "flock", replace)
    assert not is_orphan(journal.path)


def test_who_takes_a_new_journal_for_an_orphan_leaves_its_maker_another(tmp_path, monkeypatch):
    flock, taken = fcntl.flock, []

    def adopt_first(handle, operation):
        """Take the new file before its maker has locked it: once to its end, once only the lock."""
        if len(taken) == 2:
            flock(handle, operation)
            return
        (path,) = set(journals_in(tmp_path)) - {each.path for each in taken}
        adopter = path.open("r+b")
        taken.append(Adopted(path, adopter))
        flock(adopter, fcntl.LOCK_EX)
        if len(taken) == 1:
            remove(path, damaged=False)
            adopter.close()
        flock(handle, operation)

    monkeypatch.setattr(journals.fcntl, "flock", adopt_first)
    with closing(Journal(tmp_path, SEAL)) as journal:
        taken[1].file.close()
        journal.write([a_sized_record(5)])
        assert journal.path not in {each.path for each in taken}
        assert len(read(journal).records) == 1
        assert not is_orphan(journal.path)


class Adopted(NamedTuple):
    path: Path
    file: Any


@pytest.mark.parametrize("failing", ["posix_fallocate", "fsync"])
def test_a_journal_that_cannot_be_made_leaves_nothing(tmp_path, monkeypatch, failing):
    def fail(*_):
        raise OSError(errno.ENOSPC, "full")

    handles = {each.name for each in Path("/proc/self/fd").iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr(journals.os, failing, fail)
        with pytest.raises(OSError, match="full"):
            Journal(tmp_path, SEAL)
    assert journals_in(tmp_path) == []
    assert {each.name for each in Path("/proc/self/fd").iterdir()} == handles


def test_only_its_owner_may_read_a_journal_and_its_room_is_taken_at_once(journal):
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700
    found = journal.path.stat()
    assert (found.st_mode & 0o777, found.st_size, found.st_blocks * 512 >= SIZE) == (0o600, SIZE, True)


def test_journals_that_processes_make_while_others_look_for_orphans_are_theirs_until_they_end(tmp_path):
    """Who makes one and who looks for orphans race for each new file."""
    makers = [play("make_journals", tmp_path) for _ in range(2)]
    adopted = set()
    while any(maker.poll() is None for maker in makers):
        for path in journals_in(tmp_path):
            with held_orphan(path) as is_held:
                if is_held:
                    adopted |= set(ids_of(read_journal(path, SEAL, START).records))
                    remove(path, damaged=False)
    written = [bytes.fromhex(line.decode()) for maker in makers for line in maker.communicate()[0].split()]
    assert [maker.returncode for maker in makers] == [-signal.SIGKILL] * 2
    for path in journals_in(tmp_path):
        assert is_orphan(path)  # killed
        adopted |= set(ids_of(read_journal(path, SEAL, START).records))
    assert set(written) == adopted
    assert len(written) == 2 * 20
