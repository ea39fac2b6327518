"""What can be done with what a vault holds, by the names that people use: `secrets/get`, `keys/sign`.

A name is the object's kind with the permission of an access policy; what shares its permission with another has the
verb of its RBAC action instead (`secrets/update`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from strongroom.access.authorization import actions
from strongroom.access.authorization.model import Action
from strongroom.errors import BadRequest

Operations = Mapping[str, Action]


def _named() -> dict[str, Action]:
    found: dict[str, Action] = {}
    for action in [each for each in vars(actions).values() if isinstance(each, Action)]:
        name = "/".join(action.policy)
        if name in found:
            name = action.data_action.lower().removeprefix(actions.PREFIX.lower()).removesuffix("/action")
        found[name] = action
    return found


OPERATIONS: Operations = MappingProxyType(_named())
KINDS = tuple(dict.fromkeys(name.partition("/")[0] for name in OPERATIONS))


def find_operations(kind: str | None = None, named: str | None = None) -> Operations:
    """Return the operations on objects of a kind (of any when None), only the one named so when it is given.

    named: with its kind or without (`secrets/get`, `get`), in any case. BadRequest when there is none.
    """
    wanted = (named or "").strip().lower()
    found = {
        name: action
        for name, action in OPERATIONS.items()
        if (kind is None or name.startswith(kind + "/")) and wanted in {"", name, name.partition("/")[2]}
    }
    if not found:
        known = ", ".join(name for name in OPERATIONS if kind is None or name.startswith(kind + "/"))
        if not known:
            raise BadRequest(f"There are no operations on {kind} here.", code="BadRequest")
        raise BadRequest(f"There is no operation '{named}' here; there are: {known}.", code="BadRequest")
    return MappingProxyType(found)
