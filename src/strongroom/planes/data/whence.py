"""From where a request to a vault comes, and whether the vault's network rules let it in from there."""

from strongroom.access.network.evaluation import PRIVATE, NamedSubnet, NetworkDecision, Visitor
from strongroom.access.network.firewall import Firewall, find_named_subnets, network_refusal
from strongroom.access.network.trusted import find_trusted_service
from strongroom.errors import ForbiddenByConnection
from strongroom.planes.call import Call
from strongroom.vaults.connections import PrivateEndpointConnection, find_private_endpoint

STRAYED = NetworkDecision(allowed=False, address_type=PRIVATE, rule="privateEndpoint: of another vault")
"""On who came by a private endpoint of another vault."""


async def require_network(call: Call, firewall: Firewall) -> None:
    """Raise ForbiddenByFirewall or ForbiddenByConnection unless the vault may be reached from where the caller is.

    Where that is, and what was decided, goes into the record; so does that a proposal would refuse the request.
    """
    vault = call.known_vault()
    visitor = await _find_visitor(call)
    subnets = await _subnets_now(call)
    decision = firewall.rules_of(vault, subnets).decide(visitor)
    _note_network(call, decision)
    proposal = firewall.proposal_of(vault, subnets)
    if proposal is not None:
        _note_proposal(call, proposal.decide(visitor))
    if not decision.allowed:
        raise network_refusal(vault, call.known_caller(), visitor, decision)


async def _find_visitor(call: Call) -> Visitor:
    """Return what is known of where the caller is: its address, how it came, and whether it is a trusted service.

    ForbiddenByConnection when it came by a private endpoint of another vault.
    """
    endpoint = await _find_endpoint(call)
    service = await find_trusted_service(call.stores.identity, call.known_caller())
    return Visitor(
        address=call.request.client,
        private_endpoint_id=endpoint.endpoint_id if endpoint is not None else "",
        trusted_service=service or "",
    )


async def _find_endpoint(call: Call) -> PrivateEndpointConnection | None:
    request = call.request
    try:
        return await find_private_endpoint(call.stores, call.known_vault(), request.arrived, request.arrived_port)
    except ForbiddenByConnection:
        _note_network(call, STRAYED)
        raise


async def _subnets_now(call: Call) -> tuple[NamedSubnet, ...]:
    """Return the subnets that rules of the vault name, those that are proposed too, as they are now."""
    vault, unchanged = call.known_vault(), call.stores.unchanged
    known: tuple[NamedSubnet, ...] | None = unchanged.get(("subnets", vault.vault_id))
    if known is None:
        known = await find_named_subnets(call.stores.networks, vault)
        unchanged.keep(("subnets", vault.vault_id), known)
    return known


def _note_proposal(call: Call, decision: NetworkDecision) -> None:
    if not decision.allowed:
        call.notes["networkProposal"] = decision.rule


def _note_network(call: Call, decision: NetworkDecision) -> None:
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
