"""Conditions: what is read, what is refused, and what cannot be told grants nothing."""

import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.access.authorization.conditions import (
    MAX_DEPTH,
    MAX_LENGTH,
    SECRET_NAME,
    VAULT_NAME,
    Asked,
    assignment_attributes,
    parse,
    time_attribute,
)
from strongroom.errors import BadRequest

READ = "microsoft.keyvault/vaults/secrets/getsecret/action"
SECRET = "@Resource[Microsoft.KeyVault/vaults/secrets:name]"
ROLE = "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]"
KIND = "@Request[Microsoft.Authorization/roleAssignments:PrincipalType]"
WHO = "@Request[Microsoft.Authorization/roleAssignments:PrincipalId]"
ONE, TWO = "1111abcd-1111-4111-8111-111111111111", "2222abcd-2222-4222-8222-222222222222"


def ask(text, *, action=READ, **attributes):
    known = {("resource", SECRET_NAME): ("prod-key",), ("resource", VAULT_NAME): ("pay",)}
    return parse(text)(Asked(action, known | attributes.get("known", {})))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{SECRET} StringEquals 'prod-key'", True),
        (f"{SECRET} StringEquals 'other'", False),
        (f"{SECRET} StringEquals 'PROD-key'", True),  # names are the same whatever their case
        (f"{SECRET} StringNotEquals 'Prod-Key'", False),
        (f"{SECRET} StringEqualsIgnoreCase 'PROD-KEY'", True),
        (f"{SECRET} StringNotEqualsIgnoreCase 'PROD-KEY'", False),
        (f"{SECRET} StringStartsWith 'prod'", True),
        (f"{SECRET} StringNotStartsWith 'prod'", False),
        (f"{SECRET} StringStartsWithIgnoreCase 'PROD'", True),
        (f"{SECRET} StringNotStartsWithIgnoreCase 'test'", True),
        (f"{SECRET} StringLike 'prod*'", True),
        (f"{SECRET} StringLike 'p?od-k*y'", True),
        (f"{SECRET} StringLike 'prod'", False),
        (f"{SECRET} StringLike 'prod\\*'", False),
        (f"{SECRET} StringLike 'p\\?od-key'", False),
        (f"{SECRET} StringNotLike 'prod*'", False),
        (f"{SECRET} StringLikeIgnoreCase 'PROD*'", True),
        (f"{SECRET} StringNotLikeIgnoreCase 'TEST*'", True),
        (f"{SECRET} StringEquals {{'prod-key'}}", True),
        (f"{SECRET} ForAnyOfAnyValues:StringEquals {{'a', 'prod-key'}}", True),
        (f"{SECRET} ForAnyOfAnyValues:StringEquals {{'a', 'b'}}", False),
        (f"{SECRET} ForAllOfAnyValues:StringLike {{'x*', 'prod*'}}", True),
        (f"{SECRET} ForAnyOfAllValues:StringLike {{'p*', '*y'}}", True),
        (f"{SECRET} ForAllOfAllValues:StringLike {{'p*', '*x'}}", False),
        (f"!({SECRET} StringEquals 'other')", True),
        (f"NOT ({SECRET} StringEquals 'other')", True),
        (f"{SECRET} StringLike 'a*' OR {SECRET} StringLike '*y'", True),
        (f"{SECRET} StringLike 'p*' && {SECRET} StringLike '*x'", False),
        (f"({SECRET} StringLike 'p*' AND {SECRET} StringLike '*x') || {SECRET} StringLike '*y'", True),
        ("ActionMatches{'Microsoft.KeyVault/vaults/secrets/getSecret/action'}", True),
        ("ActionMatches{'Microsoft.KeyVault/vaults/secrets/*'}", True),
        ("!(ActionMatches{'Microsoft.KeyVault/vaults/keys/*'})", True),
        ("@Resource[Microsoft.KeyVault/vaults:name] StringEquals 'pay'", True),
        (f"{SECRET} StringLike 'a' or {SECRET} StringLike 'b' || {SECRET} StringLike 'p*'", True),
        (f"{SECRET} StringLike 'p*' and {SECRET} StringLike '*y' && not {SECRET} StringLike 'b'", True),
        (f"exists {SECRET}", True),
        (f"Exists {SECRET}", True),
        (f"Exists {ROLE}", False),
        (f"NOT Exists {ROLE}", True),
        ("  (( @resource[ MICROSOFT.keyvault/vaults/secrets:NAME ] StringEquals 'prod-key' ))  ", True),
    ],
)
def test_what_a_condition_says(text, expected):
    assert ask(text) is expected


@pytest.mark.parametrize(
    ("sets", "values", "expected"),
    [
        ("ForAnyOfAnyValues", "'a', 'x'", True),
        ("ForAnyOfAnyValues", "'x', 'y'", False),
        ("ForAllOfAnyValues", "'a', 'b', 'x'", True),
        ("ForAllOfAnyValues", "'a', 'x'", False),
        ("ForAnyOfAllValues", "'a', 'a'", True),
        ("ForAnyOfAllValues", "'a', 'b'", False),
        ("ForAllOfAllValues", "'a', 'a'", False),
        ("ForAllOfAllValues", "'x', 'y'", False),
    ],
)
def test_sets_are_compared_as_their_names_say(sets, values, expected):
    """The first word is of the values that the attribute has, here a and b, the second of those of the condition."""
    said = {("request", SECRET_NAME): ("a", "b")}
    text = f"@Request[Microsoft.KeyVault/vaults/secrets:name] {sets}:String{{}} {{{{{values}}}}}"
    assert ask(text.format("Equals"), known=said) is expected
    assert ask(f"{SECRET} {sets}:StringLike {{'p*', '*y'}}") is True


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [
        ("a*c", "a\\*c", True),
        ("abc", "a\\*c", False),
        ("a?c", "a\\?c", True),
        ("a\\*c", "a\\*c", False),
        ("a\\c", "a\\c", True),
        ("a\\", "a\\", True),
        ("a\nc", "a*c", True),
        ("a\nc", "a?c", True),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
        ("xaybz", "*a*b*", True),
        ("xbyaz", "*a*b*", False),
        ("xayz", "*a*b*", False),
        ("xayz", "*a*", True),
        ("xyz", "*a*", False),
        ("abxcd", "a*b*d", True),
        ("axd", "a*b*d", False),
        ("abxb", "a*b*", True),
        ("aacb", "a*b*a", False),
    ],
)
def test_what_a_pattern_of_a_condition_matches(value, pattern, expected):
    said = {("request", SECRET_NAME): (value,)}
    assert ask(f"{SECRET.replace('Resource', 'Request')} StringLike '{pattern}'", known=said) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{ROLE} GuidEquals '{ONE}'", None),
        (f"!({ROLE} GuidEquals '{ONE}')", None),
        (f"{ROLE} GuidNotEquals '{ONE}'", None),
        (f"{ROLE} GuidEquals '{ONE}' OR {SECRET} StringLike '*'", True),
        (f"{ROLE} GuidEquals '{ONE}' OR {SECRET} StringLike 'x'", None),
        (f"{ROLE} GuidEquals '{ONE}' AND {SECRET} StringLike 'x'", False),
        (f"{ROLE} GuidEquals '{ONE}' AND {SECRET} StringLike '*'", None),
    ],
)
def test_what_is_not_there_can_be_told_by_nobody(text, expected):
    assert ask(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{ROLE} GuidEquals {ONE}", True),
        (f"{ROLE} GuidEquals '{ONE.upper()}'", True),
        (f"{ROLE} GuidNotEquals {ONE}", False),
        (f"{ROLE} ForAnyOfAnyValues:GuidEquals{{{TWO}, {ONE}}}", True),
        (f"{ROLE} ForAnyOfAnyValues:GuidEquals{{{TWO}}}", False),
        (f"{WHO} GuidEquals {TWO}", True),
        (f"{WHO} GuidEquals {TWO.upper()}", True),
        (f"{WHO} GuidEquals {ONE}", False),
        (f"{KIND} StringEqualsIgnoreCase 'user'", True),
        (f"{KIND} StringEquals 'user'", False),
        (f"{KIND} StringEquals 'User'", True),
    ],
)
def test_what_an_assignment_says_of_itself(text, expected):
    said = assignment_attributes("request", role_id=ONE.upper(), principal_id=TWO.upper(), principal_type="User")
    assert ask(text, known=said) is expected
    assert ask(text.replace("@Request", "@Resource"), known=said) is None


@pytest.mark.parametrize(
    ("operator", "moment", "expected"),
    [
        ("GreaterThan", "2026-01-01T00:00:00Z", True),
        ("GreaterThan", "2026-06-01T12:00:00.000Z", False),
        ("GreaterThanEquals", "2026-06-01T12:00:00+00:00", True),
        ("LessThan", "2026-06-01T14:00:00+02:00", False),
        ("LessThanEquals", "2026-06-01T14:00:00+02:00", True),
        ("Equals", "2026-06-01T12:00:00", True),
        ("NotEquals", "2026-06-01T12:00:00", False),
    ],
)
def test_conditions_ask_what_time_it_is(operator, moment, expected):
    now = time_attribute(datetime(2026, 6, 1, 12, tzinfo=UTC))
    assert ask(f"@Environment[UtcNow] DateTime{operator} '{moment}'", known=now) is expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "ends too early"),
        ("(", "ends too early"),
        (f"{SECRET} StringEquals", "ends too early"),
        (f"({SECRET} StringEquals 'a'", "ends too early"),
        (f"({SECRET} StringEquals 'a' 'b')", "')' is missing"),
        (f"{SECRET} StringEquals 'a')", "not expected after its end"),
        (f"{SECRET} StringEquals 'a", "cannot be read"),
        (f"{SECRET} StringEquals a", "no value"),
        (f"{SECRET} StringEquals {{'a', 'b'}}", "ForAnyOfAnyValues:StringEquals"),
        (f"{SECRET} StringSounds 'a'", "no operator"),
        (f"{SECRET} GuidEquals {ONE}", "'GuidEquals' is no operator for an attribute of kind Name."),
        (f"{ROLE} StringEquals 'a'", "no operator"),
        (f"{ROLE} DateTimeEquals '2026-01-01'", "no operator"),
        (f"@Environment[UtcNow] GuidEquals {ONE}", "no operator"),
        (f"{SECRET} Equals 'a'", "no operator"),
        (f"{KIND} Equals 'a'", "no operator"),
        (f"{ROLE} GuidEquals 'a'", "no value"),
        (f"{SECRET} ForSomeValues:StringEquals 'a'", "no way to compare"),
        ("@Environment[UtcNow] DateTimeEquals 'today'", "no value"),
        ("@Principal[Microsoft.Directory/x:y] StringEquals 'a'", "no attribute that is known"),
        ("@Resource[Microsoft.Storage/storageAccounts:name] StringEquals 'a'", "no attribute that is known"),
        ("Exists ActionMatches", "no attribute that is known"),
        (f"Exiſts {SECRET}", "cannot be read"),  # whose capital letter is that of s
        ("ActionMatches{a}", "in quotes"),
        (f"ActionMatches{{'{'a' * 257}'}}", "of at most 256 characters"),
        ("ActionMatches('a')", "'{' is missing"),
        ("SubOperationMatches{'Blob.List'}", "none of ActionMatches"),
        ("ActionMatches{'a'} AND ActionMatches{'b'} OR ActionMatches{'c'}", "set parentheses"),
        ("(" * (MAX_DEPTH + 2) + "ActionMatches{'a'}" + ")" * (MAX_DEPTH + 2), "deep"),
        ("!" * (MAX_DEPTH + 2) + "ActionMatches{'a'}", "negated"),
        ("x" * (MAX_LENGTH + 1), "characters"),
    ],
)
def test_what_cannot_be_decided_is_refused_in_words(text, told):
    with pytest.raises(BadRequest) as refused:
        parse(text)
    assert refused.value.code == "InvalidCondition"
    assert told in refused.value.message


def is_read(text):
    try:
        parse(text)
    except BadRequest:
        return False
    return True


def test_how_long_and_how_deep_a_condition_may_be():
    action = "ActionMatches{'a'}"
    assert is_read(f"ActionMatches{{'{'a' * 256}'}}")
    assert is_read(action.ljust(8192))
    assert not is_read(action.ljust(8193))
    for mark, end, most in (("(", ")", 40), ("!", "", 41), ("!(", ")", 20)):
        assert is_read(mark * most + action + end * most), mark
        assert not is_read(mark * (most + 1) + action + end * (most + 1)), mark


@given(st.text(alphabet="@[](){}!&|',: aAnNdDoOrR*?\\'", max_size=60))
def test_no_text_does_anything_else(text):
    with suppress(BadRequest):
        assert parse(text)(Asked("a")) in {True, False, None}


def like(pattern):
    """Return what StringLike matches, said by a regular expression that may take long."""
    wild = {"*": ".*", "?": "."}
    parts = re.findall(r"\\[*?]|.", pattern, re.DOTALL)
    return re.compile("".join(wild.get(part, re.escape(part[-1])) for part in parts), re.DOTALL)


@given(st.text("ab*?\\\n", max_size=8), st.text("ab*?\\\n", max_size=8))
def test_a_text_with_wildcards_matches_what_it_says(pattern, name):
    found = ask(f"{SECRET} StringLike '{pattern}'", known={("resource", SECRET_NAME): (name,)})
    assert found is (like(pattern).fullmatch(name) is not None)


@pytest.mark.parametrize("pattern", ["*a" * 4000 + "b", "*" * 8000, "*?a" * 2000 + "b", "*aaaaaaaaab" * 700])
def test_no_text_with_wildcards_takes_long(pattern):
    known = {("resource", SECRET_NAME): ("a" * 127,)}
    assert ask(f"{SECRET} StringLike '{pattern}'", known=known) is (set(pattern) == {"*"})
