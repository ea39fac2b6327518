"""Runs a command under what a unit file allows, as far as that goes without systemd: confine.py UNIT COMMAND…

System calls, address families, memory, core dumps and the umask are the unit's own, read from its file; namespaces and
capabilities are the caller's part. The kernel enforces all of it, as it would for systemd.
"""

import configparser
import ctypes
import errno
import mmap
import os
import resource
import socket
import subprocess
import sys

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
EQUAL, MASKED = 4, 7
SHM_EXEC = 0o100000
FAMILIES = range(46)


class Comparison(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


class Filter:
    """A seccomp filter: what happens by default, and rules that say otherwise."""

    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p

    def __init__(self, default):
        self.context = ctypes.c_void_p(self.library.seccomp_init(ctypes.c_uint32(default)))

    def add(self, action, name, *comparisons):
        number = self.library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # others are of another architecture
            array = (Comparison * len(comparisons))(*comparisons)
            self.check(
                self.library.seccomp_rule_add_array(
                    self.context, ctypes.c_uint32(action), number, len(comparisons), array
                )
            )

    def load(self):
        self.check(self.library.seccomp_load(self.context))

    @staticmethod
    def check(code):
        if code < 0:
            raise OSError(-code, os.strerror(-code))


def directives(unit):
    """Return each directive of the unit's service with its values, in their order."""
    parser = configparser.RawConfigParser(strict=False, dict_type=Repeated, delimiters=("=",), comment_prefixes="#")
    parser.optionxform = str
    parser.read(unit)
    return {name: value for name, value in parser._sections["Service"].items() if name != "__name__"}


class Repeated(dict):
    """A dictionary that keeps every line of a directive that stands twice."""

    def __setitem__(self, key, value):
        if isinstance(value, list) and isinstance(self.get(key), list):
            value = [*self[key], *value]
        super().__setitem__(key, value)


def calls(word):
    """Return the system calls of a group, or the one that is named."""
    if not word.startswith("@"):
        return {word}
    shown = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True)
    lines = [line.strip() for line in shown.stdout.splitlines()[1:]]
    return {call for line in lines if line and not line.startswith("#") for call in calls(line)}


def allowed_calls(lines):
    allowed = set(calls("@default"))
    for line in lines:
        words = line.removeprefix("~").split()
        named = {call for word in words for call in calls(word)}
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def confine(unit):
    found = directives(unit)
    assert found["NoNewPrivileges"] == found["MemoryDenyWriteExecute"] == found["RestrictNamespaces"] == "yes"
    os.umask(int(found["UMask"], 8))
    resource.setrlimit(resource.RLIMIT_CORE, (0, int(found["LimitCORE"])))
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(int(found["LimitNOFILE"]), hard_limit()),) * 2)
    refused, only = Filter(ALLOW), Filter(REFUSE)
    families = {getattr(socket, name) for name in found["RestrictAddressFamilies"].split()}
    for family in set(FAMILIES) - families:
        refused.add(REFUSE, "socket", Comparison(0, EQUAL, family, 0))
    both = mmap.PROT_EXEC | mmap.PROT_WRITE
    refused.add(REFUSE, "mmap", Comparison(2, MASKED, both, both))
    refused.add(REFUSE, "mprotect", Comparison(2, MASKED, mmap.PROT_EXEC, mmap.PROT_EXEC))
    refused.add(REFUSE, "pkey_mprotect", Comparison(2, MASKED, mmap.PROT_EXEC, mmap.PROT_EXEC))
    refused.add(REFUSE, "shmat", Comparison(2, MASKED, SHM_EXEC, SHM_EXEC))
    for name in ("unshare", "setns"):
        refused.add(REFUSE, name)
    for name in sorted(allowed_calls(found["SystemCallFilter"].split("\n"))):
        only.add(ALLOW, name)
    refused.load()
    only.load()


def hard_limit():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


if __name__ == "__main__":
    confine(sys.argv[1])
    os.execvp(sys.argv[2], sys.argv[2:])
