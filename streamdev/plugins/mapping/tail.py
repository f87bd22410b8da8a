"""The end of a shard, kept in memory for all who read there."""

from __future__ import annotations

import threading
from bisect import bisect_right

from streamdev.semantics.records import Record

KEEP_RECORDS = 4_000
KEEP_BYTES = 8 * 1024 * 1024


class Tail:
    """The records that were read last, in order, and where the next ones come from.

    Args:
        after: The sequence number the tail begins after; ``None``: the shard's beginning.
        iterator: Where to read on.
    """

    def __init__(self, after: str | None, iterator: str | None) -> None:
        self.lock = threading.Lock()
        self.iterator = iterator
        self._after = after
        self._records: list[Record] = []
        self._dropped = 0
        self._bytes = 0

    @property
    def last(self) -> str | None:
        """The position up to which the tail has read."""
        return self._records[-1].sequence if len(self._records) > self._dropped else self._after

    def after(self, position: str | None, limit: int) -> tuple[Record, ...] | None:
        """Up to ``limit`` records after ``position``; ``None`` when it lies before the tail."""
        if self._after is None:
            begin = self._dropped
        elif position is None or int(position) < int(self._after):
            return None
        else:
            begin = self._dropped
        if position is not None:
            begin = bisect_right(
                self._records, int(position), lo=begin, key=lambda record: record.number
            )
        return tuple(self._records[begin : begin + limit])

    def drop_through(self, position: str | None) -> None:
        """Let go of the records up to ``position``: nobody will ask for them again."""
        while len(self._records) > self._dropped and position is not None:
            if self._records[self._dropped].number > int(position):
                break
            self._drop_oldest()

    def extend(self, records: tuple[Record, ...]) -> None:
        """Add what was read on; the oldest records are let go when there are too many."""
        self._records.extend(records)
        self._bytes += sum(len(record.body) for record in records)
        while len(self._records) - self._dropped > KEEP_RECORDS or self._bytes > KEEP_BYTES:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = self._records[self._dropped]
        self._after = oldest.sequence
        self._bytes -= len(oldest.body)
        self._dropped += 1
        if self._dropped > KEEP_RECORDS or self._dropped == len(self._records):
            del self._records[: self._dropped]
            self._dropped = 0
