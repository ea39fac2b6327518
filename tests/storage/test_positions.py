"""How far the log took a journal: a row that nobody can edit, and nobody but the log writes."""

from contextlib import closing

import pytest

from journal_doubles import SEAL, a_sized_record
from strongroom.custody.sealing import SealBroken
from strongroom.storage.connection import AUDIT_FILE, Writer
from strongroom.storage.journal import START, Position
from strongroom.storage.positions import forget_positions, get_position, put_position

NAME, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def connection(place):
    with closing(Writer(place / AUDIT_FILE)) as writer, writer.transaction() as connection:
        yield connection


def test_a_position_is_read_as_it_was_put_and_put_anew(connection):
    assert get_position(connection, SEAL, NAME) == START
    for position in (Position(1, 100), Position(2**40, 0), Position(7, 5)):
        put_position(connection, SEAL, NAME, position, [a_sized_record(1)])
        put_position(connection, SEAL, OTHER, Position(3, 3), [])
        assert get_position(connection, SEAL, NAME) == position
    assert get_position(connection, SEAL, OTHER) == Position(3, 3)


EDITS = {
    "the frame": "frame = frame + 1",
    "the end": "ending = ending - 1",
    "the time": "newest = newest + 1",
    "the seal": "mac = zeroblob(32)",
    "no bytes for a seal": "mac = 'text'",
    "no seal": "mac = x''",
    "text for a frame": "frame = 'x' || frame",
    "a fraction": "ending = ending + 0.5",
    "bytes for a number": "newest = x'00'",
    "parts that trade places": "frame = ending, ending = frame",
    "text that is none": "frame = CAST(x'ff' AS TEXT)",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_row_is_told(connection, edit):
    put_position(connection, SEAL, NAME, Position(3, 500), [a_sized_record(1)])
    connection.execute(f"UPDATE journals SET {edit}")
    with pytest.raises(SealBroken):
        get_position(connection, SEAL, NAME)


def test_the_row_of_another_journal_is_told(connection):
    put_position(connection, SEAL, NAME, Position(3, 500), [a_sized_record(1)])
    connection.execute("UPDATE journals SET name = ?", (OTHER,))
    assert get_position(connection, SEAL, NAME) == START
    with pytest.raises(SealBroken):
        get_position(connection, SEAL, OTHER)


def test_what_is_older_than_all_records_is_forgotten_unless_its_journal_is_there(connection):
    record = a_sized_record(1)
    for name in (NAME, OTHER):
        put_position(connection, SEAL, name, Position(1, 100), [record])
    forget_positions(connection, record.began, [])
    assert get_position(connection, SEAL, NAME) == Position(1, 100)
    forget_positions(connection, record.began + 1, [OTHER])
    assert get_position(connection, SEAL, NAME) == START
    assert get_position(connection, SEAL, OTHER) == Position(1, 100)
