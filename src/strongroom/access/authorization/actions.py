"""Permissions are data: every data action with the access-policy permission that stands for it.

The names that access policies may hold are in `vaults.policies`. Sources: Azure RBAC "Permissions in Security"
(Microsoft.KeyVault); REST Vaults `KeyPermissions`, `SecretPermissions`.
"""

from strongroom.access.authorization.model import Action

PREFIX = "Microsoft.KeyVault/vaults/"

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

ROLE_ASSIGNMENT_WRITE = "Microsoft.Authorization/roleAssignments/write"
VAULT_READ = "Microsoft.KeyVault/vaults/read"
