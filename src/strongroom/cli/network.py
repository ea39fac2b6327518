"""`strongroom network`: from where vaults are reached. Works on the data directory, beside a server that runs."""

import click

from strongroom.cli import endpoints, trusted


@click.group(name="network")
def command() -> None:
    """Say from where vaults are reached: private endpoints and trusted services.

    A change counts at the next request.

    \b
    strongroom network endpoint add pay-pe --vault pay --address 10.0.0.7 --approve
    strongroom network trust add backup-job
    """


command.add_command(endpoints.endpoint)
command.add_command(trusted.trust)
