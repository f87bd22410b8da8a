"""How long to wait before a batch is tried again."""

from __future__ import annotations

FIRST = 0.2
LONGEST = 10.0


def backoff(failures: int) -> float:
    """Seconds to wait after ``failures`` failures in a row (1 or more), doubling each time.

    AWS backs off exponentially up to a minute; here someone waits for the handler they just
    mended, so the longest wait is ten seconds.
    """
    return min(LONGEST, FIRST * 2.0 ** min(failures - 1, 16))
