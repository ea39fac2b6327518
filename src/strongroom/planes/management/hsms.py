"""Managed HSMs: there are none, and whoever lists them is told so."""

from strongroom.errors import NotFound
from strongroom.ids import VAULT_NAME
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import wire
from strongroom.planes.management.places import subscription_id
from strongroom.planes.operation import Operation
from strongroom.resources.service import get_group

PROVIDER = "/subscriptions/{subscription}/providers/Microsoft.KeyVault"
IN_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/managedHSMs"


async def list_none(call: Call) -> Response:
    """List nothing; NotFound for a resource group that is not there."""
    if "group" in call.parameters:
        await get_group(call.stores.resources, subscription_id(call), call.parameters["group"])
    return wire.render_list([])


async def get(call: Call) -> Response:
    """Find nothing."""
    await get_group(call.stores.resources, subscription_id(call), call.parameters["group"])
    raise NotFound(
        f"The Resource 'Microsoft.KeyVault/managedHSMs/{call.parameters['hsm']}' under resource group "
        f"'{call.parameters['group']}' was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix",
        code="ResourceNotFound",
    )


async def get_deleted(call: Call) -> Response:
    """Find nothing."""
    raise NotFound(
        f"The specified deleted managed HSM '{call.parameters['deletedHsm']}' does not exist.",
        code="DeletedManagedHsmNotFound",
    )


async def check_name(call: Call) -> Response:
    """Say whether a managed HSM's name would be one; none is taken."""
    if VAULT_NAME.match(call.body.name):
        return wire.render({"nameAvailable": True})
    return wire.render(
        {
            "nameAvailable": False,
            "reason": "AccountNameInvalid",
            "message": "Managed HSM name must be between 3-24 alphanumeric characters. The name must begin with a "
            "letter, end with a letter or digit, and not contain consecutive hyphens.",
        }
    )


_READ = "Microsoft.KeyVault/managedHSMs/read"

OPERATIONS = (
    Operation(method="GET", path=PROVIDER + "/managedHSMs", handler=list_none, needs=_READ, log=_READ),
    Operation(method="GET", path=IN_GROUP, handler=list_none, needs=_READ, log=_READ),
    Operation(method="GET", path=IN_GROUP + "/{hsm}", handler=get, needs=_READ, log=_READ, success=(404,)),
    Operation(
        method="GET",
        path=PROVIDER + "/deletedManagedHSMs",
        handler=list_none,
        needs="Microsoft.KeyVault/deletedManagedHsms/read",
        log="Microsoft.KeyVault/deletedManagedHsms/read",
    ),
    Operation(
        method="GET",
        path=PROVIDER + "/locations/{location}/deletedManagedHSMs/{deletedHsm}",
        handler=get_deleted,
        needs="Microsoft.KeyVault/locations/deletedManagedHsms/read",
        log="Microsoft.KeyVault/locations/deletedManagedHsms/read",
        success=(404,),
    ),
    Operation(
        method="POST",
        path=PROVIDER + "/checkMhsmNameAvailability",
        handler=check_name,
        needs="Microsoft.KeyVault/checkMhsmNameAvailability/read",
        log="Microsoft.KeyVault/checkMhsmNameAvailability/read",
        takes=wire.HsmNameBody,
    ),
)
