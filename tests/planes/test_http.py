import pytest

from strongroom.errors import BadRequest
from strongroom.planes.http import Request, parse_query


def request(query=b"", headers=()):
    return Request("GET", "v.vault.localhost:8443", "/secrets", query, dict(headers), "127.0.0.1")


def test_parameter_names_do_not_mind_case_and_values_do():
    assert parse_query(b"API-Version=7.4&x=A%20b&empty=") == {"api-version": "7.4", "x": "A b", "empty": ""}


@pytest.mark.parametrize("query", [b"a=1&a=1", b"a=1&A=2"])
def test_a_parameter_given_twice_is_refused(query):
    with pytest.raises(BadRequest, match="more than once"):
        parse_query(query)


def test_more_parameters_than_anyone_needs_are_refused():
    with pytest.raises(BadRequest):
        parse_query(b"&".join(b"p%d=1" % i for i in range(65)))


def test_a_request_tells_its_urls():
    assert request(b"a=1").base == "https://v.vault.localhost:8443"
    assert request(b"a=1").url == "https://v.vault.localhost:8443/secrets?a=1"
    assert request().url == "https://v.vault.localhost:8443/secrets"


def test_what_is_absent_is_empty():
    assert request().api_version == ""
    assert request(b"api-version=1&api-version=2").api_version == ""
    assert request().header(b"x") == ""
    assert request(headers={b"x-ms-client-request-id": b"c" * 200}).correlation_id == "c" * 128


def test_a_long_query_is_read_and_not_remembered():
    long = b"a=" + b"x" * 1000
    assert parse_query(long) == {"a": "x" * 1000}
    assert parse_query(long) is not parse_query(long)
    assert parse_query(b"a=1") is parse_query(b"a=1")
