"""Every error that locks and tags can meet, provoked by plain HTTPS. See `test_errors.py`."""

import pytest

from clients.direct import unique
from clients.provoking import fits, meet

pytestmark = [pytest.mark.xdist_group("errors"), pytest.mark.usefixtures("client_environ")]

LOCKS, CORE = "2016-09-01", "2021-04-01"


def lock(w, method, place, name="kept", level="CanNotDelete"):
    path = f"{w.direct.subscription}/resourceGroups/{place}/providers/Microsoft.Authorization/locks/{name}"
    body = {"properties": {"level": level}} if method == "PUT" else None
    return w.direct.manage(method, path, body, version=LOCKS)


def a_group(w):
    name = unique("locked")
    w.direct.make_group(name)
    return name


def a_locked_group(w):
    group = a_group(w)
    assert lock(w, "PUT", group).status == 201
    answer = w.direct.manage("DELETE", w.direct.group_path(group), version=CORE)
    assert lock(w, "DELETE", group).status == 200
    return answer


def one_lock_too_many(w):
    group = a_group(w)
    for number in range(20):
        assert lock(w, "PUT", group, f"lock-{number}").status == 201
    answer = lock(w, "PUT", group, "one-more")
    for number in range(20):
        assert lock(w, "DELETE", group, f"lock-{number}").status == 200
    return answer


def tag_name(w, method, path, body=None):
    return w.direct.manage(method, f"{w.direct.subscription}/tagNames/{path}", body, version=CORE)


def a_tag_with_values(w):
    name = unique("tag")
    assert tag_name(w, "PUT", name).status == 201
    assert tag_name(w, "PUT", f"{name}/tagValues/one").status == 201
    return tag_name(w, "DELETE", name)


def another_way(w):
    path = f"{w.direct.group_path('dev')}/providers/Microsoft.Resources/tags/default"
    body = {"operation": "Shuffle", "properties": {"tags": {}}}
    return w.direct.manage("PATCH", path, body, version=CORE)


ROWS = {
    "InvalidTagsPatchOperation": (
        another_way,
        (400, "InvalidTagsPatchOperation"),
        "The tags operation 'Shuffle' is not supported; use Merge, Replace or Delete.",
    ),
    "InvalidLock": (
        lambda w: lock(w, "PUT", "dev", level="Loosely"),
        (400, "InvalidLock"),
        "The lock level 'Loosely' is invalid; use CanNotDelete or ReadOnly.",
    ),
    "TagNameNotFound": (
        lambda w: tag_name(w, "PUT", "nobody-has-it/tagValues/one"),
        (404, "TagNameNotFound"),
        "The tag name 'nobody-has-it' could not be found.",
    ),
    "LockNotFound": (
        lambda w: lock(w, "GET", "dev", "no-such-lock"),
        (404, "LockNotFound"),
        "The lock 'no-such-lock' could not be found.",
    ),
    "TagNameHasValues": (
        a_tag_with_values,
        (409, "TagNameHasValues"),
        "The tag name '…' has values; delete them first.",
    ),
    "ScopeLocked": (
        a_locked_group,
        (409, "ScopeLocked"),
        (
            "The scope '…' cannot perform delete operation because following scope(s) are locked: '…'. Please remove "
            "the lock and try again."
        ),
    ),
    "LockCountQuotaReached": (
        one_lock_too_many,
        (409, "LockCountQuotaReached"),
        "The scope '…' has 20 locks; …",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_management_plane_answers_an_error_as_its_row_says(world, name):
    provoke, expected, message = ROWS[name]
    met = meet(world, provoke)
    assert (met.status, met.code) == expected, met
    assert fits(message, met.message, world.facts), met.message
