"""The data plane: what a vault holds, at the vault's own host."""
