import pytest

from management_doubles import BASE, KEY_VAULT, RESOURCES, group_path, vault_path
from strongroom.errors import BadRequest
from strongroom.planes.management.versions import KEY_VAULT as KEY_VAULT_VERSIONS
from strongroom.planes.management.versions import rbac_by_default, require_supported

LISTED = [
    "2015-06-01",
    "2016-10-01",
    "2018-02-14",
    "2019-09-01",
    "2021-10-01",
    "2022-07-01",
    "2022-11-01",
    "2023-02-01",
    "2023-07-01",
    "2024-11-01",
    "2025-05-01",
    "2026-02-01",
    "2026-05-15",
]


@pytest.mark.parametrize("version", LISTED)
def test_every_documented_version_of_the_provider_is_spoken(version):
    require_supported(vault_path(), version, "")


@pytest.mark.parametrize("version", ["2015-11-01", "2022-12-01", "2024-11-01", "2025-04-01", "2024-06-01-PREVIEW"])
def test_versions_of_the_core_are_spoken(version):
    require_supported(group_path(), version, "")


@pytest.mark.parametrize(
    ("path", "version", "code"),
    [
        (group_path(), None, "MissingApiVersionParameter"),
        (group_path(), "", "MissingApiVersionParameter"),
        (group_path(), "2010-01-01", "InvalidApiVersionParameter"),
        (group_path(), "latest", "InvalidApiVersionParameter"),
        (vault_path(), None, "MissingApiVersionParameter"),
        (vault_path(), "7.4", "InvalidApiVersionParameter"),
        (vault_path(), "2024-01-01", "NoRegisteredProviderFound"),
        (f"{BASE}/providers/Microsoft.KeyVault/register", KEY_VAULT_VERSIONS[-1], "InvalidApiVersionParameter"),
        (
            f"{BASE}/providers/Microsoft.KeyVault/locations/local/deletedVaults/x",
            "2019-01-01",
            "NoRegisteredProviderFound",
        ),
    ],
)
def test_other_versions_are_refused(path, version, code):
    with pytest.raises(BadRequest) as refused:
        require_supported(path, version, "local")
    assert refused.value.code == code


def test_the_refusal_of_a_provider_names_the_type_and_what_it_speaks():
    with pytest.raises(BadRequest) as refused:
        require_supported(vault_path(), "2024-01-01", "local,westeurope")
    assert "API version '2024-01-01' for type 'vaults'" in refused.value.message
    assert "2026-02-01" in refused.value.message
    assert "The supported locations are 'local,westeurope'." in refused.value.message


def test_our_own_provider_has_no_versions():
    require_supported("/providers/Strongroom.Rehearsal/clock", None, "")


@pytest.mark.parametrize(
    ("version", "expected"), [("2026-01-31", False), ("2026-02-01", True), ("2026-03-01-preview", True)]
)
def test_rbac_by_default(version, expected):
    assert rbac_by_default(version) is expected


async def test_the_version_counts_before_the_permission_and_after_the_token(world):
    stranger = await world.someone()
    for path, version, code in (
        (vault_path(), "", "MissingApiVersionParameter"),
        (group_path(), KEY_VAULT, "InvalidApiVersionParameter"),
        (vault_path(), RESOURCES, "AuthorizationFailed"),
    ):
        assert (await world.ask("GET", path, version=version, who=stranger)).code == code
    assert (await world.send("GET", vault_path())).status == 401


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"{vault_path()}/keys/k/versions/1", "vaults/keys/versions"),
        (f"{vault_path()}/keys", "vaults/keys"),
        (f"{BASE}/providers/Microsoft.KeyVault/locations/local/deletedVaults/x/purge", "locations/deletedVaults"),
        (f"{BASE}/providers/Microsoft.KeyVault/checkNameAvailability", "checkNameAvailability"),
    ],
)
def test_the_refusal_names_the_type_of_what_lies_in_a_vault(path, kind):
    with pytest.raises(BadRequest) as refused:
        require_supported(path, "2016-10-01", "local", since="2019-09-01")
    assert f"for type '{kind}'" in refused.value.message
    assert "2019-09-01, 2018" not in refused.value.message
    require_supported(path, "2019-09-01", "local", since="2019-09-01")
