"""The `strongroom` command, one module for each command."""
