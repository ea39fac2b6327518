"""Trusted services: which applications `bypass: AzureServices` lets in, from wherever they call.

In Azure they are services of Microsoft's; here they are the applications that the operator named
(`strongroom network trust`). They pass the network alone: what they may do is decided as for anybody.
"""

from typing import Protocol

from strongroom.access.identity.model import Application, Caller


class Directory(Protocol):
    """Where the application of a caller is looked up."""

    async def find_principal(self, object_id: str) -> Application | None:
        """Return the application whose service principal is `object_id`."""


async def find_trusted_service(directory: Directory, caller: Caller) -> str | None:
    """Return the name of the trusted service that is calling, None when it is none, or is not enabled any more."""
    return trusted_name(await directory.find_principal(caller.object_id))


def trusted_name(application: Application | None) -> str | None:
    """Return the name of an application that is a trusted service, None when it is none or is not enabled."""
    if application is None or not application.enabled or not application.trusted:
        return None
    return application.display_name
