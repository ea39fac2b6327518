"""Who can reach this, over the API: what `strongroom access` says, for whoever may read role assignments there.

Our own: the resource manager has nothing like it. It asks for no api-version.
"""

from functools import partial

from strongroom.access.authorization.actions import ROLE_ASSIGNMENT_READ
from strongroom.access.authorization.assignments import require_scope
from strongroom.access.authorization.operations import find_operations
from strongroom.access.authorization.reach import reach_of
from strongroom.access.authorization.world import Atlas, read_world
from strongroom.errors import NotFound
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import accesswire
from strongroom.planes.management.places import OBJECT, SUBSCRIPTION, VAULT, scope_of, subscription_id
from strongroom.planes.management.wire import render
from strongroom.planes.operation import Operation, Parameter
from strongroom.vaults.service import get_vault

PROVIDER = "/providers/Strongroom.Access"
LOG = "Strongroom.Access/reach/read"
WANTED = Parameter(
    name="operation",
    kind=str,
    text="Only this operation, by its name with or without its kind: `get`, `secrets/get`; all when it is not given.",
)


async def get_reach(call: Call) -> Response:
    """Tell who can reach a vault or an object of it, by which road, and who could give itself that."""
    vault = await get_vault(call.stores, subscription_id(call), call.parameters["group"], call.parameters["vault"])
    scope = scope_of(call.parameters)
    found = await require_scope(call.stores.resources, call.stores.vaults, scope)
    kind = call.parameters["collection"].lower() if "collection" in call.parameters else None
    operations = find_operations(kind, call.request.query.get("operation"))
    place = None if kind is None else found.path
    atlas = await _atlas(call)
    return render(accesswire.reach_answer(atlas, vault, shown_id=scope, place=place, operations=operations))


async def get_principal_reach(call: Call) -> Response:
    """Tell what a principal reaches of the vaults of a subscription."""
    atlas = await _atlas(call)
    subject = atlas.subject(call.parameters["principal"].lower())
    if not subject.known:
        raise NotFound(f"There is no principal '{call.parameters['principal']}'.", code="PrincipalNotFound")
    found = [each for each in reach_of(atlas, subject) if each.vault.subscription_id == subscription_id(call)]
    return render(accesswire.principal_answer(atlas, subject, found))


async def _atlas(call: Call) -> Atlas:
    return Atlas(await read_world(call.stores, now=call.now))


ROW = partial(Operation, method="GET", needs=ROLE_ASSIGNMENT_READ, log=LOG)

ROWS = (
    *(
        ROW(
            path=f"{place}{PROVIDER}/reach",
            handler=get_reach,
            gives=accesswire.ReachAnswer,
            query=(WANTED,),
            name=f"get_reach_of_{name}",
        )
        for place, name in ((VAULT, "vault"), (OBJECT, "object"))
    ),
    ROW(
        path=f"{SUBSCRIPTION}{PROVIDER}/principals/{{principal}}/reach",
        handler=get_principal_reach,
        gives=accesswire.PrincipalReachAnswer,
        name="get_reach_of_principal",
    ),
)
