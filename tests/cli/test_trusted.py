"""`strongroom network trust`: trusted services are named, listed and taken away, each with its record."""


def test_one_is_trusted_until_it_is_taken_away(data, done, records):
    del data
    made = done("app", "create", "backup", "--json")
    assert done("network", "trust", "list", "--json") == []
    assert "trust: backup" in done("network", "trust", "add", "BACKUP")
    body = records()[-1]
    assert (body["operationName"], body["properties"]["displayName"]) == ("Strongroom.TrustedService/add", "backup")
    done("app", "disable", "backup")
    assert done("network", "trust", "list", "--json") == [
        {"displayName": "backup", "clientId": made["clientId"], "enabled": False}
    ]
    assert "no longer trust: backup" in done("network", "trust", "remove", made["clientId"])
    assert records()[-1]["operationName"] == "Strongroom.TrustedService/remove"
    assert done("network", "trust", "list", "--json") == []


def test_what_is_so_already_is_no_change_and_leaves_no_record(data, done, records):
    del data
    made = done("app", "create", "backup", "--json")
    name = f"backup ({made['clientId']})\n"
    before = len(records())
    assert done("network", "trust", "remove", "backup") == f"was not trusted: {name}"
    assert len(records()) == before
    assert done("network", "trust", "add", "backup") == f"trust: {name}"
    assert done("network", "trust", "add", "backup") == f"already trusted: {name}"
    assert len(records()) == before + 1
    assert done("network", "trust", "remove", "backup") == f"no longer trust: {name}"
    assert done("network", "trust", "remove", "backup") == f"was not trusted: {name}"
    assert len(records()) == before + 2


def test_nobody_is_no_service(data, strongroom):
    del data
    code, _, err = strongroom("network", "trust", "add", "nobody")
    assert (code, "There is no application 'nobody'." in err) == (1, True)
