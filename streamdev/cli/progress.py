"""What goes on, shown on standard error: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.status import Status

PLAIN_DOWNLOAD_INTERVAL_S = 5.0


class TerminalProgress:
    """Draws steps and downloads while it is entered; implements ``engine.base.Progress``."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, tuple[int, float]] = {}

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the live line away, so that something else can be printed."""
        if self._status:
            self._status.stop()
            self._status = None
        if self._bars:
            self._bars.stop()
            self._bars = None
        self._tasks.clear()

    def step(self, message: str) -> None:
        """Show ``message`` until the next step."""
        if not self._console.is_terminal:
            self._plain(message)
            return
        if self._bars:
            self.clear()
        text = Text(message)
        if self._status:
            self._status.update(text)
        else:
            self._status = self._console.status(text)
            self._status.start()

    def download(self, what: str, done: int, total: int | None) -> None:
        """Show how much of ``what`` is here."""
        if not self._console.is_terminal:
            self._plain_download(what, done, total)
            return
        if self._status:
            self._status.stop()
            self._status = None
        if self._bars is None:
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                Progress,
                TextColumn,
                TransferSpeedColumn,
            )

            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                console=self._console,
                transient=True,
            )
            self._bars.start()
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)

    def note(self, message: str) -> None:
        """A line that stays."""
        if self._console.is_terminal:
            self._console.print(Text(message, style="dim"))
        else:
            self._plain(message)

    def _plain(self, message: str) -> None:
        self._console.print(Text(message))

    def _plain_download(self, what: str, done: int, total: int | None) -> None:
        last_done, last_at = self._said.get(what, (-1, 0.0))
        finished = total is not None and done >= total > last_done
        if not finished and time.monotonic() - last_at < PLAIN_DOWNLOAD_INTERVAL_S:
            return
        self._said[what] = (done, time.monotonic())
        of = f" of {total / 1e6:.0f}" if total else ""
        self._plain(f"{what}: {done / 1e6:.0f}{of} MB")
