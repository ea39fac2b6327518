"""Virtual networks and their subnets: names for ranges of addresses, which rules of vaults may name."""
