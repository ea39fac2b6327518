"""`strongroom openapi`: prints the OpenAPI document of a plane; no server is asked."""

from typing import Any

import click

from strongroom.cli.options import settings_from, settings_options
from strongroom.cli.running import HTTPS_PORT
from strongroom.planes.documents import PLANES, document


@click.command(name="openapi")
@click.argument("plane", type=click.Choice(list(PLANES)), default="data")
@settings_options("domain", "port")
def command(plane: str, **flags: Any) -> None:
    """Print the OpenAPI 3.1 document of a plane: data (unless said), management, identity or graph.

    A running server serves them itself: https://127.0.0.1:8443/openapi/data.json

    \b
    strongroom openapi > data.json
    strongroom openapi management --domain vault.example.com --port 443 > management.json
    """
    settings = settings_from(flags)
    domain = settings.domain if settings.port == HTTPS_PORT else f"{settings.domain}:{settings.port}"
    click.echo(document(plane, domain))
