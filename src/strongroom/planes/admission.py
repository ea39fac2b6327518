"""What the gate found of a request, remembered for the next one that asks the same.

What was allowed is remembered, and what network rules refused: a storm of refusals must cost less than what it keeps
out. It is remembered only while the storage says that nothing has changed and for a second at most:
every commit of any process ends it (`storage.session`), so that what was revoked counts for the very next request. It
is held by the digest of the token, and by all else that decides: method, host, path and query, whence it came and where
it arrived.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from strongroom.access.identity.model import Caller
from strongroom.errors import ForbiddenByNetwork
from strongroom.planes.call import Call
from strongroom.planes.record import Subject
from strongroom.vaults.model import Vault

if TYPE_CHECKING:
    from strongroom.planes.operation import Operation

REMEMBERED_LENGTH = 512

Question = tuple[str, str, str, bytes, bytes, str, str, int]


def question_of(call: Call) -> Question | None:
    """Return what a request asks and by which token; None where that is not to be remembered."""
    request = call.request
    credentials = request.headers.get(b"authorization")
    if credentials is None or request.repeated or len(request.path) + len(request.raw_query) > REMEMBERED_LENGTH:
        return None
    digest = hashlib.sha256(credentials).digest()
    asked = request.method, request.host, request.path, request.raw_query
    return (*asked, digest, request.client, request.arrived, request.arrived_port)


@dataclass(slots=True)
class Admission:
    """Who may do what, as it was found at `since`, and all that the gate had put into the call by then.

    refused: what the network rules refused it with, None for a request that was let in. subject: what the records of
    such requests have in common, once one was made.
    """

    since: datetime
    caller: Caller
    operation: "Operation"
    parameters: Mapping[str, str]
    vault: Vault | None
    object_id: str | None
    notes: Mapping[str, Any]
    refused: ForbiddenByNetwork | None = None
    subject: Subject | None = None

    def holds_at(self, now: datetime) -> bool:
        """Answer whether the token is still good; a clock that was set back says nothing."""
        return self.since <= now < self.caller.expires

    def apply(self, call: Call) -> "Operation":
        """Put into a call what was found of the one before it; refuse it as that was, in a refusal of its own."""
        call.admission = self
        call.caller, call.vault = self.caller, self.vault
        call.operation, call.parameters = self.operation, self.parameters
        call.object_id = self.object_id
        call.notes.update(self.notes)
        if self.refused is not None:
            raise type(self.refused)(self.refused.message)
        return self.operation

    def still_fits(self, call: Call) -> bool:
        """Answer whether the handler has left the call at what it was admitted to."""
        return call.operation is self.operation and call.vault is self.vault


def remember(asked: Question, call: Call, caller: Caller, found: "Operation | ForbiddenByNetwork") -> None:
    """Remember until something changes what was found: what a call may do, or what its network rules refuse it with."""
    assert call.operation is not None  # nobody is let in to nothing
    refused = found if isinstance(found, ForbiddenByNetwork) else None
    call.admission = Admission(
        call.real_now, caller, call.operation, call.parameters, call.vault, call.object_id, dict(call.notes), refused
    )
    call.stores.unchanged.keep(asked, call.admission)
