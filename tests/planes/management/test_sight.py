"""Lists of resources show what the caller may read, and that is found without asking of each vault."""

from itertools import combinations

import pytest

from management_doubles import BASE, FOREIGN, RESOURCES, group_path, vault_path
from strongroom.access.authorization.model import RoleAssignment
from strongroom.access.authorization.roles import KEY_VAULT_SECRETS_USER, READER
from strongroom.access.identity.model import PrincipalType
from vault_doubles import NOON

VAULTS = {"kva": "one", "kvb": "two", "kvc": "one", "kvd": "two", "kve": "one", "kvf": "Three"}
PLACES = (
    *("/", BASE, group_path("two"), group_path("three"), vault_path("kva", "one"), vault_path("kvd", "two")),
    *(
        vault_path("kve", "one"),
        vault_path("kvc", "two"),
        vault_path("gone", "one"),
        f"{vault_path('vb', 'two')}/keys/k",
    ),
    *(f"/subscriptions/{FOREIGN}", group_path("tw"), vault_path("kve", "ONE") + "2"),
)


@pytest.fixture
async def someone(world):
    for group in ("one", "two", "Three"):
        await world.a_group(group)
    for name, group in VAULTS.items():
        await world.a_vault(name, group, enableRbacAuthorization=True)
    return await world.someone()


def give(world, someone, *scopes, role=READER, condition=None):
    world.stores.assignments.rows = [
        *(row for row in world.stores.assignments.rows if row.principal_id != someone.object_id),
        *(
            RoleAssignment(
                assignment_id=f"a{number}",
                scope=scope.lower(),
                role_id=role.role_id,
                principal_id=someone.object_id,
                principal_type=PrincipalType.SERVICE_PRINCIPAL,
                created=NOON,
                condition=condition,
            )
            for number, scope in enumerate(scopes)
        ),
    ]


async def listed(world, someone, path=BASE, top=1000, kept=""):
    """Return the names in a list, all pages of it."""
    found, query = [], f"$top={top}" + (f"&$filter={kept}" if kept else "")
    while query:
        answer = await world.ask("GET", f"{path}/resources", who=someone, version=RESOURCES, query=query)
        assert answer.status == 200, answer.raw
        found += [each["name"] for each in answer.json["value"]]
        assert len(answer.json["value"]) <= top
        link = answer.json.get("nextLink")
        query = link and link.partition("?")[2].partition("&")[2]
    return found


@pytest.mark.parametrize("scopes", list(combinations(PLACES, 2)))
async def test_a_list_has_the_vaults_that_can_be_read(world, someone, scopes):
    give(world, someone, *scopes)
    readable = [
        name
        for name, group in VAULTS.items()
        if (await world.ask("GET", vault_path(name, group), who=someone)).status == 200
    ]
    for top in (1, 2, 1000):
        assert await listed(world, someone, top=top) == readable
    two = [name for name in readable if VAULTS[name] == "two"]
    assert await listed(world, someone, group_path("TWO")) == two
    assert await listed(world, someone, top=1, kept="resourceGroup%20eq%20'two'") == two


async def test_who_may_read_no_vault_sees_none(world, someone):
    give(world, someone, BASE, role=KEY_VAULT_SECRETS_USER)
    assert await listed(world, someone) == []
    give(world, someone, BASE, condition="@Environment[UtcNow] DateTimeLessThan '2020-01-01'")
    assert await listed(world, someone) == []
    give(world, someone, BASE, condition="@Environment[UtcNow] DateTimeGreaterThan '2020-01-01'")
    assert await listed(world, someone) == list(VAULTS)


async def test_what_cannot_be_read_is_not_read(world, someone, monkeypatch):
    """A list costs what is seen of it, not what there is."""
    give(world, someone, vault_path("kve", "one"))
    asked = []

    async def find(name, find=world.stores.vaults.find):
        asked.append(name)
        return await find(name)

    monkeypatch.setattr(world.stores.vaults, "find", find)
    monkeypatch.setattr(world.stores.vaults, "list_living", None)
    assert await listed(world, someone) == ["kve"]
    assert asked == ["kve"]
