"""How far a load is: how many items, how many a second, how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from streamdev.cli.context import Context

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PLAIN_INTERVAL_S = 5.0


class Meter:
    """Shows progress on standard error: a bar on a terminal, else a line every five seconds.

    With ``--json`` it shows nothing.

    Args:
        ctx: Where to show it.
        total: How much is to be done, in whatever unit `show` is told; ``None``: not known.
        clock: The time in seconds.
    """

    def __init__(
        self, ctx: Context, total: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ctx = ctx
        self._total = total
        self._clock = clock
        self._started = self._told = clock()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Meter:
        if self._ctx.err.is_terminal and not self._ctx.settings.json:
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
            self._bar = Progress(*columns, console=self._ctx.err, transient=True)
            self._task = self._bar.add_task("0 items", total=self._total)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self._started

    def show(self, done: float, written: int) -> None:
        """``done`` of the total is done, ``written`` items are in the table."""
        if self._bar is not None and self._task is not None:
            text = self._words(done, written)
            self._bar.update(self._task, completed=done, description=text)
        elif not self._ctx.settings.json and self._clock() - self._told >= PLAIN_INTERVAL_S:
            self._told = self._clock()
            self._ctx.err.print(self._words(done, written))

    def _words(self, done: float, written: int) -> str:
        seconds = self.seconds
        rate = f"{written / seconds:,.0f}/s" if seconds else ""
        left = ""
        if self._total is not None and 0 < done < self._total:
            left = f", {duration(seconds * (self._total - done) / done)} left"
        return f"{written:,} items, {rate}{left}"


def duration(seconds: float) -> str:
    """``8 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
