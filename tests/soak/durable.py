"""What SQLite is told is what is done: an answer leaves only after the kernel has synced what it tells of.

`strace` watches a server of one worker that is asked one thing after another, so that between two answers there must be
a sync that returned, whichever process made it.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from clients.acts import SecretActs
from clients.processes import children
from lives import Act

CALLS = "fdatasync,fsync,write,writev,sendto,sendmsg"
SYNCED = re.compile(r"(?:f(?:data)?sync\([^)]*\)|<\.\.\. f(?:data)?sync resumed>\)?)\s+= 0")
SENT = re.compile(r"(?:write|writev|sendto|sendmsg)\(\d+<TCP")


def watch(direct, count):
    """Set and get a secret so many times; return how many answers left after a sync, and how many answers left."""
    acts = SecretActs(direct)
    connection = direct.open(acts.url)
    _ask(acts, connection, Act("set", "first", "m"))
    with tempfile.NamedTemporaryFile("r") as trace:
        watched = [word for pid in children(direct.facts.pid) for word in ("-p", str(pid))]
        command = ["strace", "-f", "-yy", "-q", "-e", f"trace={CALLS}", "-o", trace.name, *watched]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as watching:
            _wait_until_watched(acts, connection, Path(trace.name))
            begun = len(Path(trace.name).read_text().splitlines())
            for number in range(count):
                _ask(acts, connection, Act("set", f"value {number}", "m"))
                _ask(acts, connection, Act("get"))
            watching.terminate()
        lines = Path(trace.name).read_text().splitlines()[begun:]
    connection.close()
    return judge(lines)


def judge(lines):
    """Return how many answers left after a sync that returned since the answer before, and how many left."""
    synced = answers = since = 0
    for line in lines:
        if SYNCED.search(line):
            since += 1
        elif SENT.search(line):
            answers += 1
            synced += since > 0
            since = 0
    return synced, answers


def _ask(acts, connection, act):
    method, path, body = acts.request(act, "durable")
    answer = connection.ask(method, path, token=acts.token, body=body)
    assert answer.status == 200, answer


def _wait_until_watched(acts, connection, trace):
    """Ask until the trace shows an answer: from then on it shows all of them."""
    while not SENT.search(trace.read_text()):
        _ask(acts, connection, Act("get"))
