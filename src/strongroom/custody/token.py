"""A PKCS#11 token as the threads of one process reach it: a session each, all anew after the token was away.

PKCS#11 is initialised by the process that uses it, after the fork and never before it; threads use it at once, which a
module has to be told (`module`).
Whoever finds the token gone finalises the module once the others have left it, and begins again: some modules see a
token that came back in no other way.
Sources: PKCS#11 v3.1, sections 5.4 (initialisation, threads), 5.6 (sessions, login) and 6.6 (forks).
"""

import fcntl
import os
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import pkcs11
import structlog

from strongroom.clock import steady_seconds
from strongroom.custody.logins import Logins
from strongroom.custody.module import Module
from strongroom.errors import ServiceUnavailable, StrongroomError
from strongroom.sensitive import Sensitive

T = TypeVar("T")

SERIAL = "serial:"
"""What a name of a token begins with when it is its serial number, not its label."""

PATIENCE_SECONDS = 10.0
"""How long whoever wants the token waits while it is begun anew: somebody may be stuck in it."""
POLL_SECONDS = 0.02
LEAVING_SECONDS = 5.0
"""How long whoever ends waits for the threads that are in the module. One that is stuck there keeps it open."""
OPENINGS = 5
"""How often a token is looked for at a time: SoftHSM shows none at the moment in which another process logs in to it.
Processes of one server do so one after the other."""

SURELY_AWAY = (
    pkcs11.DeviceRemoved,
    pkcs11.KeyHandleInvalid,
    pkcs11.ObjectHandleInvalid,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.SlotIDInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.UserNotLoggedIn,
)
"""What says by itself that sessions, or what they found, are good no more."""
CONFUSED = (pkcs11.OperationActive, pkcs11.OperationNotInitialized)
"""What says that a session holds something from before: it is given up."""
TRANSIENT = (pkcs11.DeviceError, pkcs11.DeviceMemory, pkcs11.FunctionCancelled, pkcs11.HostMemory, pkcs11.SessionCount)
"""What says nothing of what was asked: the token is short of something, for now."""
PIN_REFUSED = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked, pkcs11.PinExpired)

log = structlog.get_logger(__name__)


class HsmUnavailable(ServiceUnavailable):
    """The HSM cannot be used now: it is away, or refuses the PIN."""


class KeyAbsent(Exception):
    """The token that was looked into does not have a key."""


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Which token: the module's file, and the token's label, or `serial:` and its serial number."""

    module: Path
    name: str

    def is_of(self, token: pkcs11.Token) -> bool:
        """Answer whether a token is the one that is meant."""
        if self.name.startswith(SERIAL):
            return token.serial == self.name.removeprefix(SERIAL).encode()
        return token.label == self.name


@dataclass(slots=True)
class Opened:
    """A thread's session of a token that is open. objects: what it found, by the id and class of the key."""

    session: pkcs11.Session
    generation: int
    objects: dict[tuple[bytes, pkcs11.ObjectClass], pkcs11.Object] = field(default_factory=dict)


class Token:
    """One token, for every thread of every process that is forked after this was made.

    read_pin: returns the user's PIN. A PIN that the token refused is not tried again, by any of the processes, until
    the server is started anew: tokens lock after a few attempts. A login that fails otherwise may be one of them too,
    and is tried again after a while only.
    """

    def __init__(self, place: TokenPlace, read_pin: Callable[[], Sensitive[str]]) -> None:
        self.place = place
        self._read_pin = read_pin
        self._logins = Logins()
        self._opening = _shared_lock()
        weakref.finalize(self, os.close, self._opening)
        self.begin()
        os.register_at_fork(after_in_child=partial(_begin_again, weakref.ref(self)))

    def use(self, work: Callable[[Opened], T]) -> T:
        """Return what `work` does with this thread's session, tried once more after the token was away.

        HsmUnavailable when it is away now, or does not have the key. What else of PKCS11Error `work` raises is the
        token's refusal of what it was asked, and left to the caller.
        """
        try:
            return self._attempt(work)
        except _Away as away:
            self._break(away.generation)
        try:
            return self._attempt(work)
        except _Away as away:
            self._break(away.generation)
            raise unavailable("does not answer", away.__cause__) from away.__cause__

    @property
    def is_pin_refused(self) -> bool:
        """Whether the token refused the PIN."""
        return self._logins.are_refused

    @property
    def is_login_failing(self) -> bool:
        """Whether a login failed just now, for the PIN or for no known reason: another may be one too many."""
        return self.is_pin_refused or self._logins.seconds_left() > 0

    def close(self) -> None:
        """End the sessions of this process once nobody uses them, and begin no more: HsmUnavailable from now on."""
        with self._changed:
            self._closed = True
            self._leave()

    def begin(self) -> None:
        """Know nothing of the token yet, as a process that was just forked."""
        self._changed = threading.Condition()
        self._module: Module | None = None
        self._found: pkcs11.Token | None = None
        self._login: pkcs11.Session | None = None
        self._users = 0
        self._ending = self._closed = False
        self._generation = 0
        self._threads = threading.local()

    def _attempt(self, work: Callable[[Opened], T]) -> T:
        with self._entered() as found:
            generation = self._generation
            try:
                return work(self._opened(found))
            except CONFUSED as error:
                self._give_up_session()
                raise unavailable("is not ready for this", error) from error
            except (pkcs11.PKCS11Error, KeyAbsent) as error:
                if isinstance(error, SURELY_AWAY) or not self._answers(found):
                    raise _Away(generation) from error
                if isinstance(error, KeyAbsent):
                    raise unavailable("does not have this key", error) from error
                raise

    @contextmanager
    def _entered(self) -> Iterator[pkcs11.Token]:
        """Keep the module open while one uses it."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._ending, PATIENCE_SECONDS):
                raise unavailable("is being begun anew, and does not come back", None)
            if self._closed:
                raise HsmUnavailable("The server ends; the HSM is not asked any more.")
            found = self._found or self._open()
            self._users += 1
        try:
            yield found
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    def _opened(self, found: pkcs11.Token) -> Opened:
        opened: Opened | None = getattr(self._threads, "opened", None)
        if opened is None or opened.generation != self._generation:
            opened = Opened(found.open(rw=True), self._generation)
            self._threads.opened = opened
        return opened

    def _give_up_session(self) -> None:
        opened: Opened | None = getattr(self._threads, "opened", None)  # none where opening one failed
        self._threads.opened = None
        if opened is not None:
            with suppress(pkcs11.PKCS11Error):
                opened.session.close()

    def _answers(self, found: pkcs11.Token) -> bool:
        try:
            return bool(found.slot.get_token().serial == found.serial)
        except pkcs11.PKCS11Error:
            return False

    def _open(self) -> pkcs11.Token:
        """Find the token and log in, after some attempts; HsmUnavailable."""
        failed: pkcs11.PKCS11Error | None = None
        with self._alone():
            for _ in range(OPENINGS):
                if self.is_pin_refused:
                    raise HsmUnavailable("The HSM refused the PIN; start the server anew with the right one.")
                try:
                    return self._open_once()
                except _LoginFailed as error:
                    self._finalize()
                    raise unavailable("does not let the server log in", error.__cause__) from error.__cause__
                except pkcs11.PKCS11Error as error:
                    failed = error
                    self._finalize()
        raise unavailable("cannot be reached", failed) from failed

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only process of this server that opens the token."""
        deadline = steady_seconds() + PATIENCE_SECONDS
        while not _is_locked(self._opening):
            if steady_seconds() > deadline:
                raise unavailable("is being opened by another process, which is stuck", None)
            time.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            fcntl.lockf(self._opening, fcntl.LOCK_UN)

    def _open_once(self) -> pkcs11.Token:
        """Find the token and log in: one login counts for all sessions of a process."""
        self._module = self._module or Module(str(self.place.module))
        found = self._find(self._module)
        self._login = self._log_in(found)
        self._generation += 1
        self._found = found
        log.info("the HSM is there", token=found.label, serial=found.serial.decode(errors="replace"))
        return found

    def _find(self, module: Module) -> pkcs11.Token:
        found = [token for token in module.get_tokens() if self.place.is_of(token)]
        if len(found) != 1:
            raise pkcs11.NoSuchToken(f"{len(found)} tokens are named '{self.place.name}'")
        return found[0]

    def _log_in(self, found: pkcs11.Token) -> pkcs11.Session:
        """Log in; _LoginFailed for what may have been counted as a wrong PIN, and is not tried again at once."""
        if (seconds := self._logins.seconds_left()) > 0:
            raise HsmUnavailable(f"The HSM did not let the server log in; it is asked again in {seconds:.0f} seconds.")
        try:
            pin = self._read_pin().reveal()
        except StrongroomError as error:
            raise unavailable("cannot be logged in to", error) from error
        before = self._logins.attempt()
        try:
            session = found.open(rw=True, user_pin=pin)
        except PIN_REFUSED as error:
            self._logins.refuse()
            log.error(  # noqa: TRY400 - one line says all
                "alarm: the HSM refused the PIN and is not asked again", error=type(error).__name__
            )
            raise
        except SURELY_AWAY:
            self._logins.restore(before)
            raise
        except pkcs11.PKCS11Error as error:
            raise _LoginFailed from error
        self._logins.succeed()
        return session

    def _break(self, generation: int) -> None:
        """Begin the module anew, when nobody has done so since, and nobody is in it any more."""
        with self._changed:
            if self._generation != generation or self._found is None or self._ending:
                return
            self._ending = True
            try:
                if self._changed.wait_for(lambda: not self._users, PATIENCE_SECONDS):
                    self._finalize()
            finally:
                self._ending = False
                self._changed.notify_all()

    def _leave(self) -> None:
        """Finalise the module, once nobody is in it: it crashes under who is, so whoever is stuck keeps it open."""
        if self._changed.wait_for(lambda: not self._users and not self._ending, LEAVING_SECONDS):
            self._finalize()

    def _finalize(self) -> None:
        self._found = self._login = None
        if self._module is not None:
            self._module.finalize()
            self._module = None


def _begin_again(token: "weakref.ref[Token]") -> None:
    """Let a process that was just forked begin for itself: the module, threads and locks are the parent's."""
    found = token()
    if found is not None:
        found.begin()


def _is_locked(handle: int) -> bool:
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _shared_lock() -> int:
    """Return a file without a name, whose lock (POSIX: of a process) those share that are forked from this one."""
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class _LoginFailed(Exception):
    """A login failed, perhaps for the PIN."""


class _Away(Exception):
    """The token was away while it was used. generation: which of its openings that was."""

    def __init__(self, generation: int) -> None:
        self.generation = generation


def unavailable(what: str, cause: BaseException | None) -> HsmUnavailable:
    """Return the error for a token that cannot do what it was made for; the log has its cause."""
    why = {} if cause is None else {"error": type(cause).__name__, "reason": str(cause)}
    log.error("alarm: the HSM fails", what=what, **why)
    return HsmUnavailable(f"The HSM {what} now; the log of the server says more. Nothing was changed.")
