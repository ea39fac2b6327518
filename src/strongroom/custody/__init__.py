"""WHO touches private material? Nobody else."""
