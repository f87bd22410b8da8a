"""Processed records, shown beside what a command does for as long as it runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from rich.text import Text

from streamdev.cli.context import Context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_output import print_document
from streamdev.errors import StreamdevError
from streamdev.observe import follow as reading
from streamdev.observe.documents import document, stamp
from streamdev.observe.names import Names
from streamdev.observe.notices import Notice
from streamdev.observe.render import Renderer

_ENDS_WITHIN_S = 5.0


@contextmanager
def ended_by_ctrl_c(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C sets ``stop``, so that what goes on is finished; a second one cuts it."""

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Following:
    """Prints records as they are processed, from a thread of its own, and the command's lines.

    Attributes:
        printing: Held while something is printed that must not be mixed with records.
    """

    def __init__(self, ctx: Context, functions: Sequence[str], stop: threading.Event) -> None:
        self.printing = threading.RLock()
        self._ctx = ctx
        self._functions = frozenset(functions)
        self._stop = stop
        self._names = Names.of_project(ctx.project)
        self._width = max(map(len, self._names.pipelines.values()))
        self._error: StreamdevError | BrokenPipeError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Show what is processed from now on."""
        self._thread.start()

    def watch(self, names: Names, functions: Sequence[str]) -> None:
        """Show the records of other functions from now on."""
        self._names, self._functions = names, frozenset(functions)

    def close(self) -> None:
        """End the thread.

        Raises:
            StreamdevError: What it ended with by itself.
            BrokenPipeError: Whoever read the output has gone.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_ENDS_WITHIN_S)
        if self._error is not None:
            raise self._error

    def tell(self, pipeline: str, *words: str | tuple[str, str], more: Sequence[str] = ()) -> None:
        """A line like that of a record, and further lines below it."""
        if self._ctx.settings.json:
            return
        now = datetime.now().astimezone()
        head = f"{now:%H:%M:%S}.{now.microsecond // 1000:03}  "
        with self.printing:
            line = Text.assemble((head, "dim"), f"{pipeline:<{self._width}}  ", *words)
            self._print(line)
            for text in more:
                self._print(Text(" " * 14 + text))

    def document(self, kind: str, **fields: Any) -> None:
        """The same for scripts."""
        if self._ctx.settings.json:
            with self.printing:
                told = {"kind": kind, "at": stamp(datetime.now(UTC)), **fields}
                print_document(self._ctx, told)

    def _print(self, line: Text) -> None:
        self._ctx.out.print(line)
        self._ctx.stdout.flush()

    def _run(self) -> None:
        since = datetime.now(UTC)
        renderer, shown = Renderer(self._names), self._names
        try:
            lines = self._ctx.engine.read_log(
                since=reading.read_from(since), follow=True, stop=self._stop
            )
            for entry in reading.entries(lines, since=since):
                if isinstance(entry, Notice) and not entry.told:
                    continue
                if entry.function is not None and entry.function not in self._functions:
                    continue
                if shown is not self._names:
                    renderer, shown = Renderer(self._names), self._names
                with self.printing:
                    if self._ctx.settings.json:
                        print_document(self._ctx, document(entry, shown))
                    else:
                        for line in renderer.lines(entry):
                            self._print(line)
        except (StreamdevError, BrokenPipeError) as error:
            self._error = error
        finally:
            # The log ends when the engine does.
            self._stop.set()


def how_it_ended(ctx: Context) -> int:
    """The exit code after following: by Ctrl-C, or because the engine ended.

    Raises:
        EngineNotRunningError: The engine died.
    """
    if ctx.engine.running() is None:
        ctx.err.print(Text("The engine was stopped.", "dim"))
        return ExitCode.OK
    return ExitCode.INTERRUPTED
