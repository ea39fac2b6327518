"""What a decision leaves in the record of its request."""

from strongroom.access.authorization.model import Decision
from strongroom.access.authorization.service import reason_of
from strongroom.planes.call import Call


async def note_decision(call: Call, decision: Decision) -> None:
    """Note why the caller may, or why not."""
    call.notes.pop("appliedAssignmentId", None)  # of a decision before this one
    if decision.assignment is not None:
        call.notes["appliedAssignmentId"] = decision.assignment.assignment_id
    call.notes["decisionReason"] = await reason_of(decision, call.stores.roles)
