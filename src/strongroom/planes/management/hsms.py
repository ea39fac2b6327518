"""Managed HSMs: there are none, and whoever lists them is told so."""

from functools import partial

from strongroom.errors import NotFound
from strongroom.ids import VAULT_NAME
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import answers, wire
from strongroom.planes.management.places import subscription_id
from strongroom.planes.operation import Operation
from strongroom.resources.service import get_group

PROVIDER = "/subscriptions/{subscription}/providers/Microsoft.KeyVault"
IN_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/managedHSMs"


async def list_none(call: Call) -> Response:
    """List nothing; NotFound for a resource group that is not there."""
    if "group" in call.parameters:
        await get_group(call.stores.resources, subscription_id(call), call.parameters["group"])
    return wire.render(answers.EmptyPage())


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
        return wire.render(answers.NameAnswer(name_available=True))
    return wire.render(
        answers.NameAnswer(
            name_available=False,
            reason="AccountNameInvalid",
            message="Managed HSM name must be between 3-24 alphanumeric characters. The name must begin with a "
            "letter, end with a letter or digit, and not contain consecutive hyphens.",
        )
    )


_READ = "Microsoft.KeyVault/managedHSMs/read"
LIST_NONE = partial(Operation, method="GET", handler=list_none, needs=_READ, log=_READ, gives=answers.EmptyPage)

OPERATIONS = (
    LIST_NONE(path=PROVIDER + "/managedHSMs", name="list_hsms"),
    LIST_NONE(path=IN_GROUP, name="list_hsms_of_group"),
    Operation(
        method="GET",
        path=IN_GROUP + "/{hsm}",
        handler=get,
        needs=_READ,
        log=_READ,
        gives=None,
        success=(),
        name="get_hsm",
    ),
    LIST_NONE(
        path=PROVIDER + "/deletedManagedHSMs",
        name="list_deleted_hsms",
        needs="Microsoft.KeyVault/deletedManagedHsms/read",
        log="Microsoft.KeyVault/deletedManagedHsms/read",
    ),
    Operation(
        method="GET",
        path=PROVIDER + "/locations/{location}/deletedManagedHSMs/{deletedHsm}",
        handler=get_deleted,
        needs="Microsoft.KeyVault/locations/deletedManagedHsms/read",
        log="Microsoft.KeyVault/locations/deletedManagedHsms/read",
        gives=None,
        success=(),
        name="get_deleted_hsm",
    ),
    Operation(
        method="POST",
        path=PROVIDER + "/checkMhsmNameAvailability",
        handler=check_name,
        needs="Microsoft.KeyVault/checkMhsmNameAvailability/read",
        log="Microsoft.KeyVault/checkMhsmNameAvailability/read",
        takes=wire.HsmNameBody,
        gives=answers.NameAnswer,
        name="check_hsm_name",
    ),
)
