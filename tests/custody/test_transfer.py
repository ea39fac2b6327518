import os

import pytest
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from doubles import a_custodian
from release_doubles import DIGESTS, environment, unwrapped
from storage_doubles import NOON
from strongroom.custody.provider import (
    KeptKey,
    KeySpec,
    KeyType,
    Place,
    PublicParts,
    TransferForm,
    TransferKey,
    WrappedKey,
)
from strongroom.custody.sealing import Context
from strongroom.custody.software import SoftwareProvider
from strongroom.custody.store import Purpose
from strongroom.custody.transfer import wrap
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive


def to(key, e=None):
    public = key.public_key().public_numbers()
    return TransferKey(public.n.to_bytes(key.key_size // 8), (e or public.e).to_bytes(8))


@pytest.mark.parametrize("form", TransferForm)
@pytest.mark.parametrize("bits", [2048, 3072, 4096])
@pytest.mark.parametrize("length", [16, 24, 32, 121, 1218])
def test_a_key_arrives_as_it_left(form, bits, length):
    material = bytes(range(256)) * 5
    blob = wrap(Sensitive(material[:length]), form, to(environment(bits)))
    assert unwrapped(blob, form.value, environment(bits)) == material[:length]
    assert len(blob) == bits // 8 + (length + 7) // 8 * 8 + 8


def test_no_two_transfers_are_alike():
    blobs = {wrap(Sensitive(bytes(16)), TransferForm.CKM, to(environment())) for _ in range(3)}
    assert len({blob[256:] for blob in blobs}) == 3


@pytest.mark.parametrize(
    "key",
    [
        to(rsa.generate_private_key(65537, 1024)),
        to(environment(), e=1),
        to(environment(), e=4),
        TransferKey(b"", b""),
        TransferKey(b"\xff" * 255, b"\x03"),
        TransferKey(b"\xff" * 4096, b"\x03"),
        TransferKey(b"\xff" * 256, b"\xff" * 9),
    ],
)
def test_what_can_be_no_receiver_s_key_gets_nothing(key):
    with pytest.raises(BadRequest, match="Property target has invalid value: its key for encryption is no RSA key"):
        wrap(Sensitive(bytes(16)), TransferForm.SHA_256, key)


# --- keys that come in


def a_place(custodian, name="k"):
    return Place(custodian.new_key(Purpose.VAULT, "v", 1, NOON), Context("v", "keys", name, "1", "value"))


@pytest.fixture(scope="module")
def custodian():
    return a_custodian()


@pytest.fixture(scope="module")
def keeper(custodian):
    made = SoftwareProvider(custodian)
    yield made
    made.close()


@pytest.fixture
async def exchange(keeper, custodian):
    """A key exchange key, with its place."""
    place = a_place(custodian, "kek")
    return await keeper.make(KeySpec(type=KeyType.RSA, bits=2048, exponent=65537), place), place


def pkcs8(key):
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def wrapped_to(kept, material, form="CKM_RSA_AES_KEY_WRAP", once=None):
    """Wrap as a tool of another maker does: to the public half alone."""
    public = RSAPublicNumbers(int.from_bytes(kept.public.e), int.from_bytes(kept.public.n)).public_key()
    once, digest = once or os.urandom(32), DIGESTS[form]()
    head = public.encrypt(once, padding.OAEP(padding.MGF1(digest), digest, None))
    return head + keywrap.aes_key_wrap_with_padding(once, material)


async def take(keeper, custodian, exchange, blob, **said):
    asked = WrappedKey(**{"type": KeyType.RSA, "blob": blob} | said)
    return await keeper.take_wrapped(asked, a_place(custodian), *exchange)


@pytest.mark.parametrize("bits", [2048, 3072])
@pytest.mark.parametrize("aes", [16, 24, 32])
async def test_an_rsa_key_comes_in(keeper, custodian, exchange, bits, aes):
    blob = wrapped_to(exchange[0], pkcs8(environment(bits)), once=os.urandom(aes))
    kept = await take(keeper, custodian, exchange, blob)
    assert int.from_bytes(kept.public.n) == environment(bits).public_key().public_numbers().n
    assert not kept.exportable


@pytest.mark.parametrize(
    ("curve", "name"),
    [(ec.SECP256R1(), "P-256"), (ec.SECP384R1(), "P-384"), (ec.SECP521R1(), "P-521"), (ec.SECP256K1(), "P-256K")],
)
async def test_an_elliptic_key_comes_in(keeper, custodian, exchange, curve, name):
    key = ec.generate_private_key(curve)
    for told in (None, name):
        kept = await take(keeper, custodian, exchange, wrapped_to(exchange[0], pkcs8(key)), type=KeyType.EC, curve=told)
        assert kept.spec.curve == name
        assert int.from_bytes(kept.public.x) == key.public_key().public_numbers().x


async def test_whatever_does_not_unwrap_is_refused_with_one_text(keeper, custodian, exchange):
    good = wrapped_to(exchange[0], pkcs8(environment()))
    other, _ = exchange[0], None
    stranger = rsa.generate_private_key(65537, 2048).public_key()
    digest = hashes.SHA1()
    blobs = [
        b"",
        good[:100],
        good[:256],
        good[:-8],
        good + bytes(8),
        bytes([good[0] ^ 1]) + good[1:],
        good[:300] + bytes([good[300] ^ 1]) + good[301:],
        good[256:] + good[:256],
        wrapped_to(other, pkcs8(environment()), "RSA_AES_KEY_WRAP_256"),
        stranger.encrypt(bytes(32), padding.OAEP(padding.MGF1(digest), digest, None)) + good[256:],
        wrapped_to(other, pkcs8(environment()), once=bytes(32))[:256] + good[256:],
    ]
    texts = set()
    for blob in blobs:
        with pytest.raises(BadRequest) as refused:
            await take(keeper, custodian, exchange, blob)
        texts.add(refused.value.message)
    assert texts == {"Property key_hsm has invalid value: it does not unwrap with its key exchange key."}


@pytest.mark.parametrize(
    ("material", "said", "told"),
    [
        (b"no key", {}, "what was wrapped is no PKCS#8"),
        (bytes(32), {}, "what was wrapped is no PKCS#8"),
        (pkcs8(ec.generate_private_key(ec.SECP256R1())), {}, "of another kty or crv"),
        (pkcs8(environment()), {"type": KeyType.EC}, "of another kty or crv"),
        (pkcs8(ec.generate_private_key(ec.SECP256R1())), {"type": KeyType.EC, "curve": "P-384"}, "another kty or crv"),
        (pkcs8(ec.generate_private_key(ec.SECP224R1())), {"type": KeyType.EC}, "crv has invalid value"),
        (pkcs8(ed25519.Ed25519PrivateKey.generate()), {}, "of another kty or crv"),
        (pkcs8(rsa.generate_private_key(65537, 1024)), {}, "Unsupported key size"),
    ],
    ids=["text", "zeros", "no RSA", "no EC", "another curve", "a curve that is none here", "Ed25519", "short RSA"],
)
async def test_what_comes_in_must_be_sound(keeper, custodian, exchange, material, said, told):
    with pytest.raises(BadRequest) as refused:
        await take(keeper, custodian, exchange, wrapped_to(exchange[0], material), **said)
    assert told in refused.value.message


async def test_a_key_whose_numbers_do_not_fit_does_not_come_in(keeper, custodian, exchange):
    numbers = environment().private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d, numbers.dmp1 + 2, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    with pytest.raises(BadRequest, match="RSA key is not valid"):
        await take(keeper, custodian, exchange, wrapped_to(exchange[0], pkcs8(wrong)))


async def test_a_keeper_lets_no_key_go_that_is_not_exportable():
    custodian = a_custodian()
    provider = SoftwareProvider(custodian)
    assert provider.releases
    place = Place(custodian.new_key(Purpose.VAULT, "v", 1, NOON), Context("v", "keys", "k", "1", "value"))
    kept = await provider.make(KeySpec(type=KeyType.OCT, bits=128), place)
    with pytest.raises(BadRequest, match="not exportable"):
        await provider.release(kept, place, TransferForm.CKM, to(environment()))
    exportable = KeptKey(spec=kept.spec, handle=kept.handle, public=PublicParts(), exportable=True)
    assert (
        len(
            unwrapped(
                await provider.release(exportable, place, TransferForm.CKM, to(environment())), "CKM_RSA_AES_KEY_WRAP"
            )
        )
        == 16
    )
    assert (await provider.move(exportable, place, place)).exportable
