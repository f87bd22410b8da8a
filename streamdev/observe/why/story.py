"""The story of an item: its writes, which of them made stream records, and how those fared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from streamdev.aws.functions import FunctionState
from streamdev.aws.mappings import MappingState
from streamdev.aws.names import table_of_stream
from streamdev.observe.records import Processed
from streamdev.observe.why.facts import (
    Chaos,
    GivenUp,
    History,
    Live,
    LoggedWrite,
    Loop,
    Question,
    Quiet,
    StreamRecord,
)
from streamdev.observe.why.live import LAST_WRITES, last_writes, read_before
from streamdev.observe.why.pairing import Window, pair
from streamdev.semantics.records import item_text, lane_of


@dataclass(frozen=True)
class Passage:
    """How one change fared with one function.

    Attributes:
        function: The function's name.
        state: The function as it is; ``None`` where it does not exist.
        mapping: The mapping between table and function.
        status: What the plugins tell of that mapping.
        received_at: When a mapping of the function read the record.
        attempts: The ended invocations with the record, or the filter's decision.
        running: The invocation that has not ended.
        given_up: The batch it was given up with.
        loop: It was not delivered, to stop a loop.
        chaos: What chaos did to it, oldest first.
        quiet: It is not delivered, as a snapshot brought it.
    """

    function: str
    record: StreamRecord
    state: FunctionState | None
    mapping: MappingState | None
    status: Mapping[str, Any] | None
    received_at: datetime | None
    attempts: tuple[Processed, ...]
    running: Processed | None
    given_up: GivenUp | None
    loop: Loop | None
    quiet: Quiet | None
    chaos: tuple[Chaos, ...] = ()

    @property
    def last(self) -> Processed | None:
        """The last attempt that ended."""
        return self.attempts[-1] if self.attempts else None

    @property
    def handled(self) -> Processed | None:
        """The attempt in which the function handled it."""
        return next((one for one in self.attempts if one.outcome == "ok"), None)

    @property
    def filtered(self) -> Processed | None:
        """The filter's decision to keep it from the function."""
        return next((one for one in self.attempts if one.outcome == "filtered"), None)

    @cached_property
    def lane(self) -> Mapping[str, Any] | None:
        """What the lane that delivers the record does, as the plugins tell it."""
        lanes = [one for one in (self.status or {}).get("lanes", ()) if self._in_shard(one)]
        if not lanes:
            return None
        own: Mapping[str, Any] = lanes[lane_of(item_text(self.record.keys), len(lanes))]
        return own

    @property
    def in_batch(self) -> bool:
        """Whether it is in the batch that its lane delivers now."""
        return self.lane is not None and _holds(self.lane["batch"], self.record.number)

    def retry(self, busy: Iterable[Processed]) -> Mapping[str, Any] | None:
        """The retry that the record's lane waits for; none while an invocation of it runs.

        Args:
            busy: The invocations that have not ended.
        """
        if self.lane is None or self.lane["retry"] is None:
            return None
        own = (one for one in busy if self.mapping and one.mapping == self.mapping.uuid)
        if any(_holds(self.lane["batch"], int(one.sequence_number or 0)) for one in own):
            return None
        retry: Mapping[str, Any] = self.lane["retry"]
        return retry

    @property
    def passed(self) -> bool:
        """Whether the mapping stands behind the record: it is done with it, or never saw it."""
        after = (self.status or {}).get("position", {}).get(self.record.shard)
        return after is not None and int(after) >= self.record.number

    def _in_shard(self, lane: Mapping[str, Any]) -> bool:
        return self.record.shard is None or lane["shard"] == self.record.shard


@dataclass(frozen=True)
class Change:
    """A write, its stream record, and how that fared.

    Attributes:
        write: The write; ``None`` where the log has none (time to live, a write before the log).
        record: Its stream record, if there is one.
        changed: Whether the write changed the item; ``None`` where that can't be told.
        passages: One per function that reads the table, or is to.
    """

    write: LoggedWrite | None
    record: StreamRecord | None
    changed: bool | None
    passages: tuple[Passage, ...] = ()

    @property
    def written_back(self) -> bool:
        """Whether a function wrote it."""
        return self.write is not None and self.write.invocation is not None


@dataclass(frozen=True)
class Facts:
    """All that is known; what the checks look at."""

    question: Question
    history: History
    live: Live

    @property
    def is_known(self) -> bool:
        """Whether the item was ever written, as far as can be known."""
        known = self.history.writes or self.live.records or self.history.processed
        return bool(known) or self.live.exists

    @cached_property
    def functions(self) -> tuple[str, ...]:
        """The functions that read the table's stream, or are to by the pipeline, by name."""
        names = {mapping.function for mapping in self.live.mappings if self._reads_table(mapping)}
        if self.question.pipeline is not None:
            names.add(self.question.pipeline.function.name)
        return tuple(sorted(names))

    def mapping(self, function: str) -> MappingState | None:
        """The mapping from the table to a function; one of its present stream goes first."""
        own = [
            mapping
            for mapping in self.live.mappings
            if mapping.function == function and self._reads_table(mapping)
        ]
        stream = self.live.table.stream_arn if self.live.table else None
        own.sort(key=lambda mapping: mapping.source_arn != stream)
        return own[0] if own else None

    def _reads_table(self, mapping: MappingState) -> bool:
        return table_of_stream(mapping.source_arn) == self.question.table

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The item's last changes, oldest first."""
        begin, began = last_writes(self.question, self.history)
        earliest = began or self.question.since
        writes, records = self.history.writes, self._records()
        if before := read_before(self.question, self.history).values():
            # All up to there belongs to earlier writes; sequence numbers grow with time.
            writes, begin = writes[begin:], 0
            records = [one for one in records if one.number > max(map(int, before))]
        pairs = pair(
            [Window(write.began, write.at) for write in writes],
            [self._window(record) for record in records],
        )
        found: list[tuple[datetime | None, Change]] = []
        for number, write in enumerate(writes[begin:], begin):
            record = records[pairs.record_of[number]] if number in pairs.record_of else None
            changed = None if number in pairs.uncertain else record is not None
            found.append((write.at, self._change(write, record, changed)))
        for number, record in enumerate(records):
            at = self._window(record).to
            older = at is not None and earliest is not None and at < earliest
            if number not in pairs.record_of.values() and not older:
                found.append((at, self._change(None, record, True)))
        found.sort(key=lambda one: (one[0] is None, one[0] or self.live.at))
        return tuple(change for _, change in found[-LAST_WRITES:])

    def _records(self) -> list[StreamRecord]:
        """The item's records: those in the stream, and those the log knows from an older one."""
        records = {record.sequence_number: record for record in self.live.records}
        for seen in (*self.history.processed, *self.history.running):
            number = seen.sequence_number
            if number and number not in records:
                records[number] = StreamRecord(
                    number, seen.event_id, seen.event_name, seen.keys, seen.old, seen.new
                )
        return sorted(records.values(), key=lambda record: record.number)

    def _window(self, record: StreamRecord) -> Window:
        """Between which times the record was written."""
        received = [one for one in self.history.received if one.has(record.sequence_number)]
        starts = [one.caught_up_at for one in received if one.caught_up_at is not None]
        ends = [one.at for one in received]
        if record.created is not None:
            starts.append(record.created)
            ends.append(record.created + timedelta(minutes=1))
        return Window(max(starts, default=None), min(ends, default=None), record.expired)

    def _change(
        self, write: LoggedWrite | None, record: StreamRecord | None, changed: bool | None
    ) -> Change:
        passages = tuple(self._passages(record)) if record else ()
        return Change(write, record, changed, passages)

    def _passages(self, record: StreamRecord) -> Iterator[Passage]:
        number = record.sequence_number
        ended = [one for one in self.history.processed if one.sequence_number == number]
        running = [one for one in self.history.running if one.sequence_number == number]
        seen = {one.function for one in (*ended, *running)}
        for function in sorted({*self.functions, *seen}):
            mapping = self.mapping(function)
            yield Passage(
                function=function,
                record=record,
                state=self.live.functions.get(function),
                mapping=mapping,
                status=self.live.statuses.get(mapping.uuid) if mapping else None,
                received_at=self._received_at(number, function),
                attempts=tuple(one for one in ended if one.function == function),
                running=_of(running, function),
                given_up=self._given_up(record, function),
                loop=next(
                    (
                        loop
                        for loop in self.history.loops
                        if loop.function == function and loop.sequence_number == number
                    ),
                    None,
                ),
                chaos=tuple(
                    one
                    for one in self.history.chaos
                    if one.function == function and record.event_id in one.event_ids
                ),
                quiet=next((quiet for quiet in self.history.quiet if quiet.has(record)), None),
            )

    def _received_at(self, number: str, function: str) -> datetime | None:
        times = (
            one.at for one in self.history.received if one.function == function and one.has(number)
        )
        return min(times, default=None)

    def _given_up(self, record: StreamRecord, function: str) -> GivenUp | None:
        batches = (
            one
            for one in self.history.given_up
            if one.function == function and record.event_id in one.event_ids
        )
        return next(batches, None)


def _holds(batch: Mapping[str, Any] | None, number: int) -> bool:
    return batch is not None and int(batch["first"]) <= number <= int(batch["last"])


def _of(records: Sequence[Processed], function: str) -> Processed | None:
    return next((one for one in records if one.function == function), None)
