"""Holding a rate."""

from __future__ import annotations

from collections.abc import Callable

#: After a pause (the other side was slow) at most this much is made up for at full speed.
LONGEST_DEBT_S = 1.0
#: So often something is sent, where the rate allows it.
TICK_S = 0.1


class Pace:
    """Says when the next thing is due, at ``rate`` things a second.

    Args:
        rate: Things a second, more than 0.
        clock: The time in seconds.
        sleep: Waits so many seconds.
    """

    def __init__(
        self, rate: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._step = 1 / rate
        self._clock = clock
        self._sleep = sleep
        self._due = clock()
        #: So many things may be sent together without being felt as a burst.
        self.together = max(1, int(rate * TICK_S))

    def wait(self, things: int = 1) -> None:
        """Return when ``things`` more are due."""
        now = self._clock()
        self._due = max(self._due, now - LONGEST_DEBT_S)
        if self._due > now:
            self._sleep(self._due - now)
        self._due += things * self._step
