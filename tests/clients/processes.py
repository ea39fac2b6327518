"""Processes and sockets of a server as the system shows them: who its workers are, which of them holds a connection."""

import os
import re
import select
import signal
from contextlib import ExitStack
from pathlib import Path


def children(parent):
    """Return the process ids of a process's children."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent:
            found.append(int(status.parent.name))
    return found


def holders(parent, client_ports):
    """Return {worker's process id: client ports of the connections that it holds}."""
    ports = {inode: port for port, inode in accepted_sockets().items() if port in client_ports}
    found = {}
    for pid in children(parent):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            inode = re.fullmatch(r"socket:\[(\d+)\]", target_of(handle))
            if inode and inode.group(1) in ports:
                found.setdefault(pid, set()).add(ports[inode.group(1)])
    return found


def target_of(handle):
    """Return what a file descriptor leads to, "" when it has been closed meanwhile."""
    try:
        return str(handle.readlink())
    except FileNotFoundError:
        return ""


def accepted_sockets():
    """Return {client's port: inode of the server's end} of the TCP connections over IPv4 of this machine."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[2].rpartition(":")[2], 16): row[9] for row in rows if row[9] != "0"}


class Watched:
    """Processes that are watched until they end, whoever their parent is by then."""

    def __init__(self, pids):
        self._stack = ExitStack()
        self._open = {}
        for pid in pids:
            handle = os.pidfd_open(pid)
            self._stack.callback(os.close, handle)
            self._open[handle] = pid

    def kill(self):
        """Kill all of them, the first one first."""
        for handle in self._open:
            signal.pidfd_send_signal(handle, signal.SIGKILL)

    def wait(self, seconds):
        """Wait until all of them have ended; AssertionError when some have not."""
        waiting = dict(self._open)
        while waiting:
            ended, _, _ = select.select(list(waiting), [], [], seconds)
            assert ended, f"still there after {seconds} s: {sorted(waiting.values())}"
            for handle in ended:
                del waiting[handle]
        self._stack.close()
