"""What a handler asks beyond what the gate has asked: may the caller do this too, there, with what the body says?"""

from strongroom.access.authorization.actions import ROLE_ASSIGNMENT_DELETE, ROLE_ASSIGNMENT_WRITE
from strongroom.access.authorization.evaluation import NO_ATTRIBUTES, Attributes
from strongroom.access.authorization.model import Decision
from strongroom.access.authorization.service import find_management_decision, management_refusal
from strongroom.planes.call import Call
from strongroom.planes.decision import note_decision

DECIDED_LATER = frozenset({ROLE_ASSIGNMENT_WRITE, ROLE_ASSIGNMENT_DELETE})
"""Actions whose conditions ask what only their handlers know: these let nobody through without `require_allowed`."""


async def find_decision(call: Call, action: str, scope: str, attributes: Attributes = NO_ATTRIBUTES) -> Decision:
    """Return whether the caller may do a control action at a scope, and why."""
    return await find_management_decision(
        call.stores, call.known_caller(), action, scope, now=call.now, attributes=attributes
    )


async def is_allowed(call: Call, action: str, scope: str) -> bool:
    """Answer whether the caller may do a control action at a scope, whatever the request says beside."""
    return (await find_decision(call, action, scope)).allowed


async def require_allowed(call: Call, action: str, scope: str, attributes: Attributes = NO_ATTRIBUTES) -> None:
    """Note why the caller may do a control action at a scope; AuthorizationFailed when it may not."""
    decision = await find_decision(call, action, scope, attributes)
    await note_decision(call, decision)
    if not decision.allowed:
        call.notes["isRbacAuthorized"] = False
        raise management_refusal(call.known_caller(), action, scope)
