"""Keys that come wrapped to a token of SoftHSM2: which come in, which do not, and what is left of those."""

import os

import pkcs11
import pytest
from asn1crypto import keys
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pkcs11 import Attribute, ObjectClass

from doubles import a_custodian
from hsm_doubles import SoftHsm
from key_doubles import CURVES, a_place, digest_for, octets, openssl, public_key_of, public_pem
from release_doubles import environment
from strongroom.custody import abilities, tokenkeys, tokentransfer
from strongroom.custody.algorithms import spec_of
from strongroom.custody.handles import open_handle
from strongroom.custody.provider import Ciphertext, KeySpec, KeyType, PublicParts, WrappedKey
from strongroom.custody.recovery import signature_of
from strongroom.custody.rsaaeswrap import RSA_AES_KEY_WRAP
from strongroom.custody.token import HsmUnavailable
from strongroom.errors import BadRequest

KEK = a_place(name="kek")
SHA1 = hashes.SHA1()
PRIME = 2**2048 - 1557
ONE_TEXT = "Property key_hsm has invalid value: it does not unwrap with its key exchange key."


@pytest.fixture(scope="module")
def keeper(tmp_path_factory):
    softhsm = SoftHsm(tmp_path_factory.mktemp("hsm"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(softhsm.configuration))
        keeper = softhsm.keeper()
        yield keeper
        keeper.close()
        softhsm.close()


@pytest.fixture(scope="module")
def made():
    return {}


@pytest.fixture
async def exchange(keeper, made):
    """A key exchange key of 2048 bits."""
    return await exchange_of(keeper, made, 2048)


async def exchange_of(keeper, made, bits):
    if bits not in made:
        made[bits] = await keeper.make(spec_of(KeyType.RSA, bits=bits), KEK, exchange=True)
    return made[bits]


def pkcs8(key):
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def wrapped_to(kept, material, *, once=None, digest=SHA1):
    once = once or os.urandom(32)
    head = public_key_of(kept).encrypt(once, padding.OAEP(padding.MGF1(digest), digest, None))
    return head + keywrap.aes_key_wrap_with_padding(once, material)


async def take(keeper, exchange, material, place=None, **said):
    """Bring what is PKCS#8 of a key, or a whole blob."""
    blob = said.pop("blob", None) or wrapped_to(exchange, material)
    wrapped = WrappedKey(**{"type": KeyType.RSA, "blob": blob} | said)
    return await keeper.take_wrapped(wrapped, place or a_place(), exchange, KEK)


def everything_in(keeper):
    """Return how many private and secret keys there are, those that end with a session too."""
    return keeper._token.use(
        lambda opened: [
            len(list(opened.session.get_objects({Attribute.CLASS: each})))
            for each in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY, ObjectClass.PUBLIC_KEY)
        ]
    )


def attributes_of(keeper, kept, place=None):
    where = open_handle(a_custodian(), kept, place or a_place())
    asked = ("PRIVATE", "SENSITIVE", "EXTRACTABLE", "TOKEN", "LABEL", "SIGN", "DECRYPT", "UNWRAP")
    return keeper._token.use(
        lambda opened: {
            name: tokenkeys.find(opened, where.id, kept.spec.type)[getattr(Attribute, name)] for name in asked
        }
    )


STAYS = {"PRIVATE": True, "SENSITIVE": True, "EXTRACTABLE": False, "TOKEN": True, "LABEL": "strongroom vault-a"}

# --- the key exchange key


async def test_a_key_exchange_key_does_nothing_else_in_the_token_either(keeper, exchange):
    assert attributes_of(keeper, exchange, KEK) == STAYS | {"SIGN": False, "DECRYPT": False, "UNWRAP": True}


async def test_one_that_was_made_before_unwraps_nothing_and_says_what_to_do(keeper):
    old = await keeper.make(spec_of(KeyType.RSA), KEK)
    with pytest.raises(BadRequest, match=r"an older Strongroom made it\. Rotate it, or make another one"):
        await take(keeper, old, pkcs8(environment()))


# --- what comes in


@pytest.mark.parametrize(("bits", "exponent"), [(2048, 65537), (2048, 3), (3072, 65537), (4096, 65537)])
async def test_an_rsa_key_comes_in_and_stays(keeper, exchange, place, bits, exponent):
    theirs = environment(bits) if exponent == 65537 else rsa.generate_private_key(exponent, bits)
    kept = await take(keeper, exchange, pkcs8(theirs))
    assert public_key_of(kept) == theirs.public_key()
    assert kept.spec == KeySpec(type=KeyType.RSA, bits=bits, exponent=exponent)
    assert attributes_of(keeper, kept) == STAYS | {"SIGN": True, "DECRYPT": True, "UNWRAP": False}
    signed = await keeper.sign(kept, place, "RS256", bytes(32))
    theirs.public_key().verify(signed, bytes(32), padding.PKCS1v15(), Prehashed(hashes.SHA256()))
    sealed = theirs.public_key().encrypt(b"hello", padding.OAEP(padding.MGF1(SHA1), SHA1, None))
    opened = await keeper.decrypt(kept, place, "RSA-OAEP", Ciphertext(value=sealed))
    assert opened.reveal() == b"hello"
    await keeper.discard(kept, place)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("told", [True, False])
async def test_an_elliptic_key_comes_in_and_stays(keeper, exchange, place, curve, told):
    theirs = ec.generate_private_key(CURVES[curve])
    kept = await take(keeper, exchange, pkcs8(theirs), type=KeyType.EC, curve=curve if told else None)
    assert public_key_of(kept) == theirs.public_key()
    assert attributes_of(keeper, kept) == STAYS | {"SIGN": True, "DECRYPT": False, "UNWRAP": False}
    row = signature_of(kept.spec)
    signed, digest = await keeper.sign(kept, place, row.name, digest_for(row)), digest_for(row)
    half = len(signed) // 2
    der = encode_dss_signature(int.from_bytes(signed[:half]), int.from_bytes(signed[half:]))
    hash_ = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[row.digest]
    theirs.public_key().verify(der, digest, ec.ECDSA(Prehashed(hash_)))
    await keeper.discard(kept, place)


@pytest.mark.parametrize(("bits", "aes"), [(2048, 32), (3072, 16), (4096, 24)])
async def test_key_exchange_keys_and_aes_keys_of_each_size_carry_one(keeper, made, place, bits, aes):
    exchange = await exchange_of(keeper, made, bits)
    theirs = ec.generate_private_key(ec.SECP256R1())
    blob = wrapped_to(exchange, pkcs8(theirs), once=os.urandom(aes))
    kept = await take(keeper, exchange, None, blob=blob, type=KeyType.EC)
    assert public_key_of(kept) == theirs.public_key()
    await keeper.discard(kept, place)


@pytest.mark.parametrize("kind", [("RSA", "rsa_keygen_bits:2048"), ("EC", "ec_paramgen_curve:P-384")])
async def test_openssl_wraps_a_key_for_the_token(keeper, exchange, place, tmp_path, kind):
    for name, content in (("kek", public_pem(exchange)), ("once", once := os.urandom(32))):
        (tmp_path / name).write_bytes(content)
    pem = openssl("genpkey", "-algorithm", kind[0], "-pkeyopt", kind[1])
    der = openssl("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", given=pem)
    padded = ("-pkeyopt", "rsa_padding_mode:oaep")
    head = openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", tmp_path / "kek", *padded, "-in", tmp_path / "once")
    carried = openssl("enc", "-id-aes256-wrap-pad", "-K", once.hex(), "-iv", "A65959A6", given=der)
    kept = await take(keeper, exchange, None, blob=head + carried, type=KeyType(kind[0]))
    assert public_pem(kept) == openssl("pkey", "-pubout", given=pem)
    await keeper.discard(kept, place)


async def test_what_is_told_of_a_key_and_is_so_is_let_in(keeper, exchange, place):
    numbers = environment().public_key().public_numbers()
    told = PublicParts(n=b"\0" + octets(numbers.n), e=octets(numbers.e), x=b"")
    kept = await take(keeper, exchange, pkcs8(environment()), public=told)
    assert kept.public.n == octets(numbers.n)
    await keeper.discard(kept, place)


# --- what does not


async def refused(keeper, exchange, material=None, **said):
    """Return what is said of a key that does not come in, of which nothing is left."""
    before = everything_in(keeper)
    with pytest.raises(BadRequest) as error:
        await take(keeper, exchange, material, **said)
    assert everything_in(keeper) == before
    return error.value.message


async def test_whatever_does_not_unwrap_is_refused_with_one_text_and_leaves_nothing(keeper, exchange):
    key = pkcs8(environment())
    good = wrapped_to(exchange, key)
    stranger = rsa.generate_private_key(65537, 2048).public_key()
    traditional = environment().private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    await refused(keeper, exchange, key, curve="P-256", type=KeyType.EC)  # the first of a process tries the token
    blobs = [
        b"\0",
        good[:100],
        good[:256],
        good[:264],
        good[:-8],
        good[:-3],
        good + bytes(8),
        bytes([good[0] ^ 1]) + good[1:],
        b"\xff" * 256 + good[256:],
        good[:300] + bytes([good[300] ^ 1]) + good[301:],
        good[256:] + good[:256],
        wrapped_to(exchange, key, digest=hashes.SHA256()),
        stranger.encrypt(bytes(32), padding.OAEP(padding.MGF1(SHA1), SHA1, None)) + good[256:],
        wrapped_to(exchange, key)[:256] + good[256:],
        public_key_of(exchange).encrypt(bytes(20), padding.OAEP(padding.MGF1(SHA1), SHA1, None)) + good[256:],
        public_key_of(exchange).encrypt(bytes(32), padding.PKCS1v15()) + good[256:],
        wrapped_to(exchange, b"no key"),
        wrapped_to(exchange, bytes(64)),
        wrapped_to(exchange, traditional),
        wrapped_to(exchange, pkcs8(ec.generate_private_key(ec.SECP256R1()))),
        wrapped_to(exchange, pkcs8(ed25519.Ed25519PrivateKey.generate())),
    ]
    assert {await refused(keeper, exchange, blob=blob) for blob in blobs} == {ONE_TEXT}
    assert await refused(keeper, exchange, key, type=KeyType.EC) == ONE_TEXT


def with_private_value(value):
    """Return PKCS#8 of a key on P-256 with this private value, which is no key's."""
    der = pkcs8(ec.derive_private_key(0x5A5A << 232, ec.SECP256R1()))
    at = der.index(b"\x5a\x5a" + bytes(2)) - 1
    assert der[at - 2 : at] == b"\x04\x20"
    return der[:at] + value.to_bytes(32) + der[at + 32 :]


def with_numbers(**changes):
    """Return PKCS#8 of an RSA key with other numbers, as RFC 8017 names them."""
    numbers = environment().private_numbers()
    members = {
        "version": 0,
        "modulus": numbers.public_numbers.n,
        "public_exponent": numbers.public_numbers.e,
        "private_exponent": numbers.d,
        "prime1": numbers.p,
        "prime2": numbers.q,
        "exponent1": numbers.dmp1,
        "exponent2": numbers.dmq1,
        "coefficient": numbers.iqmp,
    }
    return keys.PrivateKeyInfo.wrap(keys.RSAPrivateKey(members | changes), "rsa").dump()


def modulus():
    return environment().public_key().public_numbers().n


def other_modulus():
    return rsa.generate_private_key(65537, 2048).public_key().public_numbers().n


def on(curve):
    return pkcs8(ec.generate_private_key(curve))


@pytest.mark.parametrize(
    ("material", "said", "told"),
    [
        (lambda: pkcs8(rsa.generate_private_key(65537, 1024)), {}, "Unsupported key size (1024)"),
        (lambda: pkcs8(rsa.generate_private_key(65537, 2056)), {}, "Unsupported key size (2056)"),
        (lambda: with_numbers(public_exponent=17), {}, "e is not 65537 or 3"),
        (lambda: with_numbers(private_exponent=5, exponent1=3, exponent2=5), {}, "can sign with"),
        (lambda: with_numbers(modulus=modulus() - modulus() % 997), {}, "not the product of two large prime numbers"),
        (lambda: with_numbers(modulus=PRIME), {}, "not the product of two large prime numbers"),
        (lambda: with_numbers(modulus=other_modulus()), {}, "can sign with"),
        (lambda: on(ec.SECP256R1()), {"type": KeyType.EC, "curve": "P-384"}, "another kty or crv"),
        (lambda: on(ec.SECP224R1()), {"type": KeyType.EC}, "another kty or crv"),
        (lambda: with_private_value(0), {"type": KeyType.EC}, "can sign with"),
        (lambda: pkcs8(environment()), {"public": PublicParts(n=b"\3" * 256)}, "what was wrapped has another n"),
        (lambda: pkcs8(environment()), {"public": PublicParts(e=b"\3")}, "what was wrapped has another e"),
        (lambda: pkcs8(environment()), {"public": PublicParts(x=b"\3")}, "what was wrapped has another x"),
        (lambda: on(ec.SECP256R1()), {"type": KeyType.EC, "public": PublicParts(x=b"\3")}, "has another x"),
    ],
    ids=[
        *("short RSA", "odd RSA", "exponent", "private half", "small factor", "prime modulus", "modulus", "curve"),
        *("no curve here", "no private value", "n", "e", "an RSA key has no x", "x"),
    ],
)
async def test_what_comes_in_must_be_sound_and_what_it_is_said_to_be(keeper, exchange, material, said, told):
    assert told in await refused(keeper, exchange, material(), **said)


async def test_a_private_value_past_the_order_is_that_of_another_key_or_none(keeper, exchange, place):
    """A token may take it for what it is modulo the order: then the public half is that key's."""
    order = ec.SECP256R1().group_order
    try:
        kept = await take(keeper, exchange, with_private_value(order + 5), type=KeyType.EC)
    except BadRequest:
        return
    assert public_key_of(kept) == ec.derive_private_key(5, ec.SECP256R1()).public_key()
    await keeper.discard(kept, place)


# --- modules that cannot, and what goes wrong


@pytest.fixture
def forgetful(keeper, monkeypatch):
    """A keeper that knows nothing of its token yet."""
    monkeypatch.setattr(keeper, "_abilities", abilities.Abilities())
    return keeper


def offered_by(keeper):
    return keeper._token.use(lambda opened: frozenset(opened.session.token.slot.get_mechanisms()))


@pytest.mark.parametrize("type_", [KeyType.RSA, KeyType.EC])
async def test_softhsm_takes_wrapped_keys_in_as_few_calls_as_it_can(keeper, type_):
    found = keeper._token.use(lambda opened: abilities.find_transfer(opened, type_))
    assert found is tokentransfer.mechanisms_of(offered_by(keeper))[0]


@pytest.mark.parametrize("kind", ["in one call", "in two calls"])
async def test_each_way_brings_the_same_and_refuses_the_same(forgetful, exchange, place, monkeypatch, kind):
    one, *two = tokentransfer.mechanisms_of(offered_by(forgetful) | {int(RSA_AES_KEY_WRAP)})
    assert (one is RSA_AES_KEY_WRAP, two) == (True, [pkcs11.Mechanism.AES_KEY_WRAP_PAD])
    way = one if kind == "in one call" else two[0]
    if int(way) not in map(int, offered_by(forgetful)):
        pytest.skip("this SoftHSM has no CKM_RSA_AES_KEY_WRAP; one that does can be named by SOFTHSM_MODULE")
    monkeypatch.setattr(abilities, "mechanisms_of", lambda _: [way])
    for theirs, type_ in ((environment(), KeyType.RSA), (ec.generate_private_key(ec.SECP521R1()), KeyType.EC)):
        for aes in (16, 24, 32):
            blob = wrapped_to(exchange, pkcs8(theirs), once=os.urandom(aes))
            kept = await take(forgetful, exchange, None, blob=blob, type=type_)
            assert public_key_of(kept) == theirs.public_key()
            assert attributes_of(forgetful, kept).items() >= STAYS.items()
            await forgetful.discard(kept, place)
            for bad in (blob[:-8], blob[:100], blob[:256], bytes([blob[0] ^ 1]) + blob[1:], blob[:-1] + b"\0"):
                assert await refused(forgetful, exchange, blob=bad, type=type_) == ONE_TEXT
        assert await refused(forgetful, exchange, b"no key", type=type_) == ONE_TEXT


async def test_where_one_call_does_not_do_two_are_tried(forgetful, monkeypatch):
    """As where a module offers a mechanism that it does not carry out: here one that it does not have."""
    ways = [RSA_AES_KEY_WRAP, pkcs11.Mechanism.AES_KEY_WRAP_PAD]
    monkeypatch.setattr(abilities, "mechanisms_of", lambda _: ways)
    monkeypatch.setattr(tokentransfer, "parameters", lambda _: b"")
    found = forgetful._token.use(lambda opened: abilities.find_transfer(opened, KeyType.EC))
    assert found is ways[1]


@pytest.mark.parametrize("lack", ["no mechanism", "not as RFC 5649 says", "no OAEP", "keys that can leave it"])
async def test_a_module_that_cannot_says_so_in_words(forgetful, exchange, monkeypatch, lack):
    kept = await forgetful.make(spec_of(KeyType.EC), a_place())
    ways = [pkcs11.Mechanism.AES_KEY_WRAP_PAD]
    if lack == "no mechanism":
        ways.clear()
    elif lack == "no OAEP":
        monkeypatch.setattr(tokentransfer, "_OAEP", (pkcs11.Mechanism.SHA256, pkcs11.MGF.SHA256, None))
    elif lack == "keys that can leave it":
        monkeypatch.setattr(tokentransfer, "KEPT", {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: True})
    else:
        ways[0] = pkcs11.Mechanism.AES_KEY_WRAP
    monkeypatch.setattr(abilities, "mechanisms_of", lambda _: ways)
    material = pkcs8(ec.generate_private_key(ec.SECP256R1()))
    said = await refused(forgetful, exchange, material, type=KeyType.EC)
    assert said == (
        "The HSM of this server takes no wrapped keys of type EC-HSM. Import the key itself, or create one."
    )
    await forgetful.discard(kept, a_place())


async def test_a_module_that_unwraps_keys_that_could_leave_it_keeps_none(keeper, exchange, monkeypatch):
    await refused(keeper, exchange, pkcs8(environment()), public=PublicParts(e=b"\3"))

    def could_leave(_):
        raise BadRequest("it could leave")

    monkeypatch.setattr("strongroom.custody.pkcs11.require_made_to_stay", could_leave)
    assert await refused(keeper, exchange, pkcs8(environment())) == "it could leave"


async def test_what_the_token_says_of_itself_is_no_fault_of_the_key(keeper, exchange, monkeypatch):
    await refused(keeper, exchange, b"no key")
    before = everything_in(keeper)

    def short(*_):
        raise pkcs11.DeviceMemory

    monkeypatch.setattr("strongroom.custody.pkcs11.identify", short)
    with pytest.raises(HsmUnavailable):
        await take(keeper, exchange, pkcs8(environment()))
    assert everything_in(keeper) == before


async def test_a_key_that_nobody_waits_for_is_destroyed(keeper, exchange, monkeypatch):
    before = everything_in(keeper)
    monkeypatch.setattr("strongroom.custody.pkcs11.threading.Event", _Set)
    assert "Nobody waits" in await refused(keeper, exchange, pkcs8(environment()))
    assert everything_in(keeper) == before


class _Set:
    def is_set(self):
        return True

    def set(self):
        pass


async def test_a_key_that_was_taken_for_nothing_is_found_by_who_looks(keeper, exchange, place):
    before = keeper._token.use(tokenkeys.list_kept)
    kept = await take(keeper, exchange, pkcs8(environment()))  # and the server stops here
    found = dict(keeper._token.use(tokenkeys.list_kept))
    where = open_handle(a_custodian(), kept, place)
    assert found == {**before, where.id: "vault-a"}
    assert keeper._token.use(lambda opened: tokenkeys.destroy(opened, where.id)) == 1


async def test_a_wrapped_key_is_for_a_key_exchange_key_in_its_place_alone(keeper, exchange):
    from strongroom.custody.sealing import SealBroken

    wrapped = WrappedKey(type=KeyType.RSA, blob=wrapped_to(exchange, pkcs8(environment())))
    with pytest.raises(SealBroken):
        await keeper.take_wrapped(wrapped, a_place(), exchange, a_place(name="other"))
