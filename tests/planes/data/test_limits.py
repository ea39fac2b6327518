"""Secrets at each limit of `docs/limits.md`, and one past it."""

import json

import pytest

from strongroom.planes.data.secrets import SET_LIMIT
from strongroom.planes.data.wire import LATEST_SECOND

VALUE = 25_600
NO_PAGES = ("0", "26", "", "x", "-1", "1.0", "%D9%A3", "%2B1", "9" * 5000)
MANY = {f"tag{number}": "v" for number in range(15)}

BODIES = {
    "an empty value": ({"value": ""}, 200),
    "the longest value": ({"value": "v" * VALUE}, 200),
    "the longest value, counted in bytes": ({"value": "ä" * (VALUE // 2)}, 200),
    "a value of one byte more": ({"value": "v" * (VALUE + 1)}, 400),
    "a value of one byte more that has fewer characters": ({"value": "ä" * (VALUE // 2) + "v"}, 400),
    "a value that is no text": ({"value": 1}, 400),
    "no value": ({}, 400),
    "half a character": (b'{"value": "\\ud800"}', 400),
    "no UTF-8": (b'{"value": "\xff"}', 400),
    "a NUL in the value": ({"value": "a\0b"}, 200),
    "the longest content type": ({"value": "v", "contentType": "c" * 255}, 200),
    "a content type of one character more": ({"value": "v", "contentType": "c" * 256}, 400),
    "an empty content type": ({"value": "v", "contentType": ""}, 200),
    "as many tags as there may be": ({"value": "v", "tags": MANY}, 200),
    "one tag more": ({"value": "v", "tags": MANY | {"one": "more"}}, 400),
    "the longest name and value of a tag": ({"value": "v", "tags": {"n" * 512: "v" * 512}}, 200),
    "a name of a tag of one character more": ({"value": "v", "tags": {"n" * 513: "v"}}, 400),
    "a value of a tag of one character more": ({"value": "v", "tags": {"n": "v" * 513}}, 400),
    "an empty name and value of a tag": ({"value": "v", "tags": {"": ""}}, 200),
    "a tag that is no text": ({"value": "v", "tags": {"a": 1}}, 400),
    "the first second": ({"value": "v", "attributes": {"nbf": 0}}, 200),
    "a second before it": ({"value": "v", "attributes": {"nbf": -1}}, 400),
    "the last second": ({"value": "v", "attributes": {"exp": LATEST_SECOND}}, 200),
    "a second past it": ({"value": "v", "attributes": {"exp": LATEST_SECOND + 1}}, 400),
    "a second that is none": ({"value": "v", "attributes": {"exp": 10**400}}, 400),
    "half a second": ({"value": "v", "attributes": {"exp": 1.5}}, 400),
    "a body nested too deeply": (b'{"value": "v", "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", 400),
    "a body that is a list": ([], 400),
}


@pytest.mark.parametrize("what", BODIES)
async def test_a_secret_is_set_up_to_its_limits_and_not_past_them(world, what):
    body, status = BODIES[what]
    answer = await world.ask("PUT", "/secrets/s", body)
    assert answer.status == status, answer.raw
    found = await world.ask("GET", "/secrets/s")
    assert found.status == (200 if status == 200 else 404)
    if status == 200:
        assert all(found.json[name] == body[name] for name in ("value",))


@pytest.mark.parametrize(
    "what", [name for name, (body, _) in BODIES.items() if isinstance(body, dict) and len(body) > 1]
)
async def test_an_update_has_the_limits_of_a_set(world, what):
    body, status = BODIES[what]
    await world.set()
    given = {name: value for name, value in body.items() if name != "value"}
    assert (await world.ask("PATCH", "/secrets/s", given)).status == status


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
async def test_a_body_is_taken_up_to_its_limit(world, more, status):
    body = json.dumps({"value": "v"}).encode()
    assert (await world.ask("PUT", "/secrets/s", body.ljust(SET_LIMIT + more))).status == status


@pytest.mark.parametrize("name", ["a", "0", "-", "A-0", "n" * 127, "restore", "versions", "%61"])
async def test_names_that_a_secret_may_have(world, name):
    assert (await world.ask("PUT", f"/secrets/{name}", {"value": "v"})).status == 200
    assert (await world.ask("GET", f"/secrets/{name}")).json["value"] == "v"


@pytest.mark.parametrize(
    "name",
    [
        "n" * 128,
        "n" * 5000,
        "a_b",
        "a.b",
        "a%20b",
        "%C3%A4",
        "a%2Fb",
        "..",
        "%2E%2E",
        "%00",
        "a%0A",
        "%",
        "%FF",
        "a+b",
        "٣",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/secrets/{}"), ("GET", "/secrets/{}"), ("PATCH", "/secrets/{}"), ("DELETE", "/secrets/{}"),
        ("GET", "/secrets/{}/versions"), ("POST", "/secrets/{}/backup"), ("GET", "/deletedsecrets/{}"),
        ("POST", "/deletedsecrets/{}/recover"), ("DELETE", "/deletedsecrets/{}"),
    ],
)  # fmt: skip
async def test_names_that_no_secret_can_have(world, method, path, name):
    body = {"value": "v"} if method == "PUT" else None
    answer = await world.ask(method, path.format(name.encode().decode("latin-1")), body)
    assert answer.says(400, "BadParameter")


@pytest.mark.parametrize(
    ("given", "status"),
    [(given, 200) for given in ("1", "25")] + [(given, 400) for given in NO_PAGES],
)
@pytest.mark.parametrize("path", ["/secrets", "/secrets/s/versions", "/deletedsecrets"])
async def test_a_page_has_as_many_items_as_it_may(world, path, given, status):
    await world.set()
    answer = await world.ask("GET", f"{path}?api-version=7.6&maxresults={given}")
    assert answer.status == status
