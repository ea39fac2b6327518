"""A PKCS#11 module that is told of threads (`CKF_OS_LOCKING_OK`), which the binding does not do.

Source: PKCS#11 v3.1, section 5.4.
"""

import ctypes

import pkcs11
from pkcs11 import _pkcs11

OS_LOCKING_OK = 0x2
ALREADY_INITIALIZED = 0x191


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


class Module(_pkcs11.lib):
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
