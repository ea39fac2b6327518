"""One authenticated request on its way through a handler."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import field

from strongroom.access.identity.model import Caller
from strongroom.audit.event import guid_of, new_record_id
from strongroom.custody.sealing import Custodian
from strongroom.objects.keys.discarding import Discard
from strongroom.planes.http import Request
from strongroom.planes.stores import Stores
from strongroom.vaults.model import Vault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strongroom.planes.admission import Admission
    from strongroom.planes.data.throttling import Limiter
    from strongroom.planes.operation import Operation


class Call(msgspec.Struct):
    """What a handler gets: the request, who sends it, its parsed body and where to look things up.

    The gate fills it in order: vault, operation and parameters, caller, body; a handler finds all of it there.
    domain: the base domain of this server, without a port. record_id: of its record; told the client as request id.
    now: the time that vaults and objects live in. real_now: real time. vault: set on the data plane.
    prepared: what an operation made before its change (`Operation.prepare`); made: what keepers of keys destroy again
    when the change came to nothing, removed: when it has committed.
    notes: what the handler adds to the `properties` of the record; object_id: the record's `properties.id`.
    signed_in: the request carries no token, since it proved itself for one.
    refusal: the text of the error that the request met, for the record. admission: what let the request in, if that is
    remembered. limiter: what the request was counted by on the data plane, for what it takes beside itself.
    """

    request: Request
    stores: Stores
    custodian: Custodian
    now: datetime
    real_now: datetime
    domain: str
    record_id: bytes = field(default_factory=new_record_id)
    operation: "Operation | None" = None
    parameters: "Mapping[str, str]" = field(default_factory=dict)
    caller: Caller | None = None
    vault: Vault | None = None
    body: Any = None
    prepared: Any = None
    made: list[Discard] = field(default_factory=list)
    removed: list[Discard] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    object_id: str | None = None
    refusal: str = ""
    signed_in: bool = False
    admission: "Admission | None" = None
    limiter: "Limiter | None" = None

    @property
    def request_id(self) -> str:
        """What the client is told that its request is called: the id of its record."""
        return guid_of(self.record_id)

    def known_caller(self) -> Caller:
        """Return the caller of an operation that asks for a token."""
        assert self.caller is not None  # the gate lets nobody without a token past an operation that is not anonymous
        return self.caller

    def known_vault(self) -> Vault:
        """Return the vault of a data-plane operation."""
        assert self.vault is not None  # the gate finds the vault before anything else
        return self.vault
