"""What happened: one record for every request, in the service's own diagnostic format.

Source: Azure Monitor resource logs of Key Vault (`docs/audit.md` lists every field); JSON, one record a line.
"""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import field

from strongroom.clock import from_microseconds, microseconds


class Category(StrEnum):
    """The log that a record belongs to."""

    AUDIT = "AuditEvent"
    ADMINISTRATIVE = "Administrative"
    SIGN_IN = "SignInLogs"
    GRAPH = "MicrosoftGraphActivityLogs"


OBJECT_CLAIM = "http://schemas.microsoft.com/identity/claims/objectidentifier"
UPN_CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
"""Names of claims by which a record tells who called: the object id, and what a user signs in as."""
MILLISECONDS = (1 << 48) - 1
NOISE_BYTES, NOISES = 10, 256
VERSION_7 = bytes(0x70 | byte & 0x0F for byte in range(256))
VARIANT = bytes(0x80 | byte & 0x3F for byte in range(256))

_noises: Iterator[bytes] = iter(())


def _forget_noises() -> None:
    global _noises  # noqa: PLW0603 - two processes with the same noise would make the same ids
    _noises = iter(())


os.register_at_fork(after_in_child=_forget_noises)


def _noise() -> bytes:
    """Return the random part of an id. Bytes of the operating system, asked for many at once: a question is dear.

    Each is given out once, to one thread: taking the next of an iterator over a list cannot be interrupted.
    """
    global _noises  # noqa: PLW0603 - threads that fill it at the same time just fill it twice
    taken = next(_noises, None)
    while taken is None:
        many = bytearray(os.urandom(NOISE_BYTES * NOISES))
        many[0::NOISE_BYTES] = many[0::NOISE_BYTES].translate(VERSION_7)
        many[2::NOISE_BYTES] = many[2::NOISE_BYTES].translate(VARIANT)
        _noises = iter([bytes(many[start : start + NOISE_BYTES]) for start in range(0, len(many), NOISE_BYTES)])
        taken = next(_noises, None)
    return taken


def new_record_id() -> bytes:
    """Return a record id, a UUID of version 7: 48 bits of milliseconds, then random ones; it sorts by time.

    Source: RFC 9562, section 5.7.
    """
    # A clock of before 1970 is wrong, and no reason to record nothing: hence the mask.
    return (int(time.time() * 1000) & MILLISECONDS).to_bytes(6, "big") + _noise()


class Record(msgspec.Struct, frozen=True, eq=False, array_like=True):
    """A record as kept: its id, when the request began, its body (one line of JSON in UTF-8, no line end).

    began: in microseconds since 1970: what is sent, linked and kept is that number. time: the same, aware UTC.
    change: the number of the change that it tells of, given when that commits; None where nothing was changed.
    rows: what became of the rows that the change wrote, as `storage/notes.py` writes it. Neither makes it another one.
    """

    record_id: bytes
    began: int
    body: bytes
    change: int | None = None
    rows: bytes = b""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())

    @property
    def time(self) -> datetime:
        """When the request began."""
        return from_microseconds(self.began)

    def _told(self) -> tuple[bytes, int, bytes]:
        return self.record_id, self.began, self.body


class RecordBody(msgspec.Struct, rename="camel", kw_only=True):
    """What a record says, in the order and with the names of the service's diagnostic log.

    identity: who called, {} when nobody proved to; properties: what is particular to the operation.
    """

    time: str
    resource_id: str
    operation_name: str
    operation_version: str = ""
    category: Category
    result_type: str = "Success"
    result_signature: str = "OK"
    result_description: str = ""
    duration_ms: float = 0
    caller_ip_address: str = ""
    correlation_id: str = ""
    identity: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any]


_encode = msgspec.json.Encoder().encode
NO_TEXT = b'""'


@dataclass(frozen=True, slots=True)
class Form:
    """A body but for its time, duration, correlation id and object's id, encoded once for all that are else alike."""

    head: bytes
    middle: bytes
    before_id: bytes
    tail: bytes

    @classmethod
    def of(cls, body: RecordBody) -> "Form":
        """Return the form of a body in which those four are left out: the id is the property of that name."""
        # A quote inside of a text is written with a backslash, so that no text of anybody's can hold these.
        _, _, rest = _encode(body).partition(b'{"time":""')
        head, _, rest = rest.partition(b'"durationMs":0,')
        middle, _, rest = rest.partition(b'"correlationId":"",')
        before_id, _, tail = rest.partition(b'"id":""')
        return cls(head, middle, before_id, tail)

    def fill(self, began: int, *, ms: float, correlation_id: str, object_id: str) -> bytes:
        """Return the encoded body of what began then, in microseconds since 1970, and took `ms` milliseconds."""
        return b'{"time":"%b"%b"durationMs":%b,%b"correlationId":%b,%b"id":%b%b' % (
            _wire_time(began),
            self.head,
            _encode(round(ms, 3)),
            self.middle,
            _encode(correlation_id) if correlation_id else NO_TEXT,
            self.before_id,
            _encode(object_id),
            self.tail,
        )


def new_record(moment: datetime, body: RecordBody, record_id: bytes | None = None) -> Record:
    """Return the record of what began at `moment`; record_id: the one that it is known by already."""
    return Record(record_id or new_record_id(), microseconds(moment), _encode(body))


def guid_of(record_id: bytes) -> str:
    """Return a record's id as clients are told it: in the form of a GUID."""
    digits = record_id.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def wire_time(moment: datetime) -> str:
    """Return a time, aware UTC, as records write it: seven fractional digits."""
    return _wire_time(microseconds(moment)).decode()


def _wire_time(began: int) -> bytes:
    return b"%b.%06d0Z" % (_whole_second(began // 1_000_000), began % 1_000_000)


@lru_cache(maxsize=16)
def _whole_second(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
