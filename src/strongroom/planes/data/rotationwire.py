"""Rotation policies of keys as they stand on the wire. Source: REST `KeyRotationPolicy`, `LifetimeActions`."""

from typing import Annotated

import msgspec
from msgspec import Meta

from strongroom.objects.keys.rotation import Period, RotationPolicy, Trigger, parse_period
from strongroom.objects.model import invalid_property
from strongroom.planes.data.wire import encode, seconds_of

ROTATE, NOTIFY = "Rotate", "Notify"

Duration = Annotated[str, Meta(extra_json_schema={"format": "duration"})]
ActionType = Annotated[str, Meta(extra_json_schema={"enum": [ROTATE, NOTIFY]})]


class LifetimeTrigger(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """When something is done: so long after the newest version was made, or before it expires."""

    time_after_create: Duration | None = None
    time_before_expiry: Duration | None = None


class LifetimeActionType(msgspec.Struct, frozen=True):
    """What is done."""

    type: ActionType


class LifetimeAction(msgspec.Struct, frozen=True):
    """What is done, and when."""

    trigger: LifetimeTrigger
    action: LifetimeActionType


class RotationPolicyAttributes(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """How long what rotation makes is valid; when the policy was made and changed is read only."""

    expiry_time: Duration | None = None
    created: int | None = None
    updated: int | None = None


class KeyRotationPolicy(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The body and the answer of UpdateKeyRotationPolicy, and the answer of GetKeyRotationPolicy."""

    id: str = ""
    lifetime_actions: Annotated[tuple[LifetimeAction, ...], Meta(extra_json_schema={"maxItems": 2})] = ()
    attributes: RotationPolicyAttributes | None = None

    def policy(self) -> RotationPolicy:
        """Return what this asks for; BadRequest for a duration that is none, or an action that is none or twice."""
        found: dict[str, Trigger] = {}
        for each in self.lifetime_actions:
            kind = next((known for known in (ROTATE, NOTIFY) if known.lower() == each.action.type.lower()), None)
            if kind is None or kind in found:
                raise invalid_property("lifetimeActions", f"there is one {ROTATE} and one {NOTIFY} at most")
            found[kind] = Trigger(
                after_create=_period("timeAfterCreate", each.trigger.time_after_create),
                before_expiry=_period("timeBeforeExpiry", each.trigger.time_before_expiry),
            )
        expiry = None if self.attributes is None else _period("expiryTime", self.attributes.expiry_time)
        return RotationPolicy(expiry=expiry, rotate=found.get(ROTATE), notify=found.get(NOTIFY))


def write_policy(base: str, name: str, policy: RotationPolicy) -> bytes:
    """Return a policy as KeyRotationPolicy. name: of its key."""
    actions = tuple(
        LifetimeAction(_trigger(trigger), LifetimeActionType(kind))
        for kind, trigger in ((ROTATE, policy.rotate), (NOTIFY, policy.notify))
        if trigger is not None
    )
    attributes = RotationPolicyAttributes(
        expiry_time=_text(policy.expiry),
        created=None if policy.created is None else seconds_of(policy.created),
        updated=None if policy.updated is None else seconds_of(policy.updated),
    )
    policy_id = f"{base}/keys/{name}/rotationpolicy"
    return encode(KeyRotationPolicy(id=policy_id, lifetime_actions=actions, attributes=attributes))


def _trigger(trigger: Trigger) -> LifetimeTrigger:
    return LifetimeTrigger(_text(trigger.after_create), _text(trigger.before_expiry))


def _period(name: str, text: str | None) -> Period | None:
    return None if text is None else parse_period(name, text)


def _text(period: Period | None) -> str | None:
    return None if period is None else period.text
