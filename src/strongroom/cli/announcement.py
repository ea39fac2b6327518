"""What the server tells the operator once it answers: where, who, what to trust, and the next command to try."""

from strongroom import VERSION
from strongroom.cli.hints import typed_here
from strongroom.cli.identity import Credentials
from strongroom.cli.running import Running


def announce(
    running: Running,
    credentials: Credentials,
    *,
    shown_secret: str | None,
    is_new: bool,
    new_ca: bool,
) -> str:
    """Return the lines to print; an empty one ends them.

    shown_secret: the client secret if this terminal may see it. new_ca: nobody trusts the CA yet.
    """
    rows = [
        ("listening", f"https://{running.host_suffix} ({', '.join(running.addresses)}), {_proxy(running)}"),
        ("tenant", running.tenant_id),
        ("subscription", running.subscription_id),
        ("application", f"{running.client_id} (bootstrap: Owner of the subscription)"),
    ]
    if shown_secret is not None:
        rows.append(("secret", f"{shown_secret}  ({_secret_note(running)})"))
    elif is_new:
        rows.append(("secret", _hidden_secret(running, credentials)))
    if credentials.vault:
        rows.append(("vault", running.url(f"{credentials.vault}.vault")))
    if running.metrics_port is not None:
        rows.append(("metrics", f"port {running.metrics_port}, /metrics in plain HTTP"))
    trust = f"{running.ca_file}" + (f"  (a new CA: clients of {running.domain} must trust it)" if new_ca else "")
    rows += [("trust", trust), ("next", _next_command(running, credentials, f"{typed_here('strongroom run')} --"))]
    head = f"Strongroom {VERSION} answers" + (" for rehearsal (--dev)" if running.dev else "")
    return "\n".join([head, *(f"  {name:<13}{text}" for name, text in rows), ""])


def _proxy(running: Running) -> str:
    if running.proxy_url:
        return f"proxy {running.proxy_url}"
    return f"no proxy: clients must resolve the names under {running.domain}"


def _secret_note(running: Running) -> str:
    return "of a rehearsal server: shown at each start" if running.dev else "shown this once; keep it"


def _hidden_secret(running: Running, credentials: Credentials) -> str:
    if running.connection_file is not None and credentials.client_secret is not None:
        return f"in {running.connection_file}"
    if running.dev:
        return typed_here("not shown, since this is no terminal; see it with: strongroom env")
    return typed_here("not shown, since this is no terminal; make a new one: strongroom app reset-secret bootstrap")


def _next_command(running: Running, credentials: Credentials, run: str) -> str:
    if credentials.vault:
        return f"{run} try/bin/python first.py   (what makes both: README.md, A first secret)"
    # A folder of its own leaves a person's clouds and accounts alone; a name of its own, those of other servers here.
    register = f"az cloud register -n {running.domain} --endpoint-resource-manager {running.url('management')}"
    return f"AZURE_CONFIG_DIR=~/.azure-strongroom {run} {register}"
