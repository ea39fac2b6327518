"""The HSM as commands find it: what the settings say of it, and whether it takes the PIN."""

import os
from typing import TYPE_CHECKING

import structlog

from strongroom.cli.failure import CommandFailed
from strongroom.sensitive import Sensitive
from strongroom.settings import Settings

if TYPE_CHECKING:
    from strongroom.custody.token import Token

INSTALL = "python -m pip install --require-hashes --no-deps -r requirements/hsm.txt"
REFUSED = 3

log = structlog.get_logger(__name__)


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

    In a child, since no process may begin with the module that later forks others who use it. A token that is away is
    told by the log, and stops nothing: whoever needs it is refused until it is there.
    """
    read_pin(settings)
    child = os.fork()
    if not child:
        os._exit(_answer(token))
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == REFUSED:
        raise CommandFailed(f"the HSM refuses the PIN in {settings.hsm_pin_file}; it was tried once, and is not again")


def _answer(token: "Token") -> int:
    from strongroom.errors import ServiceUnavailable

    try:
        token.use(lambda opened: opened)
    except ServiceUnavailable:
        return REFUSED if token.is_pin_refused else 1
    finally:
        token.close()
    return 0
