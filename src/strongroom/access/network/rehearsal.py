"""Who would lose access by rules that do not count yet: records of requests that were let in, judged by them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from strongroom.access.network.evaluation import CompiledRules, Visitor
from strongroom.audit.event import OBJECT_CLAIM


@dataclass(slots=True, kw_only=True)
class Loss:
    """Requests of one caller from one address that the rules would have refused.

    rule: what would refuse them. operations: how many of each; first, last: when.
    """

    object_id: str
    app_id: str
    address: str
    rule: str
    first: datetime
    last: datetime
    operations: dict[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(self.operations.values())

    @property
    def example(self) -> str:
        """The operation that was asked for most."""
        return max(sorted(self.operations), key=lambda name: self.operations[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What rules would have done. judged: how many requests were let in, and so judged; losses: most requests first."""

    judged: int
    losses: tuple[Loss, ...]

    @property
    def refused(self) -> int:
        """How many of them would have been refused."""
        return sum(loss.requests for loss in self.losses)


def sum_up(
    records: Iterable[tuple[datetime, Mapping[str, Any]]],
    rules: CompiledRules,
    host: str,
    trusted: Mapping[str, str],
) -> Report:
    """Return what rules would have done with requests, told by the times and bodies of their records, in any order.

    host: how the host names of the vault begin. trusted: names of the services that are trusted now, by their object
    ids. Requests that were refused anyway lose nothing and are left out.
    """
    judged, losses = 0, dict[tuple[str, str], Loss]()
    for moment, body in records:
        said = body.get("properties", {})
        if not _was_let_in(said, host):
            continue
        judged += 1
        decision = rules.decide(_visitor(body, said, trusted))
        if not decision.allowed:
            loss = _loss_of(losses, body, moment, decision.rule)
            name = str(body.get("operationName", ""))
            loss.operations[name] = loss.operations.get(name, 0) + 1
            loss.first, loss.last = min(loss.first, moment), max(loss.last, moment)
    found = sorted(losses.values(), key=lambda loss: (-loss.requests, loss.object_id, loss.address))
    return Report(judged=judged, losses=tuple(found))


def _was_let_in(said: Mapping[str, Any], host: str) -> bool:
    """Answer whether a record tells of a request to the vault itself that both its rules and its grants allowed."""
    allowed = said.get("isAccessPolicyMatch", False) or said.get("isRbacAuthorized", False)
    here = str(said.get("requestUri", "")).lower().startswith(f"https://{host}")
    return bool(here and allowed and said.get("isAddressAuthorized", True))


def _visitor(body: Mapping[str, Any], said: Mapping[str, Any], trusted: Mapping[str, str]) -> Visitor:
    return Visitor(
        address=str(body.get("callerIpAddress", "")),
        private_endpoint_id=str(said.get("privateEndpointId", "")),
        trusted_service=trusted.get(_object_id(body), ""),
    )


def _loss_of(losses: dict[tuple[str, str], Loss], body: Mapping[str, Any], moment: datetime, rule: str) -> Loss:
    claim, address = body.get("identity", {}).get("claim", {}), str(body.get("callerIpAddress", ""))
    object_id = _object_id(body)
    fresh = Loss(
        object_id=object_id,
        app_id=str(claim.get("appid", "")),
        address=address,
        rule=rule,
        first=moment,
        last=moment,
    )
    return losses.setdefault((object_id, address), fresh)


def _object_id(body: Mapping[str, Any]) -> str:
    return str(body.get("identity", {}).get("claim", {}).get(OBJECT_CLAIM, ""))
