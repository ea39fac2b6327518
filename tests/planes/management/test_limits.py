"""Vaults and resource groups at each limit of `docs/limits.md`, and one past it."""

import pytest

from management_doubles import BASE, RESOURCES, a_policy, group_path, vault_body, vault_path

POLICIES = 1024
NO_PAGES = ("0", "1001", "", "x", "-1", "1.0", "%D9%A3", "9" * 5000)


@pytest.fixture
async def furnished(world):
    await world.a_group()
    return world


@pytest.mark.parametrize("name", ["abc", "a23", "a-b", "A-1-b", "v" * 24, "%61bc"])
async def test_names_that_a_vault_may_have(furnished, name):
    answer = await furnished.ask("PUT", vault_path(name), vault_body())
    assert answer.status == 200, answer.raw
    assert (await furnished.ask("GET", vault_path(name))).status == 200


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ab", "VaultNameNotValid"),
        ("v" * 25, "VaultNameNotValid"),
        ("1ab", "VaultNameNotValid"),
        ("-ab", "VaultNameNotValid"),
        ("ab-", "VaultNameNotValid"),
        ("a--b", "VaultNameNotValid"),
        ("a_b", "VaultNameNotValid"),
        ("a.b", "VaultNameNotValid"),
        ("a%20b", "VaultNameNotValid"),
        ("%C3%A4bc", "VaultNameNotValid"),
        ("..", "VaultNameNotValid"),
        ("abc%0A", "InvalidRequestUri"),
        ("ab%00", "InvalidRequestUri"),
        ("a%2Fbc", "InvalidRequestUri"),
    ],
)
async def test_names_that_no_vault_can_have(furnished, name, code):
    answer = await furnished.ask("PUT", vault_path(name), vault_body())
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize("name", ["g", "0", "_", "-", "a.b", "(a)", "g" * 90, "%C3%A4"])
async def test_names_that_a_group_may_have(world, name):
    answer = await world.ask("PUT", group_path(name), {"location": "westeurope"}, version=RESOURCES)
    assert answer.status == 201, answer.raw


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("g" * 91, "InvalidResourceGroup"),
        ("g.", "InvalidResourceGroup"),
        (".", "InvalidResourceGroup"),
        ("..", "InvalidResourceGroup"),
        ("a%20b", "InvalidResourceGroup"),
        ("a%40b", "InvalidResourceGroup"),
        ("%F0%9F%94%92", "InvalidResourceGroup"),
        ("a%2Fb", "InvalidRequestUri"),
        ("a%5Cb", "InvalidRequestUri"),
        ("g%00", "InvalidRequestUri"),
        ("g%0A", "InvalidRequestUri"),
    ],
)
async def test_names_that_no_group_can_have(world, name, code):
    answer = await world.ask("PUT", group_path(name), {"location": "westeurope"}, version=RESOURCES)
    assert (answer.status, answer.code) == (400, code)


MANY = {f"tag{number}": "v" for number in range(50)}
TAGS = {
    "as many as there may be": (MANY, True),
    "one more": (MANY | {"one": "more"}, False),
    "the longest name and value": ({"n" * 512: "v" * 256}, True),
    "a name of one character more": ({"n" * 513: "v"}, False),
    "a value of one character more": ({"n": "v" * 257}, False),
    "an empty value": ({"n": ""}, True),
    "an empty name": ({"": "v"}, False),
    "a name that differs in case only": ({"n": "1", "N": "2"}, False),
} | {f"a name with {sign}": ({f"a{sign}": "v"}, False) for sign in "<>%&\\?/"}


@pytest.mark.parametrize("what", TAGS)
async def test_tags_are_taken_up_to_their_limits(furnished, what):
    tags, fits = TAGS[what]
    answers = [
        await furnished.ask("PUT", vault_path(), vault_body(tags=tags)),
        await furnished.ask("PUT", group_path(), {"location": "westeurope", "tags": tags}, version=RESOURCES),
        await furnished.ask("PATCH", group_path(), {"tags": tags}, version=RESOURCES),
    ]
    for answer in answers:
        assert answer.status == (200 if fits else 400), answer.raw
        assert fits or answer.code == "InvalidTags"


@pytest.mark.parametrize(
    ("days", "status"), [(7, 200), (90, 200), (6, 400), (91, 400), (0, 400), (-1, 400), (10**400, 400)]
)
async def test_retention_has_its_bounds(furnished, days, status):
    answer = await furnished.ask("PUT", vault_path(), vault_body(softDeleteRetentionInDays=days))
    assert answer.status == status, answer.raw


def policies(count):
    return [a_policy(f"c0ffee00-0000-4000-8000-{number:012}") for number in range(count)]


@pytest.mark.parametrize(("count", "status"), [(POLICIES, 200), (POLICIES + 1, 400)])
async def test_a_vault_holds_as_many_policies_as_it_may(furnished, count, status):
    answer = await furnished.ask("PUT", vault_path(), vault_body(accessPolicies=policies(count)))
    assert answer.status == status


async def test_one_policy_more_is_refused_where_they_are_added(furnished):
    await furnished.a_vault(accessPolicies=policies(POLICIES))
    body = {"properties": {"accessPolicies": [a_policy("c0ffee00-0000-4000-8000-ffffffffffff")]}}
    answer = await furnished.ask("PUT", vault_path() + "/accessPolicies/add", body)
    assert (answer.status, answer.code) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("given", "status"),
    [(given, 200) for given in ("1", "1000")] + [(given, 400) for given in NO_PAGES],
)
async def test_a_page_has_as_many_items_as_it_may(furnished, given, status):
    answer = await furnished.ask("GET", f"{BASE}/resourceGroups", version=RESOURCES, query=f"$top={given}")
    assert answer.status == status
    assert status == 200 or answer.code == "InvalidTopValue"
