"""From where: the network rules of a vault."""
