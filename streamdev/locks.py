"""Locks between processes: a file that one of them holds at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_S = 0.05


class HeldError(Exception):
    """Somebody else has held the lock for all of the time that was given."""


@contextmanager
def file_lock(
    path: Path, timeout_s: float, waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold the lock on ``path``, which is created and stays, while the block runs.

    The system lets go of it when the process ends, however that happens. It is held by whoever
    opened the file, so threads of one process keep each other out as well.

    Args:
        path: In a folder that exists.
        timeout_s: How long to wait for it; 0 to try just once.
        waiting: Called once if somebody else holds it now.

    Raises:
        HeldError: It could not be had in that time.
        OSError: The file can't be opened, or its disk knows no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _try(descriptor):
            waiting()
            end = time.monotonic() + timeout_s
            while not _try(descriptor):
                if time.monotonic() >= end:
                    raise HeldError(path)
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
