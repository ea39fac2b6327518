"""The activity log of a subscription: what was changed in it over the resource manager, and what was refused.

It is read from the records of those requests, newest first, a bounded part of them at a time: a page may be short, or
empty, and still have a next one.
Source: REST Activity Logs, List; the event schema of Azure's activity log, category Administrative.
"""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from strongroom.audit.event import UPN_CLAIM, Record, guid_of
from strongroom.audit.log import LONGEST_REQUEST, Entry
from strongroom.errors import BadRequest
from strongroom.ids import subscription_scope
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management.activityfilter import ActivityFilter, parse_activity_filter
from strongroom.planes.management.answers import Page, render_list
from strongroom.planes.management.places import subscription_id
from strongroom.planes.management.wire import Wire
from strongroom.planes.operation import Operation, Parameter
from strongroom.planes.paging import next_link, open_skip_token
from strongroom.resources.locks import Effect, effect_of

READ = "Microsoft.Insights/eventtypes/values/Read"
DAYS_KEPT = 90
EVENTS_OF_A_PAGE = 200
STEP, STEPS = 500, 200
"""How many records are looked through at once, and how often for a page: other requests are served in between."""
OURS = b'"requestUri":"https://management.'
VAULTS = "Microsoft.KeyVault/vaults/"
ACTIONS = {
    "VaultPut": VAULTS + "write",
    "VaultPatch": VAULTS + "write",
    "VaultRecover": VAULTS + "write",
    "VaultDelete": VAULTS + "delete",
    "VaultPurge": "Microsoft.KeyVault/locations/deletedVaults/purge/action",
}
"""What vaults' own names of operations are as actions; other names are actions already."""
OBJECT_ACTIONS = {
    "SecretSet": VAULTS + "secrets/write",
    "SecretUpdate": VAULTS + "secrets/write",
    "KeyCreate": VAULTS + "keys/write",
}
"""The same of what is written into vaults as resources; the data plane has operations of these names too."""
MANAGED = "/subscriptions/"
POLICIES = "accesspolicies"
"""What stands before the last word of a path that changes access policies."""


class Word(Wire, kw_only=True):
    """A name for programs and for people."""

    value: str
    localized_value: str


class Authorization(Wire, kw_only=True):
    """What was asked to be done, and where."""

    action: str
    scope: str


class HttpRequest(Wire, kw_only=True):
    """Whence it was asked. method: where the action tells it."""

    client_request_id: str
    client_ip_address: str
    method: str | UnsetType = UNSET
    uri: str


class Event(Wire, kw_only=True):
    """Something that was done, or refused; only what `$select` names where there is one."""

    authorization: Authorization | UnsetType
    caller: str | UnsetType
    channels: str | UnsetType
    claims: dict[str, str] | UnsetType
    correlation_id: str | UnsetType
    description: str | UnsetType
    event_data_id: str | UnsetType
    event_name: Word | UnsetType
    category: Word | UnsetType
    http_request: HttpRequest | UnsetType
    id: str | UnsetType
    level: str | UnsetType
    resource_group_name: str | UnsetType
    resource_provider_name: Word | UnsetType
    resource_id: str | UnsetType
    operation_id: str | UnsetType
    operation_name: Word | UnsetType
    properties: dict[str, str] | UnsetType
    status: Word | UnsetType
    sub_status: Word | UnsetType
    event_timestamp: str | UnsetType
    submission_timestamp: str | UnsetType
    subscription_id: str | UnsetType


class _Told(msgspec.Struct, rename="camel", kw_only=True):
    """A record's body, as far as an event is made of it."""

    time: str
    resource_id: str
    operation_name: str
    result_type: str
    result_signature: str
    result_description: str
    caller_ip_address: str
    correlation_id: str
    identity: dict[str, dict[str, str]]
    properties: dict[str, Any]


_decode = msgspec.json.Decoder(_Told).decode


async def list_events(turn: asyncio.Lock, call: Call) -> Response:
    """List what was changed or refused in a subscription, newest first.

    turn: a worker looks for one caller at a time; however many ask, others wait for one step.
    """
    asked = parse_activity_filter(call.request.query.get("$filter", ""))
    if asked.since < call.real_now - timedelta(days=DAYS_KEPT):
        raise BadRequest(f"The start time cannot be more than {DAYS_KEPT} days in the past.", code="BadRequest")
    selected = _selected(call.request.query.get("$select", ""))
    position = await _first_position(call, asked.until)
    async with turn:
        events, position = await _collect(call, asked, position)
    link = await next_link(call, {"before": position}) if position else None
    return render_list([_only(event, selected) for event in events], link)


async def _first_position(call: Call, until: datetime) -> int:
    token = await open_skip_token(call)
    found = token.get("before")
    return found if isinstance(found, int) else call.stores.records.position_after(until)


async def _collect(call: Call, asked: ActivityFilter, position: int) -> tuple[list[Event], int]:
    """Return events before a position, and the position to go on from: 0 where there are no more."""
    subscription, records = subscription_id(call), call.stores.records
    needles = (OURS, f'"resourceId":"{subscription_scope(subscription).upper()}'.encode())
    events: list[Event] = []
    for _ in range(STEPS):
        for entry in records.containing(position, STEP, needles):
            event = _event(entry, subscription)
            if event is not None and asked.keeps(entry.record.time, event):
                events.append(event)
            if len(events) == EVENTS_OF_A_PAGE:
                return events, entry.sequence
        position = max(position - STEP, 0)
        oldest = records.time_before(position)
        if oldest is None or oldest < asked.since - LONGEST_REQUEST:
            return events, 0
        await asyncio.sleep(0)
    return events, position


def _event(entry: Entry, subscription: str) -> Event | None:
    """Return the event of a record; None where it only read, or is not as this program writes records."""
    try:
        told = _decode(entry.record.body)
    except msgspec.MsgspecError:
        return None
    action = _action(told)
    if effect_of(action) is Effect.READ or "/" not in action:
        return None
    return _made(entry.record, told, action, subscription)


def _action(told: _Told) -> str:
    name, path = told.operation_name, _path(_url(told)).lower()
    if name in OBJECT_ACTIONS and path.startswith(MANAGED):
        return OBJECT_ACTIONS[name]
    action = ACTIONS.get(name, name)
    return VAULTS + "accessPolicies/write" if action == VAULTS + "write" and path.split("/")[-2] == POLICIES else action


def _made(record: Record, told: _Told, action: str, subscription: str) -> Event:
    url, own = _url(told), guid_of(record.record_id)
    resource, claims = _resource_id(told, url), told.identity.get("claim", {})
    failed = told.result_type != "Success"
    signature, status = told.result_signature, told.properties.get("httpStatusCode", "")
    return Event(
        authorization=Authorization(action=action, scope=resource),
        caller=claims.get(UPN_CLAIM) or claims.get("appid", ""),
        channels="Operation",
        claims=claims,
        correlation_id=own,
        description=told.result_description,
        event_data_id=own,
        event_name=Word(value="EndRequest", localized_value="End request"),
        category=_word("Administrative"),
        http_request=HttpRequest(
            client_request_id=told.correlation_id,
            client_ip_address=told.caller_ip_address,
            method=_method(action),
            uri=url,
        ),
        id=f"{resource}/events/{own}",
        level="Error" if failed else "Informational",
        resource_group_name=_group(resource),
        resource_provider_name=_word(action.partition("/")[0]),
        resource_id=resource,
        operation_id=own,
        operation_name=_word(action),
        properties={"statusCode": signature, **({"statusMessage": told.result_description} if failed else {})},
        status=_word("Failed" if failed else "Succeeded"),
        sub_status=Word(value=signature, localized_value=f"{signature} (HTTP Status Code: {status})"),
        event_timestamp=told.time,
        submission_timestamp=told.time,
        subscription_id=subscription,
    )


def _url(told: _Told) -> str:
    return str(told.properties.get("requestUri", ""))


def _path(url: str) -> str:
    return "/" + url.partition("://")[2].partition("?")[0].partition("/")[2].rstrip("/")


def _resource_id(told: _Told, url: str) -> str:
    """Return a resource id in the spelling of the request where that has it: records have it in upper case.

    What is written into a vault has an id of its own; its record names the vault.
    """
    recorded, path = told.resource_id, _path(url)
    if not path.upper().startswith(recorded):
        return recorded
    return path if told.operation_name in OBJECT_ACTIONS else path[: len(recorded)]


def _group(resource: str) -> str:
    segments = resource.split("/")
    return segments[4] if len(segments) > 4 and segments[3].lower() == "resourcegroups" else ""


def _method(action: str) -> str | UnsetType:
    """Return the verb of an action; what writes came by PUT or PATCH, which records do not tell."""
    return {"delete": "DELETE", "action": "POST"}.get(action.lower().rpartition("/")[2], UNSET)


def _word(text: str) -> Word:
    return Word(value=text, localized_value=text)


def _selected(text: str) -> frozenset[str]:
    """Return the fields that are asked for, none for all; BadRequest for one that no event has."""
    asked = frozenset(name.strip().lower() for name in text.split(",") if name.strip())
    unknown = asked - {name.lower() for name in Event.__struct_encode_fields__}
    if unknown:
        raise BadRequest(f"The field '{min(unknown)}' of $select is none that an event has.", code="BadRequest")
    return asked


def _only(event: Event, selected: frozenset[str]) -> Event:
    if not selected:
        return event
    named = zip(Event.__struct_fields__, Event.__struct_encode_fields__, strict=True)
    return msgspec.structs.replace(event, **{field: UNSET for field, name in named if name.lower() not in selected})


def operations() -> tuple[Operation, ...]:
    """Return the row of this module, for one worker."""
    return (
        Operation(
            method="GET",
            name="list_events",
            path="/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values",
            handler=partial(list_events, asyncio.Lock()),
            needs=READ,
            log=READ,
            gives=Page[Event],
            query=(
                Parameter(
                    name="$filter",
                    kind=str,
                    text="From when, and what to keep: `eventTimestamp ge '…'`, `eventTimestamp le '…'`, and any of "
                    "`resourceGroupName`, `resourceUri`, `resourceId`, `resourceProvider`, `correlationId`, `caller` "
                    "and `status` with `eq '…'`, joined by `and`.",
                    required=True,
                ),
                Parameter(name="$select", kind=str, text="The fields to tell, joined by commas."),
                Parameter(name="$skiptoken", kind=str, text="Where the page begins: taken from a `nextLink`."),
            ),
        ),
    )
