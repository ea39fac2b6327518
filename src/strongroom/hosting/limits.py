"""What one client may take: bytes, time and connections, all in one place.

The figures are generous to every real client and small against what a hostile one would like to hold.
"""

import resource
from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
RESERVED_DESCRIPTORS = 256
"""Kept for databases, logs, pipes and libraries when connections are counted against the descriptors of a process."""
WANTED_DESCRIPTORS = 65_536
KILL_MARGIN_SECONDS = 3
"""Beyond its time for good order, before a process is ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one connection and of one worker.

    head_bytes: request line and headers together. url_bytes: the target alone. header_count: header lines.
    head_seconds: from the first byte of a request to the end of its headers; also for the first byte of a connection.
    keep_alive_seconds: between two requests; a TLS handshake costs fifteen kept-alive requests.
    body_bytes: a body as the application sees it; operations have smaller limits of their own.
    body_seconds, body_rate: a body may last `body_seconds` and one second more for each `body_rate` bytes received.
    write_seconds: how long a client may leave an answer unread once the buffers are full.
    pipelined: requests waiting behind the one being answered.
    handshake_seconds, closing_seconds: for TLS to begin and to end.
    graceful_seconds: for requests under way when the server stops.
    leaving_seconds: for the connections of a worker that a reload replaced; longer than they may rest.
    sweep_seconds: how often deadlines are looked at.
    connections: open connections of a worker.
    """

    head_bytes: int = 128 * KIB
    url_bytes: int = 16 * KIB
    header_count: int = 256
    head_seconds: float = 10
    keep_alive_seconds: float = 75
    body_bytes: int = 20 * MIB
    body_seconds: float = 20
    body_rate: int = 2 * KIB
    write_seconds: float = 60
    pipelined: int = 64
    handshake_seconds: float = 10
    closing_seconds: float = 10
    graceful_seconds: float = 10
    leaving_seconds: float = 90
    sweep_seconds: float = 1
    connections: int = 10_000


def raise_descriptor_limit() -> int:
    """Raise the soft limit on open files as far as the hard limit allows, at most to 65,536; return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ceiling = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= ceiling:
        return WANTED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
    return ceiling


def refuse_core_dumps() -> None:
    """Let this process and its children leave no core dump: it would hold the master key and secrets.

    A limit of 0 keeps Linux from writing a file; at 1 it also refuses the programs that it would hand the dump to
    (`kernel.core_pattern` with a pipe).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0 if hard == 0 else 1, hard))


def affordable_connections(limits: Limits, descriptors: int) -> int:
    """Return how many connections a worker takes with so many descriptors; at least 16."""
    return max(16, min(limits.connections, descriptors - RESERVED_DESCRIPTORS))
