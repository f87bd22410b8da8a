"""A gate that all writes go through: it can be closed to have the database to oneself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class GateBusyError(Exception):
    """Writes that were under way did not end in time."""


class Gate:
    """Any number of writes pass at a time, or one that wants to be alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False
        self._before_next: Callable[[], object] | None = None

    def before_next(self, action: Callable[[], object]) -> None:
        """Have ``action`` done before the next write passes; if it raises, before the one after."""
        self._before_next = action

    def enter_at_once(self) -> bool:
        """As `enter`, if there is nothing to wait for and nothing to do before; else false."""
        if not self._changed.acquire(blocking=False):
            return False
        try:
            if self._closed or self._before_next is not None:
                return False
            self._inside += 1
            return True
        finally:
            self._changed.release()

    def enter(self) -> None:
        """A write begins; it waits while the gate is closed. ``leave`` has to follow."""
        with self._changed:
            while self._closed:
                self._changed.wait()
            self._do_before()
            self._inside += 1

    def leave(self) -> None:
        """It ended."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    @contextmanager
    def closed(self, timeout: float) -> Iterator[None]:
        """A block in which no other write is under way; later ones wait for its end.

        Raises:
            GateBusyError: Those under way did not end within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            self._wait(lambda: not self._closed, deadline)
            # From here on none begins, so that many writers can't keep this one out for ever.
            self._closed = True
            try:
                self._wait(lambda: not self._inside, deadline)
                self._do_before()
            except BaseException:
                self._open()
                raise
        try:
            yield
        finally:
            with self._changed:
                self._open()

    def _wait(self, condition: Callable[[], bool], deadline: float) -> None:
        if not self._changed.wait_for(condition, max(0.0, deadline - time.monotonic())):
            raise GateBusyError("writes that are under way don't end")

    def _open(self) -> None:
        self._closed = False
        self._changed.notify_all()

    def _do_before(self) -> None:
        if self._before_next is not None:
            self._before_next()
            self._before_next = None
