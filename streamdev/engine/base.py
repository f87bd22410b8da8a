"""What every engine can do, whichever way LocalStack runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

EngineName = Literal["compose", "host", "external"]

# Our engines listen here and nowhere else.
HOST = "127.0.0.1"
DEFAULT_PORT = 4566
# The environment variable that all processes of an engine carry.
MARK = "STREAMDEV_ENGINE_ID"
# What it begins with in a container, whose processes Linux shows among the machine's own.
IN_CONTAINER = "compose-"


@dataclass(frozen=True)
class EngineInfo:
    """A running engine.

    Attributes:
        name: Which engine.
        endpoint_url: Where its AWS API answers, e.g. ``http://127.0.0.1:4566``.
        version: LocalStack's version, or ``None`` where it is not LocalStack.
        started_at: When it was started (aware, UTC); ``None`` for ``external``.
        has_plugins: Whether streamdev's plugins run inside (not with ``external``).
        detail: What a person wants to know: pid, container, interpreter, database.
        debug_port: The first of ten ports on 127.0.0.1 that are left free for debuggers;
            ``None`` where handlers can't be debugged.
    """

    name: EngineName
    endpoint_url: str
    version: str | None
    started_at: datetime | None
    has_plugins: bool
    detail: dict[str, str] = field(default_factory=dict)
    debug_port: int | None = None


class Progress(Protocol):
    """Told what goes on while an engine starts (the command line draws it)."""

    def step(self, message: str) -> None:
        """A new step begins; ``message`` is a short phrase in the present tense."""

    def download(self, what: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` bytes of ``what`` are here."""

    def note(self, message: str) -> None:
        """Something worth a line that is no step (a choice made, a warning)."""


class Engine(Protocol):
    """LocalStack, started and stopped, and its log."""

    name: EngineName

    def start(self, progress: Progress) -> EngineInfo:
        """Start the engine and wait until it is ready; do nothing if it runs already.

        Raises:
            EngineStartError: It did not come up; nothing of it is left running.
        """

    def stop(self, *, keep: bool) -> bool:
        """Stop the engine and everything it started; return whether anything ran.

        Args:
            keep: Keep the data for the next start instead of wiping it.
        """

    def running(self) -> EngineInfo | None:
        """The running engine, or ``None`` when it was never started or was stopped.

        Raises:
            EngineNotRunningError: It was started and has died; the message shows the
                last lines of its log.
        """

    def read_log(
        self, *, since: datetime | None, follow: bool, stop: threading.Event
    ) -> Iterator[str]:
        """Lines of the engine's log, oldest first, without their line ends.

        Args:
            since: Leave out lines known to be older (by the time in ``[streamdev]`` lines).
            follow: Go on with new lines until ``stop`` is set or the engine is down.
            stop: Ends the iteration soon after it is set.
        """

    def debugger(self, progress: Progress) -> str:
        """The folder that ``debugpy`` is in, as handlers see it; made if it is missing.

        Raises:
            EngineStartError: It can't be made.
            InvalidInputError: Handlers of this engine can't be debugged.
        """


def require(engine: Engine) -> EngineInfo:
    """The running engine.

    Raises:
        EngineNotRunningError: None runs, or it died.
    """
    from streamdev.errors import EngineNotRunningError

    info = engine.running()
    if info is None:
        raise EngineNotRunningError("The engine is not running.", hint="Start it: ./dev.py up")
    return info
