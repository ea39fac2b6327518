import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.ids import (
    GROUP_NAME,
    OBJECT_NAME,
    OBJECT_VERSION,
    VAULT_NAME,
    Scope,
    SubnetId,
    find_subnet_id,
    group_scope,
    is_guid,
    new_guid,
    new_version,
    subscription_scope,
    vault_scope,
)

SEGMENTS = st.lists(st.text("abcXYZ019-", min_size=1, max_size=6), max_size=6)


@pytest.mark.parametrize("name", ["abc", "a1-b", "A" * 24, "vault-1"])
def test_vault_names_that_the_service_takes(name):
    assert VAULT_NAME.match(name)


@pytest.mark.parametrize("name", ["ab", "a" * 25, "1abc", "abc-", "a--b", "-abc", "a_b", "a.b", "abc\n", "äbc", ""])
def test_vault_names_that_the_service_refuses(name):
    assert not VAULT_NAME.match(name)


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("a", True),
        ("-", True),
        ("a" * 127, True),
        ("a" * 128, False),
        ("a_b", False),
        ("", False),
        ("a/b", False),
        ("é", False),
        ("a\n", False),
        ("a\0", False),
    ],
)
def test_object_names(name, fits):
    assert bool(OBJECT_NAME.match(name)) is fits


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("dev", True),
        ("a.b", True),
        ("a.", False),
        ("(x)_-", True),
        ("a/b", False),
        ("", False),
        ("g" * 90, True),
        ("g" * 91, False),
    ],
)
def test_group_names(name, fits):
    assert bool(GROUP_NAME.match(name)) is fits


def test_fresh_ids_have_their_form():
    assert is_guid(new_guid())
    assert OBJECT_VERSION.match(new_version())
    assert new_guid() != new_guid()


@pytest.mark.parametrize(
    "text", ["", "1234", "{00000000-0000-0000-0000-000000000000}", "00000000-0000-0000-0000-00000000000g"]
)
def test_what_is_no_guid(text):
    assert not is_guid(text)


def test_scopes_of_resources():
    assert subscription_scope("S") == "/subscriptions/S"
    assert group_scope("S", "G") == "/subscriptions/S/resourceGroups/G"
    assert vault_scope("S", "G", "V") == "/subscriptions/S/resourceGroups/G/providers/Microsoft.KeyVault/vaults/V"


@given(SEGMENTS, SEGMENTS)
def test_a_scope_holds_what_lies_below_it_whatever_the_case(upper, below):
    outer, inner = Scope.parse("/".join(upper)), Scope.parse("/".join(upper + below).swapcase())
    assert inner.within(outer)
    assert outer.within(inner) is (len(below) == 0)


def test_a_scope_does_not_hold_a_name_that_only_begins_alike():
    assert not Scope.parse("/subscriptions/ab").within(Scope.parse("/subscriptions/a"))


def test_a_scope_reads_as_its_path():
    assert str(Scope.parse("/Subscriptions/A/")) == "/subscriptions/a"


NAMES = st.text("aBc01-_.ü", min_size=1, max_size=64)
SUBNETS = st.builds(SubnetId, NAMES, NAMES, NAMES, NAMES)


def a_subnet_id(named):
    group = group_scope(named.subscription_id, named.group)
    return f"{group}/providers/Microsoft.Network/virtualNetworks/{named.network}/subnets/{named.subnet}"


@given(SUBNETS)
def test_a_subnet_id_is_read_as_it_is_written_whatever_the_case(named):
    lower = SubnetId(*[name.lower() for name in (*named.place, named.subnet)])
    text = a_subnet_id(named)
    assert [find_subnet_id(each) for each in (text, text.lower(), text.upper())] == [lower] * 3


SUBNET_ID = a_subnet_id(SubnetId("s", "g", "n", "web"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no id",
        "/" * 9,
        SUBNET_ID[1:],
        f"/x{SUBNET_ID}",
        f"{SUBNET_ID}/",
        f"{SUBNET_ID}/x",
        f"{SUBNET_ID}\n",
        SUBNET_ID.removesuffix("web"),
        SUBNET_ID.replace("/n/", "//"),
        SUBNET_ID.replace("/n/", "/n n/"),
        SUBNET_ID.replace("web", "w" * 81),
        SUBNET_ID.replace("Microsoft.Network", "MicrosoftxNetwork"),
        SUBNET_ID.replace("subnets", "peerings"),
    ],
)
def test_what_is_no_subnet_id(text):
    assert find_subnet_id(text) is None
