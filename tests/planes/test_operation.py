import pytest

from strongroom.errors import MethodNotAllowed, NotFound
from strongroom.planes.operation import Operation, Table, split_path


def operation(method, path):
    return Operation(method=method, path=path, handler=None, log=f"{method} {path}", gives=None)


TABLE = Table(
    [
        operation("GET", "/secrets"),
        operation("GET", "/secrets/{name}"),
        operation("PUT", "/secrets/{name}"),
        operation("GET", "/secrets/{name}/{version}"),
        operation("GET", "/secrets/{name}/versions"),
        operation("POST", "/keys/{name}/{version}/sign"),
        operation("GET", "/subscriptions/{s}/resourceGroups/{g}"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "found", "parameters"),
    [
        ("GET", "/secrets", "GET /secrets", {}),
        ("GET", "//secrets//", "GET /secrets", {}),
        ("GET", "/secrets/a", "GET /secrets/{name}", {"name": "a"}),
        ("GET", "/secrets/a/", "GET /secrets/{name}", {"name": "a"}),
        ("PUT", "/secrets/a", "PUT /secrets/{name}", {"name": "a"}),
        ("GET", "/secrets/a/0f", "GET /secrets/{name}/{version}", {"name": "a", "version": "0f"}),
        ("GET", "/secrets/a/versions", "GET /secrets/{name}/versions", {"name": "a"}),
        ("POST", "/keys/k//sign", "POST /keys/{name}/{version}/sign", {"name": "k", "version": ""}),
        ("GET", "/subscriptions/S/resourcegroups/G", "GET /subscriptions/{s}/resourceGroups/{g}", {"s": "S", "g": "G"}),
        ("GET", "/secrets/a%2Fb", "GET /secrets/{name}", {"name": "a/b"}),
        ("GET", "/secrets/%2e%2e", "GET /secrets/{name}", {"name": ".."}),
    ],
)
def test_the_row_of_a_path(method, path, found, parameters):
    match = TABLE.match(method, path)
    assert (match.operation.log, dict(match.parameters)) == (found, parameters)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/secret", "/secrets/a/b/c", "/keys/k/v/verify", "/subscriptions/S/groups/G", "/%E2%84%AAeys/k/v/sign"],
)
def test_a_path_that_no_row_has(path):
    for method in ("GET", "POST"):
        with pytest.raises(NotFound):
            TABLE.match(method, path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/secrets", ("GET",)),
        ("HEAD", "/secrets/a", ("GET", "PUT")),
        ("get", "/secrets", ("GET",)),
        ("PUT", "/secrets/a/versions", ("GET",)),
    ],
)
def test_a_verb_that_the_path_has_not(method, path, allowed):
    with pytest.raises(MethodNotAllowed) as refused:
        TABLE.match(method, path)
    assert refused.value.allowed == allowed


def test_no_row_stands_twice():
    with pytest.raises(ValueError, match="twice"):
        Table([operation("GET", "/a/{x}"), operation("GET", "/A/{y}")])


def test_the_root_has_no_segments():
    assert split_path("/") == []
    assert Table([operation("GET", "/")]).match("GET", "/").operation.log == "GET /"


def test_a_long_path_is_found_and_not_remembered():
    path = "/secrets/" + "a" * 1000
    assert TABLE.match("GET", path) == TABLE.match("GET", path)
    assert TABLE.match("GET", path) is not TABLE.match("GET", path)
    assert TABLE.match("GET", "/secrets/a") is TABLE.match("GET", "/secrets/a")
