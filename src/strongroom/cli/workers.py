"""What the processes of a server make for themselves after the fork.

A worker: its storage, its application, its chores. The recorder: what keeps the records of all workers.
"""

import socket
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from strongroom.access.network.strangers import Strangers
from strongroom.access.network.tally import Tally
from strongroom.app import Application, create_app, make_planes, new_meters
from strongroom.cli.token import find_token
from strongroom.clock import real_now, steady_seconds
from strongroom.custody.courtesy import Courtesy
from strongroom.custody.sealing import Custodian
from strongroom.custody.software import SoftwareProvider
from strongroom.hosting.authorities import HttpAuthorities
from strongroom.hosting.children import FAILED, Duty, Post
from strongroom.hosting.limits import KILL_MARGIN_SECONDS, Limits
from strongroom.hosting.orphans import end_with_parent
from strongroom.hosting.worker import WORKER
from strongroom.hosting.workers import rows_needed
from strongroom.meters import CommitMeter, Meters
from strongroom.objects.keys.keepers import Keepers
from strongroom.planes.data.throttling import Limiter
from strongroom.planes.management.site import Site
from strongroom.resources.locations import Locations
from strongroom.scheduling.chores import Chores, Turn
from strongroom.scheduling.steadiness import Steadiness
from strongroom.settings import Settings
from strongroom.storage.courier import Courier
from strongroom.storage.keeper import FAILURES
from strongroom.storage.pruning import Pruning
from strongroom.storage.recorder import Recorder
from strongroom.storage.space import space_of
from strongroom.storage.sqlite import SqliteStorage, open_keeper

if TYPE_CHECKING:
    from strongroom.custody.token import Token

RECORDER = "recorder"
RECORDER_DELAY_SECONDS = 1.0
"""A recorder that dies again and again is soon started again: without one nothing is answered."""
RECORDER_ORPHAN_SECONDS = Limits().graceful_seconds + 2 * KILL_MARGIN_SECONDS
"""When a stuck recorder ends whose parent is gone: after the last of the workers, which need it to the end."""
METRICS = "metrics"

log = structlog.get_logger(__name__)


def new_counts(settings: Settings, custodian: Custodian, now: datetime) -> Meters:
    """Return the counts of a server that starts at `now`; call it before the fork: all processes share them."""
    planes = make_planes(
        custodian,
        domain=settings.domain,
        site=site_of(settings),
        limiter=Limiter(),
        keepers=keepers_of(settings, custodian),
    )
    rows = rows_needed(settings.workers, 1 if settings.metrics_port is None else 2)
    meters = new_meters(planes, kinds=(WORKER, RECORDER, METRICS), rows=rows)
    meters.set(("started",), int(now.timestamp()))
    return meters


def site_of(settings: Settings) -> Site:
    """Return what the operator has decided of this server."""
    return Site(locations=Locations(settings.location), private_ip_rules=settings.private_ip_rules)


def keepers_of(
    settings: Settings,
    custodian: Custodian,
    *,
    token: "Token | None" = None,
    destroys: bool = True,
    courtesy: Courtesy | None = None,
) -> Keepers:
    """Return who keeps the keys of vaults; software in the stead of an HSM only where the operator said so.

    token: the HSM's, None to find it by the settings. destroys: whether the HSM destroys keys that are gone. courtesy:
    what tells slow keys that others are served.
    """
    software, token = SoftwareProvider(custodian, courtesy=courtesy), token or find_token(settings)
    if token is None:
        return Keepers(software=software, hsm=software if settings.software_hsm else None)
    from strongroom.custody.pkcs11 import Pkcs11Provider

    return Keepers(software=software, hsm=Pkcs11Provider(custodian, token), destroys=destroys)


def metrics_duties(settings: Settings, meters: Meters, listeners: Sequence[socket.socket]) -> tuple[Duty, ...]:
    """Return the duty of the process that shows metrics, none when there are no sockets to show them on."""
    if not listeners:
        return ()
    from strongroom.hosting.exposition import render
    from strongroom.hosting.metrics import run_metrics

    def work(post: Post) -> int:
        return run_metrics(lambda: render(meters, settings.data_dir), listeners, post)

    return (Duty(name=METRICS, count=1, work=work),)


def application_maker(
    settings: Settings, custodian: Custodian, meters: Meters, *, restored: bool, token: "Token | None" = None
) -> Callable[[], Application]:
    """Return what makes a worker's application; call it before the fork: workers share the memory of its limits.

    restored: other data may refer to the same keys of an HSM, so that none is destroyed there. token: the HSM's, as it
    was tried: how logins went counts on.
    """
    limiter, tally, courtesy = Limiter(weighs=not settings.dev), Tally(), Courtesy()
    keepers = keepers_of(settings, custodian, token=token, destroys=not restored, courtesy=courtesy)

    def make() -> Application:
        recording = partial(Courier, settings.data_dir)
        storage = SqliteStorage.open(settings.data_dir, custodian, meters=meters, recording=recording)
        pruning = Pruning(settings.data_dir, custodian, settings.records_days, real_now())
        newest = storage.records.newest()
        steadiness = Steadiness(real_now(), steady_seconds(), newest.record.time if newest else None)
        turn = Turn(settings.data_dir)
        chores = Chores(storage, custodian, tally, space_of(settings), pruning, turn, steadiness, keepers)
        return create_app(
            storage,
            custodian,
            domain=settings.domain,
            site=site_of(settings),
            limiter=limiter,
            keepers=keepers,
            strangers=Strangers(tally, settings.unauthenticated_per_minute, chores.space.has_room),
            sweep=chores.sweep,
            follow=chores.follow,
            is_ready=storage.is_writable,
            room=lambda: chores.space.level(time.monotonic()),
            close=chores.finish,
            meters=meters,
            note_request=courtesy.note_request,
            authorities=HttpAuthorities(settings.attestation_authority),
        )

    return make


def recorder_duty(settings: Settings, custodian: Custodian, meters: Meters, listener: socket.socket) -> Duty:
    """Return the duty of the process that records what workers hand over on `listener`; call it before the fork."""

    def work(post: Post) -> int:
        end_with_parent(post.lifeline, RECORDER_ORPHAN_SECONDS)
        try:
            keeper = open_keeper(settings.data_dir, custodian)
        except FAILURES as error:
            log.error("the recorder failed", reason=str(error))  # noqa: TRY400  # one line says all
            return FAILED
        post.tell_ready()
        meter = CommitMeter(meters, "records")
        Recorder(listener, keeper, post.lifeline, meter, lambda: meters.add(("turns", RECORDER))).run()
        keeper.close()
        return 0

    return Duty(name=RECORDER, count=1, work=work, turns=True, longest_delay=RECORDER_DELAY_SECONDS)
