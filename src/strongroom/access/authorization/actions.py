"""Permissions are data: every data action with the access-policy permission that stands for it.

The names that access policies may hold are in `vaults.policies`. Sources: Azure RBAC "Permissions in Security"
(Microsoft.KeyVault); REST Vaults `SecretPermissions`.
"""

from strongroom.access.authorization.model import Action

PREFIX = "Microsoft.KeyVault/vaults/"

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
