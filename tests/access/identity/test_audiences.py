import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.access.identity.audiences import Service, find_service, own_audience


@pytest.mark.parametrize(
    ("audience", "service"),
    [
        ("https://vault.localhost", Service.VAULT),
        ("https://vault.localhost/", Service.VAULT),
        ("https://vault.localhost:8443", Service.VAULT),
        ("https://vault.localhost:9/", Service.VAULT),
        ("https://VAULT.localhost", Service.VAULT),
        ("https://managedhsm.localhost:8443", Service.MANAGED_HSM),
        ("https://management.localhost:8443/", Service.MANAGEMENT),
        ("https://graph.localhost:8443/", Service.GRAPH),
        ("https://vault.azure.net", Service.VAULT),
        ("https://managedhsm.azure.net", Service.MANAGED_HSM),
        ("https://management.azure.com/", Service.MANAGEMENT),
        ("https://management.core.windows.net/", Service.MANAGEMENT),
        ("https://graph.microsoft.com", Service.GRAPH),
        ("cfa8b339-82a2-471a-a3c9-0fc0be7a4093", Service.VAULT),
        ("CFA8B339-82A2-471A-A3C9-0FC0BE7A4093", Service.VAULT),
        ("797f4846-ba00-4fd7-ba43-dac1f8f63013", Service.MANAGEMENT),
        ("00000003-0000-0000-c000-000000000000", Service.GRAPH),
    ],
)
def test_a_service_goes_by_these_names(audience, service):
    assert find_service(audience, "localhost") is service


@pytest.mark.parametrize(
    "audience",
    [
        "",
        "vault.localhost",
        "http://vault.localhost",
        "https://vault.localhost//",
        "https://vault.localhost/path",
        "https://vault.localhost?query",
        "https://vault.localhost:port",
        "https://vault.localhost:123456",
        "https://user@vault.localhost",
        "https://vault.localhost\n",
        " https://vault.localhost",
        "https://my.vault.localhost",
        "https://login.localhost",
        "https://localhost",
        "https://vault.localhost.example.test",
        "https://vault.example.test",
        "https://kv.vault.azure.net",
        "https://vault.azure.net.example.test",
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4094",
        "https://vault.localhost/" + "a" * 400,
    ],
)
def test_nothing_else_names_a_service(audience):
    assert find_service(audience, "localhost") is None


@given(st.sampled_from(Service), st.integers(1, 65535), st.sampled_from(["", "/"]))
def test_port_and_one_slash_say_nothing(service, port, slash):
    assert (
        find_service(f"{own_audience(service, 'vaults.example.test')}:{port}{slash}", "vaults.example.test") is service
    )
