"""The keeper in a token of SoftHSM2: every algorithm both ways, what never leaves it, what goes wrong."""

import asyncio
import os
import threading

import pkcs11
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo, Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.padding import PKCS7
from pkcs11 import Attribute

from doubles import a_custodian
from hsm_doubles import PIN, SoftHsm
from key_doubles import (
    AKP_KEYS,
    CURVES,
    EC_KEYS,
    OCT_KEYS,
    RSA_KEYS,
    a_data_key,
    a_place,
    digest_for,
    ec_parts,
    name_of,
    public_key_of,
    rsa_parts,
)
from strongroom.custody import abilities, tokenkeys
from strongroom.custody.algorithms import ALGORITHMS, Use, spec_of
from strongroom.custody.handles import open_handle
from strongroom.custody.provider import (
    Ciphertext,
    KeptKey,
    KeyType,
    Place,
    PrivateParts,
    TransferForm,
    TransferKey,
)
from strongroom.custody.sealing import SealBroken
from strongroom.custody.token import HsmUnavailable
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

KEYS = [*RSA_KEYS, *EC_KEYS, *OCT_KEYS]
every_key = pytest.mark.parametrize("spec", KEYS, ids=name_of)
SIGNATURES = [row for row in ALGORITHMS.values() if Use.SIGN in row.uses and row.type in {KeyType.RSA, KeyType.EC}]
RSA_CIPHERS = [row for row in ALGORITHMS.values() if row.type is KeyType.RSA and Use.ENCRYPT in row.uses]
AES_CIPHERS = [row for row in ALGORITHMS.values() if row.type is KeyType.OCT and Use.ENCRYPT in row.uses]
HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
PRIVATE = (
    Attribute.VALUE,
    Attribute.PRIVATE_EXPONENT,
    Attribute.PRIME_1,
    Attribute.PRIME_2,
    Attribute.EXPONENT_1,
    Attribute.EXPONENT_2,
    Attribute.COEFFICIENT,
)
SOFTHSM_LACKS = {"RSA-OAEP-256", "CKM_AES_KEY_WRAP_PAD", "HS256", "HS384", "HS512"}
PLAIN = b"what nobody else may read"


@pytest.fixture(scope="module")
def environ():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def hsm(tmp_path_factory, environ):
    softhsm = SoftHsm(tmp_path_factory.mktemp("hsm"))
    environ.setenv("SOFTHSM2_CONF", str(softhsm.configuration))
    yield softhsm
    softhsm.close()


@pytest.fixture(scope="module")
def keeper(hsm):
    keeper = hsm.keeper()
    yield keeper
    keeper.close()


@pytest.fixture(scope="module")
def made(keeper):
    """A key of each kind, made once: a function of what it is."""
    kept = {}

    async def get(spec):
        if spec not in kept:
            kept[spec] = await keeper.make(spec, a_place())
        return kept[spec]

    return get


def spec_for(row):
    return spec_of(row.type, curve=row.curve, bits=row.bits)


def object_of(keeper, kept, work):
    """Return what `work` makes of the private or secret object of a key, in the token."""
    where = open_handle(a_custodian(), kept, a_place())
    return keeper._token.use(lambda opened: work(tokenkeys.find(opened, where.id, kept.spec.type)))


# --- making


@every_key
async def test_a_key_is_made_in_the_token_and_says_what_it_is(keeper, made, place, spec):
    kept = await made(spec)
    assert kept.spec == spec
    members = {name for name in ("n", "e", "x", "y", "pub") if getattr(kept.public, name) is not None}
    assert members == {"RSA": {"n", "e"}, "EC": {"x", "y"}, "oct": set()}[spec.type]
    if spec.type is KeyType.RSA:
        assert public_key_of(kept).key_size == spec.bits
    attributes = (Attribute.SENSITIVE, Attribute.EXTRACTABLE, Attribute.PRIVATE, Attribute.TOKEN, Attribute.LABEL)
    found = object_of(keeper, kept, lambda key: [key[each] for each in attributes])
    assert found == [True, False, True, True, "strongroom vault-a"]
    assert object_of(keeper, kept, lambda key: (key[Attribute.ALWAYS_SENSITIVE], key[Attribute.NEVER_EXTRACTABLE])) == (
        True,
        True,
    )


@every_key
async def test_a_key_cannot_leave_the_token(keeper, made, spec):
    kept = await made(spec)

    def attempt(key):
        for attribute in PRIVATE:
            with pytest.raises((pkcs11.AttributeSensitive, pkcs11.AttributeTypeInvalid)):
                key[attribute]
        with pytest.raises(pkcs11.PKCS11Error):
            key[Attribute.EXTRACTABLE] = True
        with pytest.raises(pkcs11.PKCS11Error):
            key[Attribute.SENSITIVE] = False
        with pytest.raises(pkcs11.PKCS11Error):
            key.copy({Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False, Attribute.TOKEN: False})
        wrapping = key.session.generate_key(pkcs11.KeyType.AES, 256, store=False)
        with pytest.raises((pkcs11.KeyUnextractable, pkcs11.KeyNotWrappable)):
            wrapping.wrap_key(key, mechanism=pkcs11.Mechanism.AES_KEY_WRAP)
        wrapping.destroy()

    object_of(keeper, kept, attempt)


async def test_exponent_3_is_kept(keeper, place):
    kept = await keeper.make(spec_of(KeyType.RSA, exponent=3), place)
    assert (kept.public.e, kept.spec.exponent) == (b"\3", 3)
    signed = await keeper.sign(kept, place, "PS256", bytes(32))
    assert await keeper.verify(kept, place, "PS256", bytes(32), signed)


@pytest.mark.parametrize("spec", AKP_KEYS, ids=name_of)
async def test_what_no_hsm_keeps_is_refused(keeper, place, spec):
    with pytest.raises(BadRequest, match="keeps keys of the types RSA-HSM, EC-HSM and oct-HSM, not AKP"):
        await keeper.make(spec, place)
    with pytest.raises(BadRequest, match="not AKP"):
        await keeper.take(PrivateParts(type=KeyType.AKP), place)


def test_it_tells_what_it_is(keeper):
    assert keeper.platform == "pkcs11"
    assert not keeper.releases


async def test_no_key_is_released(keeper, made, place):
    kept = await made(RSA_KEYS[0])
    with pytest.raises(BadRequest, match="which it never leaves"):
        await keeper.release(kept, place, TransferForm.CKM, TransferKey(n=kept.public.n, e=kept.public.e))


# --- every algorithm, both ways


def verify_elsewhere(kept, row, digest, signature):
    key = public_key_of(kept)
    if row.type is KeyType.EC:
        half = len(signature) // 2
        der = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
        return key.verify(der, digest, ec.ECDSA(Prehashed(HASHES[row.digest])))
    if row.name == "RSNULL":
        return key.verify(signature, digest, padding.PKCS1v15(), NoDigestInfo())
    hash_ = HASHES[row.digest]
    form = padding.PSS(padding.MGF1(hash_), hash_.digest_size) if row.name.startswith("PS") else padding.PKCS1v15()
    return key.verify(signature, digest, form, Prehashed(hash_))


@pytest.mark.parametrize("row", SIGNATURES, ids=lambda row: row.name)
async def test_what_the_token_signs_is_verified_elsewhere(keeper, made, place, row):
    kept, digest = await made(spec_for(row)), digest_for(row)
    signature = await keeper.sign(kept, place, row.name, digest)
    verify_elsewhere(kept, row, digest, signature)
    assert await keeper.verify(kept, place, row.name, digest, signature)
    broken = bytes([signature[0] ^ 1]) + signature[1:]
    with pytest.raises(InvalidSignature):
        verify_elsewhere(kept, row, digest, broken)
    assert not await keeper.verify(kept, place, row.name, digest, broken)
    assert not await keeper.verify(kept, place, row.name, digest, b"")


@pytest.mark.parametrize("spec", RSA_KEYS[1:], ids=name_of)
async def test_larger_keys_sign_too(keeper, made, place, spec):
    for row in (ALGORITHMS["RS256"], ALGORITHMS["PS512"]):
        verify_elsewhere(
            await made(spec),
            row,
            digest_for(row),
            await keeper.sign(await made(spec), place, row.name, digest_for(row)),
        )


def oaep(row):
    return (
        padding.PKCS1v15()
        if row.digest is None
        else padding.OAEP(padding.MGF1(HASHES[row.digest]), HASHES[row.digest], None)
    )


@pytest.mark.parametrize("row", [row for row in RSA_CIPHERS if row.name not in SOFTHSM_LACKS], ids=lambda row: row.name)
async def test_what_either_side_encrypts_the_token_decrypts(keeper, made, place, row):
    kept = await made(RSA_KEYS[0])
    for sealed in (
        public_key_of(kept).encrypt(PLAIN, oaep(row)),
        (await keeper.encrypt(kept, place, row.name, Sensitive(PLAIN))).value,
        (await keeper.wrap(kept, place, row.name, Sensitive(PLAIN))).value,
    ):
        assert (await keeper.decrypt(kept, place, row.name, Ciphertext(value=sealed))).reveal() == PLAIN
        assert (await keeper.unwrap(kept, place, row.name, sealed)).reveal() == PLAIN


@pytest.fixture
async def known(keeper, place):
    """An AES key of each size whose bytes the test knows, since it brought them."""

    async def get(bits):
        raw = os.urandom(bits // 8)
        return raw, await keeper.take(PrivateParts(type=KeyType.OCT, k=Sensitive(raw)), place)

    return get


def padded(row, content):
    if not row.name.endswith("PAD"):
        return content
    padder = PKCS7(128).padder()
    return padder.update(content) + padder.finalize()


def encrypted_elsewhere(raw, row, content, iv, aad):
    if row.takes_aad:
        sealed = AESGCM(raw).encrypt(iv, content, aad)
        return sealed[:-16], sealed[-16:]
    encryptor = Cipher(AES(raw), modes.CBC(iv)).encryptor()
    return encryptor.update(padded(row, content)) + encryptor.finalize(), None


@pytest.mark.parametrize(
    ("row", "length"),
    [(row, length) for row in AES_CIPHERS for length in (0, 16, 48, 4096) if length or not row.name.endswith("CBC")],
    ids=lambda given: getattr(given, "name", given),
)
async def test_aes_is_what_it_is_elsewhere(keeper, known, place, row, length):
    raw, kept = await known(row.bits)
    content, aad = os.urandom(length), b"aad" if row.takes_aad else None
    made = await keeper.encrypt(kept, place, row.name, Sensitive(content), aad=aad)
    assert (made.value, made.tag) == encrypted_elsewhere(raw, row, content, made.iv, aad)
    assert len(made.iv) == row.iv_bytes
    again = await keeper.encrypt(kept, place, row.name, Sensitive(content), aad=aad)
    assert again.iv != made.iv
    iv = os.urandom(row.iv_bytes)
    sealed, tag = encrypted_elsewhere(raw, row, content, iv, aad)
    given = Ciphertext(value=sealed, iv=iv, tag=tag, aad=aad)
    assert (await keeper.decrypt(kept, place, row.name, given)).reveal() == content


@pytest.mark.parametrize("spec", OCT_KEYS, ids=name_of)
@pytest.mark.parametrize("length", [16, 24, 32, 64])
async def test_key_wrap_is_that_of_rfc_3394(keeper, known, place, spec, length):
    raw, kept = await known(spec.bits)
    material = os.urandom(length)
    for name in (f"A{spec.bits}KW", "CKM_AES_KEY_WRAP"):
        wrapped = (await keeper.wrap(kept, place, name, Sensitive(material))).value
        assert wrapped == keywrap.aes_key_wrap(raw, material)
        assert (await keeper.unwrap(kept, place, name, wrapped)).reveal() == material
        for bad in (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), wrapped[:-8], b"", b"\0" * 24):
            with pytest.raises(BadRequest, match="Unable to decrypt specified value with this key"):
                await keeper.unwrap(kept, place, name, bad)


def test_the_table_of_abilities_is_what_is_known_of_softhsm(keeper):
    def look(opened):
        can = {row.name for row in abilities.all_algorithms() if abilities.find_mechanism(opened, row)}
        return can, [spec for spec in abilities.all_specs() if not abilities.can_make(opened, spec)]

    can, unmade = keeper._token.use(look)
    assert {row.name for row in abilities.all_algorithms()} - can == SOFTHSM_LACKS
    assert unmade == []


@pytest.mark.parametrize("name", sorted(SOFTHSM_LACKS))
async def test_what_the_module_lacks_is_refused_by_name(keeper, made, place, name):
    row = ALGORITHMS[name]
    kept, said = await made(spec_for(row)), f"cannot carry out {name}, and its keys cannot leave it"
    if Use.SIGN in row.uses:
        uses = [keeper.sign(kept, place, name, b"m"), keeper.verify(kept, place, name, b"m", bytes(32))]
    elif Use.WRAP in row.uses:
        uses = [keeper.wrap(kept, place, name, Sensitive(bytes(16))), keeper.unwrap(kept, place, name, bytes(256))]
    if Use.ENCRYPT in row.uses:
        uses += [
            keeper.encrypt(kept, place, name, Sensitive(PLAIN)),
            keeper.decrypt(kept, place, name, Ciphertext(value=bytes(256))),
        ]
    for use in uses:
        with pytest.raises(BadRequest, match=said):
            await use


# --- keys that are brought


@pytest.mark.parametrize("bits", [2048, 3072])
async def test_an_rsa_key_that_is_brought_is_the_same_in_the_token(keeper, place, bits):
    theirs = rsa.generate_private_key(65537, bits)
    kept = await keeper.take(rsa_parts(theirs), place)
    assert public_key_of(kept) == theirs.public_key()
    row = ALGORITHMS["PS256"]
    verify_elsewhere(kept, row, digest_for(row), await keeper.sign(kept, place, "PS256", digest_for(row)))
    sealed = theirs.public_key().encrypt(PLAIN, oaep(ALGORITHMS["RSA-OAEP"]))
    assert (await keeper.unwrap(kept, place, "RSA-OAEP", sealed)).reveal() == PLAIN
    with pytest.raises(pkcs11.AttributeSensitive):
        object_of(keeper, kept, lambda key: key[Attribute.PRIVATE_EXPONENT])


@pytest.mark.parametrize("curve", CURVES)
async def test_an_elliptic_key_that_is_brought_is_the_same_in_the_token(keeper, place, curve):
    theirs = ec.generate_private_key(CURVES[curve])
    kept = await keeper.take(ec_parts(theirs, curve), place)
    assert public_key_of(kept) == theirs.public_key()
    row = next(row for row in SIGNATURES if row.curve == curve)
    verify_elsewhere(kept, row, digest_for(row), await keeper.sign(kept, place, row.name, digest_for(row)))


async def test_what_is_unsound_does_not_come_in(keeper, hsm, place):
    before = keeper._token.use(tokenkeys.list_kept)
    for parts in (
        PrivateParts(type=KeyType.RSA, n=b"\1"),
        PrivateParts(type=KeyType.EC, curve="P-256", x=b"\1", y=b"\1", d=Sensitive(b"\1")),
        PrivateParts(type=KeyType.OCT, k=Sensitive(bytes(15))),
    ):
        with pytest.raises(BadRequest):
            await keeper.take(parts, place)
    assert keeper._token.use(tokenkeys.list_kept) == before


async def test_a_module_that_takes_no_keys_says_so(keeper, place, monkeypatch):
    monkeypatch.setattr(tokenkeys, "USES", {KeyType.OCT: (Attribute.SIGN, Attribute.MODULUS_BITS)})
    with pytest.raises(BadRequest, match="takes no keys of type oct that were made elsewhere"):
        await keeper.take(PrivateParts(type=KeyType.OCT, k=Sensitive(bytes(16))), place)


# --- what does not fit


async def test_inputs_are_checked_before_the_token_is_asked(made, place, hsm):
    nobody = hsm.keeper(name="no such token")
    aes, key = await made(OCT_KEYS[2]), await made(RSA_KEYS[0])
    for use, said in (
        (nobody.sign(key, place, "RS256", bytes(31)), "Invalid length of 'value'"),
        (nobody.sign(key, place, "RSNULL", bytes(246)), "Invalid length of 'value'"),
        (nobody.sign(key, place, "ES256", bytes(32)), "incompatible"),
        (nobody.encrypt(key, place, "RSA-OAEP", Sensitive(bytes(215))), "Invalid length of 'value'"),
        (nobody.encrypt(aes, place, "A256GCM", Sensitive(b""), iv=bytes(12)), "takes none"),
        (nobody.encrypt(aes, place, "A256CBC", Sensitive(bytes(15))), "16 bytes or a multiple"),
        (nobody.encrypt(aes, place, "A256CBC", Sensitive(bytes(16)), iv=bytes(15)), "Invalid length of 'iv'"),
        (nobody.decrypt(aes, place, "A256GCM", Ciphertext(value=b"", iv=bytes(12))), "tag has invalid value"),
        (nobody.decrypt(aes, place, "A256CBC", Ciphertext(value=b"1", iv=bytes(16))), "multiple"),
        (nobody.wrap(aes, place, "A256KW", Sensitive(bytes(17))), "multiples of 8"),
    ):
        with pytest.raises(BadRequest, match=said):
            await use


@pytest.mark.parametrize("change", ["tag", "value", "iv", "aad"])
async def test_what_gcm_did_not_seal_does_not_open(keeper, made, place, change):
    kept = await made(OCT_KEYS[0])
    sealed = await keeper.encrypt(kept, place, "A128GCM", Sensitive(PLAIN), aad=b"aad")
    members = {name: getattr(sealed, name) for name in ("value", "iv", "tag", "aad")}
    members[change] = bytes([members[change][0] ^ 1]) + members[change][1:]
    with pytest.raises(BadRequest, match="Unable to decrypt specified value with this key"):
        await keeper.decrypt(kept, place, "A128GCM", Ciphertext(**members))


async def test_bad_padding_of_cbc_has_the_one_error(keeper, made, place):
    kept = await made(OCT_KEYS[0])
    sealed = await keeper.encrypt(kept, place, "A128CBC", Sensitive(bytes(32)))
    with pytest.raises(BadRequest, match="Unable to decrypt specified value with this key"):
        await keeper.decrypt(kept, place, "A128CBCPAD", Ciphertext(value=sealed.value, iv=sealed.iv))


async def test_no_answer_tells_good_padding_of_rsa1_5_from_bad(keeper, made, place):
    kept = await made(RSA_KEYS[0])
    good = public_key_of(kept).encrypt(PLAIN, padding.PKCS1v15())
    bad = [bytes([0, *os.urandom(255)]) for _ in range(32)]
    found = [(await keeper.decrypt(kept, place, "RSA1_5", Ciphertext(value=each))).reveal() for each in (good, *bad)]
    assert found[0] == PLAIN
    assert len({len(each) for each in found[1:]}) > 8
    assert all(len(each) <= 245 for each in found)
    assert [(await keeper.unwrap(kept, place, "RSA1_5", each)).reveal() for each in bad] == found[1:]
    other = await keeper.make(RSA_KEYS[0], place)
    assert (await keeper.unwrap(other, place, "RSA1_5", bad[0])).reveal() != found[1]
    moved = await keeper.move(
        kept, place, Place(a_custodian().new_key(place.key.purpose, "vault-a", 2, place.key.created), place.context)
    )
    assert moved.handle != kept.handle
    for short in (good[:-1], good + b"\0", b""):
        with pytest.raises(BadRequest, match="Unable to decrypt"):
            await keeper.decrypt(kept, place, "RSA1_5", Ciphertext(value=short))


# --- places


async def use(keeper, kept, place):
    """Use a key in a way that it has, and answer whether what comes of it is right."""
    if kept.spec.type is KeyType.OCT:
        wrapped = await keeper.wrap(kept, place, f"A{kept.spec.bits}KW", Sensitive(bytes(32)))
        return (await keeper.unwrap(kept, place, f"A{kept.spec.bits}KW", wrapped.value)).reveal() == bytes(32)
    row = next(row for row in SIGNATURES if row.type is kept.spec.type and row.curve == kept.spec.curve)
    signed = await keeper.sign(kept, place, row.name, digest_for(row))
    return await keeper.verify(kept, place, row.name, digest_for(row), signed)


@pytest.mark.parametrize(
    "elsewhere",
    [
        a_place("vault-b"),
        a_place(name="other"),
        a_place(version="1" * 32),
        Place(a_data_key(), a_place("vault-b").context),
    ],
    ids=["vault", "name", "version", "vault's key"],
)
@pytest.mark.parametrize("spec", [RSA_KEYS[0], EC_KEYS[0], OCT_KEYS[0]], ids=name_of)
async def test_a_handle_opens_in_its_place_alone(keeper, made, place, spec, elsewhere):
    kept = await made(spec)
    assert await use(keeper, kept, place)
    with pytest.raises(SealBroken):
        await use(keeper, kept, elsewhere)
    with pytest.raises(SealBroken):
        await keeper.discard(kept, elsewhere)
    assert await use(keeper, kept, place)


async def test_no_byte_of_a_handle_may_change(keeper, made, place):
    kept = await made(EC_KEYS[0])
    for position in range(len(kept.handle)):
        changed = bytearray(kept.handle)
        changed[position] ^= 1
        with pytest.raises(SealBroken):
            await keeper.sign(
                KeptKey(spec=kept.spec, handle=bytes(changed), public=kept.public), place, "ES256", bytes(32)
            )


async def test_a_row_that_says_another_key_is_not_believed(keeper, made, place):
    kept, other = await made(EC_KEYS[0]), await keeper.make(EC_KEYS[0], place)
    aes, longer = await made(OCT_KEYS[0]), OCT_KEYS[1]
    for false in (
        KeptKey(spec=kept.spec, handle=kept.handle, public=other.public),
        KeptKey(spec=longer, handle=aes.handle, public=aes.public),
        KeptKey(spec=kept.spec, handle=aes.handle, public=kept.public),
    ):
        with pytest.raises(SealBroken, match="a key is not what its row says"):
            await use(keeper, false, place)


async def test_what_software_sealed_is_no_handle(keeper, place):
    from key_doubles import made as made_in_software

    with pytest.raises(SealBroken, match="no handle of an HSM"):
        await use(keeper, made_in_software(EC_KEYS[0]), place)


async def test_a_key_goes_under_the_next_data_key_and_into_no_backup(keeper, made, place):
    kept = await made(EC_KEYS[0])
    to = Place(a_custodian().new_key(place.key.purpose, "vault-a", 2, place.key.created), place.context)
    moved = await keeper.move(kept, place, to)
    assert await use(keeper, moved, to)
    with pytest.raises(SealBroken):
        await use(keeper, moved, place)
    with pytest.raises(BadRequest, match="cannot be backed up: it never leaves the HSM"):
        await keeper.move(kept, place, a_place("vault-b"))


async def test_a_key_that_is_discarded_is_gone_from_the_token(keeper, place):
    for spec in (RSA_KEYS[0], EC_KEYS[0], OCT_KEYS[0]):
        kept = await keeper.make(spec, place)
        where = open_handle(a_custodian(), kept, place)
        assert where.id in keeper._token.use(tokenkeys.list_kept)
        await keeper.discard(kept, place)
        assert where.id not in keeper._token.use(tokenkeys.list_kept)
        with pytest.raises(HsmUnavailable, match="does not have this key"):
            await use(keeper, kept, place)
        await keeper.discard(kept, place)


async def test_a_module_that_makes_keys_that_can_leave_it_keeps_none(keeper, place, monkeypatch):
    before = keeper._token.use(tokenkeys.list_kept)
    monkeypatch.setattr(tokenkeys, "KEPT", {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: True})
    for use in (
        keeper.make(EC_KEYS[0], place),
        keeper.make(OCT_KEYS[0], place),
        keeper.take(PrivateParts(type=KeyType.OCT, k=Sensitive(bytes(16))), place),
    ):
        with pytest.raises(BadRequest, match="makes keys that could leave it"):
            await use
    assert keeper._token.use(tokenkeys.list_kept) == before


def test_points_are_read_bare_and_in_an_octet_string():
    for length, header in ((65, b"\4\x41"), (133, b"\4\x81\x85")):
        point = b"\4" + bytes(length - 1)
        assert tokenkeys._point(point, length) == point
        assert tokenkeys._point(header + point, length) == point
        for bad in (b"\2" + point[1:], point[:-1], header + point + b"\0"):
            with pytest.raises(pkcs11.PublicKeyInvalid):
                tokenkeys._point(bad, length)


async def test_what_a_session_remembers_is_bounded(keeper, made, place, monkeypatch):
    monkeypatch.setattr(tokenkeys, "MOST_FOUND", 1)
    for _ in range(2):
        for spec in (EC_KEYS[0], EC_KEYS[1], OCT_KEYS[0]):
            assert await use(keeper, await made(spec), place)


async def test_what_others_keep_in_the_token_is_not_ours(keeper):
    class Foreign:
        def __init__(self, error):
            self.error = error

        def __getitem__(self, _attribute):
            raise self.error

    assert tokenkeys._label(Foreign(pkcs11.AttributeTypeInvalid())) == ""
    assert tokenkeys._label(Foreign(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text"))) == ""
    before = keeper._token.use(tokenkeys.list_kept)
    keeper._token.use(lambda opened: opened.session.generate_key(pkcs11.KeyType.AES, 128, store=True, label="other"))
    assert keeper._token.use(tokenkeys.list_kept) == before


async def test_an_object_that_was_put_in_a_key_s_place_is_not_used(keeper, place):
    kept = await keeper.make(OCT_KEYS[0], place)
    where = open_handle(a_custodian(), kept, place)

    def put(opened):
        tokenkeys.destroy(opened, where.id)
        opened.session.generate_key(
            pkcs11.KeyType.AES, 128, id=where.id, store=True, template={Attribute.EXTRACTABLE: True}
        )

    keeper._token.use(put)
    with pytest.raises(HsmUnavailable, match="does not have this key"):
        await use(keeper, kept, place)


@pytest.mark.usefixtures("released")
async def test_forgetting_and_closing_lose_nothing(another, place):
    _, keeper = another
    kept = await keeper.make(EC_KEYS[0], place)
    keeper.forget(kept.handle)
    keeper.forget_owner("vault-a")
    assert await use(keeper, kept, place)
    keeper.close()
    keeper.close()


# --- many at once, and a token that goes and comes


async def test_many_threads_use_the_token_at_once(keeper, made, place):
    keys = [await made(spec) for spec in (EC_KEYS[0], RSA_KEYS[0], OCT_KEYS[2])]
    assert all(await asyncio.gather(*[use(keeper, keys[number % 3], place) for number in range(300)]))


@pytest.fixture
def another(tmp_path, monkeypatch):
    """A token that a test may take away, with its keeper."""
    softhsm = SoftHsm(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", str(softhsm.configuration))
    keeper = softhsm.keeper()
    yield softhsm, keeper
    keeper.close()
    softhsm.close()


@pytest.mark.usefixtures("released")
async def test_a_token_that_was_away_is_used_again(another, place):
    softhsm, keeper = another
    kept = await keeper.make(EC_KEYS[0], place)
    assert await use(keeper, kept, place)
    for _ in range(2):
        softhsm.take_away()
        for _ in range(2):
            with pytest.raises(HsmUnavailable) as refused:
                await use(keeper, kept, place)
            assert (refused.value.status, refused.value.code) == (503, "ServiceUnavailable")
            with pytest.raises(HsmUnavailable):
                await keeper.make(EC_KEYS[0], place)
        softhsm.bring_back()
        assert await use(keeper, kept, place)


@pytest.mark.usefixtures("released")
async def test_a_token_that_was_away_between_two_requests_is_not_noticed(another, place):
    softhsm, keeper = another
    kept = await keeper.make(OCT_KEYS[0], place)
    softhsm.take_away()
    softhsm.bring_back()
    assert await use(keeper, kept, place)


@pytest.mark.usefixtures("released")
async def test_a_module_that_was_finalised_is_begun_anew_whoever_is_in_it(another, place):
    _, keeper = another
    kept = await keeper.make(EC_KEYS[0], place)
    for _ in range(3):
        keeper._token._module.finalize()
        assert all(await asyncio.gather(*[use(keeper, kept, place) for _ in range(40)]))


@pytest.mark.usefixtures("released")
async def test_another_token_of_the_same_name_is_not_taken_for_it(another, place):
    softhsm, keeper = another
    kept = await keeper.make(EC_KEYS[0], place)
    softhsm.take_away()
    softhsm.initialise(softhsm.label)
    with pytest.raises(HsmUnavailable):
        await use(keeper, kept, place)
    with pytest.raises(HsmUnavailable, match=r"is not the one of this server now: it is [0-9a-f]{16}"):
        await use(keeper, kept, place)


@pytest.mark.usefixtures("released")
async def test_a_token_is_named_by_its_serial_number_too(another, place):
    softhsm, keeper = another
    kept = await keeper.make(EC_KEYS[0], place)
    softhsm.initialise(softhsm.label)
    serial = open_handle(a_custodian(), kept, place).serial.decode()
    assert await use(softhsm.keeper(name=f"serial:{serial}"), kept, place)
    with pytest.raises(HsmUnavailable, match="cannot be reached"):
        await use(softhsm.keeper(), kept, place)


@pytest.mark.usefixtures("released")
async def test_a_pin_that_was_refused_is_not_tried_again(another, place, monkeypatch):
    softhsm, _ = another
    asked = []
    keeper = softhsm.keeper(pin="wrong")
    monkeypatch.setattr(keeper._token, "_read_pin", lambda: asked.append(1) or Sensitive("wrong"))
    for said in ("refused the PIN", "refused the PIN"):
        with pytest.raises(HsmUnavailable, match=said):
            await keeper.make(EC_KEYS[0], place)
    assert len(asked) == 1
    assert await use(softhsm.keeper(), await softhsm.keeper().make(EC_KEYS[0], place), place)


async def test_a_module_that_is_none_is_told(hsm, place, tmp_path):
    from strongroom.custody.pkcs11 import Pkcs11Provider
    from strongroom.custody.token import Token, TokenPlace

    for path in (tmp_path / "none.so", "/lib/x86_64-linux-gnu/libc.so.6"):
        keeper = Pkcs11Provider(a_custodian(), Token(TokenPlace(path, "t"), lambda: Sensitive(PIN)))
        with pytest.raises(HsmUnavailable, match="cannot be reached"):
            await keeper.make(EC_KEYS[0], place)


@pytest.fixture
def released(keeper):
    """The module's own keeper lets go of the module, which is one for the process."""
    with keeper._token._changed:
        keeper._token._leave()


@pytest.mark.parametrize("error", [pkcs11.DeviceMemory, pkcs11.FunctionFailed, pkcs11.KeySizeRange])
async def test_what_a_token_says_no_to(keeper, place, error, monkeypatch):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr("strongroom.custody.pkcs11.generate", refuse)
    expected = BadRequest if error is pkcs11.KeySizeRange else HsmUnavailable
    with pytest.raises(expected, match=r"refused to make a key of type EC|cannot do this"):
        await keeper.make(EC_KEYS[0], place)


def test_a_child_begins_for_itself(keeper):
    keeper._token.use(lambda opened: opened)
    found = {}

    def look():
        found["there"] = keeper._token.use(lambda opened: bool(opened.session.token.serial))

    child = os.fork()
    if not child:
        look()
        os._exit(0 if found["there"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found["there"]
