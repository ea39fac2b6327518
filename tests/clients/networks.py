"""Networks of namespaces that a test makes: a server's, those of callers and one of proxies, each with addresses.

Everything lies in namespaces of this module's own processes and is gone with them; nothing is made outside. The
server's namespace is the router of all others. It takes the right to make namespaces (root, or CAP_SYS_ADMIN).
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys

IP = shutil.which("ip", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
HOLD = "mount --make-rprivate / && echo held && exec cat"
SERVER, SERVER_6 = "10.77.0.1", "fd77::1"
UNTIL_LISTENING = """
import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
while True:
    with socket.socket(family) as probe:
        if probe.connect_ex((sys.argv[1], int(sys.argv[2]))) == 0:
            break
    time.sleep(0.05)
"""
MAY_NOT = "NOT TESTED HERE: real networks take the right to make network namespaces (run the tests as root)"


def may_make_networks():
    """Answer whether this user may make namespaces, and whether there is what it takes."""
    if IP is None:
        return False
    done = subprocess.run(
        ["unshare", "-n", "-m", IP, "link", "add", "v0", "type", "veth"], capture_output=True, check=False
    )
    return done.returncode == 0


class Namespace:
    """A network of one machine, held by a process. addresses: its own, IPv4 first."""

    def __init__(self, *addresses):
        self.addresses = addresses
        # It ends with its standard input, which is to say with this process.
        self._process = subprocess.Popen(
            ["unshare", "-n", "-m", "sh", "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout.readline() == "held\n"
        self.run(IP, "link", "set", "lo", "up")

    @property
    def pid(self):
        return self._process.pid

    @property
    def prefix(self):
        """What a command begins with to run in here, as the same process."""
        return ("nsenter", "-t", str(self.pid), "-n", "-m")

    def run(self, *command, **kwargs):
        """Run a command in here to its end; return what it wrote."""
        done = subprocess.run([*self.prefix, *command], capture_output=True, text=True, check=False, **kwargs)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *command, log):
        """Start a command in here; return its process."""
        return subprocess.Popen([*self.prefix, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def await_listener(self, address, port):
        """Wait until somebody listens there, as it is seen from here."""
        self.run(sys.executable, "-c", UNTIL_LISTENING, address, str(port), timeout=30)

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class Networks:
    """The server's namespace and those around it; `join` makes one more, 10.77.N.0/24 and fd77:N::/64."""

    def __init__(self):
        self.server = Namespace(SERVER, SERVER_6)
        self._made = [self.server]
        for address in (f"{SERVER}/32", f"{SERVER_6}/128"):
            self.server.run(IP, "address", "add", address, "dev", "lo")
        for switch in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            self.server.run("sh", "-c", f"mount -t proc proc /proc; echo 1 > /proc/sys/{switch}")

    def join(self, number, *hosts):
        """Return a namespace with these addresses (the last parts of both kinds), routed through the server's."""
        four, six = f"10.77.{number}", f"fd77:{number}:"
        made = Namespace(*(f"{four}.{host}" for host in hosts), *(f"{six}:{host}" for host in hosts))
        self._made.append(made)
        near = f"to{number}"
        self.server.run(IP, "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", str(made.pid))
        for address in (f"{four}.1/24", f"{six}:1/64"):
            self.server.run(IP, "address", "add", address, "dev", near, *no_wait(address))
        self.server.run(IP, "link", "set", near, "up")
        for host in hosts:
            for address in (f"{four}.{host}/24", f"{six}:{host}/64"):
                made.run(IP, "address", "add", address, "dev", "eth0", *no_wait(address))
        made.run(IP, "link", "set", "eth0", "up")
        made.run(IP, "route", "add", "default", "via", f"{four}.1")
        made.run(IP, "-6", "route", "add", "default", "via", f"{six}:1")
        return made

    def end(self):
        for each in self._made:
            each.end()


def no_wait(address):
    """Return what lets an IPv6 address be used at once, without a look whether another machine has it."""
    return ("nodad",) if ":" in address else ()
