"""A record says the same however many others of its subject were composed before it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from strongroom.audit.event import Category
from strongroom.planes.call import Call
from strongroom.planes.http import Request, Response
from strongroom.planes.record import Subject, compose

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TEXTS = st.text(max_size=20) | st.sampled_from(['"durationMs":0,', '{"time":""', '"correlationId":"",', "\\"])
NOTES = st.dictionaries(TEXTS, st.booleans() | TEXTS | st.lists(TEXTS, max_size=2), max_size=3)


def a_call(agent="", correlation_id="", client="127.0.0.1", path="/secrets/a", **facts):
    headers = {b"user-agent": agent.encode(), b"x-ms-client-request-id": correlation_id.encode()}
    request = Request("GET", "pay.vault.localhost", path, b"api-version=7.6", headers, client, "TLS1_3")
    call = Call(request, None, None, NOON, NOON, "localhost")
    for name, value in facts.items():
        setattr(call, name, value)
    return call


def subject_of(call, operation="SecretGet"):
    return Subject.of(call, category=Category.AUDIT, operation=operation, resource_id="/vaults/pay")


CALLS = st.builds(
    a_call, agent=TEXTS, correlation_id=TEXTS, client=TEXTS, refusal=TEXTS, object_id=st.none() | TEXTS, notes=NOTES
)


@given(st.lists(st.tuples(CALLS, st.sampled_from([200, 404, 499]), st.floats(0, 1e6)), max_size=6))
def test_a_subject_that_told_others_tells_the_next_as_a_new_one_does(asked):
    subject = Subject("/VAULTS/PAY", "SecretGet", "7.6", Category.AUDIT, {}, "https://pay.vault.localhost/secrets/a")
    for call, status, ms in asked:
        fresh = Subject("/VAULTS/PAY", "SecretGet", "7.6", Category.AUDIT, {}, "https://pay.vault.localhost/secrets/a")
        told, alone = (compose(call, each, Response(status), started=NOON, ms=ms) for each in (subject, fresh))
        assert (told, told.record_id) == (alone, call.record_id)


def test_what_a_call_notes_after_its_record_is_in_the_next_one():
    call = a_call()
    subject = subject_of(call)
    before = compose(call, subject, Response(200), started=NOON, ms=1)
    call.notes["algorithm"] = "ES256"
    assert b"ES256" not in before.body
    assert b'"algorithm":"ES256"' in compose(call, subject, Response(200), started=NOON, ms=1).body


class Interrupted(dict):
    """Notes while which are read something else happens, as on another thread."""

    def __init__(self, meanwhile):
        super().__init__(algorithm="ES256")
        self._meanwhile = meanwhile

    def __iter__(self):
        return iter(self.keys())

    def keys(self):
        self._meanwhile()
        return super().keys()


def test_a_request_that_is_told_while_another_one_is_tells_nothing_of_it():
    usual, subject = a_call(notes={}), subject_of(a_call())
    alone = compose(usual, subject, Response(200), started=NOON, ms=1)
    meanwhile = []

    def tell_usual():
        meanwhile.append(compose(usual, subject, Response(200), started=NOON, ms=1).body)

    told = compose(a_call(notes=Interrupted(tell_usual)), subject, Response(400), started=NOON, ms=1)
    tell_usual()
    assert b'"algorithm":"ES256"' in told.body
    assert len(meanwhile) > 1
    assert set(meanwhile) == {alone.body}


def test_strangers_who_ask_alike_are_told_of_alike_and_others_are_not():
    alike, other = (subject_of(a_call(path=path)) for path in ("/secrets/a", "/secrets/b"))
    assert subject_of(a_call()) is alike
    assert (alike.url, other.url) == tuple(
        f"https://pay.vault.localhost/secrets/{name}?api-version=7.6" for name in ("a", "b")
    )
    assert subject_of(a_call(), operation="SecretSet") is not alike


def test_of_strangers_who_ask_at_length_nothing_is_remembered():
    path = "/secrets/" + "a" * 600
    assert subject_of(a_call(path=path)) is not subject_of(a_call(path=path))
