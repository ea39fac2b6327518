"""The network rules of vaults as one worker has them at hand, and how the service words a refusal by them.

Texts: as the service writes them, see `docs/errors.md`. Lines part with CRLF.
"""

from strongroom.access.identity.model import Caller
from strongroom.access.network.evaluation import CompiledRules, NamedSubnet, NetworkDecision, Visitor
from strongroom.errors import ForbiddenByConnection, ForbiddenByFirewall, ForbiddenByNetwork
from strongroom.resources.networks.model import KEY_VAULT_SERVICE
from strongroom.resources.networks.service import find_subnets
from strongroom.resources.networks.store import NetworkStore
from strongroom.vaults.model import Vault
from strongroom.vaults.network import AZURE_SERVICES, NetworkRules
from strongroom.vaults.subnets import named_subnet_ids

REMEMBERED_VAULTS = 4096
REMEMBERED_RANGES = 250_000
"""Ranges of addresses in the compiled rules of all vaults together; they take some 90 MB."""
NO_PUBLIC_ACCESS = (
    "Public network access is disabled and request is not from a trusted service nor via an approved private link."
)
NOT_TRUSTED = "Client address is not authorized and caller is not a trusted service."
NO_BYPASS = "Client address is not authorized and caller was ignored because bypass is set to None"

Sources = tuple[NetworkRules | None, str, tuple[NamedSubnet, ...]]


class Firewall:
    """Compiled rules, one for each vault; compiled anew when the vault's rules, or a subnet that they name, change."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], tuple[Sources, CompiledRules]] = {}
        self._ranges = 0

    def rules_of(self, vault: Vault, subnets: tuple[NamedSubnet, ...] = ()) -> CompiledRules:
        """Return the rules of a vault, ready to be asked. subnets: those that they name."""
        return self._compiled((vault.vault_id, True), (vault.network, vault.public_network_access, subnets))

    def proposal_of(self, vault: Vault, subnets: tuple[NamedSubnet, ...] = ()) -> CompiledRules | None:
        """Return the rules that are proposed for a vault, None when there are none. subnets: those that they name."""
        proposal = vault.proposal
        if proposal is None:
            return None
        return self._compiled((vault.vault_id, False), (proposal.rules, proposal.public_network_access, subnets))

    def _compiled(self, key: tuple[str, bool], wanted: Sources) -> CompiledRules:
        known = self._known.get(key)
        if known is not None and (known[0][0] is wanted[0] or known[0][0] == wanted[0]) and known[0][1:] == wanted[1:]:
            return known[1]  # the rules are the same object while the vault is unchanged
        compiled = CompiledRules(*wanted)
        if len(self._known) >= REMEMBERED_VAULTS or self._ranges + compiled.ranges > REMEMBERED_RANGES:
            self._known.clear()
            self._ranges = 0
        self._known[key] = wanted, compiled
        self._ranges += compiled.ranges  # what was there of the same vault counts too, until all is forgotten
        return compiled


async def find_named_subnets(networks: NetworkStore, vault: Vault) -> tuple[NamedSubnet, ...]:
    """Return the subnets that the rules of a vault name, and those of its proposal, as they are now.

    One that is gone is left out: it lets nobody in.
    """
    found = await find_subnets(networks, named_subnet_ids(vault))
    return tuple(
        [
            NamedSubnet(
                subnet_id=subnet_id,
                prefixes=subnet.prefixes,
                has_endpoint=subnet.leads_to(KEY_VAULT_SERVICE, vault.location),
            )
            for subnet_id, (_, subnet) in found.items()
        ]
    )


def network_refusal(vault: Vault, caller: Caller, visitor: Visitor, decision: NetworkDecision) -> ForbiddenByNetwork:
    """Return the refusal of a caller that the network rules keep out: the same whatever it asked for."""
    who = f"Caller: appid={caller.app_id};oid={caller.object_id};iss={caller.issuer}"
    where = f"Vault: {vault.name};location={vault.location}"
    if decision.by_connection:
        return ForbiddenByConnection(f"{NO_PUBLIC_ACCESS}\r\n{who}\r\n{where}")
    bypasses = vault.network is None or vault.network.bypass == AZURE_SERVICES
    address = f"Client address: {visitor.address}"
    return ForbiddenByFirewall("\r\n".join((NOT_TRUSTED if bypasses else NO_BYPASS, address, who, where)))
