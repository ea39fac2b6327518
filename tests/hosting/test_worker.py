"""What a worker does beside its requests."""

import os

import structlog

from strongroom.hosting import worker
from strongroom.hosting.children import Post
from strongroom.hosting.tls import CertificateUnusable


async def test_certificates_are_looked_after_even_when_they_cannot_be_read(serving, monkeypatch, until_true):
    monkeypatch.setattr(worker, "RENEWAL_SECONDS", 0.01)
    async with serving() as served:
        looked = []

        def renew(now):
            looked.append(now)
            if len(looked) == 1:
                raise CertificateUnusable("the certificate chain.pem cannot be served")

        monkeypatch.setattr(served.server._site.tls, "renew_if_due", renew)
        with structlog.testing.capture_logs() as logs:
            await until_true(lambda: len(looked) > 1)
    assert [entry["reason"] for entry in logs] == ["the certificate chain.pem cannot be served"]


async def test_the_application_lives_as_long_as_the_worker(serving):
    async with serving() as served:
        assert served.app.live
    assert not served.app.live


async def test_a_worker_whose_parent_is_gone_stops(serving):
    async with serving() as served:
        os.close(served.lifeline)
        await served.task
        assert not served.app.live


def test_a_failing_connection_is_one_line_without_its_trace():
    with structlog.testing.capture_logs() as logs:
        worker._log_loop_error(None, {"message": "it broke", "exception": ValueError("canary")})
        worker._log_loop_error(None, {"message": "it broke"})
    assert [(entry["reason"], entry["error"]) for entry in logs] == [("it broke", "ValueError"), ("it broke", None)]


def test_a_worker_that_is_ready_when_its_parent_is_gone_says_so_to_nobody():
    heard, told = os.pipe()
    os.close(heard)
    Post(told, lifeline=told).tell_ready()
    os.close(told)
