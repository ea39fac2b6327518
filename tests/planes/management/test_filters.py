from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import BadRequest
from strongroom.planes.management.filters import MAX_TERMS, parse_filter
from strongroom.planes.management.groups import RESOURCE_FIELDS

FIELDS = {
    "resourcetype": "Microsoft.KeyVault/vaults",
    "name": "Pay-Vault",
    "resourcegroup": "Prod",
    "location": "westeurope",
}
TAGS = {"Team": "Blue", "department": "it's", "empty": ""}


def keeps(text):
    return parse_filter(text, RESOURCE_FIELDS).keeps(FIELDS, TAGS)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", True),
        ("  ", True),
        ("resourceType eq 'microsoft.keyvault/VAULTS'", True),
        ("resourceType ne 'Microsoft.KeyVault/vaults'", False),
        ("resourceType eq 'Microsoft.Storage/storageAccounts'", False),
        ("name eq 'pay-vault' and resourceGroup EQ 'prod'", True),
        ("name eq 'pay-vault' AND resourceGroup eq 'test'", False),
        ("name eq 'other' or resourceGroup eq 'prod'", True),
        ("name eq 'pay-vault' or name eq 'other' and location eq 'nowhere'", True),
        ("name eq 'other' and location eq 'westeurope' or name ne 'pay-vault'", False),
        ("location eq 'West Europe'", True),
        ("location ne 'westus'", True),
        ("substringof('VAULT', name)", True),
        ("substringof( 'rod' ,resourceGroup ) and name ne 'x'", True),
        ("substringof('rot', name)", False),
        ("tagname eq 'team'", True),
        ("tagName eq 'team' and tagValue eq 'blue'", True),
        ("tagName eq 'department' and tagValue eq 'it''s'", True),
        ("tagName eq 'empty' and tagValue eq ''", True),
        ("tagName eq 'team' and tagValue eq 'it''s'", False),
        ("tagValue eq 'blue'", True),
        ("startswith(tagName, 'DEP')", True),
        ("startswith(tagname,'part')", False),
        ("startswith(tagName, 'dep') and tagValue eq 'blue'", False),
    ],
)
def test_what_a_filter_keeps(text, kept):
    assert keeps(text) is kept


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "name eq",
        "name eq pay",
        "name gt 'a'",
        "colour eq 'red'",
        "name eq 'a' and",
        "name eq 'a' or",
        "name eq 'a' name eq 'b'",
        "name eq 'a' and name eq 'b'",
        "(name eq 'a')",
        "not name eq 'a'",
        "tagName ne 'a'",
        "tagValue ne 'a'",
        "substringof('a', location)",
        "substringof(name, 'a')",
        "startswith(name, 'a')",
        "startswith('a', tagName)",
        "name eq 'a'b'",
        " or ".join(["name eq 'a'"] * (MAX_TERMS + 1)),
    ],
)
def test_other_forms_are_refused(text):
    with pytest.raises(BadRequest) as refused:
        parse_filter(text, RESOURCE_FIELDS)
    assert refused.value.code == "InvalidFilterInQueryString"


PIECES = ["name eq 'a'", " and ", " or ", "(", "'", "tagName"]


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_a_filter_or_is_refused(text):
    with suppress(BadRequest):
        assert keeps(text) in {True, False}


@given(st.text(min_size=1, max_size=30))
def test_a_value_is_found_whatever_it_is(value):
    quoted = value.replace("'", "''")
    assert parse_filter(f"name eq '{quoted}'", RESOURCE_FIELDS).keeps({**FIELDS, "name": value}, {})
