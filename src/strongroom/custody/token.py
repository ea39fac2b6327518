"""A PKCS#11 token as the threads of one process reach it: a session each, all anew after the token was away.

PKCS#11 is initialised by the process that uses it, after the fork and never before it; threads use it at once, which a
module has to be told (`CKF_OS_LOCKING_OK`). The binding initialises modules without telling them, so it is done here.
Whoever finds the token gone finalises the module once the others have left it, and begins again: some modules see a
token that came back in no other way.
Sources: PKCS#11 v3.1, sections 5.4 (initialisation, threads), 5.6 (sessions, login) and 6.6 (forks).
"""

import ctypes
import fcntl
import mmap
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pkcs11
import structlog
from pkcs11 import _pkcs11

from strongroom.errors import ServiceUnavailable
from strongroom.sensitive import Sensitive

T = TypeVar("T")

OS_LOCKING_OK = 0x2
ALREADY_INITIALIZED = 0x191
SERIAL = "serial:"
"""What a name of a token begins with when it is its serial number, not its label."""

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


class _Functions(ctypes.Structure):
    """The head of CK_FUNCTION_LIST: PKCS#11 v3.1, section 3.6."""

    _fields_ = (
        ("version", ctypes.c_ubyte * 2),
        ("initialize", ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)),
        ("finalize", ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)),
    )


class _Arguments(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS: no mutexes of ours, flags, and what is reserved."""

    _fields_ = (
        ("mutexes", ctypes.c_void_p * 4),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_void_p),
    )


class _Module(_pkcs11.lib):
    """A module that is told of threads."""

    def initialize(self) -> None:
        """Initialise the module for this process; what a parent left initialised is finalised first."""
        functions = self._functions()
        arguments = _Arguments(flags=OS_LOCKING_OK)
        status = functions.initialize(ctypes.addressof(arguments))
        if status == ALREADY_INITIALIZED:
            functions.finalize(None)
            status = functions.initialize(ctypes.addressof(arguments))
        if status:
            raise pkcs11.PKCS11Error(f"the module cannot be initialised for threads (CKR 0x{status:x})")

    def finalize(self) -> None:
        """End every session of this process."""
        self._functions().finalize(None)

    def _functions(self) -> _Functions:
        listed = ctypes.POINTER(_Functions)()
        status = ctypes.CDLL(self.so).C_GetFunctionList(ctypes.byref(listed))
        if status:
            raise pkcs11.PKCS11Error(f"the module lists no functions (CKR 0x{status:x})")
        return listed.contents


class Token:
    """One token, for every thread of every process that is forked after this was made.

    read_pin: returns the user's PIN. A PIN that the token refused is not tried again, by any of the processes, until
    the server is started anew: tokens lock after a few attempts.
    """

    def __init__(self, place: TokenPlace, read_pin: Callable[[], Sensitive[str]]) -> None:
        self.place = place
        self._read_pin = read_pin
        self._pin_refused = mmap.mmap(-1, 1)
        self._opening = _shared_lock()
        weakref.finalize(self, os.close, self._opening)
        self._begin()

    def use(self, work: Callable[[Opened], T]) -> T:
        """Return what `work` does with this thread's session, tried once more after the token was away.

        HsmUnavailable when it is away now, or does not have the key. What else of PKCS11Error `work` raises is the
        token's refusal of what it was asked, and left to the caller.
        """
        if self._process != os.getpid():
            self._begin()
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
        return bool(self._pin_refused[0])

    def close(self) -> None:
        """End the sessions of this process once nobody uses them, and begin no more: HsmUnavailable from now on."""
        if self._process == os.getpid():
            with self._changed:
                self._closed = True
                self._leave()

    def _begin(self) -> None:
        """Know nothing of the token yet, as a process that was just forked."""
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._module: _Module | None = None
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
            self._changed.wait_for(lambda: not self._ending)
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
                except pkcs11.PKCS11Error as error:
                    failed = error
                    self._finalize()
        raise unavailable("cannot be reached", failed) from failed

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only process of this server that opens the token."""
        fcntl.lockf(self._opening, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._opening, fcntl.LOCK_UN)

    def _open_once(self) -> pkcs11.Token:
        """Find the token and log in: one login counts for all sessions of a process."""
        self._module = self._module or _Module(str(self.place.module))
        found = self._find(self._module)
        self._login = self._log_in(found)
        self._generation += 1
        self._found = found
        log.info("the HSM is there", token=found.label, serial=found.serial.decode(errors="replace"))
        return found

    def _find(self, module: _Module) -> pkcs11.Token:
        found = [token for token in module.get_tokens() if self.place.is_of(token)]
        if len(found) != 1:
            raise pkcs11.NoSuchToken(f"{len(found)} tokens are named '{self.place.name}'")
        return found[0]

    def _log_in(self, found: pkcs11.Token) -> pkcs11.Session:
        try:
            return found.open(rw=True, user_pin=self._read_pin().reveal())
        except PIN_REFUSED as error:
            self._pin_refused[0] = 1
            log.error("alarm: the HSM refused the PIN and is not asked again", error=type(error).__name__)  # noqa: TRY400
            raise

    def _break(self, generation: int) -> None:
        """Begin the module anew, when nobody has done so since, and nobody is in it any more."""
        with self._changed:
            if self._generation != generation or self._found is None or self._ending:
                return
            self._ending = True
            self._changed.wait_for(lambda: not self._users)
            self._finalize()
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


def _shared_lock() -> int:
    """Return a file without a name, whose lock (POSIX: of a process) those share that are forked from this one."""
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class _Away(Exception):
    """The token was away while it was used. generation: which of its openings that was."""

    def __init__(self, generation: int) -> None:
        self.generation = generation


def unavailable(what: str, cause: BaseException | None) -> HsmUnavailable:
    """Return the error for a token that cannot do what it was made for; the log has its cause."""
    log.error("alarm: the HSM fails", what=what, error=type(cause).__name__, reason=str(cause))
    return HsmUnavailable(f"The HSM {what} now; the log of the server says more. Nothing was changed.")
