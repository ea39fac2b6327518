"""How the SDKs sign in to a server that is not the one of the whole test run, or for longer than a test."""

from contextlib import contextmanager

import pytest
from azure.identity import ClientSecretCredential


def a_credential(connection):
    """Return the bootstrap application's credential. connection: facts of the connection file, by name."""
    return ClientSecretCredential(
        connection.tenantId,
        connection.clientId,
        connection.clientSecret,
        authority=connection.authority,
        disable_instance_discovery=True,
    )


@contextmanager
def variables_of(server):
    """Hold the environment of `strongroom env` in this very process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.client_environ().items():
            patch.delenv(name, raising=False) if value is None else patch.setenv(name, value)
        yield
