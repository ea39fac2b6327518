"""What `$filter` asks for: how its terms are read, for every list that has one, and what lists of resources keep.

Those: comparisons, parts of names and beginnings of tag names, joined by `and` and `or`. `and` binds closer than
`or`; there are no parentheses. Values compare without regard to case, locations without spaces.
Source: REST Resources, List (`$filter`); what `az resource list` and the SDKs send.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from strongroom.errors import BadRequest
from strongroom.resources.locations import canonical

TAG_NAME, TAG_VALUE = "tagname", "tagvalue"
LOCATION = "location"
VALUE = r"'(?P<value>(?:[^']|'')*)'"
COMPARISON = re.compile(rf"\s*(?P<field>\w+)\s+(?P<test>eq|ne)\s+{VALUE}\s*", re.ASCII | re.IGNORECASE)
PART = re.compile(rf"\s*(?P<test>substringof)\(\s*{VALUE}\s*,\s*(?P<field>\w+)\s*\)\s*", re.ASCII | re.IGNORECASE)
START = re.compile(rf"\s*(?P<test>startswith)\(\s*(?P<field>\w+)\s*,\s*{VALUE}\s*\)\s*", re.ASCII | re.IGNORECASE)
AND = re.compile(r"(and)\b", re.ASCII | re.IGNORECASE)
AND_OR = re.compile(r"(and|or)\b", re.ASCII | re.IGNORECASE)
SEARCHED = frozenset({"name", "resourcegroup"})
MAX_TERMS = 100

TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": lambda kept, asked: kept == asked,
    "ne": lambda kept, asked: kept != asked,
    "substringof": lambda kept, asked: asked in kept,
    "startswith": lambda kept, asked: kept.startswith(asked),
}


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: a field (in lower case), how it is tested, and against what (as it compares)."""

    field: str
    test: str
    value: str


@dataclass(frozen=True, slots=True)
class Filter:
    """What `$filter` asks for: all terms of at least one of the choices; everything where there is no choice."""

    choices: tuple[tuple[Term, ...], ...]

    def keeps(self, fields: Mapping[str, str], tags: Mapping[str, str]) -> bool:
        """Answer whether something with these fields (names in lower case) and tags passes."""
        return not self.choices or any(_fits(choice, fields, tags) for choice in self.choices)


def _fits(terms: tuple[Term, ...], fields: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    """Answer whether all terms hold; those about tags hold for one and the same tag."""
    of_tags = [term for term in terms if term.field in {TAG_NAME, TAG_VALUE}]
    if of_tags and not any(_tag_fits(of_tags, name.lower(), value.lower()) for name, value in tags.items()):
        return False
    return all(
        TESTS[term.test](_comparable(term.field, fields[term.field]), term.value)
        for term in terms
        if term.field not in {TAG_NAME, TAG_VALUE}
    )


def _tag_fits(terms: list[Term], name: str, value: str) -> bool:
    return all(TESTS[term.test](name if term.field == TAG_NAME else value, term.value) for term in terms)


def parse_filter(text: str, known: frozenset[str]) -> Filter:
    """Return the filter of a query; BadRequest (InvalidFilterInQueryString) for a form that is not kept here.

    Kept: `field eq 'value'` and `ne`, `substringof('value', name)`, `startswith(tagName, 'value')`. known: the fields.
    """
    choices: list[list[Term]] = [[]]
    for number, (word, found) in enumerate(read_terms(text, COMPARISON, PART, START, joint=AND_OR)):
        field, test = found["field"].lower(), found["test"].lower()
        if field not in known or not _is_testable(field, test) or number == MAX_TERMS:
            raise bad_filter(text)
        if word == "or":
            choices.append([])
        choices[-1].append(Term(field, test, _comparable(field, found["value"].replace("''", "'"))))
    if any(_is_said_twice(choice) for choice in choices):
        raise bad_filter(text)
    return Filter(tuple(tuple(choice) for choice in choices if choice))


def read_terms(text: str, *forms: re.Pattern[str], joint: re.Pattern[str] = AND) -> Iterator[tuple[str, re.Match[str]]]:
    """Return the terms of a filter in one of these forms, each with the word that joins it to the one before, or "".

    A form takes the blanks around its term. BadRequest (InvalidFilterInQueryString) for what is neither term nor joint.
    """
    position, word, end = 0, "", len(text.rstrip())
    while position < end or word:
        found = next((match for form in forms if (match := form.match(text, position))), None)
        if found is None:
            raise bad_filter(text)
        yield word, found
        position, word = found.end(), ""
        if position < end:
            joined = joint.match(text, position)
            if joined is None:
                raise bad_filter(text)
            position, word = joined.end(), joined[1].lower()


def _is_testable(field: str, test: str) -> bool:
    if test == "substringof":
        return field in SEARCHED
    if test == "startswith":
        return field == TAG_NAME
    return test == "eq" or field not in {TAG_NAME, TAG_VALUE}


def _is_said_twice(terms: list[Term]) -> bool:
    equal = [term.field for term in terms if term.test == "eq"]
    return len(equal) != len(set(equal))


def _comparable(field: str, value: str) -> str:
    return canonical(value) if field == LOCATION else value.lower()


def bad_filter(text: str) -> BadRequest:
    """Return the refusal of a filter that is not understood."""
    return BadRequest(f"Invalid $filter '{text}' specified in the query string.", code="InvalidFilterInQueryString")
