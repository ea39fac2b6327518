"""What a change would change, on the wire: the change that is asked about, and who gains and who loses what."""

from enum import StrEnum

from strongroom.access.authorization.preview import Difference
from strongroom.planes.management.accesswire import PrincipalAnswer, principal
from strongroom.planes.management.wire import Guid, PoliciesProperties, Wire
from strongroom.vaults.policies import PolicyChange


class MembershipChange(StrEnum):
    """Whether somebody would join a group or leave it."""

    ADD = "add"
    REMOVE = "remove"


class AssignmentPreview(Wire):
    """A role that would be given, where the path says."""

    role_definition_id: str
    principal_id: Guid
    condition: str | None = None


class RemovalPreview(Wire):
    """A role assignment that would be taken back, by its name."""

    name: Guid


class PoliciesPreview(PoliciesProperties):
    """Access policies that would be added, replaced or removed."""

    change: PolicyChange


class MembershipPreview(Wire):
    """Somebody who would join a group or leave it, both by their object ids."""

    change: MembershipChange
    group_id: Guid
    member_id: Guid


class PreviewBody(Wire):
    """The change that is asked about: exactly one. The last two are of the vault that the path names."""

    role_assignment: AssignmentPreview | None = None
    removed_role_assignment: RemovalPreview | None = None
    membership: MembershipPreview | None = None
    access_policies: PoliciesPreview | None = None
    enable_rbac_authorization: bool | None = None


class DifferenceAnswer(Wire, kw_only=True):
    """What somebody would gain and lose at a place, a resource id."""

    principal: PrincipalAnswer
    place: str
    gains: list[str]
    loses: list[str]


class PreviewAnswer(Wire, kw_only=True):
    """What a change would change, of the vaults at and below the scope that it was asked about."""

    id: str
    differences: list[DifferenceAnswer]


def preview_answer(found: tuple[Difference, ...], shown_id: str) -> PreviewAnswer:
    """Return what a change would change. shown_id: the scope of the request."""
    return PreviewAnswer(
        id=shown_id,
        differences=[
            DifferenceAnswer(
                principal=principal(each.subject), place=each.place, gains=list(each.gains), loses=list(each.loses)
            )
            for each in found
        ],
    )
