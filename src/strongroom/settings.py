"""The options as the server uses them; where values come from and what is wrong with them.

A flag wins over the environment, that over the file, that over the default. What options there are: `options.py`.
"""

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongroom import values
from strongroom.options import BY_NAME, CONFIG, OPTIONS, PREFIX, RECORDS_DAYS, UNAUTHENTICATED_PER_MINUTE, Option

HOME = Path("~/.strongroom")
CONFIG_NAME = "strongroom.toml"


class SettingsError(Exception):
    """A setting is unknown or wrong; the message names the option and where its value came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options as the server uses them; paths are absolute.

    port, proxy_port, metrics_port: 0 means any that is free, None that there is none. listen, metrics_listen: IP
    addresses without brackets; with a port of its own as `values.place` writes it. trusted_proxies: networks.
    master_key_passphrase_file: ASK for the terminal. unauthenticated_per_minute: None for no limit. reserved_space:
    MiB; None for what the disk allows. records_days: None for ever.
    """

    data_dir: Path
    port: int
    listen: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    proxy_protocol: bool
    domain: str
    workers: int
    proxy_port: int | None
    master_key_file: Path
    master_key_passphrase_file: Path | str | None
    connection_file: Path | None
    dev: bool
    software_hsm: bool
    attestation_authority: tuple[str, ...]
    hsm_module: Path | None
    hsm_token: str | None
    hsm_pin_file: Path | None
    master_key_hsm: bool
    location: str
    tls_certificate: Path | None
    tls_key: Path | None
    unauthenticated_per_minute: int | None
    reserved_space: int | None
    records_days: int | None
    private_ip_rules: bool
    log_level: str
    log_format: str
    metrics_port: int | None
    metrics_listen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as given, and where: texts that parse, and for relative paths the folder that they start from."""

    texts: tuple[str, ...]
    source: str
    folder: Path


def load_settings(flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """Return the settings that flags (by option name; None when not given), environment and TOML file add up to.

    Raises SettingsError.
    """
    given = _from_environment(environ)
    given.update(_from_flags(flags))
    config = given.pop(CONFIG.name, None)
    return _settings(_from_file(config) | given)


def _from_flags(flags: Mapping[str, object]) -> dict[str, _Given]:
    given = {}
    for name, value in flags.items():
        texts = _texts(value)
        if value not in (None, ()):
            given[name] = _Given(texts, f"flag --{name}", Path.cwd())
    return given


def _from_environment(environ: Mapping[str, str]) -> dict[str, _Given]:
    given = {}
    known = {option.variable: option for option in (*OPTIONS, CONFIG)}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        option = known.get(variable)
        if option is None:
            raise SettingsError(f"unknown environment variable {variable}" + _nearest(variable, known))
        texts = tuple(part.strip() for part in text.split(",")) if option.repeatable else (text,)
        given[option.name] = _Given(texts, f"environment {variable}", Path.cwd())
    return given


def _from_file(config: _Given | None) -> dict[str, _Given]:
    path = _value(CONFIG, config) if config else (HOME / CONFIG_NAME).expanduser()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if config is None:
            return {}
        raise SettingsError(f"option 'config' ({config.source}): there is no file {path}") from None
    except IsADirectoryError:
        raise SettingsError(f"{path} is a folder; --config names the TOML file itself") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the file {path} cannot be read: {error}") from None
    given = {}
    for name, value in document.items():
        if name not in BY_NAME:
            raise SettingsError(f"unknown option '{name}' in {path}" + _nearest(name, BY_NAME))
        given[name] = _Given(_texts(value), f"{path}", path.parent)
    return given


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return tuple(text for part in value for text in _texts(part))
    return (str(value).lower() if isinstance(value, bool) else str(value),)


def _nearest(word: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.0)
    return f"; did you mean {near[0]}?" if near else ""


def _value(option: Option, given: _Given) -> Any:
    if not option.repeatable and len(given.texts) != 1:
        raise SettingsError(f"option '{option.name}' ({given.source}): takes one value")
    try:
        parsed = tuple(option.parse(text) for text in given.texts)
    except ValueError as error:
        shown = ", ".join(given.texts)
        raise SettingsError(f"option '{option.name}' ({given.source}): '{shown}' is wrong: {error}") from None
    if option.repeatable:
        return tuple(dict.fromkeys(parsed))
    return Path(os.path.normpath(given.folder / parsed[0])) if isinstance(parsed[0], Path) else parsed[0]


def _settings(given: Mapping[str, _Given]) -> Settings:
    chosen = {name: _value(BY_NAME[name], value) for name, value in given.items()}
    data_dir = chosen.setdefault("data-dir", (HOME / "data").expanduser())
    port = chosen.setdefault("port", 8443)
    defaults = {
        "listen": ("127.0.0.1", "::1"),
        "trusted-proxies": (),
        "proxy-protocol": False,
        "domain": "localhost",
        "workers": min(len(os.sched_getaffinity(0)), values.MAX_WORKERS),
        "proxy-port": min(port + 1, 65535) if port else 0,
        "master-key-file": data_dir.with_name(data_dir.name + "-key") / "master.key",
        "master-key-passphrase-file": None,
        "connection-file": None,
        "dev": False,
        "software-hsm": bool(chosen.get("dev")) and "hsm-module" not in chosen,
        "attestation-authority": (),
        "hsm-module": None,
        "hsm-token": None,
        "hsm-pin-file": None,
        "master-key-hsm": False,
        "location": "local",
        "tls-certificate": None,
        "tls-key": None,
        "unauthenticated-per-minute": None if chosen.get("dev") else UNAUTHENTICATED_PER_MINUTE,
        "reserved-space": None,
        "records-days": RECORDS_DAYS,
        "private-ip-rules": True,
        "log-level": "info",
        "log-format": "console",
        "metrics-port": None,
        "metrics-listen": ("127.0.0.1", "::1"),
    }
    settings = Settings(**{BY_NAME[name].field: value for name, value in (defaults | chosen).items()})
    _require_sense(settings, given)
    return settings


def _require_sense(settings: Settings, given: Mapping[str, _Given]) -> None:
    """Raise SettingsError where options do not go together."""

    def refuse(name: str, why: str) -> None:
        source = given[name].source if name in given else "default"
        raise SettingsError(f"option '{name}' ({source}): {why}")

    if settings.port and settings.proxy_port == settings.port:
        refuse("proxy-port", f"{settings.port} is the TLS port already; give another one, or off")
    if settings.metrics_port and settings.metrics_port in {settings.port, settings.proxy_port}:
        refuse("metrics-port", f"{settings.metrics_port} is the TLS or proxy port already; give another one, or off")
    if settings.proxy_protocol and not settings.trusted_proxies:
        refuse("proxy-protocol", "it is trusted proxies that begin with a PROXY header: trusted-proxies names them")
    _require_whole_hsm(settings, refuse)
    for name in ("master-key-file", "master-key-passphrase-file", "hsm-pin-file"):
        path = getattr(settings, BY_NAME[name].field)
        if isinstance(path, Path) and path.is_relative_to(settings.data_dir):
            refuse(name, f"what opens the data must not lie in the data directory {settings.data_dir}")
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        missing = "tls-key" if settings.tls_key is None else "tls-certificate"
        refuse(missing, "tls-certificate and tls-key are given together or not at all")
    for name in ("tls-certificate", "tls-key", "hsm-module", "hsm-pin-file"):
        path = getattr(settings, BY_NAME[name].field)
        if path is not None and not path.is_file():
            refuse(name, f"there is no file {path}")


def _require_whole_hsm(settings: Settings, refuse: Callable[[str, str], None]) -> None:
    """Refuse a part of an HSM without the others, and software that would stand in for the one that there is."""
    parts = ("hsm-module", "hsm-token", "hsm-pin-file")
    missing = [name for name in parts if getattr(settings, BY_NAME[name].field) is None]
    if missing and len(missing) < len(parts):
        refuse(missing[0], f"{', '.join(parts)} are given together or not at all")
    if missing and settings.master_key_hsm:
        refuse("master-key-hsm", f"there is no HSM to wrap it: {', '.join(parts)} name one")
    if settings.master_key_hsm and settings.master_key_passphrase_file is not None:
        refuse("master-key-hsm", "a master key that a passphrase makes (master-key-passphrase-file) is not wrapped")
    if not missing and settings.software_hsm:
        refuse("software-hsm", "there is an HSM (hsm-module): nothing has to stand in for it")
