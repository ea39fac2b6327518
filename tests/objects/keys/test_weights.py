import pytest

from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType
from strongroom.objects.keys.weights import weight_of_making, weight_of_use
from strongroom.planes.data.throttling import VAULT_LIMIT

# How many of each a vault may do in 10 seconds: "Azure Key Vault service limits", in software and in an HSM.
LIMITS = {
    (KeyType.RSA, 2048): (4_000, 2_000),
    (KeyType.RSA, 3072): (1_000, 500),
    (KeyType.RSA, 4096): (500, 250),
    (KeyType.EC, "P-256"): (4_000, 2_000),
    (KeyType.EC, "P-521"): (4_000, 2_000),
    (KeyType.OCT, 256): (4_000, 2_000),
}


@pytest.mark.parametrize(("type_", "size"), LIMITS)
def test_a_use_counts_so_that_the_service_s_limits_come_out(type_, size):
    spec = spec_of(type_, curve=size) if type_ is KeyType.EC else spec_of(type_, bits=size)
    assert tuple(VAULT_LIMIT // weight_of_use(spec, hsm=hsm) for hsm in (False, True)) == LIMITS[type_, size]


def test_keys_are_made_20_times_in_10_seconds_and_10_times_in_an_hsm():
    assert (VAULT_LIMIT // weight_of_making(hsm=False), VAULT_LIMIT // weight_of_making(hsm=True)) == (20, 10)
