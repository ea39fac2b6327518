"""Keys of authorities: asked for when needed, kept for a while, of those alone that the operator allowed."""

import asyncio
import json

import pytest

from jwk_doubles import number
from release_doubles import AUTHORITY, authority_key
from strongroom.errors import Forbidden, ServiceUnavailable
from strongroom.hosting.authorities import AGAIN_SECONDS, FAILED_SECONDS, KEPT_SECONDS, HttpAuthorities
from strongroom.hosting.outgoing import Unreachable

CONFIGURATION = f"{AUTHORITY}/.well-known/openid-configuration"


def published(*kids):
    public = authority_key().public_key().public_numbers()
    return {"keys": [{"kty": "RSA", "kid": kid, "n": number(public.n), "e": number(public.e)} for kid in kids]}


class Network:
    """What stands at addresses, and what was asked for; a clock that tests move."""

    def __init__(self, **said):
        self.now = 1000.0
        self.asked = []
        self.keys = published("a")
        self.documents = {CONFIGURATION: {"issuer": AUTHORITY, "jwks_uri": f"{AUTHORITY}/certs"} | said}
        self.authorities = HttpAuthorities([AUTHORITY + "/"], self.get, lambda: self.now)

    async def get(self, url):
        self.asked.append(url)
        await asyncio.sleep(0)
        found = self.documents | {f"{AUTHORITY}/certs": self.keys}
        if url not in found:
            raise Unreachable("an answer with status 404")
        return found[url] if isinstance(found[url], bytes) else json.dumps(found[url]).encode()

    async def find(self, kid="a", authority=AUTHORITY):
        return await self.authorities.find_key(authority, kid)


async def test_keys_are_asked_for_once_and_kept_for_a_while():
    network = Network()
    assert (await network.find()).key == authority_key().public_key()
    assert network.asked == [CONFIGURATION, f"{AUTHORITY}/certs"]
    network.now += KEPT_SECONDS - 1
    assert await network.find()
    assert len(network.asked) == 2
    network.now += 1
    network.keys = published("b")
    assert await network.find() is None
    assert len(network.asked) == 4


async def test_many_who_come_at_once_ask_once():
    network = Network()
    assert all(await asyncio.gather(*(network.find() for _ in range(20))))
    assert len(network.asked) == 2


async def test_a_new_key_is_found_but_strange_ones_do_not_have_it_asked_for_each_time():
    network = Network()
    await network.find()
    network.keys = published("a", "b")
    for _ in range(5):
        assert await network.find("b") is None
    assert len(network.asked) == 2
    network.now += AGAIN_SECONDS
    assert await network.find("b")
    assert len(network.asked) == 4


@pytest.mark.parametrize("authority", ["https://other.example.test", AUTHORITY + ":8443", AUTHORITY + "/x", ""])
async def test_nobody_else_is_asked(authority):
    network = Network()
    with pytest.raises(Forbidden, match="has not allowed the authority"):
        await network.find(authority=authority)
    assert network.asked == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"issuer": "https://other.example.test"}, "another issuer's"),
        ({"issuer": None}, "its configuration is none"),
        ({"jwks_uri": "https://other.example.test/certs"}, "at another host than itself"),
        ({"jwks_uri": "http://attest.example.test/certs"}, "at another host than itself"),
        ({"jwks_uri": "http://127.0.0.1/certs"}, "at another host than itself"),
        ({"jwks_uri": f"{AUTHORITY}:444/certs"}, "at another host than itself"),
        ({"jwks_uri": "/certs"}, "no address"),
        ({"jwks_uri": f"{AUTHORITY}/certs?a=b c\r\nX: y"}, "no address"),
        ({"jwks_uri": f"{AUTHORITY}/elsewhere"}, "status 404"),
        ({"jwks_uri": CONFIGURATION}, "no JSON Web Key set"),
    ],
)
async def test_an_authority_that_answers_otherwise_is_told_and_left_alone_for_a_while(said, told):
    network = Network(**said)
    for _ in range(3):
        with pytest.raises(ServiceUnavailable, match="cannot be asked for its keys now: ") as refused:
            await network.find()
        assert told in refused.value.message
        assert refused.value.retry_after == FAILED_SECONDS
    asked = len(network.asked)
    assert asked <= 2
    network.documents = Network().documents
    network.now += FAILED_SECONDS
    assert await network.find()


async def test_keys_that_cannot_be_had_any_more_are_not_believed_any_longer():
    network = Network()
    await network.find()
    network.now += KEPT_SECONDS
    network.documents = {}
    with pytest.raises(ServiceUnavailable):
        await network.find()


async def test_the_place_of_keys_may_have_a_query():
    network = Network(jwks_uri=f"{AUTHORITY}/certs?v=1")
    network.documents[f"{AUTHORITY}/certs?v=1"] = published("a")
    assert await network.find()
