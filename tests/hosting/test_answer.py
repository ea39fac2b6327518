"""How an answer is written: in messages, or at once; what arrives is the same."""

import asyncio
from types import SimpleNamespace

import pytest

from strongroom.hosting.answer import Answer

HEADERS = ((b"x-one", b"1"), (b"x-two", b"2"))
ALWAYS = ((b"x-always", b"yes"),)


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.written = b""
        self.closed = False

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True


class Flow:
    write_paused = False

    async def drain(self):
        self.write_paused = False


@pytest.fixture
def new():
    def new(method="GET", *, keep_alive=True):
        done = []
        answer = Answer(
            scope={"method": method}, transport=Wire(), flow=Flow(), logger=None, access_logger=None, access_log=False,
            default_headers=[(b"date", b"today")], message_event=SimpleNamespace(set=lambda: done.append("event")),
            expect_100_continue=True, keep_alive=keep_alive, on_response=lambda: done.append("response"),
        )  # fmt: skip
        return answer, done

    return new


def in_messages(answer, status, headers, always, body):
    async def send():
        length = (b"content-length", b"%d" % len(body))
        await answer.send({"type": "http.response.start", "status": status, "headers": (*headers, *always, length)})
        await answer.send({"type": "http.response.body", "body": body})

    asyncio.run(send())


def parts(written):
    head, _, body = written.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    return status, sorted(lines), body


def test_what_is_written_at_once_says_the_same_as_messages(new):
    (whole, done), (pieces, also_done) = new(), new()
    assert whole.at_once(200, HEADERS, ALWAYS, b"body")
    in_messages(pieces, 200, HEADERS, ALWAYS, b"body")
    assert parts(whole.transport.written) == parts(pieces.transport.written)
    assert b"content-length: 4\r\n" in whole.transport.written
    assert done == also_done == ["event", "response"]
    assert whole.response_complete
    assert not whole.waiting_for_100_continue
    assert not whole.at_once(200, HEADERS, ALWAYS, b"once more")


@pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (200, "HEAD")])
def test_what_has_no_body_goes_in_messages(new, status, method):
    answer, _ = new(method)
    assert not answer.at_once(status, HEADERS, ALWAYS, b"")
    assert answer.transport.written == b""


def test_the_last_answer_of_a_connection_goes_in_messages_which_say_so(new):
    answer, _ = new(keep_alive=False)
    assert not answer.at_once(200, HEADERS, ALWAYS, b"body")
    in_messages(answer, 200, HEADERS, ALWAYS, b"body")
    assert b"connection: close\r\n" in answer.transport.written
    assert answer.transport.closed


def test_a_client_that_reads_slowly_or_has_gone_is_written_nothing_at_once(new):
    slow, _ = new()
    slow.flow.write_paused = True
    assert not slow.at_once(200, HEADERS, ALWAYS, b"body")
    gone, _ = new()
    gone.disconnected = True
    assert not gone.at_once(200, HEADERS, ALWAYS, b"body")
    assert slow.transport.written == gone.transport.written == b""


@pytest.mark.parametrize("broken", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"a\0b"])
@pytest.mark.parametrize("place", ["headers", "always"])
def test_a_header_that_holds_a_line_end_is_not_written(new, broken, place):
    answer, _ = new()
    bad = ((b"x-bad", broken),)
    with pytest.raises(RuntimeError, match="line end"):
        answer.at_once(200, bad if place == "headers" else (), bad if place == "always" else (), b"body")
    assert answer.transport.written == b""
