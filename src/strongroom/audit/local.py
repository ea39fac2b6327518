"""Records of what is done on the machine itself: by the operator's commands, or by the server at its time."""

import getpass
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from strongroom.audit.event import Category, Record, RecordBody, new_record, wire_time


def local_record(
    operation: str,
    *,
    now: datetime,
    properties: Mapping[str, Any],
    category: Category = Category.ADMINISTRATIVE,
    resource_id: str = "",
    actor: str = "operator",
    refusal: str = "",
) -> Record:
    """Return the record of a change made without a request.

    actor: `operator` for a command (who ran it is added), `server` for what the server does by itself.
    refusal: where it tells of something that was refused, what and why.
    """
    who = {"actor": actor} | ({"localUser": _user_name()} if actor == "operator" else {})
    body = RecordBody(
        time=wire_time(now),
        resource_id=resource_id.upper(),
        operation_name=operation,
        category=category,
        result_type="Failed" if refusal else "Success",
        result_signature="Forbidden" if refusal else "OK",
        result_description=refusal,
        properties={**who, **properties},
    )
    return new_record(now, body)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
