"""Strongroom: a key vault that people run themselves, speaking Azure Key Vault's own wire protocol."""

from typing import Final

VERSION: Final = "0.1.0"
