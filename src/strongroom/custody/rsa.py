"""RSA keys: what they sign, encrypt and decrypt, and which of those that callers bring are sound.

RSA1_5: a ciphertext with bad padding does not fail. OpenSSL (3.2 and newer) decrypts it to bytes that it derives from
the key and the ciphertext ("implicit rejection"), so that no answer, and no time, tells good padding from bad: whoever
sends garbage gets garbage. Where OpenSSL is older RSA1_5 decrypts nothing, since there it would be an oracle.
Sources: RFC 8017; RFC 7518, sections 3.3, 3.5 and 4.2; FIPS 186-5, appendix A.1.1.
"""

import hmac
from dataclasses import replace
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo, Prehashed

from strongroom.custody.algorithms import EXPONENTS, RSA_BITS, Algorithm, Family, spec_of
from strongroom.custody.members import number
from strongroom.custody.primes import has_small_factor, is_prime
from strongroom.custody.provider import Ciphertext, KeySpec, KeyType, PrivateParts, PublicParts
from strongroom.custody.refusals import undecipherable, unsound, wrong_length
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

REJECTS_IMPLICITLY = backend.openssl_version_number() >= 0x30200000
INLINE_BITS = 2048
"""The largest keys that sign at once (0.3 ms); with larger ones the event loop would stand still for 1 to 2 ms."""

_PKCS1_OVERHEAD = 11
_CLOSE_PRIMES = 100  # FIPS 186-5, A.1.3: p and q differ within their first 100 bits, or n is factored at once
_SMALL_PRIMES = tuple(r for r in range(3, 168, 2) if all(r % each for each in range(3, 13, 2) if each < r))
_ROCA_RESIDUES = {r: {pow(65537, power, r) for power in range(r)} for r in _SMALL_PRIMES}
"""What the moduli of chips with the fault of CVE-2017-15361 are modulo each of these; of 200 million others one is."""

_ROCA = "it was made by a chip whose keys can be broken (CVE-2017-15361)"

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - what RSA-OAEP is defined with; its collisions do not weaken that
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_PREHASHED = {name: Prehashed(hash_) for name, hash_ in _HASHES.items()}
_PKCS1 = padding.PKCS1v15()
_PSS = {name: padding.PSS(padding.MGF1(hash_), hash_.digest_size) for name, hash_ in _HASHES.items()}
_OAEP = {name: padding.OAEP(padding.MGF1(hash_), hash_, None) for name, hash_ in _HASHES.items()}


class RsaPublicKey:
    """The public half: verifies and encrypts."""

    __slots__ = ("_bits", "_key")

    def __init__(self, key: rsa.RSAPublicKey) -> None:
        self._key: Final = key
        self._bits: Final = key.key_size

    def verify(self, row: Algorithm, digest: bytes, signature: bytes) -> bool:
        """Answer whether a signature is one of `digest`."""
        if row.family is Family.PKCS1_BARE:
            return self._verify_bare(row, digest, signature)
        assert row.digest is not None
        form = _PSS[row.digest] if row.family is Family.PSS else _PKCS1
        try:
            self._key.verify(signature, digest, form, _PREHASHED[row.digest])
        except InvalidSignature:
            return False
        return True

    def encrypt(self, row: Algorithm, plaintext: bytes) -> Ciphertext:
        """Return a ciphertext as long as the key; BadRequest when the plaintext is longer than the padding allows."""
        most = _longest_plaintext(row, self._bits)
        if len(plaintext) > most:
            raise wrong_length("value", len(plaintext), f"{row.name} with {self._bits} bits", f"at most {most} bytes")
        return Ciphertext(value=self._key.encrypt(plaintext, _encryption(row)))

    def require_bare(self, row: Algorithm, digest: bytes, member: str) -> None:
        """Raise BadRequest unless RSNULL can pad this: a DigestInfo that the caller made, or what TLS 1.0 signs."""
        most = self._bits // 8 - _PKCS1_OVERHEAD
        if not 0 < len(digest) <= most:
            raise wrong_length(member, len(digest), f"{row.name} with {self._bits} bits", f"1 to {most} bytes")

    def _verify_bare(self, row: Algorithm, digest: bytes, signature: bytes) -> bool:
        self.require_bare(row, digest, "digest")
        try:
            signed = self._key.recover_data_from_signature(signature, _PKCS1, NoDigestInfo())
        except InvalidSignature:
            return False
        return hmac.compare_digest(signed, digest)


class RsaKey:
    """A private key, loaded. cost: bytes that it takes in memory, as measured."""

    __slots__ = ("_key", "_public_key", "cost", "is_slow", "public", "spec")

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key: Final = key
        self._public_key: Final = RsaPublicKey(key.public_key())
        numbers = key.public_key().public_numbers()
        self.public: Final = PublicParts(n=_octets(numbers.n), e=_octets(numbers.e))
        self.spec: Final = spec_of(KeyType.RSA, bits=key.key_size, exponent=numbers.e)
        self.is_slow: Final = key.key_size > INLINE_BITS
        self.cost: Final = 7_000 + key.key_size * 8 // 5

    def material(self) -> Sensitive[bytes]:
        """Return the key as it is sealed: PKCS#8, DER."""
        return Sensitive(
            self._key.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def sign(self, row: Algorithm, digest: bytes) -> bytes:
        """Return a signature as long as the key."""
        if row.family is Family.PKCS1_BARE:
            self._public_key.require_bare(row, digest, "value")
            return self._key.sign(digest, _PKCS1, NoDigestInfo())
        assert row.digest is not None
        form = _PSS[row.digest] if row.family is Family.PSS else _PKCS1
        return self._key.sign(digest, form, _PREHASHED[row.digest])

    def verify(self, row: Algorithm, digest: bytes, signature: bytes) -> bool:
        """Answer whether a signature is one of `digest`."""
        return self._public_key.verify(row, digest, signature)

    def encrypt(self, row: Algorithm, plaintext: Sensitive[bytes], _iv: bytes | None, _aad: bytes | None) -> Ciphertext:
        """Return a ciphertext as long as the key; BadRequest when the plaintext is longer than the padding allows."""
        return self._public_key.encrypt(row, plaintext.reveal())

    def decrypt(self, row: Algorithm, ciphertext: Ciphertext) -> Sensitive[bytes]:
        """Return the plaintext; the one error for whatever is wrong with a ciphertext."""
        if row.family is Family.PKCS1_ENCRYPTION and not REJECTS_IMPLICITLY:
            raise BadRequest(f"{row.name} cannot decrypt here: the OpenSSL of this server is too old to do so safely.")
        try:
            return Sensitive(self._key.decrypt(ciphertext.value, _encryption(row)))
        except ValueError:
            raise undecipherable() from None


def load_public(public: PublicParts) -> RsaPublicKey:
    """Return the public half of a key that is kept elsewhere; ValueError when it can be none."""
    assert public.n is not None
    assert public.e is not None
    numbers = rsa.RSAPublicNumbers(int.from_bytes(public.e, "big"), int.from_bytes(public.n, "big"))
    return RsaPublicKey(numbers.public_key())


def generate(spec: KeySpec) -> RsaKey:
    """Return a new key; takes 0.1 to some seconds."""
    assert spec.bits is not None
    assert spec.exponent is not None
    return RsaKey(rsa.generate_private_key(spec.exponent, spec.bits))


def load(material: Sensitive[bytes]) -> RsaKey:
    """Return the key of what `material` gave, unchecked: it was checked before it was sealed. ValueError if it is none.

    The check would cost 28 ms (2048 bits) to 202 ms (4096), loading without it costs 3 µs.
    """
    key = serialization.load_der_private_key(material.reveal(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("the material is of another type")  # noqa: TRY004 - as other material that is no such key
    return RsaKey(key)


def parts_of(key: rsa.RSAPrivateKey) -> PrivateParts:
    """Return a key that came in another form as one that is brought: `take` then says whether it is sound."""
    numbers = key.private_numbers()
    return PrivateParts(
        type=KeyType.RSA,
        n=_octets(numbers.public_numbers.n),
        e=_octets(numbers.public_numbers.e),
        d=Sensitive(_octets(numbers.d)),
        p=Sensitive(_octets(numbers.p)),
        q=Sensitive(_octets(numbers.q)),
        dp=Sensitive(_octets(numbers.dmp1)),
        dq=Sensitive(_octets(numbers.dmq1)),
        qi=Sensitive(_octets(numbers.iqmp)),
    )


def take(parts: PrivateParts) -> RsaKey:
    """Return the key that a caller brings; BadRequest for one that is not sound. Takes 0.1 to 1 s, only in a thread."""
    modulus, exponent = _take_public(parts)
    half = modulus.bit_length() // 16
    p, q = number(parts, "p", half), number(parts, "q", half)
    d = number(parts, "d", 2 * half)
    numbers = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=number(parts, "dp", half),
        dmq1=number(parts, "dq", half),
        iqmp=number(parts, "qi", half),
        public_numbers=rsa.RSAPublicNumbers(exponent, modulus),
    )
    for is_so, reason in _rules(numbers):
        if not is_so:
            raise unsound("RSA", reason)
    if not is_prime(p) or not is_prime(q):
        raise unsound("RSA", "p or q is no prime number")
    return RsaKey(numbers.private_key(unsafe_skip_rsa_key_validation=True))


def require_sound_public(public: PublicParts) -> KeySpec:
    """Return what a key is whose private half is not seen here; BadRequest when its modulus shows that it is unsound.

    Source: SP 800-89, section 5.3.3. Takes up to 0.3 s, only in a thread.
    """
    modulus, exponent = (int.from_bytes(member or b"", "big") for member in (public.n, public.e))
    spec = spec_of(KeyType.RSA, bits=modulus.bit_length())
    if exponent not in EXPONENTS:
        raise unsound("RSA", f"e is not {' or '.join(map(str, EXPONENTS))}")
    if is_roca(modulus):
        raise unsound("RSA", _ROCA)
    if has_small_factor(modulus) or is_prime(modulus, rounds=1):
        raise unsound("RSA", "n is not the product of two large prime numbers")
    return replace(spec, exponent=exponent)


def _take_public(parts: PrivateParts) -> tuple[int, int]:
    """Return modulus and exponent, of a size and value that keys have here; nothing is computed before that is sure."""
    modulus = number(parts, "n", max(RSA_BITS) // 8)
    exponent = number(parts, "e", 8)
    spec_of(KeyType.RSA, bits=modulus.bit_length())
    if exponent not in EXPONENTS:
        raise unsound("RSA", f"e is not {' or '.join(map(str, EXPONENTS))}")
    return modulus, exponent


def _rules(numbers: rsa.RSAPrivateNumbers) -> tuple[tuple[bool, str], ...]:
    """Return what holds of the numbers of every sound key, and for each what is said where it does not.

    Sizes come first and alone: with them no factor is small, and no modulus below is 0.
    """
    p, q, d = numbers.p, numbers.q, numbers.d
    e, n = numbers.public_numbers.e, numbers.public_numbers.n
    half = n.bit_length() // 2
    if p.bit_length() != half or q.bit_length() != half:
        return ((False, f"p and q do not have {half} bits each"),)
    return (
        (p * q == n, "n is not the product of p and q"),
        (not is_roca(n), _ROCA),
        (abs(p - q).bit_length() > half - _CLOSE_PRIMES, "p and q are too close to each other"),
        (1 << half < d < n, f"d is not between 2^{half} and n"),
        (e * d % (p - 1) == 1 and e * d % (q - 1) == 1, "d does not belong to e"),
        (numbers.dmp1 == d % (p - 1), "dp is not d modulo p - 1"),
        (numbers.dmq1 == d % (q - 1), "dq is not d modulo q - 1"),
        (0 < numbers.iqmp < p and numbers.iqmp * q % p == 1, "qi is not the inverse of q modulo p"),
    )


def is_roca(modulus: int) -> bool:
    """Answer whether a modulus looks like those whose factors can be found: both are powers of 65537, so to speak.

    Source: Nemec et al., "The Return of Coppersmith's Attack" (2017), section 3.1.
    """
    return all(modulus % r in residues for r, residues in _ROCA_RESIDUES.items())


def _longest_plaintext(row: Algorithm, bits: int) -> int:
    if row.digest is None:
        return bits // 8 - _PKCS1_OVERHEAD
    return bits // 8 - 2 * _HASHES[row.digest].digest_size - 2


def _encryption(row: Algorithm) -> padding.PKCS1v15 | padding.OAEP:
    return _PKCS1 if row.digest is None else _OAEP[row.digest]


def _octets(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
