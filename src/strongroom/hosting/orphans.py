"""How a worker ends whose parent is gone, though it may be stuck.

In good order a worker notices by itself, in its loop. One whose loop never turns again would hold the data directory's
lock for ever, so a thread notices too, and asks the kernel to end the process when the time for good order is over.
"""

import select
import signal
import threading


def end_with_parent(lifeline: int, seconds: float) -> None:
    """End this process with SIGALRM when it still lives `seconds` after its parent has ended.

    lifeline: a pipe that ends with the parent. Only a process that holds the interpreter's lock for good escapes.
    """
    threading.Thread(target=_watch, args=(lifeline, seconds), name="orphan", daemon=True).start()


def _watch(lifeline: int, seconds: float) -> None:
    ended = select.poll()  # a read would not wait: event loops have set the pipe so, and for every process
    ended.register(lifeline)
    ended.poll()
    signal.setitimer(signal.ITIMER_REAL, seconds)
