"""The record of one request, composed from its call and its answer. The one place that decides what a record says.

Source: Azure Monitor resource logs of Key Vault, `AuditEvent`. Values of secrets never come here: a record is made of
the request line, the caller and what handlers note by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from strongroom.access.identity.model import Caller
from strongroom.audit.event import OBJECT_CLAIM, UPN_CLAIM, Category, Form, Record, RecordBody, new_record, wire_time
from strongroom.clock import microseconds
from strongroom.planes.call import Call
from strongroom.planes.http import Request, Response

# What strangers choose is cut: a record must cost its request more than it costs us.
TEXT_LENGTH, URL_LENGTH, VERSION_LENGTH = 512, 2048, 64
SELF_GRANT = "Strongroom.Access/selfGrant/write"
REMEMBERED_LENGTH, REMEMBERED = 512, 256  # of what strangers ask: it must not fill the memory
SIGNATURES = {status.value: status.phrase.replace(" ", "").replace("-", "") for status in HTTPStatus}


@dataclass(slots=True)
class Subject:
    """What a record says of a request whatever is answered: the same for every request that asks the same.

    resource_id: the ARM id, as sent or found; operation, version: the operation's name in the log, and the api-version.
    last: of the last of their records what it said beside that, and its form, which the next one mostly has too. Both
    are set as one: changes are recorded on another thread, and whoever looks between must not tell another's answer.
    """

    resource_id: str
    operation: str
    version: str
    category: Category
    identity: Mapping[str, Any]
    url: str
    last: tuple[tuple[Any, ...], Form] | None = None

    @classmethod
    def of(cls, call: Call, *, category: Category, operation: str, resource_id: str) -> "Subject":
        """Return the subject of a call as it stands."""
        request = call.request
        if call.caller is None and len(request.path) + len(request.raw_query) <= REMEMBERED_LENGTH:
            line = request.host, request.path, request.raw_query
            return _of_stranger(resource_id, operation, category, line)
        return _subject(request, call.caller, resource_id, operation, category)


def compose(call: Call, subject: Subject, response: Response, *, started: datetime, ms: float) -> Record:
    """Return the record of `call`, answered with `response` after `ms` milliseconds."""
    request = call.request
    agent, object_id = request.header(b"user-agent")[:TEXT_LENGTH], (call.object_id or request.base + "/")[:URL_LENGTH]
    told = (response.status, call.refusal[:TEXT_LENGTH], request.client, agent, request.tls, call.notes)
    last = subject.last
    if last is None or last[0] != told:
        told = (*told[:-1], dict(call.notes))
        last = subject.last = told, _form(subject, told)
    began = microseconds(started)
    body = last[1].fill(began, ms=ms, correlation_id=request.correlation_id, object_id=object_id)
    return Record(call.record_id, began, body)


def _form(subject: Subject, told: tuple[Any, ...]) -> Form:
    status, refusal, client, agent, tls, notes = told
    body = RecordBody(
        time="",
        resource_id=subject.resource_id,
        operation_name=subject.operation,
        operation_version=subject.version,
        category=subject.category,
        result_type="Success" if status < 400 else "Failed",
        result_signature=SIGNATURES.get(status, str(status)),
        result_description=refusal,
        caller_ip_address=client,
        identity=subject.identity,
        properties={
            "clientInfo": agent,
            "requestUri": subject.url,
            "id": "",
            "httpStatusCode": status,
            "tlsVersion": tls,
            **notes,
        },
    )
    return Form.of(body)


def _subject(request: Request, caller: Caller | None, resource_id: str, operation: str, category: Category) -> Subject:
    return Subject(
        resource_id=resource_id[:URL_LENGTH].upper(),
        operation=operation,
        version=request.api_version[:VERSION_LENGTH],
        category=category,
        identity=_identity(caller),
        url=request.url[:URL_LENGTH],
    )


@lru_cache(maxsize=REMEMBERED)
def _of_stranger(resource_id: str, operation: str, category: Category, line: tuple[str, str, bytes]) -> Subject:
    return _subject(Request("", *line, {}, ""), None, resource_id, operation, category)


def self_grant(call: Call, subject: Subject, *, started: datetime) -> Record:
    """Return the event that a caller gave itself access to data; the record of the change that did is `requestId`'s."""
    body = RecordBody(
        time=wire_time(started),
        resource_id=subject.resource_id,
        operation_name=SELF_GRANT,
        category=Category.ADMINISTRATIVE,
        caller_ip_address=call.request.client,
        correlation_id=call.request.correlation_id,
        identity=subject.identity,
        properties={
            "change": subject.operation,
            "requestId": call.request_id,
            "requestUri": subject.url,
            "selfGranted": call.notes["selfGranted"],
        },
    )
    return new_record(started, body)


def _identity(caller: Caller | None) -> dict[str, Any]:
    if caller is None:
        return {}
    claim = {OBJECT_CLAIM: caller.object_id, "appid": caller.app_id, "iss": caller.issuer}
    if caller.user_principal_name:
        claim[UPN_CLAIM] = caller.user_principal_name
    return {"claim": claim}
