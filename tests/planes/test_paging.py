import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import MemoryStorage, a_custodian
from strongroom.clock import real_now
from strongroom.custody.store import Purpose
from strongroom.errors import BadRequest, StorageUnavailable
from strongroom.planes.paging import open_token, paging_key, seal_token

SCOPE = "kv1.vault.localhost:8443/secrets"
KEY = a_custodian().new_key(Purpose.PAGING, "", 1, real_now())
TOKEN = seal_token(a_custodian(), KEY, SCOPE, {"after": "name"})


def test_a_token_opens_where_it_was_given():
    assert open_token(a_custodian(), KEY, SCOPE, TOKEN) == {"after": "name"}


def test_a_token_is_for_urls_and_tells_nothing():
    assert set(TOKEN) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert b"name" not in base64.urlsafe_b64decode(TOKEN + "==")


@pytest.mark.parametrize("scope", ["", "kv2.vault.localhost:8443/secrets", SCOPE + "/", SCOPE + "?x"])
def test_a_token_opens_nowhere_else(scope):
    with pytest.raises(BadRequest):
        open_token(a_custodian(), KEY, scope, TOKEN)


def test_a_token_of_another_key_does_not_open():
    other = a_custodian().new_key(Purpose.PAGING, "", 2, real_now())
    with pytest.raises(BadRequest):
        open_token(a_custodian(), other, SCOPE, TOKEN)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("AZaz09-_"))
def test_a_changed_token_does_not_open(position, letter):
    changed = TOKEN[:position] + letter + TOKEN[position + 1 :]
    if base64.urlsafe_b64decode(changed + "==") != base64.urlsafe_b64decode(TOKEN + "=="):
        with pytest.raises(BadRequest):
            open_token(a_custodian(), KEY, SCOPE, changed)


@given(st.text(max_size=80))
def test_what_is_no_token_does_not_open(text):
    with pytest.raises(BadRequest):
        open_token(a_custodian(), KEY, SCOPE, text)


def test_an_endless_token_is_not_even_decoded():
    with pytest.raises(BadRequest):
        open_token(a_custodian(), KEY, SCOPE, "A" * 5000)


async def test_the_key_is_the_newest_of_the_keyring():
    keyring = MemoryStorage().stores.keyring
    newer = a_custodian().new_key(Purpose.PAGING, "", 2, real_now())
    await keyring.add(newer)
    assert await paging_key(keyring) == newer
    keyring.keys.clear()
    with pytest.raises(StorageUnavailable):
        await paging_key(keyring)
