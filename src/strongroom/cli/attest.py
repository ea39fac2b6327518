"""`strongroom attest`: an attestation authority for rehearsals of key release."""

import signal

import click


@click.command(name="attest")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Loopback port; 0 takes any that is free.")
def command(port: int) -> None:
    """Run an attestation authority for rehearsals: it signs whatever claims it is asked for, until it is stopped.

    It listens on loopback only; its key ends with it. A server believes it when started with
    --attestation-authority and its address.

    \b
    strongroom attest --port 9443
    strongroom serve --dev --attestation-authority http://127.0.0.1:9443
    curl -d '{"sdk-test": true}' http://127.0.0.1:9443/attest
    """
    from strongroom.hosting.attestor import Attestor

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Attestor(port) as attestor:
        click.echo(f"{attestor.address} attests whatever it is asked to; Ctrl-C stops it")
        try:
            attestor.serve_forever()
        except KeyboardInterrupt:
            click.echo("stopped")
