"""What Prometheus is shown: the counts of all processes, and how full the disk is.

Nothing here names a vault, a secret, a caller or an address: labels are names of planes, operations and kinds of
process, which are the same on every server.
"""

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from strongroom import VERSION
from strongroom.meters import BOUNDS, MICROSECONDS, Key, Meters
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
# Counters by the kind of count: name (its _total is added), help, the labels of its key, and by what it is divided.
COUNTERS: Final = {
    "requests": ("requests", "Requests answered.", ("plane", "operation", "status"), 1),
    "refusals": ("refusals", "Requests answered with 401, 403 or 429.", ("plane", "reason"), 1),
    "malformed": ("malformed_requests", "Requests refused before any plane saw them.", ("status",), 1),
    "connections-accepted": ("connections_accepted", "Connections whose TLS handshake succeeded.", (), 1),
    "proxy-headers": (
        "proxy_headers_refused",
        "Connections of trusted proxies ended for want of a PROXY header.",
        (),
        1,
    ),
    "commits": ("commits", "Batches that were made durable, or failed.", ("kind",), 1),
    "committed": ("committed_units", "Changes and records made durable.", ("kind",), 1),
    "failures": ("storage_failures", "Changes and records that could not be made durable.", ("kind",), 1),
    "commit-microseconds": ("commit_seconds", "Time that commits took.", ("kind",), MICROSECONDS),
    "children-started": ("processes_started", "Child processes started.", ("kind",), 1),
    "children-died": ("processes_died", "Child processes that ended unasked.", ("kind",), 1),
    "turns": ("turns", "Turns of loops, at least about one a second of each process.", ("kind",), 1),
    "reloads": ("reloads", "Reloads that have put new workers in place.", (), 1),
}
GAUGES: Final = {
    "accepting": ("accepting", "Workers that take new connections.", ()),
    "connections": ("connections", "Open connections, those included whose TLS handshake is under way.", ()),
    "serving": ("processes", "Child processes that serve.", ("kind",)),
    "started": ("start_time_seconds", "When the server started, in seconds since 1970.", ()),
}
FILES: Final = (MAIN_FILE, AUDIT_FILE)


def render(meters: Meters, data_dir: Path) -> bytes:
    """Return all that is counted, and the state of the disk that holds `data_dir`, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Server(meters, data_dir))
    return generate_latest(registry)


class _Server(Collector):
    """Collects from the counts of a server. Implements prometheus_client's protocol."""

    def __init__(self, meters: Meters, data_dir: Path) -> None:
        self._meters = meters
        self._data_dir = data_dir

    def collect(self) -> Iterator[Metric]:
        """Return every family of metrics."""
        info = {"version": VERSION, "python": platform.python_version()}
        yield InfoMetricFamily("strongroom_build", "What runs.", info)
        for kind, (name, text, labels, divisor) in COUNTERS.items():
            counter = CounterMetricFamily(f"strongroom_{name}", text, labels=labels)
            for key in self._keys(kind):
                counter.add_metric(key[1:], self._meters.total(key) / divisor)
            yield counter
        for kind, (name, text, labels) in GAUGES.items():
            gauge = GaugeMetricFamily(f"strongroom_{name}", text, labels=labels)
            for key in self._keys(kind):
                gauge.add_metric(key[1:], self._meters.total(key))
            yield gauge
        yield self._latencies()
        yield self._certificates()
        yield from self._disk()

    def _keys(self, kind: str) -> list[Key]:
        return [key for key in self._meters.cells if key[0] == kind]

    def _latencies(self) -> Metric:
        family = HistogramMetricFamily(
            "strongroom_request_seconds", "Time from a request to its answer.", labels=["plane"]
        )
        for _, plane in self._keys("microseconds"):
            counts = [self._meters.total(("bucket", plane, str(index))) for index in range(len(BOUNDS) + 1)]
            ends = (*(str(bound) for bound in BOUNDS), "+Inf")
            buckets = [(end, float(sum(counts[: index + 1]))) for index, end in enumerate(ends)]
            family.add_metric([plane], buckets, self._meters.total(("microseconds", plane)) / MICROSECONDS)
        return family

    def _certificates(self) -> Metric:
        text = "When the certificate being served ends, in seconds since 1970; of all workers the earliest."
        family = GaugeMetricFamily("strongroom_certificate_expiry_seconds", text, labels=["certificate"])
        for key in self._keys("certificate"):
            ends = [end for end in self._meters.each(key) if end]
            if ends:
                family.add_metric(key[1:], min(ends))
        return family

    def _disk(self) -> Iterator[Metric]:
        try:
            disk = os.statvfs(self._data_dir)
            sizes = {name: (self._data_dir / name).stat().st_size for name in FILES}
        except OSError:
            return  # a metric that is missing can be alerted on; a scrape that fails hides the others
        free = GaugeMetricFamily("strongroom_disk_free_bytes", "Free space on the disk that holds the data.")
        free.add_metric([], disk.f_bavail * disk.f_frsize)
        size = GaugeMetricFamily("strongroom_disk_size_bytes", "Size of the disk that holds the data.")
        size.add_metric([], disk.f_blocks * disk.f_frsize)
        files = GaugeMetricFamily("strongroom_file_bytes", "Size of a file of the data.", labels=["file"])
        for name, length in sizes.items():
            files.add_metric([name], length)
        yield from (free, size, files)
