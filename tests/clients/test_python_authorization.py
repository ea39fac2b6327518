"""The unmodified authorization client for Python: roles, role assignments, and what they open and shut at once."""

import uuid
from contextlib import closing

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.models import Permission, RoleAssignmentCreateParameters, RoleDefinition

from clients.direct import Direct, make_applications, unique

OFFICER, USER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "4633458b-17de-408a-b874-0445c86b69e6"
ONE = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'one'"


@pytest.fixture
def authorization(connection, credential):
    with AuthorizationManagementClient(
        credential,
        connection.subscriptionId,
        base_url=connection.managementUrl,
        credential_scopes=[f"{connection.managementUrl}/.default"],
    ) as client:
        yield client


@pytest.fixture
def here(connection):
    return f"/subscriptions/{connection.subscriptionId}"


@pytest.fixture
def direct(connection):
    with closing(Direct(connection)) as direct:
        yield direct


@pytest.fixture
def vault(direct, here):
    """A vault with RBAC; gives its resource id and its URL."""
    name = unique("rbac")
    url = direct.make_vault(name, enableRbacAuthorization=True)
    return f"{here}/resourceGroups/dev/providers/Microsoft.KeyVault/vaults/{name}", url


@pytest.fixture
def guest(server, connection):
    """An application with a credential and no role; gives its object id and its credential."""
    client_id, object_id, secret = make_applications(server, ("guest",))["guest"]
    with ClientSecretCredential(
        connection.tenantId, client_id, secret, authority=connection.authority, disable_instance_discovery=True
    ) as credential:
        yield object_id, credential


def give(authorization, scope, role, object_id, **said):
    definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role}"
    parameters = RoleAssignmentCreateParameters(
        role_definition_id=definition, principal_id=object_id, principal_type="ServicePrincipal", **said
    )
    return authorization.role_assignments.create(scope, str(uuid.uuid4()), parameters)


def test_a_role_opens_and_shuts_at_the_very_next_request(authorization, direct, credential, vault, guest):
    scope, url = vault
    object_id, theirs = guest
    with SecretClient(url, credential) as own, SecretClient(url, theirs) as secrets:
        with pytest.raises(HttpResponseError) as refused:
            own.set_secret("one", "1")  # an owner of the subscription reaches no data
        assert refused.value.error.innererror["code"] == "ForbiddenByRbac"
        given = give(authorization, scope, OFFICER, direct.owner_id)
        for name in ("one", "two"):
            own.set_secret(name, name)
        narrow = give(authorization, f"{scope}/secrets/one", USER, object_id)
        assert secrets.get_secret("one").value == "one"
        with pytest.raises(HttpResponseError):
            secrets.get_secret("two")
        authorization.role_assignments.delete_by_id(narrow.id)
        with pytest.raises(HttpResponseError) as shut:
            secrets.get_secret("one")
        assert shut.value.status_code == 403
        authorization.role_assignments.delete_by_id(given.id)


def test_a_condition_leaves_one_secret(authorization, direct, credential, vault, guest):
    scope, url = vault
    object_id, theirs = guest
    give(authorization, scope, OFFICER, direct.owner_id)
    give(authorization, scope, USER, object_id, condition=ONE, condition_version="2.0")
    with SecretClient(url, credential) as own, SecretClient(url, theirs) as secrets:
        for name in ("one", "two"):
            own.set_secret(name, name)
        assert secrets.get_secret("ONE").value == "one"
        with pytest.raises(HttpResponseError):
            secrets.get_secret("two")
        with pytest.raises(HttpResponseError):
            list(secrets.list_properties_of_secrets())  # a list names no secret that the condition could ask for


def test_a_custom_role_lives(authorization, here, vault, guest):
    scope, _ = vault
    object_id, _ = guest
    definitions, assignments = authorization.role_definitions, authorization.role_assignments
    asked = RoleDefinition(
        role_name=unique("Watcher "),
        description="Watches.",
        role_type="CustomRole",
        assignable_scopes=[here],
        permissions=[Permission(actions=["Microsoft.KeyVault/vaults/read"], not_actions=[])],
    )
    made = definitions.create_or_update(here, str(uuid.uuid4()), asked)
    assert definitions.get(scope, made.name).role_name == asked.role_name
    assert definitions.get_by_id(made.id).permissions[0].actions == ["Microsoft.KeyVault/vaults/read"]
    assert made.name in {each.name for each in definitions.list(scope, filter="type eq 'CustomRole'")}
    given = give(authorization, scope, made.name, object_id)
    assert assignments.get(scope, given.name).principal_id == assignments.get_by_id(given.id).principal_id == object_id
    for listed in (
        assignments.list_for_scope(scope, filter=f"principalId eq '{object_id}'"),
        assignments.list_for_subscription(),
        assignments.list_for_resource_group("dev"),
        assignments.list_for_resource("dev", "Microsoft.KeyVault", "vaults", scope.rpartition("/")[2]),
    ):
        assert given.id in {each.id for each in listed}
    assignments.delete(scope, given.name)
    assert assignments.delete(scope, given.name) is None
    definitions.delete(here, made.name)
    with pytest.raises(HttpResponseError) as gone:
        definitions.get(here, made.name)
    assert gone.value.error.code == "RoleDefinitionDoesNotExist"
