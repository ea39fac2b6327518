"""How far long work has come: one line that overwrites itself on a terminal, nothing elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

REDRAW_SECONDS = 0.2


class Progress:
    """Shows how much of `total` is done, from its second redraw on: what is quick stays silent.

    title: what is being done, such as `reading back`.
    """

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._done = 0
        self._drawn_at = time.monotonic()
        self._is_shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def advance(self, count: int) -> None:
        """Count on."""
        self._done += count
        now = time.monotonic()
        if sys.stderr.isatty() and now - self._drawn_at >= REDRAW_SECONDS:
            self._drawn_at, self._is_shown = now, True
            sys.stderr.write(f"\r\x1b[K{self.line()}")
            sys.stderr.flush()

    def line(self) -> str:
        """Return how far it is, in words."""
        percent = 100 * self._done // self._total if self._total else 100
        return f"{self._title}: {min(percent, 100)} % ({self._done:,} of {self._total:,} rows)"
