import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_doubles import AUTHORITY, a_policy
from strongroom.errors import BadRequest
from strongroom.objects.keys.release import AskedPolicy, ReleasePolicy, is_equal, parse_rules, spell

NAMES = ["a", "b", "x-ms.c", "x-ms.d.e"]
VALUES = [True, False, "true", "false", "True", "v", "", 0, 1, 1.0, -2.5, 1 << 60]
AUTHORITIES = [AUTHORITY, "https://other.example.test/path"]


def conditions(member):
    return st.builds(
        lambda kind, members: {kind: members}, st.sampled_from(["anyOf", "allOf"]), st.lists(member, min_size=1)
    )


claim_conditions = st.builds(
    lambda name, value: {"claim": name, "equals": value}, st.sampled_from(NAMES), st.sampled_from(VALUES)
)
rules = st.builds(
    lambda authority, body: {"authority": authority} | body,
    st.sampled_from(AUTHORITIES),
    conditions(st.recursive(claim_conditions, conditions, max_leaves=6)),
)
policies = st.builds(lambda any_of: {"version": "1.0.0", "anyOf": any_of}, st.lists(rules, min_size=1, max_size=3))
values = st.sampled_from([*VALUES, None, [], ["v"], {"a": "v"}])
claims = st.fixed_dictionaries(
    {},
    optional={
        "a": values,
        "b": values,
        "x-ms": st.fixed_dictionaries({}, optional={"c": values, "d": st.just({"e": "v"})}),
    },
)


def depth(document):
    """Return how deep conditions are nested in a rule or a condition."""
    members = document.get("anyOf") or document.get("allOf") or []
    return 1 + max(map(depth, members)) if members and "claim" not in document else 0


def holds(condition, told):
    """Answer by the words of the grammar alone whether a condition holds."""
    if "claim" in condition:
        for part in condition["claim"].split("."):
            if not isinstance(told, dict) or part not in told:
                return False
            told = told[part]
        return (type(told), told) in same_as(condition["equals"])
    met = [holds(member, told) for member in condition.get("allOf", condition.get("anyOf"))]
    return all(met) if "allOf" in condition else any(met)


def same_as(value):
    """Return every value that is the same as one, with its type."""
    truths = {True: "true", False: "false"}
    if isinstance(value, bool) or value in {"true", "false"}:
        truth = value if isinstance(value, bool) else value == "true"
        return [(bool, truth), (str, truths[truth])]
    return [(str, value)] if isinstance(value, str) else [(int, value), (float, value)]


@given(policy=policies, told=claims, authority=st.sampled_from(AUTHORITIES))
def test_a_policy_lets_through_what_it_says_and_nothing_else(policy, told, authority):
    if any(depth(rule) > 8 for rule in policy["anyOf"]):
        return
    kept = AskedPolicy(json.dumps(policy).encode()).parse()
    expected = any(rule["authority"] == authority and holds(rule, told) for rule in policy["anyOf"])
    assert kept.allows(authority, told) is expected
    assert json.loads(kept.data) == policy
    assert spell(parse_rules(kept.data)) == kept.data


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: (
            st.lists(each)
            | st.dictionaries(st.sampled_from(["version", "anyOf", "allOf", "authority", "claim", "equals", "x"]), each)
        ),
    ).map(lambda each: json.dumps(each).encode())
)
def test_what_is_no_policy_is_refused_in_words_and_never_breaks(data):
    refused = None
    try:
        kept = AskedPolicy(data).parse()
    except BadRequest as error:
        refused = error
    assert refused.message.startswith("Key Release Policy: ") if refused else kept.rules()


def rule(**changes):
    return {"authority": AUTHORITY, "allOf": [{"claim": "a", "equals": "b"}]} | changes


def nested(depth):
    condition = {"claim": "a", "equals": "b"}
    for _ in range(depth):
        condition = {"anyOf": [condition]}
    return a_policy(anyOf=[{"authority": AUTHORITY} | condition])


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"anyOf": [rule()]}, "missing 'version' property"),
        (a_policy(version="1.0"), "its version is 1.0.0"),
        (a_policy(version=1), "its version is 1.0.0"),
        (a_policy(anyOf=[]), "'anyOf' is an array of at least one"),
        ({"version": "1.0.0", "allOf": [rule()]}, "a policy has 'anyOf', 'version', and nothing else"),
        (a_policy(also=1), "a policy has 'anyOf', 'version', and nothing else"),
        (a_policy(anyof=[rule()]), "and nothing else once"),
        (a_policy(anyOf=["x"]), "an authority is an object"),
        (a_policy(anyOf=[rule(authority=None)]), "an https address"),
        (a_policy(anyOf=[rule(authority="attest.example.test")]), "an https address"),
        (a_policy(anyOf=[rule(authority="https://a@b")]), "an https address"),
        (a_policy(anyOf=[rule(anyOf=[])]), "conditions are either 'anyOf' or 'allOf'"),
        (a_policy(anyOf=[{"authority": AUTHORITY}]), "conditions are either 'anyOf' or 'allOf'"),
        (a_policy(anyOf=[rule(allOf=[])]), "'allOf' is an array of at least one"),
        (a_policy(anyOf=[rule(allOf={"claim": "a", "equals": "b"})]), "'allOf' is an array"),
        (a_policy(anyOf=[rule(allOf=["a"])]), "a condition is an object"),
        (a_policy(anyOf=[rule(allOf=[{"claim": "a", "notEquals": "b"}])]), "a claim condition has 'claim', 'equals'"),
        (a_policy(anyOf=[rule(allOf=[{"claim": "a"}])]), "needs 'equals'"),
        (a_policy(anyOf=[rule(allOf=[{"claim": "a", "equals": None}])]), "needs 'equals'"),
        (a_policy(anyOf=[rule(allOf=[{"claim": "a", "equals": ["b"]}])]), "needs 'equals'"),
        (a_policy(anyOf=[rule(allOf=[{"claim": 1, "equals": "b"}])]), "a claim is named by names"),
        (a_policy(anyOf=[rule(allOf=[{"claim": "a..b", "equals": "b"}])]), "a claim is named by names"),
        (nested(9), "nested at most 8 deep"),
    ],
)  # fmt: skip
def test_what_is_not_of_the_grammar_is_refused_and_told(document, told):
    with pytest.raises(BadRequest, match="Key Release Policy: ") as refused:
        AskedPolicy(json.dumps(document).encode()).parse()
    assert told in refused.value.message


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b"[" * 5000, b'{"version":"1.0.0"'])
def test_what_is_no_json_is_no_policy(data):
    with pytest.raises(BadRequest, match="Key Release Policy: it is no JSON"):
        AskedPolicy(data).parse()


def test_keywords_are_known_in_any_case_and_kept_in_one():
    asked = {"Version": "1.0.0", "ANYOF": [{"allof": [{"Claim": "A", "EQUALS": "B"}], "Authority": AUTHORITY}]}
    assert AskedPolicy(json.dumps(asked).encode()).parse().data == (
        b'{"version":"1.0.0","anyOf":[{"authority":"https://attest.example.test","allOf":[{"claim":"A","equals":"B"}]}]}'
    )


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
)
def test_a_policy_is_json(content_type):
    assert AskedPolicy(json.dumps(a_policy()).encode(), content_type).parse().immutable is False
    with pytest.raises(BadRequest, match="its contentType is 'application/json; charset=utf-8'"):
        AskedPolicy(json.dumps(a_policy()).encode(), "text/plain").parse()
    with pytest.raises(BadRequest, match="missing 'data' property"):
        AskedPolicy(None, content_type).parse()


def kept(policy=None, *, immutable=False):
    return AskedPolicy(json.dumps(policy or a_policy()).encode(), immutable=immutable)


OTHER = a_policy("https://other.example.test")


@pytest.mark.parametrize(
    ("before", "asked", "is_taken"),
    [
        (None, kept(), True),
        (kept(), kept(OTHER), True),
        (kept(), kept(immutable=True), True),
        (kept(immutable=True), kept(immutable=True), True),
        (kept(immutable=True), kept(), False),
        (kept(immutable=True), kept(OTHER, immutable=True), False),
        (kept(immutable=True), AskedPolicy(b"{}", immutable=True), False),
        (kept(immutable=True), AskedPolicy(None, immutable=True), False),
    ],
)
def test_an_immutable_policy_stays(before, asked, is_taken):
    policy = before and before.parse()
    if is_taken:
        assert asked.replacing(policy) == asked.parse()
    else:
        with pytest.raises(BadRequest, match=r"AKV\.SKR\.1020: Immutable Key Release Policy cannot be modified\."):
            asked.replacing(policy)


@pytest.mark.parametrize(
    ("found", "wanted", "is_same"),
    [
        (True, "true", True), ("true", True, True), (True, True, True), ("true", "true", True),
        (False, "false", True), (True, "True", False), (True, 1, False), (1, True, False), (True, "false", False),
        ("a", "a", True), ("a", "A", False), ("1", 1, False), (1, "1", False), (1, 1.0, True), (1, 2, False),
        (None, "null", False), ([], "", False), ({}, 0, False), (["a"], "a", False), (None, 0, False),
    ],
)  # fmt: skip
def test_values_are_the_same_or_not(found, wanted, is_same):
    assert is_equal(found, wanted) is is_same


@pytest.mark.parametrize(
    ("issuer", "found"),
    [
        (AUTHORITY, AUTHORITY),
        (AUTHORITY + "/", AUTHORITY),
        ("HTTPS://Attest.example.test:443", AUTHORITY),
        ("http://attest.example.test", None),
        (AUTHORITY + ":444", None),
        (AUTHORITY + "/x", None),
        (AUTHORITY + ".evil.test", None),
        ("", None),
        ("no address", None),
    ],
)
def test_an_authority_is_found_by_its_address_alone(issuer, found):
    policy = ReleasePolicy(json.dumps(a_policy(AUTHORITY + "/")).encode())
    assert policy.find_authority(issuer) == found
