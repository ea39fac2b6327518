"""A server as a process of its own, for the tests of the supervisor; tells on standard output what it does.

Usage: supervised.py JSON, with `trust` (a folder) and optionally `workers`, `limits`, `look_seconds`, `beside`, `fail`,
`nohup`, `trusted` (networks of proxies that begin with a PROXY header), and `operator` (serve `chain.pem` and `key.pem`
of that folder too).
"""

import asyncio
import json
import os
import signal
import sys
import threading
from pathlib import Path

from strongroom.access.network.origin import Proxies
from strongroom.clock import real_now
from strongroom.errors import StorageUnavailable
from strongroom.hosting import crew
from strongroom.hosting.ca import new_authority
from strongroom.hosting.children import READY, Duty
from strongroom.hosting.limits import Limits
from strongroom.hosting.sockets import bind, port_of
from strongroom.hosting.tls import CertificateFiles, ServerTls
from strongroom.hosting.worker import WORKER
from strongroom.hosting.workers import rows_needed, serve
from strongroom.meters import Meters

ASKED = json.loads(sys.argv[1])
WORKERS = ASKED.get("workers", 2)
METERS = Meters({}, kinds=(WORKER, "beside"), rows=rows_needed(WORKERS, 1))


def tell(**what):
    print(json.dumps(what), flush=True)  # noqa: T201  # what the test reads


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        if ASKED.get("fail") == "lifespan":
            raise RuntimeError("the application cannot start")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        tell(stopped=os.getpid())
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/slow":
        tell(slow=os.getpid())
        await asyncio.sleep(0.5)
    if scope["path"] == "/stuck":
        tell(slow=os.getpid())
        while True:
            pass
    if scope["path"] == "/endless":
        tell(slow=os.getpid())
        await asyncio.Event().wait()
    body = b"%d" % os.getpid()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def make_app():
    if ASKED.get("fail") == "make_app":
        raise RuntimeError("the application cannot be made")
    if ASKED.get("fail") == "known":
        raise StorageUnavailable("The disk is full.")
    if ASKED.get("fail") == "exit":
        raise SystemExit("no")
    if ASKED.get("fail") == "second" and Path(ASKED["trust"], "ready").exists():
        raise RuntimeError("the application cannot be made again")
    return app


def serve_the_workers(post):
    """Be a child beside the workers, which tells when it is stopped."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    os.write(post.ready, READY)
    while not stopped.wait(0.05):
        METERS.add(("turns", "beside"))
    tell(ended=os.getpid())
    return 0


def operator_files():
    folder = Path(ASKED["trust"])
    return CertificateFiles(folder / "chain.pem", folder / "key.pem") if ASKED.get("operator") else None


def failing_once(fork):
    """Return a fork that fails the first time, as it does when there are too many processes."""
    failed = []

    def fork_later():
        if not failed:
            failed.append(True)
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()

    return fork_later


def main():
    if ASKED.get("nohup"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    authority = new_authority("localhost", real_now())
    trust = authority.write_trust(Path(ASKED["trust"]))
    crew.LOOK_SECONDS = ASKED.get("look_seconds", crew.LOOK_SECONDS)
    listeners, proxies = bind(["127.0.0.1", "::1"], 0), bind(["127.0.0.1"], 0)

    def on_ready():
        if ASKED.get("fail") == "on_ready":
            raise RuntimeError("the caller cannot go on")
        if ASKED.get("fail") == "fork":
            crew.LONGEST_DELAY = 0.1
            os.fork = failing_once(os.fork)
        Path(ASKED["trust"], "ready").touch()
        tell(port=port_of(listeners[0]), proxy=port_of(proxies[0]), ca=str(trust.ca), pid=os.getpid())

    return serve(
        make_app,
        listeners,
        ServerTls(authority.mint, real_now(), operator_files()),
        domain="localhost",
        workers=WORKERS,
        on_ready=on_ready,
        proxy_sockets=proxies,
        meters=METERS,
        limits=Limits(**ASKED.get("limits", {})),
        trusted=Proxies(ASKED.get("trusted", ())),
        proxy_protocol=bool(ASKED.get("trusted")),
        beside=[Duty(name="beside", count=1, work=serve_the_workers, turns=True)] if ASKED.get("beside") else (),
    )


if __name__ == "__main__":
    sys.exit(main())
