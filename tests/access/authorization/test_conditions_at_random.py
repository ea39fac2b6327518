"""Conditions at random, told by an oracle of their own: what is read is what was written, however it is joined."""

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from authorization_oracle import fits
from strongroom.access.authorization.conditions import MAX_DEPTH, Asked, parse
from strongroom.errors import BadRequest

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET, VAULT = "Microsoft.KeyVault/vaults/secrets:name", "Microsoft.KeyVault/vaults:name"
ROLE, KIND = (f"Microsoft.Authorization/roleAssignments:{name}" for name in ("RoleDefinitionId", "PrincipalType"))
IDS = tuple(f"{number}{number}111111-1111-4111-8111-111111111abc" for number in range(3))
WORDS = ("a", "A", "ab", "Ab", "b", "User", "user")
GLOBS = ("a*", "*B", "?", "a?", "*", "", "\\*", "us*r")
VERBS = ("getSecret/action", "setSecret/action", "delete")
ACTION = "Microsoft.KeyVault/vaults/secrets/"
SOURCES = ("Request", "Resource")

# What a test of an attribute says, of one value and one that it is compared with.
STRINGS = {
    "Equals": lambda left, right: left == right,
    "StartsWith": lambda left, right: left.startswith(right),
    "Like": lambda left, right: fnmatchcase(left, right.replace("\\*", "[*]")),
}
ORDERED = {
    "Equals": lambda left, right: left == right,
    "NotEquals": lambda left, right: left != right,
    "LessThan": lambda left, right: left < right,
    "LessThanEquals": lambda left, right: left <= right,
    "GreaterThan": lambda left, right: left > right,
    "GreaterThanEquals": lambda left, right: left >= right,
}
SETS = {
    "ForAnyOfAnyValues": (any, any),
    "ForAllOfAnyValues": (all, any),
    "ForAnyOfAllValues": (any, all),
    "ForAllOfAllValues": (all, all),
}


@st.composite
def compared(draw, attribute, name, values, judge):
    """A comparison, as it is written and as it is told."""
    sets = draw(st.sampled_from((None, *SETS)))
    chosen = draw(st.lists(values, min_size=1, max_size=1 if sets is None else 3))
    outer, inner = SETS[sets or "ForAnyOfAnyValues"]

    def tell(action, known):
        found = known.get(attribute)
        return None if found is None else outer([inner([judge(one, other) for other in chosen]) for one in found])

    quoted = [f"'{value}'" for value in chosen]
    text = quoted[0] if len(quoted) == 1 and draw(st.booleans()) else "{" + ", ".join(quoted) + "}"
    source, of = attribute
    return f"@{source}[{of}] {f'{sets}:' if sets else ''}{name} {text}", tell


@st.composite
def strings(draw):
    of = draw(st.sampled_from((SECRET, VAULT, KIND)))
    asks, negated, folded = draw(st.sampled_from(tuple(STRINGS))), draw(st.booleans()), draw(st.booleans())
    name = f"String{'Not' if negated else ''}{asks}{'IgnoreCase' if folded else ''}"
    folds = folded or of != KIND

    def judge(left, right):
        left, right = (left.lower(), right.lower()) if folds else (left, right)
        return STRINGS[asks](left, right) is not negated

    return draw(compared((draw(st.sampled_from(SOURCES)), of), name, st.sampled_from(WORDS + GLOBS), judge))


@st.composite
def ids(draw):
    name = draw(st.sampled_from(("Equals", "NotEquals")))
    values = st.sampled_from([change(each) for each in IDS for change in (str.lower, str.upper)])

    def judge(left, right):
        return ORDERED[name](left, right.lower())

    return draw(compared((draw(st.sampled_from(SOURCES)), ROLE), f"Guid{name}", values, judge))


@st.composite
def moments(draw):
    name = draw(st.sampled_from(tuple(ORDERED)))
    values = st.sampled_from([(NOON + timedelta(hours=hours)).isoformat() for hours in (-1, 0, 1)])

    def judge(left, right):
        return ORDERED[name](left, datetime.fromisoformat(right))

    return draw(compared(("Environment", "UtcNow"), f"DateTime{name}", values, judge))


@st.composite
def existing(draw):
    attribute = draw(st.sampled_from(SOURCES)), draw(st.sampled_from((SECRET, ROLE)))
    source, of = attribute
    return f"Exists @{source}[{of}]", lambda _, known: attribute in known


@st.composite
def of_actions(draw):
    pattern = draw(st.sampled_from((ACTION + "*", ACTION + VERBS[0], "*/action", "*", "x/read", ACTION + "*/action")))
    return f"ActionMatches{{'{pattern}'}}", lambda action, _: fits(pattern.lower(), action.lower())


def joined(inner):
    """Terms joined by AND or by OR, or negated: with three truths, the third is that it cannot be told."""

    def of_all(terms):
        texts, tells = zip(*terms, strict=True)

        def tell(action, known):
            truths = [each(action, known) for each in tells]
            return False if False in truths else (None if None in truths else True)

        return "(" + " AND ".join(texts) + ")", tell

    def of_any(terms):
        texts, tells = zip(*terms, strict=True)

        def tell(action, known):
            truths = [each(action, known) for each in tells]
            return True if True in truths else (None if None in truths else False)

        return "(" + " || ".join(texts) + ")", tell

    def negated(term):
        text, tells = term

        def tell(action, known):
            truth = tells(action, known)
            return None if truth is None else not truth

        return f"!({text})", tell

    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(several.map(of_all), several.map(of_any), inner.map(negated))


conditions = st.recursive(
    st.one_of(strings(), strings(), ids(), moments(), existing(), of_actions()), joined, max_leaves=6
)
attributes = st.fixed_dictionaries(
    {("Environment", "UtcNow"): st.just((NOON,))},
    optional={
        (source, of): st.lists(values, min_size=1, max_size=2).map(tuple)
        for source in SOURCES
        for of, values in (
            *((name, st.sampled_from(WORDS)) for name in (SECRET, VAULT, KIND)),
            (ROLE, st.sampled_from(IDS)),
        )
    },
)


@given(conditions, st.sampled_from(VERBS), attributes)
def test_a_condition_says_what_is_written(condition, verb, known):
    text, tell = condition
    asked = Asked(
        (ACTION + verb).lower(), {(source.lower(), of.lower()): found for (source, of), found in known.items()}
    )
    assert parse(text)(asked) is tell(ACTION + verb, known)


@given(st.integers(0, MAX_DEPTH + 4), st.sampled_from(("(", "!", "!(")))
def test_how_deep_it_is_alone_decides_whether_it_is_read(depth, around):
    """`(` and `!` count alike; nothing deeper is read, so that no text can end the program."""
    text = around * depth + "ActionMatches{'a'}" + ")" * (depth if "(" in around else 0)
    try:
        found = parse(text)(Asked("a"))
    except BadRequest:
        assert depth * len(around) > MAX_DEPTH
    else:
        assert depth * len(around) <= MAX_DEPTH + 1
        assert found is (depth % 2 == 0 or around == "(")
