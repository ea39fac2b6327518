import json

import pytest

from strongroom.planes.documents import PLANES, document, find_document
from strongroom.planes.http import Request


def a_request(path, host="localhost:8443", **headers):
    sent = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return Request(method="GET", host=host, path=path, raw_query=b"", headers=sent, client="127.0.0.1")


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("vault.test:8443", "vault.test:8443"),
        ("vault.test", "vault.test"),
        ("[::1]", "vault.test"),
        ("[::1]:9", "vault.test:9"),
    ],
)
def test_a_document_names_the_server_as_it_was_reached(plane, host, domain):
    answer = find_document(a_request(f"/openapi/{plane}.json", host), "vault.test")
    found = json.loads(answer.body)
    assert answer.status == 200
    assert found["servers"][0]["url"].endswith(f".{domain}")
    assert b"DOMAIN" not in answer.body
    assert answer.body == document(plane, domain)


@pytest.mark.parametrize("plane", PLANES)
def test_a_document_names_no_module_of_the_server(plane):
    """Two types of one name are told apart by where they lie: names of ours that clients would be made from."""
    names = json.loads(document(plane, "vault.test"))["components"]["schemas"]
    assert [name for name in names if "." in name] == []


def test_a_document_that_is_known_is_not_sent_again():
    tag = dict(find_document(a_request("/openapi/data.json"), "localhost").headers)[b"etag"]
    again = find_document(a_request("/openapi/data.json", if_none_match=tag), "localhost")
    assert (again.status, again.body, dict(again.headers)[b"etag"]) == (304, b"", tag)
    assert find_document(a_request("/openapi/identity.json", if_none_match=tag), "localhost").status == 200


@pytest.mark.parametrize("path", ["/openapi", "/openapi/portal.json", "/openapi/data", "/openapi/../data.json"])
def test_other_paths_name_no_document(path):
    assert find_document(a_request(path), "localhost") is None
