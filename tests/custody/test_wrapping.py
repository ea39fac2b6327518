"""A master key that a token of SoftHSM2 wraps: nothing else opens it, and what was changed is told."""

import base64
import json
import threading

import msgspec
import pytest

from hsm_doubles import SoftHsm
from strongroom.custody import asking, tokenkeys, wrapping
from strongroom.custody.asking import ask_token
from strongroom.custody.master import encode_key, load_master_key, make_master_key, new_master_key
from strongroom.custody.sealing import MasterKeyWrong
from strongroom.custody.token import HsmUnavailable
from strongroom.custody.wrapping import CannotWrap, Wrapped, unwrap_master_key, wrap_master_key
from strongroom.sensitive import Sensitive

MASTER = Sensitive(bytes(range(32)))


@pytest.fixture
def hsm(tmp_path, monkeypatch):
    softhsm = SoftHsm(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", str(softhsm.configuration))
    yield softhsm
    softhsm.close()


@pytest.fixture
def token(hsm):
    return hsm.token()


def wrapped_in(token):
    return token.use(lambda opened: wrap_master_key(opened, MASTER))


def unwrapped_in(token, text):
    return token.use(lambda opened: unwrap_master_key(opened, text))


def edited(text, **changes):
    """Return a text with members changed, as whoever may write the file could."""
    kept = json.loads(base64.b64decode(text))
    plain = {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value for name, value in changes.items()
    }
    return base64.b64encode(json.dumps({**kept, **plain}).encode()).decode()


def members(text):
    return msgspec.json.decode(base64.b64decode(text), type=Wrapped)


def test_what_was_wrapped_is_opened_and_the_text_shows_nothing(token):
    texts = [wrapped_in(token) for _ in range(2)]
    assert [unwrapped_in(token, text) for text in texts] == [MASTER.reveal()] * 2
    first, second = map(members, texts)
    assert first.key != second.key
    assert MASTER.reveal() not in first.value
    assert base64.b64encode(MASTER.reveal()).decode()[:16] not in texts[0]


def test_what_wraps_it_cannot_leave_the_token_and_is_no_vault_s(token):
    kept = members(wrapped_in(token))
    key = token.use(lambda opened: tokenkeys.find(opened, kept.key, wrapping.KeyType.OCT))
    token.use(lambda _opened: tokenkeys.require_kept(key))
    assert token.use(tokenkeys.list_kept) == {}


@pytest.mark.parametrize("way", wrapping.WAYS)
def test_each_way_opens_what_it_wrapped_and_tells_what_was_changed(token, monkeypatch, way):
    monkeypatch.setattr(wrapping, "WAYS", (way,))
    text = wrapped_in(token)
    assert members(text).way == way
    assert unwrapped_in(token, text) == MASTER.reveal()
    value = bytearray(members(text).value)
    value[-1] ^= 1
    with pytest.raises(MasterKeyWrong, match=r"its file was changed|no master key"):
        unwrapped_in(token, edited(text, value=bytes(value)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"way": "A256CBC"}, "which is none of"),
        ({"value": b"short"}, "its file was changed"),
        ({"iv": bytes(300)}, "no master key that an HSM wrapped"),
        ({"more": 1}, "no master key that an HSM wrapped"),
    ],
)
def test_a_text_that_was_edited_is_refused(token, changes, said):
    with pytest.raises(MasterKeyWrong, match=said):
        unwrapped_in(token, edited(wrapped_in(token), **changes))


@pytest.mark.parametrize("text", ["", "nonsense", "AAAA", base64.b64encode(b"[]").decode()])
def test_a_text_that_is_none_is_refused(token, text):
    with pytest.raises(MasterKeyWrong, match="no master key that an HSM wrapped"):
        unwrapped_in(token, text)


def test_another_token_and_one_that_lost_the_key_are_told(hsm, token):
    text = wrapped_in(token)
    with pytest.raises(HsmUnavailable, match="wrapped by another token than this one: by other"):
        unwrapped_in(token, edited(text, serial=b"other"))
    token.use(lambda opened: tokenkeys.destroy(opened, members(text).key))
    with pytest.raises(HsmUnavailable, match="does not have this key"):
        unwrapped_in(token, text)


def test_a_token_that_cannot_wrap_is_told(token, monkeypatch):
    text = wrapped_in(token)
    monkeypatch.setattr(wrapping, "find_mechanism", lambda _opened, _row: None)
    with pytest.raises(CannotWrap, match="none of A256GCM, A256CBCPAD"):
        wrapped_in(token)
    with pytest.raises(CannotWrap, match="does not do A256GCM any more"):
        unwrapped_in(token, text)


def test_what_opens_to_another_length_is_no_master_key(token):
    text = token.use(lambda opened: wrap_master_key(opened, Sensitive(bytes(16))))
    with pytest.raises(MasterKeyWrong, match="what the HSM opens is no master key"):
        unwrapped_in(token, text)


def test_a_file_holds_it_wrapped_and_the_hsm_opens_it(token, tmp_path):
    path = tmp_path / "own" / "master.key"
    made = make_master_key(path, lambda key: token.use(lambda opened: wrap_master_key(opened, key)))
    found = load_master_key(path, lambda text: Sensitive(unwrapped_in(token, text)))
    assert (found.key.reveal(), found.kind, found.master_id) == (made.key.reveal(), "hsm", made.master_id)
    assert path.read_text() == encode_key(found)
    assert new_master_key().kind == "file"


def test_a_child_asks_and_this_process_does_not_begin_with_the_module(token):
    text = ask_token(token, lambda opened: wrap_master_key(opened, MASTER).encode()).reveal().decode()
    assert token._module is None
    assert ask_token(token, lambda opened: unwrap_master_key(opened, text)).reveal() == MASTER.reveal()


def test_what_a_child_could_not_do_is_told(hsm, token):
    def refuse(_opened):
        raise CannotWrap("none of what is needed")

    with pytest.raises(HsmUnavailable, match="none of what is needed"):
        ask_token(token, refuse)
    with pytest.raises(HsmUnavailable, match="the HSM could not be asked"):
        ask_token(token, lambda _opened: 1 / 0)
    refused = hsm.token(pin="wrong")
    with pytest.raises(HsmUnavailable, match="refused the PIN"):
        ask_token(refused, lambda _opened: b"")
    assert refused.is_pin_refused


def test_a_child_that_is_stuck_keeps_nobody_waiting(token, monkeypatch):
    monkeypatch.setattr(asking, "DEADLINE_SECONDS", 1)
    with pytest.raises(HsmUnavailable, match="does not answer within 1 seconds"):
        ask_token(token, lambda _opened: threading.Event().wait())
