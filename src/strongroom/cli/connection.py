"""The connection file: what a program reads to talk to the server. Its shape is an interface: keys are only added."""

from pathlib import Path

from strongroom.cli.failure import CommandFailed
from strongroom.cli.identity import Credentials
from strongroom.cli.running import Running, write_private_json


def connection(server: Running, credentials: Credentials, resource_group: str | None) -> dict[str, str | int]:
    """Return the connection file's object; what is not known or not there is left out.

    resource_group: the rehearsal vault's group.
    """
    document = {
        "tenantId": server.tenant_id,
        "subscriptionId": server.subscription_id,
        "resourceGroup": resource_group,
        "location": server.location,
        "clientId": credentials.client_id,
        "clientSecret": credentials.client_secret,
        "authority": server.url("login"),
        "managementUrl": server.url("management"),
        "vaultUrl": server.url(f"{credentials.vault}.vault") if credentials.vault else None,
        "caBundle": server.ca_bundle,
        "proxyUrl": server.proxy_url,
        "pid": server.pid,
    }
    return {key: value for key, value in document.items() if value is not None}


def write_connection(path: Path, document: dict[str, str | int]) -> None:
    """Write the connection file, mode 0600, all at once."""
    write_private_json(path, document)


def require_writable_folder(path: Path) -> None:
    """Raise CommandFailed unless a file can be made at `path`: better said before the start than after it."""
    if not path.parent.is_dir():
        raise CommandFailed(f"the connection file cannot be written: there is no folder {path.parent}")
    if path.is_dir():
        raise CommandFailed(f"the connection file cannot be written: {path} is a folder")
