"""Recipes for what is set on scopes: locks and tags."""

from strongroom.clock import real_now
from strongroom.resources.locks import MAX_LOCKS

KINDS = ("Subscription", "Group", "Vault", "Network")
CAN_NOT_DELETE = {"properties": {"level": "CanNotDelete"}}
TAGS = {"properties": {"tags": {"a": "b"}}}
MERGED = {"operation": "Merge", **TAGS}
READ_ONLY = {"properties": {"level": "ReadOnly"}}


def keep_tag_names(recipes):
    """The life of a tag's name and value, and the conflicts that it knows."""
    recipes.ask("putTagValue")
    for name in ("putTagName", "putTagName", "putTagValue", "putTagValue", "listTagNames", "deleteTagName"):
        recipes.ask(name)
    for name in ("deleteTagValue", "deleteTagValue", "deleteTagName", "deleteTagName"):
        recipes.ask(name)


def live_locked(recipes):
    """The life of locks at each scope, and what a lock on the subscription refuses."""
    recipes.ask("putGroup", body={"location": recipes.direct.facts.location})
    recipes.ask("putVault", body=recipes.direct.vault_body())
    for kind in KINDS:
        for name in ("putLock", "putLock", "getLock", "listLocks", "deleteLock", "deleteLock"):
            recipes.ask(f"{name}Of{kind}", body=CAN_NOT_DELETE if name == "putLock" else None)
        for number in range(MAX_LOCKS + 1):
            recipes.ask(f"putLockOf{kind}", body=CAN_NOT_DELETE, lock=f"lock-{number}")
        for number in range(MAX_LOCKS):
            recipes.ask(f"deleteLockOf{kind}", lock=f"lock-{number}")
        for name, body in (("put", TAGS), ("patch", MERGED), ("get", None), ("delete", None)):
            recipes.ask(f"{name}TagsOf{kind}", body=body)
    keep_tag_names(recipes)
    recipes.ask("checkVault")
    recipes.ask("listEvents", query={"$filter": f"eventTimestamp%20ge%20{real_now():%Y-%m-%dT%H:%M:%SZ}"})
    recipes.ask("listTypes")
    recipes.ask("putLockOfSubscription", body=READ_ONLY)
    for name, operation in recipes.reach.operations.items():
        let_by = "Lock" in name or name.startswith("preview")
        if "409" in operation.responses and "{subscription}" in operation.path and not let_by:
            assert recipes.ask(name).json["error"]["code"] == "ScopeLocked", name
    recipes.ask("deleteLockOfSubscription")
    recipes.ask("deleteVault")
    recipes.ask("deleteGroup")
