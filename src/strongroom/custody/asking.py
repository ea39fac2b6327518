"""A question to a token that a child asks: a process that has begun with a module must fork no others who use it.

The answer comes back through a pipe, which nobody else can read.
"""

import os
import signal
from collections.abc import Callable

import pkcs11

from strongroom.custody.token import HsmUnavailable, Opened, Token
from strongroom.errors import StrongroomError
from strongroom.sensitive import Sensitive

ANSWERED, REFUSED = b"+", b"-"
_AT_ONCE = 65_536
DEADLINE_SECONDS = 30


def ask_token(token: Token, work: Callable[[Opened], bytes]) -> Sensitive[bytes]:
    """Return what `work` does with the token, asked by a child; HsmUnavailable with its words when that fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(DEADLINE_SECONDS)  # a module that is stuck keeps nobody waiting, nor a child alive
        _answer(token, work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read(_AT_ONCE)
    os.waitpid(child, 0)
    if answer[:1] != ANSWERED:
        raise HsmUnavailable(answer[1:].decode() or f"the HSM does not answer within {DEADLINE_SECONDS} seconds")
    return Sensitive(answer[1:])


def _answer(token: Token, work: Callable[[Opened], bytes], writing: int) -> None:
    """Answer and end this process, whatever happens."""
    told = REFUSED + b"the HSM could not be asked"
    try:
        told = ANSWERED + token.use(work)
        token.close()
    except StrongroomError as error:
        told = REFUSED + str(error).encode()
    except pkcs11.PKCS11Error as error:
        told = REFUSED + f"the HSM failed ({type(error).__name__})".encode()
    finally:
        os.write(writing, told)
        os._exit(0)
