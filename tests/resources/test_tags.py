import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import BadRequest
from strongroom.resources.tags import TagChange, change_tags, require_tag_change

names = st.sampled_from(["a", "A", "b", "team", "Team"])


def alike(given_tags):
    """Return tags in which no name is another one but for its case."""
    return {name.lower(): value for name, value in given_tags.items()}


pairs = st.dictionaries(names, st.sampled_from(["", "x", "y"]), max_size=4).map(alike)


@given(pairs, pairs)
def test_merging_keeps_what_is_not_given(before, asked):
    assert dict(change_tags(tuple(before.items()), TagChange.MERGE, asked)) == before | asked


@given(pairs, pairs)
def test_replacing_keeps_nothing(before, asked):
    assert dict(change_tags(tuple(before.items()), TagChange.REPLACE, asked)) == asked


@given(pairs, pairs)
def test_deleting_takes_what_is_named_with_its_value_or_without_any(before, asked):
    left = dict(change_tags(tuple(before.items()), TagChange.DELETE, asked))
    assert left == {n: v for n, v in before.items() if not (n in asked and asked[n] in {"", v})}


def test_names_keep_the_spelling_that_they_have():
    assert change_tags((("Team", "x"),), TagChange.MERGE, {"TEAM": "y", "New": "z"}) == (("Team", "y"), ("New", "z"))
    assert change_tags((("Team", "x"),), TagChange.DELETE, {"tEAM": "x"}) == ()


def test_together_they_are_no_more_than_a_resource_may_have():
    before = tuple((f"a{number}", "") for number in range(50))
    with pytest.raises(BadRequest) as refused:
        change_tags(before, TagChange.MERGE, {"b": ""})
    assert refused.value.code == "InvalidTags"
    assert change_tags(before, TagChange.MERGE, {"A1": "x"})[1] == ("a1", "x")


def test_changes_are_named_in_any_case():
    assert require_tag_change("MERGE") is TagChange.MERGE
    for name in (None, "", "add"):
        with pytest.raises(BadRequest) as refused:
            require_tag_change(name)
        assert refused.value.code == "InvalidTagsPatchOperation"
