"""The HSM as commands find it: what the settings say of it, whether it takes the PIN, what it does for a master key."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from strongroom.cli.failure import CommandFailed
from strongroom.sensitive import Sensitive
from strongroom.settings import Settings

if TYPE_CHECKING:
    from strongroom.custody.token import Opened, Token

INSTALL = "python -m pip install --require-hashes --no-deps -r requirements/hsm.txt"


class HsmFailed(CommandFailed):
    """The HSM did not do what a command needs of it."""


class PinRefused(HsmFailed):
    """The HSM refused the PIN. Exit code 2: a service manager does not start what would try it again."""

    exit_code = 2


def find_token(settings: Settings) -> "Token | None":
    """Return the token of the HSM that the settings name, None when they name none; nothing is asked of it yet.

    What speaks to HSMs is loaded here and by nobody without one; CommandFailed when it is not installed.
    """
    if settings.hsm_module is None or settings.hsm_token is None:
        return None
    try:
        from strongroom.custody.token import Token, TokenPlace
    except ImportError as error:
        if error.name != "pkcs11":
            raise
        raise CommandFailed(f"an HSM needs python-pkcs11, which is not installed; run: {INSTALL}") from None
    return Token(TokenPlace(settings.hsm_module, settings.hsm_token), lambda: read_pin(settings))


def read_pin(settings: Settings) -> Sensitive[str]:
    """Return the PIN: the file's text without the end of its line."""
    from strongroom.custody.files import read_private

    assert settings.hsm_pin_file is not None  # the settings have all of an HSM or none of it
    return Sensitive(read_private(settings.hsm_pin_file, "PIN of the HSM").rstrip("\r\n"))


def try_token(token: "Token", settings: Settings) -> None:
    """Try the PIN once, before many processes do: a token locks after a few wrong ones. CommandFailed when it is wrong.

    A token that is away is told by the log, and stops nothing: whoever needs it is refused until it is there.
    """
    from strongroom.custody.asking import ask_token
    from strongroom.custody.token import HsmUnavailable

    read_pin(settings)
    with suppress(HsmUnavailable):
        ask_token(token, lambda _opened: b"")
    _require_pin_taken(token, settings)


def wrap_with_hsm(settings: Settings, key: Sensitive[bytes]) -> str:
    """Return a master key as the HSM wraps it; HsmFailed when it cannot."""
    from strongroom.custody.wrapping import wrap_master_key

    token = _required(settings, "to wrap the master key with")
    return _asked(token, settings, lambda opened: wrap_master_key(opened, key).encode()).reveal().decode()


def unwrap_with_hsm(settings: Settings, text: str) -> Sensitive[bytes]:
    """Return the master key that the HSM wrapped; HsmFailed when it does not open it."""
    token = _required(settings, f"which wrapped the master key in {settings.master_key_file}")
    from strongroom.custody.wrapping import unwrap_master_key

    return _asked(token, settings, lambda opened: unwrap_master_key(opened, text))


def _required(settings: Settings, why: str) -> "Token":
    token = find_token(settings)
    if token is None:
        raise HsmFailed(f"no HSM is named {why}: --hsm-module, --hsm-token and --hsm-pin-file name it")
    return token


def _asked(token: "Token", settings: Settings, work: "Callable[[Opened], bytes]") -> Sensitive[bytes]:
    from strongroom.custody.asking import ask_token
    from strongroom.custody.token import HsmUnavailable

    read_pin(settings)
    try:
        return ask_token(token, work)
    except HsmUnavailable as error:
        _require_login(token, settings)
        raise HsmFailed(f"{error}") from None


def _require_pin_taken(token: "Token", settings: Settings) -> None:
    if token.is_pin_refused:
        raise PinRefused(f"the HSM refuses the PIN in {settings.hsm_pin_file}; it was tried once, and is not again")


def _require_login(token: "Token", settings: Settings) -> None:
    """Raise PinRefused where a login failed for no known reason too: a start at once would try it again."""
    _require_pin_taken(token, settings)
    if token.is_login_failing:
        raise PinRefused(
            "the HSM did not let the server log in, and did not say why; the log has its words. It is not asked again, "
            f"since the PIN in {settings.hsm_pin_file} may be wrong: tokens lock after a few attempts"
        )
