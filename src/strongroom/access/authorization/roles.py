"""The built-in roles, as data.

Source: Azure "Built-in roles", Privileged and Security (read 2026); the Purge Operator from its published definition.
Custom roles stand beside them in the storage.
"""

from strongroom.access.authorization.model import RoleDefinition

COMMON10 = (
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
    "Microsoft.KeyVault/checkNameAvailability/read",
    "Microsoft.KeyVault/deletedVaults/read",
    "Microsoft.KeyVault/locations/*/read",
    "Microsoft.KeyVault/vaults/*/read",
    "Microsoft.KeyVault/operations/read",
)


def _data(*names: str) -> tuple[str, ...]:
    return tuple("Microsoft.KeyVault/vaults/" + name for name in names)


OWNER = RoleDefinition(
    role_id="8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    name="Owner",
    description="Manages all resources and may grant others access to them; sees no secret, key or certificate.",
    actions=("*",),
)
CONTRIBUTOR = RoleDefinition(
    role_id="b24988ac-6180-42a0-ab88-20f7382dd24c",
    name="Contributor",
    description="Manages all resources and grants no roles.",
    actions=("*",),
    not_actions=(
        "Microsoft.Authorization/*/Delete",
        "Microsoft.Authorization/*/Write",
        "Microsoft.Authorization/elevateAccess/Action",
        "Microsoft.Blueprint/blueprintAssignments/write",
        "Microsoft.Blueprint/blueprintAssignments/delete",
        "Microsoft.Compute/galleries/share/action",
        "Microsoft.Purview/consents/write",
        "Microsoft.Purview/consents/delete",
        "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
        "Microsoft.Subscription/cancel/action",
        "Microsoft.Subscription/enable/action",
    ),
)
READER = RoleDefinition(
    role_id="acdd72a7-3385-48ef-bd42-f606fba81ae7",
    name="Reader",
    description="Sees all resources and changes none.",
    actions=("*/read",),
)
USER_ACCESS_ADMINISTRATOR = RoleDefinition(
    role_id="18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    name="User Access Administrator",
    description="Manages who may access resources.",
    actions=("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"),
)
RBAC_ADMINISTRATOR = RoleDefinition(
    role_id="f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    name="Role Based Access Control Administrator",
    description="Manages role assignments and nothing else.",
    actions=(
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleAssignments/delete",
        "*/read",
        "Microsoft.Support/*",
    ),
)
KEY_VAULT_ADMINISTRATOR = RoleDefinition(
    role_id="00482a5a-887f-4fb3-b363-3b7fe8e74483",
    name="Key Vault Administrator",
    description="Does everything with the secrets, keys and certificates of a vault; manages no vaults and no roles.",
    actions=COMMON10,
    data_actions=_data("*"),
)
KEY_VAULT_CONTRIBUTOR = RoleDefinition(
    role_id="f25e0fa2-a7c8-4377-a976-54943a77a395",
    name="Key Vault Contributor",
    description="Manages vaults; sees no secret, key or certificate, purges no vault.",
    actions=(
        "Microsoft.Authorization/*/read",
        "Microsoft.Insights/alertRules/*",
        "Microsoft.KeyVault/*",
        "Microsoft.Resources/deployments/*",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "Microsoft.Support/*",
    ),
    not_actions=(
        "Microsoft.KeyVault/locations/deletedVaults/purge/action",
        "Microsoft.KeyVault/hsmPools/*",
        "Microsoft.KeyVault/managedHsms/*",
    ),
)
KEY_VAULT_READER = RoleDefinition(
    role_id="21090545-7ca7-4776-b22c-e363652d74d2",
    name="Key Vault Reader",
    description="Sees vaults and the metadata of what they hold; no values.",
    actions=COMMON10,
    data_actions=_data("*/read", "secrets/readMetadata/action"),
)
KEY_VAULT_SECRETS_OFFICER = RoleDefinition(
    role_id="b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    name="Key Vault Secrets Officer",
    description="Does everything with the secrets of a vault.",
    actions=COMMON10,
    data_actions=_data("secrets/*"),
)
KEY_VAULT_SECRETS_USER = RoleDefinition(
    role_id="4633458b-17de-408a-b874-0445c86b69e6",
    name="Key Vault Secrets User",
    description="Reads the values of secrets.",
    data_actions=_data("secrets/getSecret/action", "secrets/readMetadata/action"),
)
KEY_VAULT_CRYPTO_OFFICER = RoleDefinition(
    role_id="14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
    name="Key Vault Crypto Officer",
    description="Does everything with the keys of a vault.",
    actions=COMMON10,
    data_actions=_data("keys/*", "keyrotationpolicies/*"),
)
KEY_VAULT_CRYPTO_USER = RoleDefinition(
    role_id="12338af0-0e69-4776-bea7-57ae8d297424",
    name="Key Vault Crypto User",
    description="Uses the keys of a vault.",
    data_actions=_data(
        "keys/read",
        "keys/update/action",
        "keys/backup/action",
        "keys/encrypt/action",
        "keys/decrypt/action",
        "keys/wrap/action",
        "keys/unwrap/action",
        "keys/sign/action",
        "keys/verify/action",
    ),
)
KEY_VAULT_CRYPTO_SERVICE_ENCRYPTION_USER = RoleDefinition(
    role_id="e147488a-f6f5-4113-8e2d-b22465e65bf6",
    name="Key Vault Crypto Service Encryption User",
    description="Reads the metadata of keys, wraps and unwraps with them.",
    actions=(
        "Microsoft.EventGrid/eventSubscriptions/write",
        "Microsoft.EventGrid/eventSubscriptions/read",
        "Microsoft.EventGrid/eventSubscriptions/delete",
    ),
    data_actions=_data("keys/read", "keys/wrap/action", "keys/unwrap/action"),
)
KEY_VAULT_CRYPTO_SERVICE_RELEASE_USER = RoleDefinition(
    role_id="08bbd89e-9f13-488c-ac41-acfcb10c90ab",
    name="Key Vault Crypto Service Release User",
    description="Releases keys.",
    data_actions=_data("keys/release/action"),
)
KEY_VAULT_CERTIFICATES_OFFICER = RoleDefinition(
    role_id="a4417e6f-fecd-4de8-b567-7b0420556985",
    name="Key Vault Certificates Officer",
    description="Does everything with the certificates of a vault.",
    actions=COMMON10,
    data_actions=_data("certificatecas/*", "certificates/*", "certificatecontacts/write"),
)
KEY_VAULT_CERTIFICATE_USER = RoleDefinition(
    role_id="db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
    name="Key Vault Certificate User",
    description="Reads certificates with their private part.",
    data_actions=_data("certificates/read", "secrets/getSecret/action", "secrets/readMetadata/action", "keys/read"),
)
KEY_VAULT_PURGE_OPERATOR = RoleDefinition(
    role_id="a68e7c17-0ab2-4c09-9a58-125dae29748c",
    name="Key Vault Purge Operator",
    description="Purges deleted vaults.",
    actions=(
        "Microsoft.Authorization/*/read",
        "Microsoft.Insights/alertRules/*",
        "Microsoft.Resources/deployments/*",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "Microsoft.KeyVault/deletedVaults/read",
        "Microsoft.KeyVault/locations/deletedVaults/read",
        "Microsoft.KeyVault/locations/deletedVaults/purge/action",
        "Microsoft.KeyVault/locations/operationResults/read",
    ),
)

_ASSIGNABLE_BY_IT = ", ".join(
    role.role_id
    for role in (
        KEY_VAULT_ADMINISTRATOR,
        KEY_VAULT_CERTIFICATES_OFFICER,
        KEY_VAULT_CRYPTO_OFFICER,
        KEY_VAULT_CRYPTO_SERVICE_ENCRYPTION_USER,
        KEY_VAULT_CRYPTO_USER,
        KEY_VAULT_READER,
        KEY_VAULT_SECRETS_OFFICER,
        KEY_VAULT_SECRETS_USER,
    )
)
KEY_VAULT_DATA_ACCESS_ADMINISTRATOR = RoleDefinition(
    role_id="8b54135c-b56d-4d72-a534-26097cfdc8d8",
    name="Key Vault Data Access Administrator",
    description="Gives and takes back the roles of the data plane, and no others.",
    actions=(
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleAssignments/delete",
        "Microsoft.Authorization/*/read",
        "Microsoft.Resources/deployments/*",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "Microsoft.Resources/subscriptions/read",
        "Microsoft.Management/managementGroups/read",
        "Microsoft.Support/*",
        "Microsoft.KeyVault/vaults/*/read",
    ),
    condition=" AND ".join(
        f"((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/{verb}'}})) OR "
        f"(@{source}[Microsoft.Authorization/roleAssignments:RoleDefinitionId] "
        f"ForAnyOfAnyValues:GuidEquals{{{_ASSIGNABLE_BY_IT}}}))"
        for verb, source in (("write", "Request"), ("delete", "Resource"))
    ),
)

BUILT_IN: tuple[RoleDefinition, ...] = (
    OWNER,
    CONTRIBUTOR,
    READER,
    USER_ACCESS_ADMINISTRATOR,
    RBAC_ADMINISTRATOR,
    KEY_VAULT_ADMINISTRATOR,
    KEY_VAULT_CONTRIBUTOR,
    KEY_VAULT_READER,
    KEY_VAULT_SECRETS_OFFICER,
    KEY_VAULT_SECRETS_USER,
    KEY_VAULT_CRYPTO_OFFICER,
    KEY_VAULT_CRYPTO_USER,
    KEY_VAULT_CRYPTO_SERVICE_ENCRYPTION_USER,
    KEY_VAULT_CRYPTO_SERVICE_RELEASE_USER,
    KEY_VAULT_CERTIFICATES_OFFICER,
    KEY_VAULT_CERTIFICATE_USER,
    KEY_VAULT_DATA_ACCESS_ADMINISTRATOR,
    KEY_VAULT_PURGE_OPERATOR,
)
