import pytest


def test_the_bootstrap_application_owns_the_subscription(data, done):
    assigned = done("role", "list", "--json")
    assert [(each["role"], each["principal"], each["scope"]) for each in assigned] == [
        ("Owner", "bootstrap", f"/subscriptions/{data['subscriptionId']}")
    ]


@pytest.mark.parametrize(
    ("where", "below"),
    [
        ((), ""),
        (("--group", "dev"), "/resourcegroups/dev"),
        (("--vault", "dev"), "/resourcegroups/dev/providers/microsoft.keyvault/vaults/dev"),
    ],
)
def test_a_role_is_given_where_it_was_said(data, done, records, where, below):
    done("app", "create", "payments")
    given = done("role", "assign", "payments", "key vault secrets user", *where, "--json")
    assert given["scope"] == f"/subscriptions/{data['subscriptionId']}{below}"
    assert (given["role"], given["principal"]) == ("Key Vault Secrets User", "payments")
    body = records()[-1]
    assert body["operationName"] == "Microsoft.Authorization/roleAssignments/write"
    assert body["resourceId"] == given["scope"].upper()
    assert body["properties"]["assignmentId"] == given["id"]


def test_a_role_is_given_at_a_resource_id_and_taken_away(data, done, records):
    scope = f"/subscriptions/{data['subscriptionId']}/resourceGroups/dev"
    given = done("role", "assign", "bootstrap", "Reader", "--scope", scope, "--json")
    assert {each["id"] for each in done("role", "list", "--scope", scope, "--json")} == {given["id"]}
    assert len(done("role", "list", "bootstrap", "--json")) == 2
    assert done("role", "remove", given["id"].upper()) == f"removed: {given['id']}\n"
    assert len(done("role", "list", "--json")) == 1
    assert records()[-1]["operationName"] == "Microsoft.Authorization/roleAssignments/delete"


def test_columns_are_for_people(data, done):
    assert done("role", "list").splitlines()[0].split() == ["role", "principal", "scope", "id"]
    assert "Owner" in done("role", "definitions")
    assert done("role", "list", "--scope", "/subscriptions/none") == ""


REFUSED = [
    (("assign", "nobody", "Reader"), "There is no user, group or application 'nobody'."),
    (("assign", "bootstrap", "King"), "The specified role definition 'King' does not exist."),
    (("assign", "bootstrap", "Owner"), "already"),
    (("assign", "bootstrap", "Reader", "--vault", "none"), "there is no vault 'none'"),
    (("assign", "bootstrap", "Reader", "--group", "none"), "'none' could not be found"),
    (("assign", "bootstrap", "Reader", "--group", "dev", "--vault", "dev"), "give one of --scope, --group and --vault"),
    (("assign", "bootstrap", "Reader", "--secret", "s"), "with the --vault that it is in"),
    (
        ("assign", "bootstrap", "Reader", "--vault", "dev", "--key", "k", "--secret", "s"),
        "give one of --secret and --key",
    ),
    (("assign", "bootstrap", "Reader", "--condition", "x"), "condition is invalid"),
    (("remove", "11111111-2222-3333-4444-555555555555"), ""),
    (("list", "nobody"), "There is no user, group or application 'nobody'."),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_is_said_in_one_line(data, strongroom, arguments, message):
    code, out, err = strongroom("role", *arguments)
    assert (code, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_role_is_given_at_one_object_and_with_a_condition(data, done):
    condition = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'one'"
    for option, kind in (("--secret", "secrets"), ("--key", "keys")):
        where = ("--vault", "dev", option, "One")
        made = done("role", "assign", "bootstrap", "Reader", *where, "--condition", condition, "--json")
        assert made["scope"].endswith(f"/vaults/dev/{kind}/one")
