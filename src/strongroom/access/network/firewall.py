"""The network rules of vaults as one worker has them at hand, and how the service words a refusal by them.

Texts: as the service writes them, see `docs/errors.md`. Lines part with CRLF.
"""

from strongroom.access.identity.model import Caller
from strongroom.access.network.evaluation import CompiledRules, NamedSubnet, NetworkDecision, Visitor
from strongroom.errors import ForbiddenByConnection, ForbiddenByFirewall, ForbiddenByNetwork
from strongroom.vaults.model import Vault
from strongroom.vaults.network import AZURE_SERVICES, NetworkRules

REMEMBERED_VAULTS = 4096
NO_PUBLIC_ACCESS = (
    "Public network access is disabled and request is not from a trusted service nor via an approved private link."
)
NOT_TRUSTED = "Client address is not authorized and caller is not a trusted service."
NO_BYPASS = "Client address is not authorized and caller was ignored because bypass is set to None"

Sources = tuple[NetworkRules | None, str, tuple[NamedSubnet, ...]]


class Firewall:
    """Compiled rules, one for each vault; compiled anew when the vault's rules, or a subnet that they name, change."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Sources, CompiledRules]] = {}

    def rules_of(self, vault: Vault, subnets: tuple[NamedSubnet, ...] = ()) -> CompiledRules:
        """Return the rules of a vault, ready to be asked. subnets: those that they name."""
        known = self._known.get(vault.vault_id)
        if known is not None:
            (rules, access, seen), compiled = known
            same = rules is vault.network or rules == vault.network  # the same object while the vault is unchanged
            if same and access == vault.public_network_access and seen == subnets:
                return compiled
        if len(self._known) >= REMEMBERED_VAULTS:
            self._known.clear()
        compiled = CompiledRules(vault.network, vault.public_network_access, subnets)
        self._known[vault.vault_id] = (vault.network, vault.public_network_access, subnets), compiled
        return compiled


def network_refusal(vault: Vault, caller: Caller, visitor: Visitor, decision: NetworkDecision) -> ForbiddenByNetwork:
    """Return the refusal of a caller that the network rules keep out: the same whatever it asked for."""
    who = f"Caller: appid={caller.app_id};oid={caller.object_id};iss={caller.issuer}"
    where = f"Vault: {vault.name};location={vault.location}"
    if decision.by_connection:
        return ForbiddenByConnection(f"{NO_PUBLIC_ACCESS}\r\n{who}\r\n{where}")
    bypasses = vault.network is None or vault.network.bypass == AZURE_SERVICES
    address = f"Client address: {visitor.address}" + (" from unknown subnet" if visitor.subnet_id else "")
    return ForbiddenByFirewall("\r\n".join((NOT_TRUSTED if bypasses else NO_BYPASS, address, who, where)))
