"""From where a request to a vault comes, and whether the vault's network rules let it in from there."""

from strongroom.access.network.evaluation import NetworkDecision, Visitor
from strongroom.access.network.firewall import Firewall, named_subnets, network_refusal
from strongroom.planes.call import Call
from strongroom.vaults.service import find_subnets


async def require_network(call: Call, firewall: Firewall) -> None:
    """Raise ForbiddenByFirewall or ForbiddenByConnection unless the vault may be reached from where the caller is.

    Where that is, and what was decided, goes into the record; so does that a proposal would refuse the request.
    """
    vault = call.known_vault()
    visitor = await find_visitor(call)
    subnets = await named_subnets(find_subnets(call.stores), vault)
    decision = firewall.rules_of(vault, subnets).decide(visitor)
    note_network(call, decision)
    proposal = firewall.proposal_of(vault, subnets)
    if proposal is not None:
        _note_proposal(call, proposal.decide(visitor))
    if not decision.allowed:
        raise network_refusal(vault, call.known_caller(), visitor, decision)


async def find_visitor(call: Call) -> Visitor:
    """Return what is known of where the caller is: its address. There are no private endpoints, no trusted services."""
    return Visitor(address=call.request.client)


def _note_proposal(call: Call, decision: NetworkDecision) -> None:
    if not decision.allowed:
        call.notes["networkProposal"] = decision.rule


def note_network(call: Call, decision: NetworkDecision) -> None:
    """Note by what the caller was judged, and how, in the record's words."""
    call.notes["addrAuthType"] = decision.address_type
    call.notes["isAddressAuthorized"] = decision.allowed
    if not decision.allowed:
        call.notes["networkRule"] = decision.rule
    if decision.subnet_id:
        call.notes["subnetId"] = decision.subnet_id
    if decision.private_endpoint_id:
        call.notes["privateEndpointId"] = decision.private_endpoint_id
    if decision.trusted_service:
        call.notes["trustedService"] = decision.trusted_service
