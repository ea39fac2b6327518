"""How much of a vault's limit of transactions a key takes: the larger the key, and in an HSM, the more.

Counted in transactions of the lightest kind, of which a vault may do 4,000 in 10 seconds; what may be done 500 times
counts as eight of them. Source: "Azure Key Vault service limits", key transactions.
"""

from types import MappingProxyType

from strongroom.custody.provider import KeySpec, KeyType

MAKING, MAKING_IN_HSM = 200, 400
"""20 keys in 10 seconds, 10 of an HSM."""
RSA = MappingProxyType({2048: 1, 3072: 4, 4096: 8})
IN_HSM = 2
"""How many times as much as one of software a key of an HSM counts."""


def weight_of_making(*, hsm: bool) -> int:
    """Return what the making of a key counts."""
    return MAKING_IN_HSM if hsm else MAKING


def weight_of_use(spec: KeySpec, *, hsm: bool) -> int:
    """Return what a use of a key counts."""
    weight = RSA.get(spec.bits or 0, 1) if spec.type is KeyType.RSA else 1
    return weight * IN_HSM if hsm else weight


def spend_nothing(_transactions: int) -> None:
    """Count nothing: what the server does by itself is under no limit."""
