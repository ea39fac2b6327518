"""What is said of keys and values that do not fit. Texts as the service's own answers have them (`docs/errors.md`)."""

from strongroom.errors import BadRequest


def undecipherable() -> BadRequest:
    """Return the one error for whatever does not decrypt or unwrap: nothing tells why."""
    return BadRequest("Unable to decrypt specified value with this key.")


def not_unwrapped() -> BadRequest:
    """Return the one error for a key that comes wrapped and does not unwrap: nothing tells why."""
    return invalid("key_hsm", "it does not unwrap with its key exchange key")


def wrong_length(member: str, found: int, algorithm: str, needed: str) -> BadRequest:
    """Return the error for a value of `found` bytes where an algorithm needs others; needed: how many, in words."""
    return BadRequest(
        f"Invalid length of '{member}': {found} bytes. {algorithm} requires {needed}, encoded with base64url."
    )


def invalid(member: str, rule: str) -> BadRequest:
    """Return the error for a member of a body that breaks a rule."""
    return BadRequest(f"Property {member} has invalid value: {rule}.")


def no_key(reason: str) -> BadRequest:
    """Return the error for a JSON Web Key that misses something or has too much of it."""
    return BadRequest(f'The property "key" must be a valid JsonWebKey object: {reason}.')


def unsound(kind: str, reason: str) -> BadRequest:
    """Return the error for a key whose numbers are no sound key."""
    return BadRequest(f"{kind} key is not valid - cannot instantiate crypto service: {reason}.")
