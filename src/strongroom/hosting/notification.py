"""What a service manager is told of the server's state, in the words of sd_notify(3).

A manager that wants to know names a datagram socket in NOTIFY_SOCKET; without one nothing is told.
"""

import os
import socket
import time

import structlog

READY = "READY=1"
STOPPING = "STOPPING=1"

log = structlog.get_logger(__name__)


def reloading() -> str:
    """Return the words for a reload that begins now; `READY` says that it has ended."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def notify(state: str) -> None:
    """Tell the service manager, if there is one; a manager that cannot be told is one line in the log."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place:
        return
    address = "\0" + place[1:] if place.startswith("@") else place
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
            manager.setblocking(False)
            manager.sendto(f"{state}\nMAINPID={os.getpid()}".encode(), address)
    except OSError as error:
        log.warning("the service manager cannot be told", state=state.split("=", maxsplit=1)[0], reason=error.strerror)
