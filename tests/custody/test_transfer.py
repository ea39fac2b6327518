import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from doubles import a_custodian
from release_doubles import environment, unwrapped
from storage_doubles import NOON
from strongroom.custody.provider import KeptKey, KeySpec, KeyType, Place, PublicParts, TransferForm, TransferKey
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
