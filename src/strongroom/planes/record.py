"""The record of one request, composed from its call and its answer. The one place that decides what a record says.

Source: Azure Monitor resource logs of Key Vault, `AuditEvent`. Values of secrets never come here: a record is made of
the request line, the caller and what handlers note by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from strongroom.access.identity.model import Caller
from strongroom.audit.event import Category, Record, RecordBody, new_record, wire_time
from strongroom.planes.call import Call
from strongroom.planes.http import Response

OBJECT_CLAIM = "http://schemas.microsoft.com/identity/claims/objectidentifier"
UPN_CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
# What strangers choose is cut: a record must cost its request more than it costs us.
TEXT_LENGTH, URL_LENGTH, VERSION_LENGTH = 512, 2048, 64
SELF_GRANT = "Strongroom.Access/selfGrant/write"
SIGNATURES = {status.value: status.phrase.replace(" ", "").replace("-", "") for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a record says of a request whatever is answered: the same for every request that asks the same.

    resource_id: the ARM id, as sent or found; operation, version: the operation's name in the log, and the api-version.
    """

    resource_id: str
    operation: str
    version: str
    category: Category
    identity: Mapping[str, Any]
    url: str

    @classmethod
    def of(cls, call: Call, *, category: Category, operation: str, resource_id: str) -> "Subject":
        """Return the subject of a call as it stands."""
        request = call.request
        return cls(
            resource_id=resource_id[:URL_LENGTH].upper(),
            operation=operation,
            version=request.api_version[:VERSION_LENGTH],
            category=category,
            identity=_identity(call.caller),
            url=request.url[:URL_LENGTH],
        )


def compose(call: Call, subject: Subject, response: Response, *, started: datetime, ms: float) -> Record:
    """Return the record of `call`, answered with `response` after `ms` milliseconds."""
    request = call.request
    body = RecordBody(
        time=wire_time(started),
        resource_id=subject.resource_id,
        operation_name=subject.operation,
        operation_version=subject.version,
        category=subject.category,
        result_type="Success" if response.status < 400 else "Failed",
        result_signature=SIGNATURES.get(response.status, str(response.status)),
        result_description=call.refusal[:TEXT_LENGTH],
        duration_ms=round(ms, 3),
        caller_ip_address=request.client,
        correlation_id=request.correlation_id,
        identity=subject.identity,
        properties={
            "clientInfo": request.header(b"user-agent")[:TEXT_LENGTH],
            "requestUri": subject.url,
            "id": (call.object_id or request.base + "/")[:URL_LENGTH],
            "httpStatusCode": response.status,
            "tlsVersion": request.tls,
            **call.notes,
        },
    )
    return new_record(started, body, call.record_id)


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
