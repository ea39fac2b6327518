"""What algorithms take beside their keys: members of the body that fit, whoever keeps the key.

Every function raises BadRequest for what does not fit.
"""

from strongroom.custody import lattice
from strongroom.custody.algorithms import Algorithm, Family, Use, get_algorithm, require_digest
from strongroom.custody.provider import Ciphertext, KeySpec
from strongroom.custody.refusals import invalid, wrong_length

BLOCK_BYTES = 16
LEAST_WRAPPED_BYTES, WRAPPED_UNIT_BYTES = 16, 8  # of AES-KW: RFC 3394, section 2


def require_message(row: Algorithm, digest: bytes, member: str, context: bytes, *, is_mu: bool) -> None:
    """Require what the algorithm signs: a digest of its length, or for ML-DSA a message or its mu."""
    if row.family is Family.ML_DSA:
        return lattice.require_message(digest, context, is_mu=is_mu)
    if is_mu:
        raise invalid("external_mu", f"{row.name} takes none")
    if context:
        raise invalid("context", f"{row.name} takes none")
    return require_digest(row, digest, member)


def row_to_encrypt(spec: KeySpec, algorithm: str, iv: bytes | None, aad: bytes | None) -> Algorithm:
    """Return the algorithm that encrypts with a key, which takes what is brought beside the plaintext."""
    row = get_algorithm(algorithm, Use.ENCRYPT, spec)
    if iv is not None and not row.takes_iv:
        raise invalid("iv", f"{row.name} takes none" + (": the service makes it" if row.iv_bytes else ""))
    _require_taken(row, aad=aad)
    return row


def row_to_decrypt(spec: KeySpec, algorithm: str, ciphertext: Ciphertext) -> Algorithm:
    """Return the algorithm that decrypts with a key, which takes what is brought beside the ciphertext."""
    row = get_algorithm(algorithm, Use.ENCRYPT, spec)
    if ciphertext.iv is not None and row.iv_bytes is None:
        raise invalid("iv", f"{row.name} takes none")
    if ciphertext.tag is not None and row.tag_bytes is None:
        raise invalid("tag", f"{row.name} takes none")
    _require_taken(row, aad=ciphertext.aad)
    return row


def exactly(row: Algorithm, member: str, value: bytes | None, length: int | None) -> bytes:
    """Return a member that the algorithm needs and that has this length."""
    if value is None:
        raise invalid(member, f"{row.name} needs it")
    if len(value) != length:
        raise wrong_length(member, len(value), row.name, f"{length} bytes")
    return value


def require_blocks(row: Algorithm, content: bytes) -> None:
    """Require whole blocks, one at least."""
    if not content or len(content) % BLOCK_BYTES:
        raise wrong_length("value", len(content), row.name, f"{BLOCK_BYTES} bytes or a multiple of them")


def require_wrappable(row: Algorithm, content: bytes) -> None:
    """Require what a key wrap takes: with padding any byte and more, without it two units of 8 bytes and more."""
    if row.family is Family.KEY_WRAP_PADDED:
        if not content:
            raise wrong_length("value", 0, row.name, "at least 1 byte")
    elif len(content) < LEAST_WRAPPED_BYTES or len(content) % WRAPPED_UNIT_BYTES:
        raise wrong_length("value", len(content), row.name, "16 bytes or more in multiples of 8")


def _require_taken(row: Algorithm, *, aad: bytes | None) -> None:
    if aad is not None and not row.takes_aad:
        raise invalid("aad", f"{row.name} takes none")
