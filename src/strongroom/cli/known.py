"""What a command on this machine knows of the bootstrap application's secret and of the rehearsal vault."""

import json
from pathlib import Path

from strongroom.cli.failure import CommandFailed
from strongroom.cli.identity import Credentials
from strongroom.cli.running import Running
from strongroom.errors import StrongroomError
from strongroom.settings import Settings


def known_credentials(server: Running, settings: Settings) -> Credentials:
    """Return the bootstrap application's credentials: unsealed with --dev, else from the server's connection file.

    Whoever may not read the master key gets what is known without it.
    """
    if server.dev:
        from strongroom.cli.data import on_data

        try:
            installation = on_data(settings, lambda data: data.installation())
        except (CommandFailed, StrongroomError, PermissionError):
            pass
        else:
            secret = installation.client_secret
            return Credentials(
                client_id=installation.client_id,
                client_secret=secret.reveal() if secret else None,
                vault=installation.vault,
            )
    return Credentials(client_id=server.client_id, client_secret=_from_connection_file(server))


def _from_connection_file(server: Running) -> str | None:
    """Return the secret in the connection file that this very server wrote."""
    if server.connection_file is None:
        return None
    try:
        document = json.loads(Path(server.connection_file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    secret = document.get("clientSecret") if document.get("pid") == server.pid else None
    return secret if isinstance(secret, str) else None
