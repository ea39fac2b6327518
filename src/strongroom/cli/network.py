"""`strongroom network`: from where vaults are reached. Works on the data directory, beside a server that runs."""

import click

from strongroom.cli import endpoints, networkcheck, networkreport, networkrules, trusted


@click.group(name="network")
def command() -> None:
    """Say from where vaults are reached, and rehearse rules before they count.

    A change counts at the next request.

    \b
    strongroom network check --vault pay --from 198.51.100.7
    strongroom network propose --vault pay --default-action Deny --allow 203.0.113.0/24
    strongroom network report --vault pay
    strongroom network adopt --vault pay
    strongroom network endpoint add pay-pe --vault pay --address 10.0.0.7 --approve
    strongroom network trust add backup-job
    """


command.add_command(networkcheck.check)
command.add_command(networkrules.show)
command.add_command(networkrules.propose)
command.add_command(networkreport.report)
command.add_command(networkrules.adopt)
command.add_command(networkrules.withdraw)
command.add_command(endpoints.endpoint)
command.add_command(trusted.trust)
