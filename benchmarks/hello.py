"""A bare HTTPS hello under the hosting that the product has: what every ratio is measured against."""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from strongroom.clock import real_now
from strongroom.hosting.ca import new_authority
from strongroom.hosting.sockets import bind, port_of
from strongroom.hosting.tls import ServerTls
from strongroom.hosting.workers import serve

BODY = b'{"value":"' + b"x" * 280 + b'"}'
HEADERS = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"%d" % len(BODY))]

Message = MutableMapping[str, Any]


async def hello(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer every request with the same 300 bytes, about as long as a secret's answer."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


def main() -> int:
    """Serve on a free port, which is printed, with as many workers as the first argument says."""
    now = real_now()
    sockets = bind(["127.0.0.1"], 0)
    port = port_of(sockets[0])
    tls = ServerTls(new_authority("localhost", now).mint, now)
    return serve(
        lambda: hello,
        sockets,
        tls,
        domain="localhost",
        workers=int(sys.argv[1]),
        on_ready=lambda: print(port, flush=True),
    )


if __name__ == "__main__":
    sys.exit(main())
