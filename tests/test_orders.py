"""The search for an order finds the one there is, and none where there is none."""

import pytest

from lives import FREE, Act, Life, secret_outcome
from orders import Done, lives_after

ONE = Life((("1", "a"),))


def done(kind, begun, ended, outcome, mark=""):
    return Done(Act(kind, "1", mark), begun, ended, outcome)


def after(*histories, before=FREE):
    return lives_after(histories, {before}, secret_outcome)


def test_one_after_the_other():
    history = (done("set", 0, 1, (200, ("1", "a")), "a"), done("get", 2, 3, (200, ("1", "a"))))
    assert after(history) == {ONE}


def test_at_once_either_order_may_be():
    deleting, getting = (done("delete", 0, 5, (200, "a")),), (done("get", 1, 4, (200, ("1", "a"))),)
    assert after(deleting, getting, before=ONE) == {Life(ONE.versions, deleted=True)}
    refused = (done("get", 1, 4, (404, None)),)
    assert after(deleting, refused, before=ONE) == {Life(ONE.versions, deleted=True)}


def test_two_writings_at_once_leave_either_life():
    first, second = (done("set", 0, 5, (200, ("1", "a")), "a"),), (done("set", 0, 5, (200, ("1", "b")), "b"),)
    assert {life.newest[1] for life in after(first, second)} == {"a", "b"}


@pytest.mark.parametrize(
    "histories",
    [
        # What was answered before is not seen after it.
        ((done("delete", 0, 1, (200, "a")),), (done("get", 2, 3, (200, ("1", "a"))),)),
        # Both deleted what is there once.
        ((done("delete", 0, 5, (200, "a")),), (done("delete", 0, 5, (200, "a")),)),
        # Purged twice.
        (
            (done("delete", 0, 1, (200, "a")), done("purge", 2, 9, (204, None))),
            (done("purge", 2, 9, (204, None)),),
        ),
        # Recovered and purged.
        (
            (done("delete", 0, 1, (200, "a")), done("purge", 2, 9, (204, None))),
            (done("recover", 2, 9, (200, "a")), done("get", 10, 11, (200, ("1", "a")))),
        ),
        # A value that nobody wrote.
        ((done("get", 0, 1, (200, ("2", "z"))),), ()),
    ],
)
def test_there_is_no_order_for(histories):
    assert after(*histories, before=ONE) == frozenset()
