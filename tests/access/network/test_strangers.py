import pytest

from strongroom.access.network.strangers import NO_ROOM, TOO_MANY, Strangers
from strongroom.access.network.tally import Tally
from strongroom.errors import ServiceUnavailable, TooManyUnauthenticated

NOON = 43_200.0


def refused(strangers, count, seconds=NOON):
    return [strangers.refusal("203.0.113.7", seconds) for _ in range(count)]


def test_past_the_limit_they_are_told_when_to_come_again():
    tally = Tally()
    answers = refused(Strangers(tally, 3, lambda _: True), 5, NOON + 12.7)
    assert answers[:3] == [None] * 3
    assert [(type(each), each.status, each.message, each.retry_after) for each in answers[3:]] == [
        (TooManyUnauthenticated, 429, TOO_MANY, 48)
    ] * 2
    assert tally.take() == {"203.0.113.7": 2}


@pytest.mark.parametrize("limit", [None, 3])
def test_where_the_disk_has_no_room_none_leaves_a_record(limit):
    tally, room = Tally(), [False]
    strangers = Strangers(tally, limit, lambda _: room[0])
    answers = refused(strangers, 2)
    assert [(type(each), each.status, each.message, each.retry_after) for each in answers] == [
        (ServiceUnavailable, 503, NO_ROOM, 30)
    ] * 2
    assert tally.take() == {"203.0.113.7": 2}
    room[0] = True
    assert refused(strangers, 3) == [None] * 3


def test_the_limit_can_be_off():
    tally = Tally()
    assert refused(Strangers(tally, None, lambda _: True), 5000) == [None] * 5000
    assert tally.take() == {}
