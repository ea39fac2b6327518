"""What is told to a request that carries no token, on each plane: the 401 that says where to get one.

Many clients ask so at first, on purpose. Texts: see `docs/errors.md`.
"""

from typing import Final

DATA: Final = "AKV10000: Request is missing a Bearer or PoP token."
MANAGEMENT: Final = "Authentication failed. The 'Authorization' header is missing."
GRAPH: Final = "Access token is empty."
CHALLENGES: Final = frozenset({DATA, MANAGEMENT, GRAPH})
