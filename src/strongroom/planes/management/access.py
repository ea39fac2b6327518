"""Who can reach this, over the API: what `strongroom access` says, for whoever may read role assignments there.

Our own: the resource manager has nothing like it. It asks for no api-version. With very
many grants an answer takes seconds: it is made on a thread, so that others are served meanwhile.
"""

import asyncio
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
    world = await read_world(call.stores, now=call.now)

    def work() -> accesswire.ReachAnswer:
        return accesswire.reach_answer(Atlas(world), vault, shown_id=scope, place=place, operations=operations)

    return render(await asyncio.to_thread(work))


async def get_principal_reach(call: Call) -> Response:
    """Tell what a principal of the caller's tenant reaches of the vaults of a subscription."""
    wanted, here, tenant = call.parameters["principal"].lower(), subscription_id(call), call.known_caller().tenant_id
    world = await read_world(call.stores, now=call.now)

    def work() -> accesswire.PrincipalReachAnswer | None:
        atlas = Atlas(world)
        subject = atlas.subject(wanted)
        if not subject.known or subject.tenant_id != tenant:
            return None
        found = [each for each in reach_of(atlas, subject) if each.vault.subscription_id == here]
        return accesswire.principal_answer(atlas, subject, found)

    answer = await asyncio.to_thread(work)
    if answer is None:
        raise NotFound(f"There is no principal '{wanted}'.", code="PrincipalNotFound")
    return render(answer)


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
