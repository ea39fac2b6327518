"""The settings as options of commands: declared once in `strongroom/options.py`, worn by any command here."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from strongroom.options import BY_NAME, CONFIG, OPTIONS, Option
from strongroom.settings import Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])

# What a command that works on a data directory must know to find it and open it.
HSM = ("hsm-module", "hsm-token", "hsm-pin-file")
PLACE = ("data-dir", "master-key-file", "master-key-passphrase-file", *HSM)


def settings_options(*names: str) -> Callable[[F], F]:
    """Return a decorator that gives a command the options of these names (all when none) and `--config`."""
    chosen = [BY_NAME[name] for name in names] if names else list(OPTIONS)

    def decorate(function: F) -> F:
        for option in reversed([*chosen, CONFIG]):
            function = _declare(option)(function)
        if not names:
            function = click.option("--no-proxy", is_flag=True, help="The same as --proxy-port off.")(function)
        return function

    return decorate


def settings_from(flags: dict[str, Any]) -> Settings:
    """Return the settings that a command's options, environment and file add up to; SettingsError when they do not.

    flags: what click passed for the options of `settings_options`, by parameter name.
    """
    given = {name.replace("_", "-"): value for name, value in flags.items() if name != "no_proxy"}
    if flags.get("no_proxy"):
        given["proxy-port"] = "off"
    return load_settings(given, os.environ)


def _declare(option: Option) -> Callable[[F], F]:
    text = f"{option.help} [{option.variable}; default: {option.default}]"
    if option.switch:
        return click.option(option.flag, option.field, is_flag=True, default=None, help=text)
    return click.option(option.flag, option.field, metavar=option.type, multiple=option.repeatable, help=text)
