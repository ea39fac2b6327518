"""What the value of an option may be: a text in; a value out, or ValueError, which says what would be right."""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from strongroom import addresses

MAX_WORKERS = 64
MAX_DAYS = 36_500
ASK = "ask"
MOST_PER_MINUTE = 1_000_000
MOST_MEBIBYTES = 1_048_576
TRUE, FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})
# A base domain leaves room for `{24 characters}.managedhsm.` within the 253 characters of a name.
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"(?=.{{1,215}}\Z)(?!(?:.*\.)?\d+\Z)(?:{LABEL}\.)*{LABEL}\Z", re.ASCII)
HOST = re.compile(r"(?:[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)
LOCATION = re.compile(r"[a-z][a-z0-9]{1,39}\Z", re.ASCII)


def port(text: str) -> int:
    """Return a port; 0 means any that is free."""
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise ValueError("a port is a whole number from 0 (any free port) to 65535")
    return int(text)


def port_or_off(text: str) -> int | None:
    """Return a port, None for off."""
    return None if text.lower() == "off" else port(text)


def address(text: str) -> str:
    """Return an IP address without brackets."""
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise ValueError("an address to listen on is an IPv4 or IPv6 address, such as 127.0.0.1 or ::1") from None


def place(text: str) -> str:
    """Return an IP address to listen on without brackets, or with a port of its own: `[2001:db8::1]:8443`."""
    named, number = addresses.split_place(text)
    found = address(named)
    if number is None:
        return found
    listened = port(number)
    if listened == 0:
        raise ValueError("a port of an address to listen on is a whole number from 1 to 65535")
    return addresses.join_place(found, listened)


def split_place(text: str, usual: int) -> tuple[str, int]:
    """Return the address and the port of what `place` returned; `usual` where it has no port."""
    found, number = addresses.split_place(text)
    return found, usual if number is None else int(number)


def network(text: str) -> str:
    """Return a network in CIDR notation; an address alone is one of itself."""
    try:
        found = addresses.parse_network(text)
    except ValueError as error:
        raise ValueError(f"a network such as 10.1.0.0/16 or 2001:db8::/32, or one address ({error})") from None
    if found.prefixlen == 0:
        raise ValueError("it would let everybody say whose requests theirs are")
    return str(found)


def domain(text: str) -> str:
    """Return a base domain in lower case."""
    if DOMAIN.match(text.lower()) is None:
        raise ValueError("a domain is a DNS name without scheme, port or dot at its end, such as vault.example.test")
    return text.lower()


def workers(text: str) -> int:
    """Return a number of worker processes."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_WORKERS):
        raise ValueError(f"the number of worker processes is from 1 to {MAX_WORKERS}")
    return int(text)


def per_minute(text: str) -> int | None:
    """Return a number of requests, None for no limit."""
    if text.lower() == "off":
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_PER_MINUTE):
        raise ValueError(f"a number of requests from 1 to {MOST_PER_MINUTE}, or off")
    return int(text)


def mebibytes(text: str) -> int:
    """Return a size in MiB."""
    if not (text.isascii() and text.isdigit() and int(text) <= MOST_MEBIBYTES):
        raise ValueError(f"a size in MiB from 0 to {MOST_MEBIBYTES}")
    return int(text)


def days_or_forever(text: str) -> int | None:
    """Return a number of days, None for ever."""
    if text.lower() == "forever":
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_DAYS):
        raise ValueError(f"it is a number of days from 1 to {MAX_DAYS}, or forever")
    return int(text)


def path(text: str) -> Path:
    """Return a path; `~` is the user's home."""
    if not text:
        raise ValueError("a path is not empty")
    return Path(text).expanduser()


def token(text: str) -> str:
    """Return what names a token of an HSM: its label, or its serial number after `serial:`."""
    if not text.strip() or text == "serial:":
        raise ValueError("a token goes by its label, or by serial: and its serial number")
    return text


def path_or_ask(text: str) -> Path | str:
    """Return a path, or ASK: a person is to be asked instead."""
    return ASK if text == ASK else path(text)


def switch(text: str) -> bool:
    """Return whether a switch is on."""
    if text.lower() not in TRUE | FALSE:
        raise ValueError("a switch is true or false")
    return text.lower() in TRUE


def location(text: str) -> str:
    """Return the name of a region."""
    if LOCATION.match(text) is None:
        raise ValueError("a location is 2 to 40 lower-case letters and digits, such as westeurope")
    return text


def authority(text: str) -> str:
    """Return the address of an attestation authority: https, or http on this machine alone; no slash at its end."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    is_plain = HOST.fullmatch(parts.netloc.lower()) is not None and not parts.query and not parts.fragment
    if not is_plain or parts.scheme not in {"https", "http"} or (parts.scheme == "http" and not _is_loopback(host)):
        raise ValueError("an authority is an address such as https://attest.example.test; http only on loopback")
    suffix = "" if port in (None, 443 if parts.scheme == "https" else 80) else f":{port}"
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{suffix}{parts.path.rstrip('/')}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def one_of(*words: str) -> Callable[[str], str]:
    """Return what takes one of these words, whatever their case."""

    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError("one of: " + ", ".join(words))
        return text.lower()

    return parse
