import pytest

GONE = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def anna(data, done):
    return done("directory", "user", "create", "anna@example.com", "--display-name", "Anna Ames", "--json")


@pytest.fixture
def team(data, done):
    return done("directory", "group", "create", "team", "--description", "All of us", "--json")


def test_a_user_is_made_listed_and_shown(anna, done, records):
    assert anna == {
        "userPrincipalName": "anna@example.com",
        "displayName": "Anna Ames",
        "objectId": anna["objectId"],
        "enabled": True,
        "mail": "",
    }
    assert done("directory", "user", "list", "--json") == [anna]
    for reference in ("ANNA@example.com", "anna ames", anna["objectId"]):
        assert done("directory", "user", "show", reference, "--json") == anna
    body = records()[-1]
    assert body["operationName"] == "Microsoft.Directory/users/create"
    assert body["properties"]["userPrincipalName"] == "anna@example.com"
    assert body["properties"]["objectId"] == anna["objectId"]


def test_a_user_without_a_display_name_is_called_by_its_alias(data, done):
    made = done("directory", "user", "create", "bert@localhost", "--mail", "b@example.com", "--json")
    assert (made["displayName"], made["mail"]) == ("bert", "b@example.com")


def test_a_user_is_disabled_enabled_and_deleted(anna, done, records):
    for verb, enabled in (("disable", False), ("enable", True)):
        assert done("directory", "user", verb, "anna@example.com") == f"{verb}: Anna Ames ({anna['objectId']})\n"
        assert done("directory", "user", "show", "anna ames", "--json")["enabled"] is enabled
    done("directory", "user", "delete", "anna@example.com")
    assert done("directory", "user", "list") == ""
    names = [body["operationName"].rpartition("/")[2] for body in records()[-3:]]
    assert names == ["disable", "enable", "delete"]


def test_a_user_is_renamed(anna, done, strongroom, records):
    said = ("--name", "Anna.B@example.com", "--display-name", "Anna B.", "--mail", "a@example.com")
    renamed = done("directory", "user", "update", "anna@example.com", *said, "--json")
    assert renamed == anna | {
        "userPrincipalName": "Anna.B@example.com",
        "displayName": "Anna B.",
        "mail": "a@example.com",
    }
    body = records()[-1]
    assert body["operationName"] == "Microsoft.Directory/users/update"
    assert body["properties"]["userPrincipalName"] == "Anna.B@example.com"
    assert done("directory", "user", "show", "anna.b@example.com", "--json") == renamed
    assert done("directory", "user", "update", "anna.b@example.com", "--mail", "", "--json")["mail"] == ""
    code, _, told = strongroom("directory", "user", "update", "anna.b@example.com")
    assert code == 1
    assert "give one of --name, --display-name, --mail" in told


def test_a_group_is_renamed(team, done, strongroom, records):
    renamed = done("directory", "group", "update", "team", "--name", "The Team", "--description", "", "--json")
    assert renamed == team | {"displayName": "The Team", "description": ""}
    assert done("directory", "group", "show", "the team", "--json") == renamed
    assert records()[-1]["operationName"] == "Microsoft.Directory/groups/update"
    code, _, told = strongroom("directory", "group", "update", "the team")
    assert code == 1
    assert "give one of --name, --description" in told


def test_a_group_is_made_listed_shown_and_deleted(team, done, records):
    assert team == {"displayName": "team", "objectId": team["objectId"], "description": "All of us"}
    assert done("directory", "group", "list", "--json") == [team]
    assert done("directory", "group", "show", "TEAM", "--json") == team
    assert done("directory", "group", "delete", team["objectId"]) == f"delete: team ({team['objectId']})\n"
    assert done("directory", "group", "list") == ""
    assert records()[-1]["operationName"] == "Microsoft.Directory/groups/delete"


def test_members_are_named_by_any_name_and_listed_to_their_end(anna, team, done, records):
    done("directory", "group", "create", "inner")
    added = done("directory", "group", "member", "add", "inner", "anna@example.com")
    assert added == f"add: Anna Ames ({anna['objectId']}), member of inner\n"
    body = records()[-1]
    assert body["operationName"] == "Microsoft.Directory/groups/members/add"
    assert body["properties"]["displayName"] == "inner"
    assert body["properties"]["memberId"] == anna["objectId"]
    assert (body["properties"]["memberType"], body["properties"]["memberName"]) == ("User", "anna@example.com")
    done("directory", "group", "member", "add", "team", "inner")
    done("directory", "group", "member", "add", team["objectId"], "bootstrap")
    members = done("directory", "group", "member", "list", "team", "--json")
    assert [(each["type"], each["displayName"]) for each in members] == [
        ("Group", "inner"),
        ("ServicePrincipal", "bootstrap"),
    ]
    members = done("directory", "group", "member", "list", "team", "--transitive", "--json")
    assert [each["displayName"] for each in members] == ["inner", "bootstrap", "Anna Ames"]
    assert [each["displayName"] for each in done("directory", "member-of", "anna ames", "--json")] == ["inner"]
    both = done("directory", "member-of", "anna ames", "--transitive", "--json")
    assert [each["displayName"] for each in both] == ["inner", "team"]
    done("directory", "group", "member", "remove", "team", "inner")
    assert done("directory", "member-of", "inner") == ""
    assert records()[-1]["operationName"] == "Microsoft.Directory/groups/members/remove"


def test_owners(anna, team, done, records):
    done("directory", "group", "owner", "add", "team", "anna@example.com")
    assert [each["name"] for each in done("directory", "group", "owner", "list", "team", "--json")] == [
        "anna@example.com"
    ]
    assert done("directory", "group", "member", "list", "team") == ""
    done("directory", "group", "owner", "remove", "team", "anna@example.com")
    assert done("directory", "group", "owner", "list", "team") == ""
    assert [body["operationName"] for body in records()[-2:]] == [
        "Microsoft.Directory/groups/owners/add",
        "Microsoft.Directory/groups/owners/remove",
    ]


def test_service_principals_are_the_applications(data, done):
    made = done("directory", "sp", "create", "payments", "--json")
    shown = done("directory", "sp", "show", "payments", "--json")
    assert (shown["clientId"], shown["objectId"]) == (made["clientId"], made["objectId"])
    assert shown == done("app", "show", made["clientId"], "--json")
    assert done("directory", "sp", "list", "--json") == done("app", "list", "--json")
    done("directory", "sp", "disable", "payments")
    assert done("app", "show", "payments", "--json")["enabled"] is False
    done("directory", "sp", "delete", "payments")
    assert [each["displayName"] for each in done("app", "list", "--json")] == ["bootstrap"]


def test_roles_are_given_to_users_and_groups(anna, team, done, sql):
    done("role", "assign", "team", "Reader")
    given = done("role", "assign", "anna@example.com", "Reader", "--json")
    assert given["principal"] == "Anna Ames"
    documents = [row[0].decode() for row in sql("SELECT document FROM assignments ORDER BY rowid")][1:]
    assert ['"Group"' in each for each in documents] == [True, False]
    assert ['"User"' in each for each in documents] == [False, True]
    assert [each["id"] for each in done("role", "list", "anna ames", "--json")] == [given["id"]]
    done("directory", "user", "delete", "anna@example.com")
    done("directory", "group", "delete", "team")
    assert [each["principal"] for each in done("role", "list", "--json")] == ["bootstrap"]


REFUSED = [
    (("user", "create", "anna"), "A user principal name looks like anna@example.com"),
    (("user", "create", "ANNA@example.com"), "exists already"),
    (("user", "create", "x@example.com", "--display-name", ""), "A display name has"),
    (("user", "show", "nobody"), "There is no user 'nobody'."),
    (("user", "disable", "team"), "There is no user 'team'."),
    (("group", "create", "Team"), "A group is called 'team' already"),
    (("group", "show", "nobody"), "There is no group 'nobody'."),
    (("group", "member", "add", "team", "nobody"), "There is no user, group or application 'nobody'."),
    (("group", "member", "add", "team", "team"), "The group 'team' cannot be its own member."),
    (("group", "member", "remove", "team", "anna ames"), "'Anna Ames' is not a member of 'team'."),
    (("group", "owner", "add", "team", "team"), "never a group"),
    (("sp", "show", GONE), f"There is no application '{GONE}'."),
    (("member-of", GONE), f"There is no user, group or application '{GONE}'."),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_is_said_in_one_line(anna, team, strongroom, arguments, message):
    code, out, err = strongroom("directory", *arguments)
    assert (code, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["directory", "directory group member", "directory user create", "directory sp"])
def test_help_shows_how(strongroom, name):
    code, out, _ = strongroom(*name.split(), "--help")
    assert code == 0
    assert "Usage: strongroom directory" in out
