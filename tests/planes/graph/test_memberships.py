import pytest

from strongroom.access.identity.model import Relation
from strongroom.ids import new_guid

NOBODY = "11111111-2222-3333-4444-555555555555"


def names(answer):
    assert answer.status == 200, answer.raw
    return [each["displayName"] for each in answer.json["value"]]


async def test_members_owners_and_members_to_their_end(world):
    team = f"/groups/{world.team.object_id}"
    assert names(await world.ask(f"{team}/members")) == ["Inner", "payments"]
    assert names(await world.ask(f"{team}/transitiveMembers")) == ["Anna O'Neill", "Inner", "payments"]
    assert names(await world.ask(f"{team}/owners")) == ["Bert"]
    kinds = [each["@odata.type"].rpartition(".")[2] for each in (await world.ask(f"{team}/members")).json["value"]]
    assert kinds == ["group", "servicePrincipal"]
    assert names(await world.ask(f"{team}/members", filter="startswith(displayName,'pay')")) == ["payments"]
    chosen = await world.ask(f"{team}/transitiveMembers", select="userPrincipalName", top=1)
    assert chosen.json["value"] == [{"@odata.type": "#microsoft.graph.user", "userPrincipalName": "anna@example.com"}]
    assert "@odata.nextLink" in chosen.json


async def test_groups_of_every_kind_of_principal(world):
    for path, direct, all_of_them in (
        ("/users/anna@example.com", ["Inner"], ["Inner", "Team"]),
        (f"/groups/{world.inner.object_id}", ["Team"], ["Team"]),
        (f"/servicePrincipals/{world.application.object_id}", ["Team"], ["Team"]),
        ("/users/bert@example.com", [], []),
    ):
        assert names(await world.ask(f"{path}/memberOf")) == direct
        assert names(await world.ask(f"{path}/transitiveMemberOf")) == all_of_them


@pytest.mark.parametrize("verb", ["getMemberGroups", "getMemberObjects"])
async def test_ids_of_all_groups(world, verb):
    both = sorted([world.inner.object_id, world.team.object_id])
    for path in ("/users/anna@example.com", f"/directoryObjects/{world.anna.object_id}"):
        answer = await world.ask(f"{path}/{verb}", "POST", {"securityEnabledOnly": True})
        assert answer.json["value"] == both
        assert answer.json["@odata.context"].endswith("$metadata#Collection(Edm.String)")
    assert (await world.ask(f"/users/anna@example.com/{verb}", "POST")).json["value"] == both


async def test_a_circle_ends(world):
    await world.join(world.inner, world.team)
    assert names(await world.ask(f"/groups/{world.team.object_id}/transitiveMembers")) == [
        "Anna O'Neill", "Inner", "payments", "Team",
    ]  # fmt: skip
    assert names(await world.ask(f"/groups/{world.team.object_id}/transitiveMemberOf")) == ["Inner", "Team"]


async def test_groups_are_asked_about(world):
    ids = [world.team.object_id.upper(), new_guid(), world.team.object_id]
    for path in (f"/directoryObjects/{world.anna.object_id}", f"/groups/{world.inner.object_id}"):
        answer = await world.ask(f"{path}/checkMemberGroups", "POST", {"groupIds": ids})
        assert answer.json["value"] == [world.team.object_id]


async def test_objects_by_their_ids_and_kinds(world):
    ids = [world.team.object_id, world.anna.object_id.upper(), world.application.object_id, new_guid()]
    for types, found in (
        (None, ["Team", "Anna O'Neill", "payments"]),
        (["directoryObject"], ["Team", "Anna O'Neill", "payments"]),
        (["user", "Group"], ["Team", "Anna O'Neill"]),
        (["servicePrincipal", "device"], ["payments"]),
        ([], []),
    ):
        answer = await world.ask("/directoryObjects/getByIds", "POST", {"ids": [*ids, ids[0]], "types": types})
        assert names(answer) == found
        assert all(each["@odata.type"] for each in answer.json["value"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/directoryObjects/getByIds", {"ids": ["x"]}),
        ("/directoryObjects/getByIds", {"ids": [NOBODY] * 1001}),
        ("/users/anna@example.com/checkMemberGroups", {"groupIds": ["x"]}),
        ("/users/anna@example.com/checkMemberGroups", {"groupIds": [NOBODY] * 21}),
    ],
)
async def test_ids_are_few_and_guids(world, path, body):
    answer = await world.ask(path, "POST", body)
    assert (answer.status, answer.code) == (400, "Request_BadRequest")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"ids": 1}'])
async def test_a_body_that_does_not_fit(world, body):
    answer = await world.ask("/directoryObjects/getByIds", "POST", body)
    assert (answer.status, answer.code) == (400, "BadRequest")


async def test_a_change_is_seen_by_the_next_question(world):
    path = f"/groups/{world.team.object_id}/members"
    await world.directory.remove_from_group("Team", Relation.MEMBER, "payments")
    assert names(await world.ask(path)) == ["Inner"]
