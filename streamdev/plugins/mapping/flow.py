"""One shard's records on their way through one mapping: filtered, put into lanes, checked off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from streamdev.plugins.mapping.loop_watch import LoopWatch
from streamdev.plugins.mapping.positions import Position, Positions
from streamdev.plugins.mapping.report import Report
from streamdev.plugins.mapping.stream import READ_LIMIT, Shard
from streamdev.semantics.checkpoint import Checkpoint
from streamdev.semantics.filters import Filters
from streamdev.semantics.records import Record, lane_of
from streamdev.semantics.settings import PAYLOAD_LIMIT
from streamdev.semantics.windows import Window

# Read ahead at most this much of a shard, and the rest of what is read at once.
READ_AHEAD_BYTES = 4 * PAYLOAD_LIMIT

if TYPE_CHECKING:
    from streamdev.plugins.mapping.lane import Lane


class Flow:
    """The state of a shard in a mapping, shared by the reader and the lanes.

    Args:
        shard: The shard.
        positions: Where to keep how far it is done.
        filters: What the function wants to see.
        report: Where to tell.
        loops: Finds the records the function has caused too often itself.
        nudge: Wakes the mapping's reader.
    """

    def __init__(
        self,
        shard: Shard,
        positions: Positions,
        filters: Filters,
        report: Report,
        loops: LoopWatch,
        nudge: Callable[[], None],
    ) -> None:
        known = positions.get(shard.id) or Position()
        self.shard = shard
        self.read_to = known.after
        self.ended = False
        self.lanes: tuple[Lane, ...] = ()
        self.window = Window.from_json(known.window) if known.window else None
        self._positions = positions
        self._filters = filters
        self._report = report
        self.loops = loops
        self.nudge = nudge
        self._lock = threading.Lock()
        self._checkpoint = Checkpoint(known.after)
        self._wanted = READ_LIMIT
        self._full = False
        self._caught_up_at: str | None = None

    def begin(self, lanes: tuple[Lane, ...], batch_size: int) -> None:
        """Attach the lanes; records are read ahead while there is room."""
        self.lanes = lanes
        # While one lane is held up by a failing batch, the others go on for a while.
        least = READ_LIMIT if len(lanes) == 1 else 10 * READ_LIMIT
        self._wanted = max(least, 2 * batch_size * len(lanes))

    def has_room(self) -> bool:
        """Whether more records may be read now; if not, the reader is nudged when they may."""
        waiting = sum(lane.waiting_bytes for lane in self.lanes)
        with self._lock:
            self._full = waiting > READ_AHEAD_BYTES or self._checkpoint.open >= self._wanted
            return not self._full

    @property
    def backlog(self) -> int:
        """Records read and not done."""
        return self._checkpoint.open

    @property
    def drained(self) -> bool:
        """Whether the shard has ended and every record of it is done."""
        return self.ended and not self._checkpoint.open and self.window is None

    def reached_end(self, began: float, began_at: str) -> None:
        """A read found nothing more.

        Args:
            began: When it began, monotonic seconds.
            began_at: The same as the log writes times.
        """
        self._caught_up_at = began_at
        self.loops.reached_end(began)

    def accept(self, records: tuple[Record, ...]) -> None:
        """Take records just read: what the filters let through goes to the lanes."""
        self._report.received(self.shard.id, records, self._caught_up_at)
        with self._lock:
            self.read_to = records[-1].sequence
            self._checkpoint.read(record.sequence for record in records)
        wanted = self.loops.allowed([record for record in records if self._wants(record)])
        if len(self.lanes) == 1:
            self.lanes[0].add(wanted)
        else:
            by_lane: dict[int, list[Record]] = {}
            for record in wanted:
                # Records of one item share a lane, so they stay in order.
                number = lane_of(record.item, len(self.lanes))
                by_lane.setdefault(number, []).append(record)
            for number, own in by_lane.items():
                self.lanes[number].add(own)
        if len(wanted) < len(records):
            passed = {record.sequence for record in wanted}
            filtered = [record for record in records if record.sequence not in passed]
            self._check_off(filtered)

    def _wants(self, record: Record) -> bool:
        if record.quiet:
            return False
        if self._filters.match(record.event):
            return True
        self._report.filtered(record, self._filters.explain(record.event).reason)
        return False

    def end(self) -> None:
        """The shard is closed and was read to its end."""
        self.ended = True
        for lane in self.lanes:
            lane.flush()

    def done(self, records: Sequence[Record], window: Window | None) -> None:
        """Records are done for good, and ``window`` is what is open after them."""
        self._check_off(records, lambda _: window)

    def _check_off(
        self,
        records: Sequence[Record],
        window_after: Callable[[Window | None], Window | None] = lambda window: window,
    ) -> None:
        self.loops.done(records)
        with self._lock:
            before, self.window = self.window, window_after(self.window)
            moved = self._checkpoint.done(record.sequence for record in records)
            if moved or self.window is not before:
                kept = self.window.to_json() if self.window else None
                self._positions.set(self.shard.id, Position(self._checkpoint.position, kept))
            waited_for = self._full or self.ended
            self._full = False
        if waited_for:
            self.nudge()

    def close(self) -> None:
        """Write down that the shard is done to its end."""
        self._positions.set(self.shard.id, Position(self._checkpoint.position, closed=True))
