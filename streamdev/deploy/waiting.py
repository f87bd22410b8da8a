"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from streamdev.errors import DeployError

T = TypeVar("T")

FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.5


def wait_for(
    what: str,
    look: Callable[[], T],
    ready: Callable[[T], bool],
    *,
    deadline_s: float,
    describe: Callable[[T], str] = str,
) -> T:
    """Look again and again until what is seen is ``ready``; the pauses grow to half a second.

    Raises:
        DeployError: It was not within ``deadline_s`` seconds; says what was last seen.
    """
    end = time.monotonic() + deadline_s
    pause = FIRST_PAUSE_S
    while not ready(seen := look()):
        if time.monotonic() > end:
            raise DeployError(
                f"{what} is not ready after {deadline_s:.0f} s: {describe(seen)}.",
                hint="See what the engine says: ./dev.py logs --raw",
            )
        time.sleep(pause)
        pause = min(pause * 1.3, LONGEST_PAUSE_S)
    return seen
