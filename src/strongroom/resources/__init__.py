"""WHERE does a vault belong? Subscriptions and resource groups."""
