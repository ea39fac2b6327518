"""The management plane: the resource manager that `az` and the management SDKs speak."""
