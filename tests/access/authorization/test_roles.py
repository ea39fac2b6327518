"""What is remembered between decisions: roles with the answers that they gave, and what one principal holds."""

from datetime import UTC, datetime
from itertools import product

import pytest

from strongroom.access.authorization import evaluation
from strongroom.access.authorization.evaluation import BUILT_IN_ROLES, REMEMBERED, Holdings, Roles, ancestors
from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.access.authorization.roles import OWNER, READER
from strongroom.access.identity.model import PrincipalType


def a_role(role_id="r", **said):
    return RoleDefinition(role_id=role_id, name=role_id, description="", **said)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Owner", OWNER),
        (" owner ", OWNER),
        ("/OWNER/", None),
        ("/providers/Microsoft.Authorization/roleDefinitions/8E3AF657-a8ff-443c-a75c-2fe8c4bcb635/", OWNER),
        ("acdd72a7-3385-48ef-bd42-f606fba81ae7", READER),
        ("Owner/x", None),
        ("Own", None),
        ("", None),
    ],
)
def test_a_role_is_found_by_its_name_or_its_id(text, found):
    assert BUILT_IN_ROLES.find_named(text) is found


def test_a_name_is_a_name_whatever_letters_are_at_its_ends():
    role = RoleDefinition(role_id="r", name="Xerox", description="")
    assert Roles([role]).find_named("xerox") is role


@pytest.fixture
def decided(monkeypatch):
    """The questions that had to be decided, since no answer was remembered."""
    asked, decide = [], evaluation.role_grants

    def note(role, action, *, data):
        asked.append((role.role_id, action, data))
        return decide(role, action, data=data)

    monkeypatch.setattr(evaluation, "role_grants", note)
    return asked


def test_each_question_is_decided_once(decided):
    roles = Roles([a_role("reader", actions=("*/read",)), a_role("writer", data_actions=("*/write",))])
    questions = list(product(("reader", "writer"), ("x/read", "x/write"), (True, False)))
    for _ in range(3):
        granted = [question for question in questions if roles.grants(*question)]
        assert granted == [("reader", "x/read", False), ("writer", "x/write", True)]
    assert decided == questions


def test_what_is_remembered_is_forgotten_once_it_is_too_much(decided, monkeypatch):
    monkeypatch.setattr(evaluation, "REMEMBERED", 2)
    roles = Roles([a_role(actions=("*",))])
    for number in (1, 2, 1, 2, 3, 3, 1):
        assert roles.grants("r", f"x/{number}", False)
    assert [action for _, action, _ in decided] == ["x/1", "x/2", "x/3", "x/1"]


def test_a_role_that_is_not_there_grants_nothing_and_asks_for_nothing():
    roles = Roles([a_role(condition="ActionMatches{'x'}", actions=("*",)), a_role("plain")])
    assert not roles.grants("none", "x", False)
    assert roles.find("none") is roles.condition_of("none") is roles.condition_of("plain") is None
    assert roles.condition_of("r") is not None
    assert [role.role_id for role in roles.all] == ["r", "plain"]


def test_answers_are_remembered_within_bounds():
    roles = Roles([a_role(actions=("*",))])
    for number in range(REMEMBERED + 10):
        assert roles.grants("r", f"x/{number}", False)
    assert len(roles._answers) <= REMEMBERED


# ---- what one principal holds

GROUP = "/subscriptions/s/resourcegroups/g"


def holding(*scopes):
    return Holdings(
        RoleAssignment(
            assignment_id=f"a{number}",
            scope=scope,
            role_id="r",
            principal_id="p",
            principal_type=PrincipalType.USER,
            created=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for number, scope in enumerate(scopes)
    )


@pytest.mark.parametrize(
    ("held", "scope", "expected"),
    [
        ("/", "/subscriptions/s", True),
        ("/subscriptions/s", "/subscriptions/s", True),
        (GROUP, "/subscriptions/s", True),
        ("/subscriptions/s", GROUP, True),
        ("/subscriptions/s10", "/subscriptions/s1", False),
        ("/subscriptions/s1", "/subscriptions/s10", False),
        ("/subscriptions/other", "/subscriptions/s", False),
        (GROUP, "/", True),
        ("/subscriptions/x/resourcegroups/g", "/subscriptions/x", True),
        ("/subscriptions/s/resourcegroups/g", "/subscriptions/sx", False),
        ("/subscriptions/x/resourcegroups/g", "/subscriptions/x/", True),
    ],
)
def test_whether_anything_is_held_at_a_scope_above_it_or_below_it(held, scope, expected):
    assert holding(held).touches(scope) is expected
    assert holding("/elsewhere", held).touches(scope) is expected


def test_nothing_is_held_by_who_holds_nothing():
    assert not holding().touches("/")
    assert holding().by_scope == {}
    assert [len(each) for each in holding(GROUP, GROUP, "/").by_scope.values()] == [2, 1]


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ("/", ("/",)),
        ("/a", ("/a", "/")),
        ("/a/bc/d", ("/a/bc/d", "/a/bc", "/a", "/")),
        ("", ("", "/")),
    ],
)
def test_what_a_scope_lies_in(scope, found):
    assert ancestors(scope) == found
