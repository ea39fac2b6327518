"""What the operator has decided of the server that the resource manager speaks for."""

from dataclasses import dataclass

from strongroom.resources.locations import Locations


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where this server stands.

    locations: those that resources may say. private_ip_rules: whether network rules of vaults may name addresses of
    private networks.
    """

    locations: Locations
    private_ip_rules: bool
