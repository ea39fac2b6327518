"""What SQLite is told is what is done: an answer leaves only after the kernel has synced what it tells of.

`strace` watches a server of one worker that is asked one thing after another, so that between two answers there must be
a sync that returned of the file where that was kept: the data where something was changed, else a journal.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from clients.acts import SecretActs
from clients.processes import children
from lives import Act

CALLS = "fdatasync,fsync,io_getevents,write,writev,sendto,sendmsg"
UNFINISHED = " <unfinished ...>"
RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
FILE_SYNCED = re.compile(r"f(?:data)?sync\(\d+<[^>]*/(?:strongroom\.db-wal|journals/\w+)>\)\s+= 0")
JOURNAL_SYNCED = re.compile(r"io_getevents\(.*\bres=0\b.*\)\s+= 1$")  # the kernel is asked for nothing else so
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
    begun = {}
    for line in lines:
        thread, call = line.split(maxsplit=1)
        if SENT.match(call):
            answers += 1
            synced += since > 0
            since = 0
        elif call.endswith(UNFINISHED):
            begun[thread] = call.removesuffix(UNFINISHED)
        else:
            whole = RESUMED.sub(lambda _, thread=thread: begun.pop(thread, ""), call)
            since += bool(FILE_SYNCED.match(whole) or JOURNAL_SYNCED.match(whole))
    return synced, answers


def _ask(acts, connection, act):
    method, path, body = acts.request(act, "durable")
    answer = connection.ask(method, path, token=acts.token, body=body)
    assert answer.status == 200, answer


def _wait_until_watched(acts, connection, trace):
    """Ask until the trace shows an answer: from then on it shows all of them."""
    while not SENT.search(trace.read_text()):
        _ask(acts, connection, Act("get"))
