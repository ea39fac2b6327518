"""The environment in which unmodified Azure clients find and trust the server.

What each client reads was found by experiment: requests reads REQUESTS_CA_BUNDLE, aiohttp and Go SSL_CERT_FILE, curl
CURL_CA_BUNDLE before SSL_CERT_FILE, node NODE_EXTRA_CA_CERTS at its start. The first three replace the public roots, so
they get a bundle that holds them too. No variable turns off instance discovery but az's own: in code it is
`disable_instance_discovery=True`, since clients would else ask the public cloud whether our sign-in host is one of its.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import click

from strongroom.cli.identity import TENANT_ID, Credentials, identity_in
from strongroom.cli.running import Running
from strongroom.cli.trust import trust_variables

PROBE_SECONDS = 2.0
# Any name does: what is asked is whether names nobody wrote into a hosts file resolve.
PROBE_LABEL = "strongroom-probe.vault"
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy")
NO_PROXY_VARIABLES = ("NO_PROXY", "no_proxy")
OTHER_PROXY_VARIABLES = ("ALL_PROXY", "all_proxy")


@dataclass(frozen=True, slots=True)
class EnvironmentChange:
    """What is to be set in an environment, what must not stand in it, and what to tell of it whoever asked for it."""

    set: Mapping[str, str]
    unset: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def applied_to(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return `environ` with the change made."""
        return {name: value for name, value in environ.items() if name not in self.unset} | dict(self.set)


def tell_notes(change: EnvironmentChange) -> None:
    """Say on standard error what a person should know of `change`, a line for each."""
    for note in change.notes:
        click.echo(f"note: {note}", err=True)


def client_environment(
    server: Running, credentials: Credentials, environ: Mapping[str, str], *, names_resolve: bool, proxy_url: str | None
) -> EnvironmentChange:
    """Return what an environment needs for clients of `server`.

    proxy_url: the proxy to use where names do not resolve; None when there is none.
    """
    identity = identity_in(environ, credentials, server.tenant_id)
    variables = {
        **trust_variables(server, environ),
        "AZURE_AUTHORITY_HOST": server.url("login"),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        TENANT_ID: server.tenant_id,
        "AZURE_SUBSCRIPTION_ID": server.subscription_id,
        **identity.set,
    }
    if credentials.vault is not None:
        variables["VAULT_URL"] = server.url(f"{credentials.vault}.vault")
    unset: tuple[str, ...] = ()
    if not names_resolve and proxy_url is not None:
        variables |= dict.fromkeys(PROXY_VARIABLES, proxy_url)
        variables |= _excepted(environ, lambda entries: without_domain(entries, server.domain))
        unset = tuple(name for name in NO_PROXY_VARIABLES if variables.get(name) == "")
        variables = {name: value for name, value in variables.items() if name not in unset}
    elif _has_proxy(environ):
        variables |= _excepted(environ, lambda entries: [*entries, server.domain, f".{server.domain}"], always=True)
    return EnvironmentChange(variables, identity.unset + unset, identity.notes)


def without_domain(entries: Iterable[str], domain: str) -> list[str]:
    """Return the entries of a NO_PROXY list that except no name of `domain`; clients compare them as suffixes."""
    return [entry for entry in entries if not _excepts_domain(entry, domain)]


def _excepts_domain(entry: str, domain: str) -> bool:
    if entry == "*":
        return True
    name, colon, port = entry.lower().rpartition(":")
    if not colon or ":" in name or not port.isdigit():
        name = entry.lower()
    name = name.removeprefix("*").strip(".")
    return bool(name) and (f".{domain}".endswith(f".{name}") or name.endswith(f".{domain}"))


def _excepted(
    environ: Mapping[str, str], revise: Callable[[list[str]], list[str]], *, always: bool = False
) -> dict[str, str]:
    """Return both spellings of NO_PROXY as revised; some clients read one, some the other, some join them."""
    written = [environ[name] for name in NO_PROXY_VARIABLES if environ.get(name)]
    if not written and not always:
        return {}
    entries = dict.fromkeys(part.strip() for text in written for part in text.split(",") if part.strip())
    return dict.fromkeys(NO_PROXY_VARIABLES, ",".join(dict.fromkeys(revise(list(entries)))))


def _has_proxy(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name) for name in (*PROXY_VARIABLES, *OTHER_PROXY_VARIABLES))


def names_resolve(domain: str, timeout_seconds: float = PROBE_SECONDS) -> bool:
    """Answer whether any name under `domain` resolves on this machine; no answer in time counts as no."""
    wanted = [f"login.{domain}", f"management.{domain}", f"{PROBE_LABEL}.{domain}"]
    resolved: list[str] = []

    def resolve() -> None:
        for name in wanted:
            try:
                socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            except OSError:
                return
            resolved.append(name)

    # A daemon: a resolver that hangs does not keep the command from ending.
    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    return resolved == wanted
