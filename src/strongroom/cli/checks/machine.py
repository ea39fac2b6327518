"""What the machine gives a server: libraries, descriptors, names that resolve."""

import re
import resource
import sqlite3
import sys
from importlib import metadata

from strongroom.cli.checks.finding import Finding, Findings, ok, problem, warning
from strongroom.cli.environment import names_resolve
from strongroom.hosting.limits import RESERVED_DESCRIPTORS, Limits
from strongroom.settings import Settings

DESCRIPTORS = Limits().connections + RESERVED_DESCRIPTORS
"""Of one worker: every connection that it takes, and what it keeps for itself."""
SQLITE = (3, 37, 0)
REQUIREMENT = re.compile(r"([\w.-]+)\s*>=\s*([\d.]+)")
ADVICE = "install Strongroom anew, with its pins: scripts/serve does"


def check_machine(settings: Settings) -> Findings:
    """Look at what is installed here and what the system allows."""
    yield _check_libraries()
    yield _check_descriptors()
    yield _check_names(settings)


def _check_libraries() -> Finding:
    # What only an extra asks for is looked for by what needs it (`cli/token.py`).
    wanted = [REQUIREMENT.match(text) for text in metadata.requires("strongroom") or () if "extra ==" not in text]
    old = [told for found in wanted if found and (told := _too_old(found[1], found[2]))]
    if sqlite3.sqlite_version_info < SQLITE:
        old.append(f"SQLite is {sqlite3.sqlite_version}, at least {'.'.join(map(str, SQLITE))} is needed")
    if old:
        return problem("libraries", "; ".join(old), ADVICE)
    return ok("libraries", f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, all as new as needed")


def _too_old(name: str, least: str) -> str | None:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    return f"{name} is {found}, at least {least} is needed" if _numbers(found) < _numbers(least) else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _check_descriptors() -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = "as many as it wants" if hard == resource.RLIM_INFINITY else f"{hard:,}"
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        advice = f"raise it (LimitNOFILE, ulimit -n) to {DESCRIPTORS:,}: a worker takes fewer connections with less"
        return warning("open files", f"a process here may open {told}", advice)
    return ok("open files", f"a process here may open {told}")


def _check_names(settings: Settings) -> Finding:
    name = f"any.vault.{settings.domain}"
    if names_resolve(settings.domain):
        return ok("names", f"{name} resolves here")
    if settings.proxy_port is not None:
        return ok("names", f"{name} does not resolve here; `strongroom run` goes by the built-in proxy")
    advice = "a wildcard record in the DNS, or libnss-myhostname for localhost, or the proxy (--proxy-port)"
    return warning("names", f"{name} does not resolve here, and the proxy is off", advice)
