"""Every option once: name, type, unit, default and reason.

An option's flag, environment variable and TOML key follow from its name: `data-dir` is `--data-dir`,
`STRONGROOM_DATA_DIR` and `data-dir`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from strongroom import values

PREFIX = "STRONGROOM_"
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("console", "json")
UNAUTHENTICATED_PER_MINUTE = 600
"""A client that starts sends four or so requests before it has a token; behind one address may be many clients."""

RECORDS_DAYS = 90
"""As long as what is deleted can be recovered, and as Azure keeps its activity log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. type: what a value looks like, with its unit. default: as shown to a person.

    parse: a text into a value; ValueError says what would be right.
    """

    name: str
    type: str
    parse: Callable[[str], Any]
    default: str
    help: str
    repeatable: bool = False
    switch: bool = False

    @property
    def field(self) -> str:
        """The option's field in `Settings`."""
        return self.name.replace("-", "_")

    @property
    def flag(self) -> str:
        """The option on a command line."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """The option in the environment."""
        return PREFIX + self.field.upper()


OPTIONS = (
    Option(
        name="data-dir",
        type="DIR",
        parse=values.path,
        default="~/.strongroom/data",
        help="Where everything lies that the server keeps.",
    ),
    Option(name="port", type="PORT", parse=values.port, default="8443", help="TLS port; 0 takes any that is free."),
    Option(
        name="listen",
        type="ADDRESS[:PORT]",
        parse=values.place,
        default="127.0.0.1, ::1",
        help="Address to listen on, on the TLS port or one of its own.",
        repeatable=True,
    ),
    Option(
        name="trusted-proxies",
        type="NETWORK",
        parse=values.network,
        default="none",
        help="Proxies that are believed about whose requests they pass on (X-Forwarded-For, Forwarded, PROXY headers).",
        repeatable=True,
    ),
    Option(
        name="proxy-protocol",
        type="true|false",
        parse=values.switch,
        default="false",
        switch=True,
        help="Connections of trusted proxies begin with a PROXY header, version 1 or 2.",
    ),
    Option(
        name="domain",
        type="NAME",
        parse=values.domain,
        default="localhost",
        help="Base domain; vaults are {vault}.vault.NAME.",
    ),
    Option(name="workers", type="COUNT", parse=values.workers, default="one a core", help="Worker processes."),
    Option(
        name="proxy-port",
        type="PORT|off",
        parse=values.port_or_off,
        default="port + 1",
        help="Loopback port of the built-in CONNECT proxy, for clients that cannot resolve names under the domain.",
    ),
    Option(
        name="master-key-file",
        type="FILE",
        parse=values.path,
        default="<data-dir>-key/master.key",
        help="The master key; made on first start, outside the data, so that a backup of the data never holds it.",
    ),
    Option(
        name="master-key-passphrase-file",
        type="FILE|ask",
        parse=values.path_or_ask,
        default="none",
        help="The passphrase that the master key is made of, instead of a key in a file; asked for on the terminal "
        "where new data are to begin with one (ask), or existing data need one and no file is named.",
    ),
    Option(
        name="connection-file",
        type="FILE",
        parse=values.path,
        default="none",
        help="Write ids, addresses and the known credentials here as JSON (mode 0600) once the server answers.",
    ),
    Option(
        name="dev",
        type="true|false",
        parse=values.switch,
        default="false",
        switch=True,
        help="For rehearsal: also make a vault 'dev' open to the bootstrap application, and let its clock be moved.",
    ),
    Option(
        name="software-hsm",
        type="true|false",
        parse=values.switch,
        default="false, true with --dev and no HSM",
        switch=True,
        help="Let software keep the keys of premium vaults that are asked for as an HSM's; they say so.",
    ),
    Option(
        name="attestation-authority",
        type="URL",
        parse=values.authority,
        default="none",
        help="An authority whose attestations may release keys; asked for its public keys, and nobody else is.",
        repeatable=True,
    ),
    Option(
        name="hsm-module",
        type="FILE",
        parse=values.path,
        default="none",
        help="The PKCS#11 module of the HSM that keeps the keys of premium vaults that are asked for as an HSM's.",
    ),
    Option(
        name="hsm-token",
        type="LABEL|serial:NUMBER",
        parse=values.token,
        default="none",
        help="The HSM's token: its label, or serial: and its serial number.",
    ),
    Option(
        name="hsm-pin-file",
        type="FILE",
        parse=values.path,
        default="none",
        help="The PIN of the token's user, alone in a file that only its owner may open; a systemd credential will do.",
    ),
    Option(
        name="master-key-hsm",
        type="true|false",
        parse=values.switch,
        default="false",
        switch=True,
        help="Let the HSM wrap the master key that new data begin with: its file opens nothing without the HSM.",
    ),
    Option(
        name="location",
        type="NAME",
        parse=values.location,
        default="local",
        help="The region that this server calls itself.",
    ),
    Option(
        name="tls-certificate",
        type="FILE",
        parse=values.path,
        default="none",
        help="Certificate chain of your own (PEM), served for the names in it.",
    ),
    Option(name="tls-key", type="FILE", parse=values.path, default="none", help="The key of --tls-certificate (PEM)."),
    Option(
        name="unauthenticated-per-minute",
        type="COUNT|off",
        parse=values.per_minute,
        default=f"{UNAUTHENTICATED_PER_MINUTE}, off with --dev",
        help="Requests without valid credentials that one address may send in a minute; more get 429.",
    ),
    Option(
        name="reserved-space",
        type="MIB",
        parse=values.mebibytes,
        default="256, at most 5 % of the disk",
        help="Free disk space, in MiB, below which requests without valid credentials are refused.",
    ),
    Option(
        name="records-days",
        type="DAYS|forever",
        parse=values.days_or_forever,
        default=f"{RECORDS_DAYS}",
        help="How long records are kept here.",
    ),
    Option(
        name="private-ip-rules",
        type="true|false",
        parse=values.switch,
        default="true",
        help="Let network rules of vaults name private, loopback and link-local addresses, which Azure refuses.",
    ),
    Option(
        name="log-level",
        type="|".join(LOG_LEVELS),
        parse=values.one_of(*LOG_LEVELS),
        default="info",
        help="Least severity of operational log lines.",
    ),
    Option(
        name="log-format",
        type="|".join(LOG_FORMATS),
        parse=values.one_of(*LOG_FORMATS),
        default="console",
        help="Form of operational log lines.",
    ),
    Option(
        name="metrics-port",
        type="PORT|off",
        parse=values.port_or_off,
        default="off",
        help="Port of /metrics for Prometheus, in plain HTTP; 0 takes any that is free.",
    ),
    Option(
        name="metrics-listen",
        type="ADDRESS",
        parse=values.address,
        default="127.0.0.1, ::1",
        help="Address to show metrics on, to whoever can reach it.",
        repeatable=True,
    ),
)
BY_NAME = {option.name: option for option in OPTIONS}
CONFIG = Option(
    name="config",
    type="FILE",
    parse=values.path,
    default="~/.strongroom/strongroom.toml",
    help="TOML file of options, named as the flags are.",
)
