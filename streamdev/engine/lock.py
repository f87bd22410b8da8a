"""One starter or stopper at a time in a checkout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streamdev.engine.base import Progress
from streamdev.errors import TimedOutError
from streamdev.locks import HeldError, file_lock
from streamdev.paths import StateDir

PATIENCE_S = 600.0


@contextmanager
def engine_lock(state: StateDir, progress: Progress | None = None) -> Iterator[None]:
    """Hold the checkout's engine lock; a second caller waits and is told.

    The lock goes with the process that holds it, however that ends.

    Raises:
        TimedOutError: Another command held it for ten minutes.
    """
    state.root.mkdir(parents=True, exist_ok=True)
    try:
        with file_lock(state.lock, PATIENCE_S, lambda: _tell(progress)):
            yield
    except HeldError:
        raise TimedOutError(
            f"Another command has been starting or stopping the engine of {state.root.parent} "
            f"for {PATIENCE_S / 60:.0f} minutes.",
            hint="See which: ./dev.py doctor",
        ) from None


def _tell(progress: Progress | None) -> None:
    if progress:
        progress.step("Waiting for another command that starts or stops the engine")
