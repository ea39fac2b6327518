"""The way of every request: who, what, may it, does it, its record. No handler runs and no answer leaves but by here.

The order is the service's: token, then path, verb and api-version, then from where, then permission, then the body, and
only then whether what is named exists. The answer leaves when its record is durable; a change and its record commit
together.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol, cast

import msgspec
import structlog

from strongroom.access.identity.model import Caller
from strongroom.access.network.strangers import Strangers
from strongroom.audit.event import Category, Record
from strongroom.clock import CLOCK_FACT, real_now, shift
from strongroom.custody.sealing import Custodian, SealBroken
from strongroom.errors import (
    BadRequest,
    ForbiddenByNetwork,
    NotFound,
    ServiceUnavailable,
    StorageUnavailable,
    StrongroomError,
)
from strongroom.meters import RequestMeter
from strongroom.objects.keys.discarding import discard_all
from strongroom.planes.admission import Admission, question_of, remember
from strongroom.planes.call import Call
from strongroom.planes.http import Request, Response
from strongroom.planes.operation import Operation, Table
from strongroom.planes.record import Subject, compose, self_grant
from strongroom.planes.restraint import Restraint
from strongroom.planes.stores import Storage, Stores
from strongroom.resources.facts import clock_offset
from strongroom.vaults.model import Vault

ReadBody = Callable[[int], Awaitable[bytes]]
PATIENCE_SECONDS = 1.0
"""For how long a body may be waited for, or something be made, on the word of who was asked before it."""
UNKNOWN_OPERATION = "Unknown"
STOPPING = "The server is stopping; nothing was done. Send the request again."
OPAQUE = "An internal error occurred; the log of the server has its details."

log = structlog.get_logger(__name__)


class Plane(Protocol):
    """What differs between planes. `category` and `unauthenticated` name the record of a request nobody signed for."""

    table: Table
    category: Category
    unauthenticated: str

    async def locate(self, call: Call) -> None:
        """Set `call.vault` where the host names one; NotFound when there is none of that name."""

    async def authenticate(self, call: Call) -> Caller:
        """Return who is calling; Unauthenticated when the request proves nobody."""

    def explain_unknown(self, error: StrongroomError, call: Call) -> StrongroomError:
        """Return what is told, to who proved who they are, of a path or verb that is in no table."""

    def require_version(self, call: Call) -> None:
        """Raise BadRequest unless the request's api-version is one that this plane speaks."""

    async def authorize(self, call: Call) -> None:
        """Raise Forbidden unless the caller may; note in the call why it may."""

    def throttle(self, call: Call) -> None:
        """Count a request of a caller who may; Throttled when they are too many."""

    async def confirm(self, call: Call) -> None:
        """Raise what a change is refused for that others made necessary since its caller was let in.

        It is asked in the transaction of the change, on another thread than all else.
        """

    def parse_body(self, call: Call) -> Any:
        """Return the body as the operation's `takes`; BadRequest when it does not fit."""

    def resource_id(self, call: Call) -> str:
        """Return the ARM id of what the request is about, for its record."""

    def render_error(self, error: StrongroomError, call: Call) -> Response:
        """Return an error as this plane writes it."""

    def finish(self, response: Response, call: Call) -> Response:
        """Return the response with the headers that every answer of this plane carries."""


class Gate:
    """Serves the requests of one plane. strangers: the limit for those who prove nobody, None for none."""

    def __init__(
        self,
        plane: Plane,
        storage: Storage,
        custodian: Custodian,
        domain: str,
        *,
        meter: RequestMeter | None = None,
        strangers: Strangers | None = None,
    ) -> None:
        self._plane = plane
        self._meter = meter
        self._storage = storage
        self._custodian = custodian
        self._domain = domain
        self._strangers = strangers
        self._restraint = Restraint()

    async def serve(self, request: Request, read_body: ReadBody | None) -> Response:
        """Answer a request; whatever happens, an answer that leaves has its record.

        read_body: None where no body is waited for.
        """
        started, ticks = real_now(), time.perf_counter()
        # A storage that cannot be read cannot record either: such a call ends before anything looks at its stores.
        call = Call(request, cast("Stores", None), self._custodian, started, started, self._domain)
        run = _Run(self._plane, call, started, ticks)
        response = await self._serve(run, read_body)
        if self._meter is not None:
            self._meter.count(run.operation_name(), response.status, time.perf_counter() - ticks)
        return response

    async def _serve(self, run: "_Run", read_body: ReadBody | None) -> Response:
        call = run.call
        try:
            await self._begin(call)
            response = await self._answer(run, read_body)
        except SealBroken as error:
            response = self._fail(call, await self._explain(call, error))
        except StrongroomError as error:
            response = self._fail(call, error)
        except asyncio.CancelledError:
            if run.changing:  # the change and its record are on their way together, whoever waits for them
                raise
            response = self._fail(call, ServiceUnavailable(STOPPING))
        except Exception:
            log.exception("request failed", method=call.request.method, path=call.request.path)
            response = self._fail(call, StrongroomError("an error of another kind, told above"))
        if run.recorded:
            return response
        refusal = self._refuse_stranger(call, response) if call.caller is None else None
        if refusal is not None:
            return self._fail(call, refusal)
        try:
            await self._storage.record(run.record(response))
        except StorageUnavailable as error:
            return self._fail(call, error)
        return response

    async def _begin(self, call: Call) -> None:
        call.stores = self._storage.read()
        unchanged = call.stores.unchanged
        offset: int | None = unchanged.get(CLOCK_FACT)
        if offset is None:
            offset = await clock_offset(call.stores.facts)
            unchanged.keep(CLOCK_FACT, offset)
        if offset:
            call.now = shift(call.real_now, offset)

    async def _answer(self, run: "_Run", read_body: ReadBody | None) -> Response:
        call = run.call
        try:
            operation = await self._admit(call)
        except ForbiddenByNetwork:
            await self._restraint.give_way(run.ticks)
            raise
        if call.caller is not None:
            self._restraint.served = run.ticks
            self._plane.throttle(call)
        if read_body is not None:
            seen = call.stores.unchanged.generation
            call.request.body = await read_body(operation.body_limit)
            operation = await self._admit_after(call, operation, run.ticks, seen)
        call.body = self._plane.parse_body(call)
        if operation.prepare is not None:
            operation = await self._prepare(operation, call)
        if operation.changes:
            return await self._change(operation, run)
        return self._plane.finish(await operation.handler(call), call)

    async def _prepare(self, operation: Operation, call: Call) -> Operation:
        """Make what the change needs. That may wait in a line for minutes: who may not any more is refused after it."""
        assert operation.prepare is not None
        began, vault, seen = time.perf_counter(), call.vault, call.stores.unchanged.generation
        await operation.prepare(call)
        try:
            operation = await self._admit_after(call, operation, began, seen)
            if vault is not None and call.known_vault().vault_id != vault.vault_id:
                raise _purged(vault)
        except StrongroomError:
            await discard_all(call.made)
            raise
        return operation

    async def _admit_after(self, call: Call, operation: Operation, began: float, seen: int) -> Operation:
        """Return the operation that a caller may still do who waited since `began` (of `time.perf_counter`).

        He is asked again where anything has changed since, which `seen` tells, or after a while: tokens end. What was
        remembered is of before the wait and is looked up anew.
        """
        call.stores = self._storage.read()
        if call.stores.unchanged.generation == seen and time.perf_counter() - began <= PATIENCE_SECONDS:
            return operation
        return await self._admit_again(call)

    async def _admit_again(self, call: Call) -> Operation:
        """Ask again who may do this: it took its time, and what was revoked or has expired meanwhile counts."""
        call.real_now = call.now = real_now()
        await self._begin(call)
        call.caller, call.admission = None, None
        call.notes.clear()  # why the caller might: whoever may not any more has no such reason in the record
        return await self._admit(call)

    async def _explain(self, call: Call, error: SealBroken) -> StrongroomError:
        """Return why something did not open: it is an alarm, unless its vault was purged, keys and all, meanwhile."""
        vault, call.stores = call.vault, self._storage.read()
        try:
            await self._plane.locate(call)
        except StrongroomError as gone:
            return gone
        if vault is None or call.vault is None or call.vault.vault_id == vault.vault_id:
            return error
        return _purged(vault)

    async def _admit(self, call: Call) -> Operation:
        """Return the operation that the caller may do.

        What was found of a request that asks the same, by the same token, is believed while nothing has changed.
        Raises what refuses it.
        """
        asked = question_of(call)
        admission: Admission | None = call.stores.unchanged.get(asked)
        if admission is not None and admission.holds_at(call.real_now):
            return admission.apply(call)
        found: Operation | ForbiddenByNetwork
        try:
            found = await self._find_admission(call)
        except ForbiddenByNetwork as error:
            found = error
        if call.caller is not None and asked is not None:
            remember(asked, call, call.caller, found)
        if isinstance(found, ForbiddenByNetwork):
            raise found
        return found

    async def _find_admission(self, call: Call) -> Operation:
        """Return the operation that the caller may do. Unknown paths are told only to those who proved who they are."""
        await self._plane.locate(call)
        unknown: StrongroomError | None = None
        try:
            match = self._plane.table.match(call.request.method, call.request.path)
            call.operation, call.parameters = match.operation, match.parameters
        except StrongroomError as error:
            unknown = error
        if call.operation is not None and call.operation.anonymous:
            return call.operation
        call.caller = await self._plane.authenticate(call)
        if call.operation is None:
            raise self._plane.explain_unknown(unknown or StrongroomError("no operation"), call)
        self._plane.require_version(call)
        await self._plane.authorize(call)
        return call.operation

    async def _change(self, operation: Operation, run: "_Run") -> Response:
        async def work(stores: Stores) -> tuple[Response, *tuple[Record, ...]]:
            run.call.stores = stores
            await self._plane.confirm(run.call)
            response = self._plane.finish(await operation.handler(run.call), run.call)
            record, event = run.record(response), run.event()
            return (response, record) if event is None else (response, record, event)

        run.changing = True
        try:
            response = await self._storage.change(work)
        except StrongroomError as error:
            if error.status < 500:  # the handler's own, which rolled the change back; of others nobody can be sure
                await discard_all(run.call.made)
            raise
        run.recorded = True
        _tell_self_grant(run.call)
        await discard_all(run.call.removed)
        return response

    def _refuse_stranger(self, call: Call, response: Response) -> StrongroomError | None:
        """Count a request that proved nobody, and return what is answered instead where that were too many.

        It then has no record of its own. A fault of ours is no stranger's doing.
        """
        if self._strangers is None or call.signed_in or response.status >= 500:
            return None
        return self._strangers.refusal(call.request.client, time.monotonic())

    def _fail(self, call: Call, error: StrongroomError) -> Response:
        """Return an error as the plane writes it; one that no client caused is an alarm and tells nothing of itself."""
        if error.status >= 500 and not isinstance(error, ServiceUnavailable):
            log.error("alarm", error=type(error).__name__, reason=error.message, path=call.request.path)
            error = StrongroomError(OPAQUE)
        call.refusal = error.message
        response = self._plane.finish(self._plane.render_error(error, call), call)
        if error.retry_after is None:
            return response
        headers = (*response.headers, _retry_after(error.retry_after))
        return Response(response.status, response.body, headers, response.always)


def _tell_self_grant(call: Call) -> None:
    """Log that a caller has just given itself access to data; what its change noted says so."""
    gained = call.notes.get("selfGranted")
    if gained and call.caller is not None:
        log.warning(
            "somebody gave itself access to data",
            caller=call.caller.object_id,
            path=call.request.path,
            gained=gained,
            record=call.request_id,
        )


def _purged(vault: Vault) -> NotFound:
    return NotFound(f"The vault '{vault.name}' was purged.", code="VaultNotFound")


def _retry_after(seconds: int) -> tuple[bytes, bytes]:
    return b"retry-after", b"%d" % seconds


class _Run:
    """One request under way: what its record needs beside the call. changing: its change was handed to the storage."""

    __slots__ = ("call", "changing", "plane", "recorded", "started", "ticks")

    def __init__(self, plane: Plane, call: Call, started: datetime, ticks: float) -> None:
        self.plane = plane
        self.call = call
        self.started = started
        self.ticks = ticks
        self.changing = False
        self.recorded = False

    def record(self, response: Response) -> Record:
        """Return the record of this request, answered with `response`."""
        call = self.call
        admission = call.admission
        if admission is None or not admission.still_fits(call):
            subject = self._subject()
        else:
            subject = admission.subject = admission.subject or self._subject()
        return compose(call, subject, response, started=self.started, ms=(time.perf_counter() - self.ticks) * 1000)

    def event(self) -> Record | None:
        """Return the record of a caller's having given itself access by the change just made, None where it has not."""
        if "selfGranted" not in self.call.notes:
            return None
        return self_grant(self.call, self._subject(), started=self.started)

    def _subject(self) -> Subject:
        call = self.call
        return Subject.of(
            call,
            category=self._category(),
            operation=self.operation_name(),
            resource_id=self.plane.resource_id(call),
        )

    def _category(self) -> Category:
        call = self.call
        if call.operation is None or call.caller is None or call.operation.category is None:
            return self.plane.category
        return call.operation.category

    def operation_name(self) -> str:
        """Return what the request asks for, as records and counts name it."""
        call = self.call
        if call.operation is None or (call.caller is None and not call.operation.anonymous):
            return UNKNOWN_OPERATION if call.caller is not None else self.plane.unauthenticated
        return call.operation.log


def parse_json(body: bytes, takes: type | None, dec_hook: Callable[[type, Any], Any] | None = None) -> Any:
    """Return a JSON body as the wire type `takes`, None when the operation takes none; BadRequest when it does not fit.

    dec_hook: makes the types that msgspec does not know.
    """
    if takes is None:
        return None
    try:
        return msgspec.json.decode(body or b"{}", type=takes, dec_hook=dec_hook)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"The request body does not fit: {error}.") from None
    except RecursionError:
        raise BadRequest("The request body does not fit: it is nested too deeply.") from None
