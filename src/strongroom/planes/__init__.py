"""HOW does a request arrive? One table of operations for each plane, one gate for all."""
