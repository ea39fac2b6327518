"""CKM_RSA_AES_KEY_WRAP as a module takes it: python-pkcs11 knows neither the mechanism nor its parameters.

Source: PKCS #11 v3.1, sections 6.1.8 (CK_RSA_PKCS_OAEP_PARAMS) and 6.1.26 (CK_RSA_AES_KEY_WRAP_PARAMS).
"""

import ctypes

from pkcs11 import MGF, Mechanism

_DATA_SPECIFIED = 1


class _Oaep(ctypes.Structure):
    """CK_RSA_PKCS_OAEP_PARAMS."""

    _fields_ = (
        ("digest", ctypes.c_ulong),
        ("mgf", ctypes.c_ulong),
        ("source", ctypes.c_ulong),
        ("data", ctypes.c_void_p),
        ("data_length", ctypes.c_ulong),
    )


class _Parameters(ctypes.Structure):
    """CK_RSA_AES_KEY_WRAP_PARAMS."""

    _fields_ = (("aes_bits", ctypes.c_ulong), ("oaep", ctypes.POINTER(_Oaep)))


def _mechanism(number: int) -> Mechanism:
    """Return a mechanism that the binding has no name for: it takes no numbers that are not of its enumeration."""
    found = int.__new__(Mechanism, number)
    found._value_, found._name_ = number, f"0x{number:x}"
    return found


RSA_AES_KEY_WRAP = _mechanism(0x1054)
_OAEP = _Oaep(int(Mechanism.SHA_1), int(MGF.SHA1), _DATA_SPECIFIED, None, 0)  # what the parameters point to


def parameters(aes_bits: int) -> bytes:
    """Return the parameters of the mechanism for OAEP with SHA-1. aes_bits: of the key that is made for the transfer.

    They point into memory of this process, which stays where it is.
    """
    return bytes(_Parameters(aes_bits, ctypes.pointer(_OAEP)))
