"""The members of a JSON Web Key that a caller brings: each is bounded before it becomes a number."""

from strongroom.custody.provider import PrivateParts
from strongroom.custody.refusals import no_key
from strongroom.sensitive import Sensitive


def octets(parts: PrivateParts, name: str, most_bytes: int) -> bytes:
    """Return a member; BadRequest when it is missing, empty or longer than `most_bytes`."""
    value: Sensitive[bytes] | bytes | None = getattr(parts, name)
    if value is None:
        raise no_key(f"{name} is missing")
    raw = value.reveal() if isinstance(value, Sensitive) else value
    if not 0 < len(raw) <= most_bytes:
        raise no_key(f"{name} has {len(raw)} bytes, where {most_bytes} are the most")
    return raw


def number(parts: PrivateParts, name: str, most_bytes: int) -> int:
    """Return a member as an unsigned number; one leading zero byte, as signed encodings have it, may be over."""
    return int.from_bytes(octets(parts, name, most_bytes + 1), "big")
