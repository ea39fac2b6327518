"""Every error that a client of the management plane can meet today, provoked against a server started by its command.

Through the unmodified SDK for vaults; what it cannot ask for goes by plain HTTPS. See `test_errors.py`.
"""

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.keyvault.models import (
    AccessPolicyEntry,
    Permissions,
    VaultAccessPolicyParameters,
    VaultAccessPolicyProperties,
    VaultPatchParameters,
    VaultPatchProperties,
)

from clients.direct import GROUP_VERSION, VAULT_VERSION, forge, seconds_from_now, unique
from clients.provoking import NOWHERE, fits, meet

pytestmark = [pytest.mark.xdist_group("errors"), pytest.mark.usefixtures("client_environ")]

CLOCK = "/providers/Strongroom.Rehearsal/clock"
PROVIDER = "/providers/Microsoft.KeyVault"
IP_RULE = "Invalid value found at properties.networkAcls.ipRules[0].value:"


def ask(method, path, body=None, version=VAULT_VERSION, **kwargs):
    """Return a row's provocation: plain HTTPS to a path below the subscription."""
    return lambda w: w.direct.manage(method, w.direct.subscription + path, body, version=version, **kwargs)


def group(method, body=None, name="new-group", query=""):
    return ask(method, f"/resourceGroups/{name}{query}", body, version=GROUP_VERSION)


def put_vault(change, name=None):
    """Ask for a vault by PUT, with what is usual changed by `change(body, world)`."""

    def provoke(w):
        body = w.direct.vault_body()
        change(body, w)
        return w.direct.manage("PUT", w.direct.vault_path(name or unique("ern")), body)

    return provoke


def without(name):
    return put_vault(lambda body, _: body["properties"].pop(name))


def saying(**properties):
    return put_vault(lambda body, _: body["properties"].update(properties))


def ip_rules(*values):
    return saying(networkAcls={"ipRules": [{"value": value} for value in values]})


def token_of(make):
    """Ask for the subscription's vaults with the token that `make(world)` returns."""
    return lambda w: w.direct.manage("GET", f"{w.direct.subscription}{PROVIDER}/vaults", token=make(w))


def with_header(**headers):
    def provoke(w):
        url = f"{w.connection.managementUrl}{w.direct.subscription}{PROVIDER}/vaults?api-version={VAULT_VERSION}"
        return w.direct.ask("GET", url, headers=headers)

    return provoke


def forged(**changes):
    made = lambda w: forge(w.server, w.direct.owner("management"), **{k: v() for k, v in changes.items()})  # noqa: E731
    return token_of(made)


def policies(kind, *entries):
    """Return a change of policies in the SDK's words."""

    def provoke(w):
        asked = VaultAccessPolicyParameters(
            properties=VaultAccessPolicyProperties(
                access_policies=[
                    AccessPolicyEntry(
                        tenant_id=w.connection.tenantId, object_id=who, permissions=Permissions(secrets=names)
                    )
                    for who, *names in entries
                ]
            )
        )
        return w.vaults().update_access_policy("dev", w.policy_vault, kind, asked)

    return provoke


def patch(vault="policy_vault", who="owner", **properties):
    asked = VaultPatchParameters(properties=VaultPatchProperties(**properties))
    return lambda w: w.vaults(who).update("dev", getattr(w, vault), asked)


# name → how, (code, message of the challenge)
UNAUTHENTICATED = {
    "no token": (
        with_header(),
        "AuthenticationFailed",
        "Authentication failed. The 'Authorization' header is missing.",
    ),
    "another scheme": (
        with_header(authorization="Basic dTpw"),
        "AuthenticationFailedInvalidHeader",
        "Authentication failed. The 'Authorization' header is provided in an invalid format.",
    ),
    "no signed token": (token_of(lambda _: "x"), "InvalidAuthenticationToken", "The access token is invalid."),
    "a key that nobody here has": (
        token_of(lambda w: forge(w.server, w.direct.owner("management"), own_key=True)),
        "InvalidAuthenticationToken",
        "The access token is invalid.",
    ),
    "an expired token": (
        forged(exp=lambda: seconds_from_now(-1)),
        "ExpiredAuthenticationToken",
        "The access token has expired.",
    ),
    "a token for another service": (
        token_of(lambda w: w.direct.owner()),
        "InvalidAuthenticationTokenAudience",
        "The access token has been obtained for wrong audience.",
    ),
    "a token of another issuer": (
        forged(iss=lambda: "https://sts.windows.net/other/"),
        "InvalidAuthenticationTokenTenant",
        "The access token is from the wrong issuer.",
    ),
}


@pytest.mark.parametrize("name", UNAUTHENTICATED)
def test_the_management_plane_asks_who_does_not_prove_it_to_sign_in(world, name):
    provoke, code, message = UNAUTHENTICATED[name]
    met = meet(world, provoke)
    assert (met.status, met.code, met.message) == (401, code, message)
    assert met.headers["www-authenticate"] == (
        'Bearer authorization_uri="https://login.{domain}/{tenantId}", error="invalid_token", '
        'error_description="{message}"'
    ).format(message=message, **world.facts)


ROWS = {
    "MissingApiVersionParameter": (
        ask("GET", PROVIDER + "/vaults", version=None),
        (400, "MissingApiVersionParameter"),
        "The api-version query parameter (?api-version=) is required for all requests.",
    ),
    "InvalidApiVersionParameter": (
        ask("GET", "/resourceGroups", version="1999-01-01"),
        (400, "InvalidApiVersionParameter"),
        "The api-version '1999-01-01' is invalid. The supported versions are '…'.",
    ),
    "InvalidApiVersionParameter: no version at all": (
        lambda w: w.vaults(api_version="nonsense").get("dev", w.policy_vault),
        (400, "InvalidApiVersionParameter"),
        "The api-version 'nonsense' is invalid. The supported versions are '…'.",
    ),
    "NoRegisteredProviderFound": (
        lambda w: w.vaults(api_version="1999-01-01").get("dev", w.policy_vault),
        (400, "NoRegisteredProviderFound"),
        (
            "No registered resource provider found for location '' and API version '1999-01-01' for type 'vaults'. The "
            "supported api-versions are '…'. The supported locations are '…'."
        ),
    ),
    "InvalidRequestContent": (
        lambda w: w.direct.manage("PUT", w.direct.vault_path("any-vault"), "{nonsense"),
        (400, "InvalidRequestContent"),
        "The request content was invalid and could not be deserialized: '…'",
    ),
    "InvalidRequestUri": (
        ask("GET", "/resourceGroups/a%2Fb/providers/Microsoft.KeyVault/vaults/any"),
        (400, "InvalidRequestUri"),
        "The request path has a segment that is empty or no name.",
    ),
    "InvalidSubscriptionId": (
        lambda w: w.vaults(subscription="no-guid").get("dev", "any"),
        (400, "InvalidSubscriptionId"),
        "The provided subscription identifier 'no-guid' is malformed or invalid.",
    ),
    "InvalidFilterInQueryString": (
        group("GET", name="", query="?$filter=nonsense"),
        (400, "InvalidFilterInQueryString"),
        "Invalid $filter 'nonsense' specified in the query string.",
    ),
    "InvalidTopValue": (
        lambda w: w.vaults().list_by_subscription(top=1001),
        (400, "InvalidTopValue"),
        "The value '1001' of $top is not a number from 1 to 1000.",
    ),
    "BadParameter": (
        group("GET", name="", query="?$top=1&$top=2"),
        (400, "BadParameter"),
        "The query parameter '$top' is given more than once.",
    ),
    "InvalidResourceGroup": (
        group("PUT", {"location": "local"}, name="ends-in-a-dot."),
        (400, "InvalidResourceGroup"),
        "The resource group name 'ends-in-a-dot.' is invalid: …",
    ),
    "LocationRequired": (
        group("PUT", {}),
        (400, "LocationRequired"),
        "The location property is required for this definition.",
    ),
    "LocationRequired of a vault": (
        put_vault(lambda body, _: body.pop("location")),
        (400, "LocationRequired"),
        "The location property is required for this definition.",
    ),
    "LocationNotAvailableForResourceGroup": (
        group("PUT", {"location": "atlantis"}),
        (400, "LocationNotAvailableForResourceGroup"),
        "The provided location 'atlantis' is not available for resource group. List of available regions is '…'.",
    ),
    "RegionNotSupported": (
        lambda w: w.make(location="atlantis"),
        (400, "RegionNotSupported"),
        "The region 'atlantis' is not supported. The supported regions are '…'.",
    ),
    "InvalidTags": (
        group("PUT", {"location": "local", "tags": {str(number): "" for number in range(51)}}),
        (400, "InvalidTags"),
        "A resource has at most 50 tags; …",
    ),
    "VaultNameNotValid": (
        lambda w: w.make("1-begins-with-a-digit"),
        (400, "VaultNameNotValid"),
        (
            "The vault name '1-begins-with-a-digit' is invalid. A vault's name must be between 3-24 alphanumeric "
            "characters. …"
        ),
    ),
    "SkuNotSupported": (
        lambda w: w.make(sku="gold"),
        (400, "SkuNotSupported"),
        "The SKU 'gold' of family 'A' is not supported; …",
    ),
    "BadRequest: no tenant": (
        without("tenantId"),
        (400, "BadRequest"),
        "The parameter tenantId is not specified.",
    ),
    "BadRequest: no SKU": (without("sku"), (400, "BadRequest"), "The parameter sku is not specified."),
    "BadRequest: no policies": (
        without("accessPolicies"),
        (400, "BadRequest"),
        "The parameter accessPolicies is not specified.",
    ),
    "BadRequest: a permission that is none": (
        policies("add", (NOWHERE, "peek")),
        (400, "BadRequest"),
        "An invalid value was provided for 'accessPolicies'.",
    ),
    "BadRequest: an id that is none": (
        policies("add", ("somebody", "get")),
        (400, "BadRequest"),
        "Invalid value found at accessPolicies[0].ObjectId: somebody",
    ),
    "BadRequest: too many policies": (
        policies("add", *((f"00000000-0000-4000-8000-{number:012}", "get") for number in range(1025))),
        (400, "BadRequest"),
        "A vault holds at most 1024 access policies.",
    ),
    "BadRequest: another tenant": (
        saying(tenantId=NOWHERE),
        (400, "BadRequest"),
        "An invalid value was provided for 'tenantId': …",
    ),
    "BadRequest: createMode": (
        saying(createMode="destroy"),
        (400, "BadRequest"),
        "An invalid value was provided for 'createMode'.",
    ),
    "BadRequest: publicNetworkAccess": (
        patch(public_network_access="sometimes"),
        (400, "BadRequest"),
        "An invalid value was provided for 'publicNetworkAccess'.",
    ),
    "BadRequest: no soft delete": (
        lambda w: w.make(enable_soft_delete=False),
        (400, "BadRequest"),
        'The property "enableSoftDelete" cannot be set to false. …',
    ),
    "BadRequest: no purge protection any more": (
        patch("protected_vault", enable_purge_protection=False),
        (400, "BadRequest"),
        (
            'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is '
            "an irreversible action."
        ),
    ),
    "BadRequest: retention changed": (
        patch(soft_delete_retention_in_days=30),
        (400, "BadRequest"),
        'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.',
    ),
    "BadRequest: retention": (
        lambda w: w.make(soft_delete_retention_in_days=6),
        (400, "BadRequest"),
        'The property "softDeleteRetentionInDays" must be between 7 and 90 days.',
    ),
    "BadRequest: an address rule that is none": (
        ip_rules("1.2.3"),
        (400, "BadRequest"),
        f"{IP_RULE} 1.2.3 is not an IPv4 address or CIDR range",
    ),
    "BadRequest: an address rule for IPv6": (
        ip_rules("2001:db8::/32"),
        (400, "BadRequest"),
        f"{IP_RULE} 2001:db8::/32 is not an IPv4 address or CIDR range; there are no rules for IPv6",
    ),
    "BadRequest: bits behind the prefix": (
        ip_rules("1.2.3.4/24"),
        (400, "BadRequest"),
        f"{IP_RULE} 1.2.3.4/24 has bits set behind its prefix; did you mean 1.2.3.0/24, or 1.2.3.4/32?",
    ),
    "BadRequest: an address that no caller has": (
        ip_rules("224.0.0.1"),
        (400, "BadRequest"),
        f"{IP_RULE} 224.0.0.1 belongs to forbidden range 224.0.0.0–239.255.255.255 (multicast addresses)",
    ),
    "BadRequest: too many address rules": (
        ip_rules(*["1.2.3.4"] * 1001),
        (400, "BadRequest"),
        "A vault holds at most 1000 ipRules in networkAcls; 1001 were given.",
    ),
    "BadRequest: a rule for what is no subnet": (
        saying(networkAcls={"virtualNetworkRules": [{"id": "there"}]}),
        (400, "BadRequest"),
        (
            "Invalid value found at properties.networkAcls.virtualNetworkRules[0].id: there is not the resource id of "
            "a subnet"
        ),
    ),
    "BadRequest: a perimeter": (
        patch(public_network_access="SecuredByPerimeter"),
        (400, "BadRequest"),
        "The property 'publicNetworkAccess' cannot be 'SecuredByPerimeter': …",
    ),
    "BadRequest: a change of policies that is none": (
        policies("upset", (NOWHERE, "get")),
        (400, "BadRequest"),
        "The operation 'upset' is not supported; …",
    ),
    "BadRequest: recovery elsewhere": (
        lambda w: w.make(w.deleted_vault, group=w.group, create_mode="recover"),
        (400, "BadRequest"),
        "The deleted vault '{deleted_vault}' belongs to the resource group 'dev' …",
    ),
    "InvalidResourceNamespace: no name": (
        ask("POST", "/providers/a*b/register", version=GROUP_VERSION),
        (400, "InvalidResourceNamespace"),
        "The resource namespace is no name.",
    ),
    "AuthorizationFailed": (
        lambda w: w.vaults("guest").get("dev", w.policy_vault),
        (403, "AuthorizationFailed"),
        (
            "The client '{guest_id}' with object id '{guest_object}' does not have authorization to perform action "
            "'Microsoft.KeyVault/vaults/read' over scope '/subscriptions/{subscriptionId}/resourceGroups/dev/providers/"
            "Microsoft.KeyVault/vaults/{vault}' or the scope is invalid. If access was recently granted, please "
            "refresh your credentials."
        ),
    ),
    "AuthorizationFailed of one who may manage vaults": (
        lambda w: w.vaults("contributor").begin_purge_deleted(w.deleted_vault, w.connection.location),
        (403, "AuthorizationFailed"),
        (
            "The client '{contributor_id}' with object id '{contributor_object}' does not have authorization to "
            "perform action 'Microsoft.KeyVault/locations/deletedVaults/purge/action' over scope '…' or the scope is "
            "invalid. …"
        ),
    ),
    "InsufficientPermissions": (
        patch(who="contributor", enable_rbac_authorization=True),
        (403, "InsufficientPermissions"),
        (
            "Caller is not allowed to change permission model. For more information on how to change the permissions "
            "model follow this link: https://go.microsoft.com/fwlink/?linkid=2155160. Details: "
            "oid={contributor_object}; action=Microsoft.Authorization/roleAssignments/write; resource="
            "…/vaults/{vault}; decision=NotAllowed;"
        ),
    ),
    "SubscriptionNotFound": (
        lambda w: w.vaults(subscription=NOWHERE).get("dev", "any"),
        (404, "SubscriptionNotFound"),
        f"The subscription '{NOWHERE}' could not be found.",
    ),
    "ResourceGroupNotFound": (
        lambda w: w.make(group="no-such-group"),
        (404, "ResourceGroupNotFound"),
        "Resource group 'no-such-group' could not be found.",
    ),
    "ResourceNotFound": (
        lambda w: w.vaults().get("dev", "no-such-vault"),
        (404, "ResourceNotFound"),
        (
            "The Resource 'Microsoft.KeyVault/vaults/no-such-vault' under resource group 'dev' was not found. For more "
            "details please go to https://aka.ms/ARMResourceNotFoundFix"
        ),
    ),
    "ResourceNotFound of a deleted one": (
        lambda w: w.vaults().get("dev", w.deleted_vault),
        (404, "ResourceNotFound"),
        "The Resource 'Microsoft.KeyVault/vaults/{deleted_vault}' under resource group 'dev' was not found. …",
    ),
    "DeletedVaultNotFound": (
        lambda w: w.vaults().get_deleted(w.policy_vault, w.connection.location),
        (404, "DeletedVaultNotFound"),
        "The specified deleted vault '{vault}' does not exist.",
    ),
    "DeletedVaultNotFound at a purge": (
        lambda w: w.vaults().begin_purge_deleted("no-such-vault", w.connection.location),
        (404, "DeletedVaultNotFound"),
        "The specified deleted vault 'no-such-vault' does not exist.",
    ),
    "DeletedVaultNotFound at a recovery": (
        lambda w: w.make("no-such-vault", create_mode="recover"),
        (404, "DeletedVaultNotFound"),
        "The specified deleted vault 'no-such-vault' does not exist.",
    ),
    "DeletedManagedHsmNotFound": (
        lambda w: w.hsms().get_deleted("no-such-hsm", w.connection.location),
        (404, "DeletedManagedHsmNotFound"),
        "The specified deleted managed HSM 'no-such-hsm' does not exist.",
    ),
    "InvalidResourceNamespace": (
        ask("GET", "/providers/Nobody.Here", version=GROUP_VERSION),
        (404, "InvalidResourceNamespace"),
        "The resource namespace 'Nobody.Here' is invalid.",
    ),
    "InvalidResourceType": (
        lambda w: w.direct.manage(
            "GET", f"{w.direct.subscription}/providers/Microsoft.Network/privateEndpoints", version="2024-05-01"
        ),
        (404, "InvalidResourceType"),
        "The resource type could not be found in the namespace 'Microsoft.Network' for api version '2024-05-01'. …",
    ),
    "OperationNotFound": (
        ask("GET", "/operationresults/made-up", version=GROUP_VERSION),
        (404, "OperationNotFound"),
        "There is no operation of this id.",
    ),
    "NotFound": (
        lambda w: w.direct.manage("GET", "/nothing/here", version=GROUP_VERSION),
        (404, "NotFound"),
        "The request path names nothing that this service has.",
    ),
    "MethodNotAllowed of a purge": (
        lambda w: w.vaults().begin_purge_deleted(w.deleted_protected_vault, w.connection.location),
        (405, "MethodNotAllowed"),
        "Operation 'DeletedVaultPurge' is not allowed.",
    ),
    "MethodNotAllowed": (
        group("POST", name="dev"),
        (405, "MethodNotAllowed"),
        "The method 'POST' is not allowed on this path.",
    ),
    "VaultAlreadyExists": (
        lambda w: w.make(w.policy_vault, group=w.group),
        (409, "VaultAlreadyExists"),
        "The vault name '{vault}' is already in use. Vault names are globally unique …",
    ),
    "VaultAlreadyExists at a recovery": (
        lambda w: w.make(w.policy_vault, create_mode="recover"),
        (409, "VaultAlreadyExists"),
        "The vault name '{vault}' is already in use. …",
    ),
    "ConflictError": (
        lambda w: w.make(w.deleted_vault),
        (409, "ConflictError"),
        (
            "A vault with the same name already exists in deleted state. You need to either recover or purge existing "
            "key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft "
            "delete."
        ),
    ),
    "InvalidResourceLocation": (
        lambda w: w.make(w.policy_vault, location="westeurope"),
        (409, "InvalidResourceLocation"),
        "The resource '{vault}' already exists in location '{location}' in resource group 'dev'. …",
    ),
    "InvalidResourceGroupLocation": (
        group("PUT", {"location": "westeurope"}, name="dev"),
        (409, "InvalidResourceGroupLocation"),
        "Invalid resource group location 'westeurope'. The Resource group already exists in location '{location}'.",
    ),
    "RequestEntityTooLarge": (
        group("PUT", '{"location":"' + "x" * 65536 + '"}'),
        (413, "RequestEntityTooLarge"),
        "The request body is too large; this operation takes at most 65536 bytes.",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_management_plane_answers_an_error_as_its_row_says(world, name):
    provoke, expected, message = ROWS[name]
    met = meet(world, provoke)
    assert (met.status, met.code) == expected, met
    assert fits(message, met.message, world.facts), met.message
    assert met.inner is None
    assert "www-authenticate" not in met.headers


def test_a_group_that_is_not_there_is_told_by_its_status_alone(world):
    answer = world.direct.manage("HEAD", world.direct.group_path("no-such-group"), version=GROUP_VERSION)
    assert (answer.status, answer.raw) == (404, b"")


def test_the_rehearsal_clock_is_not_put_back_a_little(server, world):
    """The clock itself stays where it is: other tests live in its time."""
    answer = world.direct.manage("PUT", CLOCK, {"offsetSeconds": -1}, version=None)
    assert (answer.status, answer.error["code"]) == (400, "InvalidRequestContent")


def test_the_sdk_raises_the_class_that_its_users_catch(world):
    from azure.core.exceptions import ClientAuthenticationError, ResourceExistsError, ResourceNotFoundError

    for kind, name in (
        (ResourceNotFoundError, "ResourceNotFound"),
        (ResourceExistsError, "ConflictError"),
        (HttpResponseError, "AuthorizationFailed"),
    ):
        with pytest.raises(kind) as raised:
            ROWS[name][0](world)
        assert not isinstance(raised.value, ClientAuthenticationError)
