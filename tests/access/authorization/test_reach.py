from dataclasses import replace

from hypothesis import given

from access_worlds import (
    AT_RANDOM,
    CONDITIONS,
    KEY,
    SECRET,
    VAULT,
    a_policy,
    atlas_of,
    places_of,
    worlds,
)
from strongroom.access.authorization.operations import OPERATIONS, find_operations
from strongroom.access.authorization.reach import Standing, decide_for, find_roads, find_writers, reach_of
from strongroom.access.authorization.roles import (
    CONTRIBUTOR,
    KEY_VAULT_CRYPTO_USER,
    KEY_VAULT_SECRETS_USER,
    READER,
)
from strongroom.access.authorization.world import Atlas, path_of
from strongroom.access.identity.model import PrincipalType

GET = find_operations("secrets", "get")


def able(roads, through_application=None):
    """Return who can do what where, as the roads say."""
    return {
        (road.subject.object_id, road.place, operation)
        for road in roads
        if road.counts and (road.policy is None or road.policy.application_id in {None, through_application})
        for operation in road.operations
    }


def fits(operation, place):
    return place.count("/") < 10 or f"/{operation.partition('/')[0]}/" in place


@AT_RANDOM
@given(worlds())
def test_who_is_listed_as_able_is_who_the_evaluator_lets_through(world):
    atlas = Atlas(world)
    for vault in world.vaults:
        for place in places_of(vault):
            roads = find_roads(atlas, vault, place=place)
            for application in (None, "id-of-app-1"):
                allowed = {
                    (subject.object_id, place, operation)
                    for subject in atlas.subjects
                    if subject.acts and (application is None or subject.type is PrincipalType.USER)
                    for operation, action in OPERATIONS.items()
                    if fits(operation, place)
                    and decide_for(
                        atlas, vault, replace(subject, app_id=application or subject.app_id), action, place
                    ).allowed
                }
                listed = able(roads, application)
                if application is not None:
                    users = {each.object_id for each in atlas.subjects if each.type is PrincipalType.USER}
                    listed = {each for each in listed if each[0] in users}
                assert listed == allowed


@AT_RANDOM
@given(worlds())
def test_a_principal_reaches_what_vaults_say_that_it_reaches(world):
    atlas = Atlas(world)
    of_vaults = {(vault.name, road) for vault in world.vaults for road in find_roads(atlas, vault)}
    of_subjects = {
        (reached.vault.name, road)
        for subject in atlas.subjects
        for reached in reach_of(atlas, subject)
        for road in reached.roads
    }
    assert of_subjects == {each for each in of_vaults if each[1].subject.known}


def roads_of(atlas, **said):
    return [
        (road.subject.object_id, road.through, road.place, road.standing)
        for road in find_roads(atlas, atlas.world.vaults[0], operations=GET, **said)
        if road.subject.type is not PrincipalType.GROUP
    ]


def test_a_road_names_the_groups_between_nearest_first_by_the_shortest_way():
    atlas = atlas_of(
        assignments=[("group-1", KEY_VAULT_SECRETS_USER, VAULT)],
        memberships=[("group-1", "group-2"), ("group-2", "group-3"), ("group-3", "user-1"), ("group-3", "group-1")],
    )
    assert roads_of(atlas) == [("user-1", ("group-3", "group-2", "group-1"), VAULT, Standing.HOLDS)]


def test_a_circle_of_groups_ends():
    atlas = atlas_of(
        policies=[a_policy("group-1", secrets=frozenset({"get"}))],
        memberships=[("group-1", "group-2"), ("group-2", "group-1"), ("group-2", "app-1")],
    )
    assert roads_of(atlas) == [("app-1", ("group-2", "group-1"), VAULT, Standing.HOLDS)]


def test_what_is_given_for_one_object_is_told_at_its_place():
    atlas = atlas_of(assignments=[("app-1", KEY_VAULT_SECRETS_USER, SECRET), ("app-2", KEY_VAULT_CRYPTO_USER, KEY)])
    assert roads_of(atlas) == [("app-1", (), SECRET, Standing.HOLDS)]
    (road,) = [each for each in find_roads(atlas, atlas.world.vaults[0]) if each.subject.object_id == "app-2"]
    assert road.place == KEY
    assert all(operation.startswith("keys/") for operation in road.operations)
    assert roads_of(atlas, place=f"{VAULT}/secrets/another") == []


def test_a_condition_is_told_as_it_stands():
    named, other, later = CONDITIONS[1:4]
    given = [(f"app-{number}", KEY_VAULT_SECRETS_USER, VAULT, each) for number, each in enumerate((named, other), 1)]
    atlas = atlas_of(assignments=[*given, ("app-3", KEY_VAULT_SECRETS_USER, VAULT, later)])
    depends = Standing.UNDECIDED
    assert [each[3] for each in roads_of(atlas)] == [depends, depends, Standing.HOLDS]
    assert [each[3] for each in roads_of(atlas, place=SECRET)] == [Standing.HOLDS, Standing.UNMET, Standing.HOLDS]


def test_who_is_disabled_or_unknown_is_told_and_reaches_nothing():
    atlas = atlas_of(
        policies=[a_policy("app-1", secrets=frozenset({"get"})), a_policy("unknown-1", secrets=frozenset({"get"}))],
        disabled=("app-1",),
    )
    found = find_roads(atlas, atlas.world.vaults[0], operations=GET)
    assert [(road.subject.object_id, road.subject.enabled, road.subject.known) for road in found] == [
        ("app-1", False, True),
        ("unknown-1", True, False),
    ]
    assert not [road for road in found if road.counts]


def test_a_policy_for_an_application_on_behalf_of_a_user_counts_for_users_only():
    policies = [
        a_policy(each, application_id="id-of-app-2", secrets=frozenset({"get"})) for each in ("user-1", "app-1")
    ]
    assert [each[0] for each in roads_of(atlas_of(policies=policies))] == ["user-1"]


def test_a_principal_has_the_control_that_matters():
    atlas = atlas_of(assignments=[("app-1", CONTRIBUTOR, VAULT), ("app-2", READER, VAULT)])
    (found,) = reach_of(atlas, atlas.subject("app-1"))
    assert found.control.actions == (
        "write access policies",
        "change the vault",
        "delete the vault",
        "set secrets as resources",
        "make keys as resources",
    )
    assert found.roads == ()
    assert reach_of(atlas, atlas.subject("app-2")) == ()


def test_who_writes_over_the_resource_manager_is_told_apart():
    given = [("app-1", CONTRIBUTOR, VAULT), ("app-2", CONTRIBUTOR, SECRET), ("app-3", READER, VAULT)]
    for disabled, writers in (((), ["app-1", "app-2"]), (("app-1",), ["app-2"])):
        atlas = atlas_of(assignments=given, disabled=disabled)
        vault = atlas.world.vaults[0]
        told = find_writers(atlas, vault, place=SECRET)
        assert [(who.object_id, allowed) for who, allowed in told] == [(each, ("secrets/set",)) for each in writers]
        assert find_writers(atlas, vault, operations=GET) == ()
    (own,) = find_writers(atlas_of(assignments=given[:1]), vault)
    assert own[1] == ("secrets/set", "keys/create")


def test_purging_is_asked_where_the_subscription_is():
    atlas = atlas_of(
        assignments=[("app-1", CONTRIBUTOR, path_of(atlas_of().world.vaults[0]).rpartition("/resourc")[0])]
    )
    (found,) = reach_of(atlas, atlas.subject("app-1"))
    assert "purge the vault" in found.control.actions
