"""Who may do what, told once more: an oracle for tests that shares no code with what it judges.

It knows the documented built-in roles, the access-policy permissions, and four rules. A role's pattern matches a whole
action, `*` any run of characters, `/*/` a single slash too, whatever the case. A role grants what one of its patterns
matches and none of its `not` patterns does. An assignment counts at its scope and below, for its principal and whoever
is in it. Grants add up. Nothing here may be imported from the server: what is wrong there would be right here.

Sources: Azure "Built-in roles" (Privileged, Security), "Understand role definitions", "Assign a Key Vault access
policy".
"""

from functools import cache

VAULTS = "Microsoft.KeyVault/vaults/"
COMMON = """
    Microsoft.Authorization/*/read Microsoft.Insights/alertRules/* Microsoft.Resources/deployments/*
    Microsoft.Resources/subscriptions/resourceGroups/read Microsoft.Support/*
    Microsoft.KeyVault/checkNameAvailability/read Microsoft.KeyVault/deletedVaults/read
    Microsoft.KeyVault/locations/*/read Microsoft.KeyVault/vaults/*/read Microsoft.KeyVault/operations/read
"""
CONTROL = "actions"
TAKEN = "not actions"
DATA = "data actions"
CRYPTO_USER = "keys/read keys/update/action keys/backup/action " + " ".join(
    f"keys/{use}/action" for use in ("encrypt", "decrypt", "wrap", "unwrap", "sign", "verify")
)
# Name of the role: its id, then what it allows and what it takes away from that; data actions below vaults/.
ROLES = {
    "Owner": ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", {CONTROL: "*"}),
    "Contributor": (
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        {
            CONTROL: "*",
            TAKEN: """
                Microsoft.Authorization/*/Delete Microsoft.Authorization/*/Write
                Microsoft.Authorization/elevateAccess/Action Microsoft.Blueprint/blueprintAssignments/write
                Microsoft.Blueprint/blueprintAssignments/delete Microsoft.Compute/galleries/share/action
                Microsoft.Purview/consents/write Microsoft.Purview/consents/delete
                Microsoft.Resources/deploymentStacks/manageDenySetting/action Microsoft.Subscription/cancel/action
                Microsoft.Subscription/enable/action
            """,
        },
    ),
    "Reader": ("acdd72a7-3385-48ef-bd42-f606fba81ae7", {CONTROL: "*/read"}),
    "User Access Administrator": (
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        {CONTROL: "*/read Microsoft.Authorization/* Microsoft.Support/*"},
    ),
    "Role Based Access Control Administrator": (
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        {
            CONTROL: """
                Microsoft.Authorization/roleAssignments/write Microsoft.Authorization/roleAssignments/delete
                */read Microsoft.Support/*
            """
        },
    ),
    "Key Vault Administrator": ("00482a5a-887f-4fb3-b363-3b7fe8e74483", {CONTROL: COMMON, DATA: "*"}),
    "Key Vault Contributor": (
        "f25e0fa2-a7c8-4377-a976-54943a77a395",
        {
            CONTROL: """
                Microsoft.Authorization/*/read Microsoft.Insights/alertRules/* Microsoft.KeyVault/*
                Microsoft.Resources/deployments/* Microsoft.Resources/subscriptions/resourceGroups/read
                Microsoft.Support/*
            """,
            TAKEN: """
                Microsoft.KeyVault/locations/deletedVaults/purge/action Microsoft.KeyVault/hsmPools/*
                Microsoft.KeyVault/managedHsms/*
            """,
        },
    ),
    "Key Vault Reader": (
        "21090545-7ca7-4776-b22c-e363652d74d2",
        {CONTROL: COMMON, DATA: "*/read secrets/readMetadata/action"},
    ),
    "Key Vault Secrets Officer": ("b86a8fe4-44ce-4948-aee5-eccb2c155cd7", {CONTROL: COMMON, DATA: "secrets/*"}),
    "Key Vault Secrets User": (
        "4633458b-17de-408a-b874-0445c86b69e6",
        {DATA: "secrets/getSecret/action secrets/readMetadata/action"},
    ),
    "Key Vault Crypto Officer": (
        "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
        {CONTROL: COMMON, DATA: "keys/* keyrotationpolicies/*"},
    ),
    "Key Vault Crypto User": ("12338af0-0e69-4776-bea7-57ae8d297424", {DATA: CRYPTO_USER}),
    "Key Vault Crypto Service Encryption User": (
        "e147488a-f6f5-4113-8e2d-b22465e65bf6",
        {
            CONTROL: """
                Microsoft.EventGrid/eventSubscriptions/write Microsoft.EventGrid/eventSubscriptions/read
                Microsoft.EventGrid/eventSubscriptions/delete
            """,
            DATA: "keys/read keys/wrap/action keys/unwrap/action",
        },
    ),
    "Key Vault Crypto Service Release User": (
        "08bbd89e-9f13-488c-ac41-acfcb10c90ab",
        {DATA: "keys/release/action"},
    ),
    "Key Vault Certificates Officer": (
        "a4417e6f-fecd-4de8-b567-7b0420556985",
        {CONTROL: COMMON, DATA: "certificatecas/* certificates/* certificatecontacts/write"},
    ),
    "Key Vault Certificate User": (
        "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
        {DATA: "certificates/read secrets/getSecret/action secrets/readMetadata/action keys/read"},
    ),
    "Key Vault Purge Operator": (
        "a68e7c17-0ab2-4c09-9a58-125dae29748c",
        {
            CONTROL: """
                Microsoft.Authorization/*/read Microsoft.Insights/alertRules/* Microsoft.Resources/deployments/*
                Microsoft.Resources/subscriptions/resourceGroups/read Microsoft.KeyVault/deletedVaults/read
                Microsoft.KeyVault/locations/deletedVaults/read
                Microsoft.KeyVault/locations/deletedVaults/purge/action
                Microsoft.KeyVault/locations/operationResults/read
            """
        },
    ),
    "Key Vault Data Access Administrator": (
        "8b54135c-b56d-4d72-a534-26097cfdc8d8",
        {
            CONTROL: """
                Microsoft.Authorization/roleAssignments/write Microsoft.Authorization/roleAssignments/delete
                Microsoft.Authorization/*/read Microsoft.Resources/deployments/*
                Microsoft.Resources/subscriptions/resourceGroups/read Microsoft.Resources/subscriptions/read
                Microsoft.Management/managementGroups/read Microsoft.Support/* Microsoft.KeyVault/vaults/*/read
            """
        },
    ),
}
CAREFUL = "Key Vault Data Access Administrator"
"""The built-in role with a condition: it gives and takes back these roles, and no others."""
GIVEN_BY_THE_CAREFUL = {
    f"Key Vault {name}"
    for name in (
        *("Administrator", "Certificates Officer", "Crypto Officer", "Crypto Service Encryption User", "Crypto User"),
        *("Reader", "Secrets Officer", "Secrets User"),
    )
}
GIVING = {f"microsoft.authorization/roleassignments/{verb}" for verb in ("write", "delete")}
KEYS = """
    all get list create update import delete backup restore recover purge encrypt decrypt wrapkey unwrapkey sign verify
    release rotate getrotationpolicy setrotationpolicy
"""
CERTIFICATES = """
    all get list delete create import update managecontacts getissuers listissuers setissuers deleteissuers
    manageissuers recover purge backup restore
"""
SECRETS = """all get list set delete backup restore recover purge"""
STORAGE = """
    all get list delete set update regeneratekey recover purge backup restore setsas listsas getsas deletesas
"""
PERMISSIONS = {
    "keys": KEYS.split(),
    "secrets": SECRETS.split(),
    "certificates": CERTIFICATES.split(),
    "storage": STORAGE.split(),
}


@cache
def fits(pattern, action):
    """Answer whether a pattern matches an action; both in lower case."""
    if pattern.startswith("/*/") and action.startswith("/") and fits(pattern[3:], action[1:]):
        return True
    if not pattern:
        return not action
    if pattern[0] == "*":
        return fits(pattern[1:], action) or bool(action and fits(pattern, action[1:]))
    return action[:1] == pattern[0] and fits(pattern[1:], action[1:])


def matched(patterns, action):
    return any(fits(pattern.lower(), action.lower()) for pattern in patterns)


@cache
def role_allows(role, action):
    """Answer whether a built-in role, by its name, has a control action. Of the careful one: whatever it is given."""
    said = ROLES[role][1]
    return matched(said.get(CONTROL, "").split(), action) and not matched(said.get(TAKEN, "").split(), action)


@cache
def role_allows_data(role, action):
    """Answer whether a built-in role, by its name, has a data action, written in full."""
    return matched([VAULTS + name for name in ROLES[role][1].get(DATA, "").split()], action)


def may_give(role, given):
    """Answer whether who holds a role may give and take back another one; None for one that nothing tells of."""
    return role != CAREFUL or given in GIVEN_BY_THE_CAREFUL


def lies_in(place, scope):
    """Answer whether a place is the scope or lies below it."""
    here, there = ([part for part in text.lower().split("/") if part] for text in (place, scope))
    return here[: len(there)] == there


def policy_allows(permission, needed):
    """Answer whether an access-policy permission is the one that is needed: `all` is every one but `purge`."""
    return permission == needed or (permission == "all" and needed != "purge")
