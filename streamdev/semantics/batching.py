"""When records make a batch: enough of them, enough bytes, or enough time.

AWS's page "How Lambda processes records from stream and queue-based event sources": Lambda
invokes the function when the batching window ends, the batch size is reached or the payload
reaches 6 MB; without a window, as soon as there are records.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from streamdev.semantics.records import Record
from streamdev.semantics.settings import PAYLOAD_LIMIT

# {"Records":[...]} with a comma after each record; windows add a few hundred bytes of fields.
ENVELOPE = 1_024


class Batcher:
    """Gathers records in order and gives them out as batches. Time is passed in (seconds).

    Args:
        size: Most records a batch holds.
        window: Seconds from a record's arrival to the latest time of its batch.
        max_bytes: Most bytes a batch's payload has.
    """

    def __init__(self, size: int, window: float, max_bytes: int = PAYLOAD_LIMIT) -> None:
        self._size = size
        self._window = window
        self._max_bytes = max_bytes - ENVELOPE
        self._waiting: deque[tuple[Record, float]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def bytes(self) -> int:
        """How large the waiting records are together."""
        return self._bytes

    def add(self, records: Iterable[Record], now: float) -> None:
        """Take records that arrive ``now``, in order."""
        for record in records:
            self._waiting.append((record, now))
            self._bytes += len(record.body) + 1

    def due(self) -> float | None:
        """When the next batch is to go out at the latest; ``None`` when nothing waits."""
        if not self._waiting:
            return None
        arrived = self._waiting[0][1]
        if len(self._waiting) >= self._size or self._bytes >= self._max_bytes:
            return arrived
        return arrived + self._window

    def take(self, now: float, *, most: int | None = None) -> tuple[Record, ...]:
        """The next batch, or nothing while it is not due; of ``most`` records at most."""
        due = self.due()
        if due is None or due > now:
            return ()
        batch: list[Record] = []
        total = 0
        most = self._size if most is None else min(most, self._size)
        while self._waiting and len(batch) < most:
            record = self._waiting[0][0]
            length = len(record.body) + 1
            if batch and total + length > self._max_bytes:
                break
            self._waiting.popleft()
            batch.append(record)
            total += length
        self._bytes -= total
        return tuple(batch)

    def put_back(self, records: tuple[Record, ...], now: float) -> None:
        """Return the end of a batch just taken to the front; it is due at once."""
        for record in reversed(records):
            self._waiting.appendleft((record, now - self._window))
            self._bytes += len(record.body) + 1
