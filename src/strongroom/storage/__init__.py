"""WHERE does it lie? One storage a module, one schema for all."""
