"""How far a shard is done, while several lanes finish its records out of order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class Checkpoint:
    """The highest sequence number up to which every record read is done.

    Args:
        position: The sequence number everything before and with it is done, as text; ``None``
            at the shard's beginning.
    """

    def __init__(self, position: str | None = None) -> None:
        self._position = position
        self._open: deque[str] = deque()
        self._done: set[str] = set()

    @property
    def position(self) -> str | None:
        """Everything up to and with this sequence number is done."""
        return self._position

    @property
    def open(self) -> int:
        """How many records were read and not done, or done with an earlier one still open."""
        return len(self._open)

    def read(self, sequences: Iterable[str]) -> None:
        """These records were read, in this order, after all earlier ones."""
        self._open.extend(sequences)

    def done(self, sequences: Iterable[str]) -> bool:
        """These records are done (handled, filtered out or given up).

        Returns:
            Whether ``position`` moved.
        """
        self._done.update(sequences)
        moved = False
        while self._open and self._open[0] in self._done:
            self._position = self._open.popleft()
            self._done.discard(self._position)
            moved = True
        return moved
