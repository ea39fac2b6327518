"""The rehearsal authority, asked over HTTP as a server asks it."""

import json
import threading
from http.client import HTTPConnection

import pytest

from strongroom.access.identity.attestation import verify_attestation
from strongroom.clock import real_now
from strongroom.errors import Forbidden
from strongroom.hosting.attestor import MOST_BYTES, Attestor
from strongroom.hosting.authorities import HttpAuthorities


@pytest.fixture
def attestor():
    with Attestor() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(attestor, method, path, body=None, **headers):
    connection = HTTPConnection(*attestor.server_address)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


async def test_what_it_attests_is_believed_where_it_is_allowed(attestor):
    status, answer = ask(attestor, "POST", "/attest", json.dumps({"a": [1, {"b": True}]}))
    assert status == 200
    authorities = HttpAuthorities([attestor.address])
    told = await verify_attestation(answer["token"], attestor.address, authorities, real_now())
    assert (told["a"], told["iss"]) == ([1, {"b": True}], attestor.address)
    with pytest.raises(Forbidden, match="has not allowed"):
        await verify_attestation(answer["token"], attestor.address, HttpAuthorities([]), real_now())


@pytest.mark.parametrize(
    ("changes", "told"), [({"exp": 1}, "expired"), ({"nbf": 9_999_999_999}, "not yet valid"), ({"iss": "x"}, "another")]
)
async def test_it_attests_what_is_to_be_refused_too(attestor, changes, told):
    token = attestor.attest(changes)
    with pytest.raises(Forbidden, match=told):
        await verify_attestation(token, attestor.address, HttpAuthorities([attestor.address]), real_now())


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/certs", None, {}, 200),
        ("GET", "/", None, {}, 404),
        ("POST", "/other", "{}", {}, 400),
        ("POST", "/attest", "[]", {}, 400),
        ("POST", "/attest", "{", {}, 400),
        ("POST", "/attest", "[" * 50_000, {}, 400),
        ("POST", "/attest", None, {"Content-Length": str(MOST_BYTES + 1)}, 400),
        ("POST", "/attest", None, {"Content-Length": "many"}, 400),
    ],
)
def test_what_it_is_not_asked_for_rightly_it_refuses(attestor, method, path, body, headers, status):
    assert ask(attestor, method, path, body, **headers)[0] == status
