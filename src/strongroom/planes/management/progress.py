"""Operations that answer 202, as the resource manager does, and where their result is told.

Here the work is done when the 202 leaves, so there is nothing to keep: the address of the result is itself the proof
that there was such an operation, sealed like a paging token and good for its subscription only.
"""

from strongroom.errors import BadRequest, NotFound
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management.places import subscription_id
from strongroom.planes.paging import open_token, paging_key, seal_token

RETRY_AFTER = (b"retry-after", b"1")  # seconds; clients that find none wait for half a minute


async def accepted(call: Call, collection: str) -> Response:
    """Return 202 with the address, under the path `collection`, where the result is told."""
    key = await paging_key(call.stores.keyring)
    token = seal_token(call.custodian, key, _place(call), {})
    location = f"{call.request.base}{collection}/{token}?api-version={call.request.api_version}"
    return Response(202, b"", ((b"location", location.encode()), RETRY_AFTER))


async def operation_result(call: Call) -> Response:
    """Say that an operation is done; NotFound when this server never began it."""
    key = await paging_key(call.stores.keyring)
    try:
        open_token(call.custodian, key, _place(call), call.parameters["operation"])
    except BadRequest:
        raise NotFound("There is no operation of this id.", code="OperationNotFound") from None
    return Response(200)


def _place(call: Call) -> str:
    return f"operation:{subscription_id(call)}"
