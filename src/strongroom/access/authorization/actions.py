"""Permissions are data: every data action with the access-policy permission that stands for it.

The names that access policies may hold are in `vaults.policies`. Sources: Azure RBAC "Permissions in Security"
(Microsoft.KeyVault); REST Vaults `KeyPermissions`, `SecretPermissions`.
"""

from strongroom.access.authorization.model import Action
from strongroom.resources.networks.model import JOIN

PROVIDER = "Microsoft.KeyVault"
PREFIX = PROVIDER + "/vaults/"

KEY_BACKUP = Action(PREFIX + "keys/backup/action", ("keys", "backup"))
KEY_CREATE = Action(PREFIX + "keys/create/action", ("keys", "create"))
KEY_DECRYPT = Action(PREFIX + "keys/decrypt/action", ("keys", "decrypt"))
KEY_DELETE = Action(PREFIX + "keys/delete", ("keys", "delete"))
KEY_ENCRYPT = Action(PREFIX + "keys/encrypt/action", ("keys", "encrypt"))
KEY_GET = Action(PREFIX + "keys/read", ("keys", "get"))
KEY_IMPORT = Action(PREFIX + "keys/import/action", ("keys", "import"))
KEY_LIST = Action(PREFIX + "keys/read", ("keys", "list"))
KEY_PURGE = Action(PREFIX + "keys/purge/action", ("keys", "purge"))
KEY_RECOVER = Action(PREFIX + "keys/recover/action", ("keys", "recover"))
KEY_RELEASE = Action(PREFIX + "keys/release/action", ("keys", "release"))
KEY_RESTORE = Action(PREFIX + "keys/restore/action", ("keys", "restore"))
KEY_ROTATE = Action(PREFIX + "keys/rotate/action", ("keys", "rotate"))
KEY_ROTATION_POLICY_GET = Action(PREFIX + "keyrotationpolicies/read", ("keys", "getrotationpolicy"))
KEY_ROTATION_POLICY_SET = Action(PREFIX + "keyrotationpolicies/write", ("keys", "setrotationpolicy"))
KEY_SIGN = Action(PREFIX + "keys/sign/action", ("keys", "sign"))
KEY_UNWRAP = Action(PREFIX + "keys/unwrap/action", ("keys", "unwrapkey"))
KEY_UPDATE = Action(PREFIX + "keys/update/action", ("keys", "update"))
KEY_VERIFY = Action(PREFIX + "keys/verify/action", ("keys", "verify"))
KEY_WRAP = Action(PREFIX + "keys/wrap/action", ("keys", "wrapkey"))

SECRET_BACKUP = Action(PREFIX + "secrets/backup/action", ("secrets", "backup"))
SECRET_DELETE = Action(PREFIX + "secrets/delete", ("secrets", "delete"))
SECRET_GET = Action(PREFIX + "secrets/getSecret/action", ("secrets", "get"))
# A deleted secret is shown without its value, so RBAC asks for metadata only, while policies know one `get`.
SECRET_GET_DELETED = Action(PREFIX + "secrets/readMetadata/action", ("secrets", "get"))
SECRET_LIST = Action(PREFIX + "secrets/readMetadata/action", ("secrets", "list"))
SECRET_PURGE = Action(PREFIX + "secrets/purge/action", ("secrets", "purge"))
SECRET_RECOVER = Action(PREFIX + "secrets/recover/action", ("secrets", "recover"))
SECRET_RESTORE = Action(PREFIX + "secrets/restore/action", ("secrets", "restore"))
SECRET_SET = Action(PREFIX + "secrets/setSecret/action", ("secrets", "set"))
SECRET_UPDATE = Action(PREFIX + "secrets/update/action", ("secrets", "set"))

ROLE_ASSIGNMENT_DELETE = "Microsoft.Authorization/roleAssignments/delete"
ROLE_ASSIGNMENT_READ = "Microsoft.Authorization/roleAssignments/read"
ROLE_ASSIGNMENT_WRITE = "Microsoft.Authorization/roleAssignments/write"
ROLE_DEFINITION_WRITE = "Microsoft.Authorization/roleDefinitions/write"
ACCESS_POLICY_WRITE = "Microsoft.KeyVault/vaults/accessPolicies/write"
NETWORK_PROVIDER = "Microsoft.Network"
NETWORK_READ = "Microsoft.Network/virtualNetworks/read"
NETWORK_WRITE = "Microsoft.Network/virtualNetworks/write"
NETWORK_DELETE = "Microsoft.Network/virtualNetworks/delete"
SUBNET_READ = "Microsoft.Network/virtualNetworks/subnets/read"
SUBNET_WRITE = "Microsoft.Network/virtualNetworks/subnets/write"
SUBNET_DELETE = "Microsoft.Network/virtualNetworks/subnets/delete"
VAULT_DELETE = "Microsoft.KeyVault/vaults/delete"
VAULT_PURGE = "Microsoft.KeyVault/locations/deletedVaults/purge/action"
KEYS_WRITE = PREFIX + "keys/write"
SECRETS_WRITE = PREFIX + "secrets/write"
VAULT_READ = "Microsoft.KeyVault/vaults/read"
VAULT_WRITE = "Microsoft.KeyVault/vaults/write"


def _spelled(prefix: str, text: str) -> tuple[str, ...]:
    """Return the actions of a list: a line for each type, `type: verb verb`, `_` for the type above them all."""
    found = []
    for line in text.strip().splitlines():
        kind, _, verbs = line.strip().partition(": ")
        place = prefix if kind == "_" else f"{prefix}{kind}/"
        found += [place + verb for verb in verbs.split()]
    return tuple(found)


# Everything of the provider that a role may name, what is not served here included: roles are brought along.
KNOWN_DATA_ACTIONS = _spelled(
    PREFIX,
    """
    certificatecas: delete read write
    certificatecontacts: write
    certificates: delete read backup/action purge/action update/action create/action import/action recover/action
    certificates: restore/action
    keyrotationpolicies: read write
    keys: read delete update/action create/action import/action recover/action restore/action backup/action
    keys: purge/action encrypt/action decrypt/action wrap/action unwrap/action sign/action verify/action
    keys: release/action rotate/action
    secrets: delete backup/action purge/action update/action recover/action restore/action readMetadata/action
    secrets: getSecret/action setSecret/action
    storageaccounts: read set/action delete backup/action purge/action regeneratekey/action recover/action
    storageaccounts: restore/action sas/set/action sas/delete sas/read
    """,
)
KNOWN_ACTIONS = _spelled(
    PROVIDER + "/",
    """
    _: register/action unregister/action
    checkNameAvailability: read
    checkMhsmNameAvailability: read
    deletedVaults: read
    deletedManagedHsms: read
    operations: read
    hsmPools: read write delete joinVault/action
    locations: deleteVirtualNetworkOrSubnets/action deletedVaults/read deletedVaults/purge/action operationResults/read
    locations: deletedManagedHsms/read deletedManagedHsms/purge/action managedHsmOperationResults/read
    vaults: read write delete deploy/action PrivateEndpointConnectionsApproval/action accessPolicies/write
    vaults/eventGridFilters: read write delete
    vaults/keys: read write versions/read
    vaults/secrets: read write
    vaults/privateEndpointConnections: read write delete
    vaults/privateEndpointConnectionProxies: read write delete validate/action
    vaults/privateLinkResources: read
    vaults/providers/Microsoft.Insights/diagnosticSettings: Read Write
    vaults/providers/Microsoft.Insights/logDefinitions: read
    vaults/providers/Microsoft.Insights/metricDefinitions: read
    managedHSMs: read write delete PrivateEndpointConnectionsApproval/action
    managedHSMs/keys: read write versions/read
    managedHSMs/privateEndpointConnections: read write delete
    managedHSMs/privateEndpointConnectionProxies: read write delete validate/action
    managedHSMs/privateLinkResources: read
    managedHSMs/providers/Microsoft.Insights/diagnosticSettings: Read Write
    managedHSMs/providers/Microsoft.Insights/logDefinitions: read
    managedHSMs/providers/Microsoft.Insights/metricDefinitions: read
    """,
)
NETWORK_ACTIONS = (
    f"{NETWORK_PROVIDER}/register/action",
    f"{NETWORK_PROVIDER}/unregister/action",
    f"{NETWORK_PROVIDER}/operations/read",
    NETWORK_READ,
    NETWORK_WRITE,
    NETWORK_DELETE,
    SUBNET_READ,
    SUBNET_WRITE,
    SUBNET_DELETE,
    JOIN,
)
"""What is asked here of Microsoft.Network. Roles may name its other actions too: roles are brought along."""
