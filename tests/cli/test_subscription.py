import pytest

ID = "0b6c1d7e-0000-4000-8000-00000000ABCD"


def test_a_server_begins_with_one(data, done):
    (first,) = done("subscription", "list", "--json")
    assert (first["name"], first["id"]) == ("Strongroom", data["subscriptionId"])
    shown = done("subscription", "show", "strongroom", "--json")
    assert {name: shown[name] for name in ("id", "tags", "resourceGroups", "vaults", "deletedVaults")} == {
        "id": data["subscriptionId"],
        "tags": {},
        "resourceGroups": 1,
        "vaults": 1,
        "deletedVaults": 0,
    }


def test_one_is_added_with_its_owner(data, done, records):
    made = done("subscription", "add", "staging", "--id", ID, "--owner", "bootstrap", "--json")
    assert (made["name"], made["id"]) == ("staging", ID.lower())
    body = records()[-1]
    assert (body["operationName"], body["resourceId"]) == (
        "Strongroom.Subscription/create",
        f"/subscriptions/{ID}".upper(),
    )
    given = next(each for each in done("role", "list", "--json") if each["id"] == body["properties"]["assignmentId"])
    assert (given["role"], given["scope"]) == ("Owner", f"/subscriptions/{ID.lower()}")
    assert [each["name"] for each in done("subscription", "list", "--json")] == ["Strongroom", "staging"]
    assert done("subscription", "show", ID, "--json")["vaults"] == 0


def test_one_is_added_that_nobody_owns_yet(data, done, records):
    made = done("subscription", "add", "staging", "--json")
    assert made["id"] != data["subscriptionId"]
    assert len(done("role", "list", "--json")) == 1
    assert "assignmentId" not in records()[-1]["properties"]


def test_one_is_renamed_and_found_by_its_new_name(data, done, records):
    renamed = done("subscription", "rename", data["subscriptionId"], "Production", "--json")
    assert (renamed["name"], renamed["id"]) == ("Production", data["subscriptionId"])
    assert records()[-1]["operationName"] == "Strongroom.Subscription/rename"
    assert records()[-1]["properties"]["displayName"] == "Production"
    assert done("subscription", "rename", "production", "PRODUCTION", "--json")["name"] == "PRODUCTION"
    assert done("subscription", "show", "production", "--json")["id"] == data["subscriptionId"]


def test_columns_are_for_people(data, done):
    assert done("subscription", "list").splitlines()[0].split() == ["name", "id", "created"]


REFUSED = [
    (("add", "strongroom"), "There is a subscription of the name 'strongroom' already."),
    (("add", "two", "--id", "two"), "The subscription id 'two' is not a GUID."),
    (("add", ""), "The name '' is none for a subscription"),
    (("add", "n" * 65), "is none for a subscription"),
    (("add", ID), "is none for a subscription"),
    (("add", "two", "--owner", "nobody"), "There is no user, group or application 'nobody'."),
    (("show", "none"), "There is no subscription 'none'."),
    (("rename", "none", "other"), "There is no subscription 'none'."),
    (("rename", "strongroom", " x"), "is none for a subscription"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_is_said_in_one_line_and_changes_nothing(data, strongroom, done, arguments, message):
    code, out, err = strongroom("subscription", *arguments)
    assert (code, out) == (1, "")
    assert message in err
    assert [each["name"] for each in done("subscription", "list", "--json")] == ["Strongroom"]


def test_an_id_that_is_taken_is_refused(data, strongroom):
    code, _, err = strongroom("subscription", "add", "two", "--id", data["subscriptionId"])
    assert code == 1
    assert "exists already" in err
