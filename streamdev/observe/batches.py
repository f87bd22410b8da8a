"""Batches that mappings handed to functions: found in the engine's log, and put together whole.

The log tells of each invocation which records it was about and how it ended, with values that may
be cut or masked. The records themselves are read again from the stream, which holds them for 24
hours. Its creation times are rounded to the minute by DynamoDB Local; the log has those that the
function was given. A batch whose stream is gone may still be among those the engine stored when
they were given up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from streamdev.aws.errors import AwsError
from streamdev.observe.invocations import Invocation, Invocations
from streamdev.observe.notices import time_of
from streamdev.observe.records import LoggedItem, stack_trace
from streamdev.semantics import log
from streamdev.semantics.outcome import Failure, Kind, Outcome

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

KINDS: tuple[Kind, ...] = ("ok", "error", "partial", "timeout", "crash")


@dataclass(frozen=True)
class Logged:
    """A record of a batch, as far as the log is needed to find it again.

    Attributes:
        created: When the change was made, as the function was told, seconds since the epoch.
        keys: The item's key; values may be cut or masked.
    """

    event_id: str
    event_name: str
    sequence: str
    created: float
    keys: LoggedItem


@dataclass(frozen=True)
class Batch:
    """What a mapping handed to its function, and what came of it.

    Attributes:
        at: When the invocation ended (aware, UTC).
        mapping: The mapping's UUID.
        attempt: Which try of this batch it was, from 1.
        records: In order; none at a tumbling window's end.
        window: What a tumbling window adds to the event, as the log has it.
    """

    at: datetime
    function: str
    table: str
    mapping: str
    request_id: str
    attempt: int
    outcome: Outcome
    records: tuple[Logged, ...]
    window: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, ...]:
        """The same for all attempts of one batch, and different for others."""
        ids = tuple(record.event_id for record in self.records)
        return (self.mapping, *(ids or (self.request_id,)))


def batches(
    lines: Iterable[str],
    *,
    since: datetime | None = None,
    functions: Collection[str] | None = None,
) -> Iterator[Batch]:
    """Every batch that a mapping handed over, once an attempt, in the order in which they ended.

    Invocations by others (``invoke``, ``dlq redrive``) are none, nor are those whose end is not
    known because the engine ended first.

    Args:
        lines: The engine's log, from ``follow.read_from(since)`` on.
        since: Leave out what was over before.
        functions: Only these functions' (``None``: all).
    """
    invocations = Invocations()
    for line in lines:
        event = log.parse(line)
        for invocation in invocations.feed(event) if event else ():
            start, end = invocation.start, invocation.end
            wanted = functions is None or start.get("function") in functions
            known = start.get("mapping") and end.get("outcome") in KINDS
            if wanted and known and (since is None or time_of(end) >= since):
                yield _batch(invocation)


def last_batch(lines: Iterable[str], function: str) -> Batch | None:
    """The batch of the function that ended last; ``None`` if there was none."""
    found = None
    for batch in batches(lines, functions=(function,)):
        if batch.records:
            found = batch
    return found


def latest(found: Iterable[Batch]) -> list[Batch]:
    """Each batch once, as its last attempt ended, in the order in which they ended."""
    by_identity: dict[tuple[str, ...], Batch] = {}
    for batch in found:
        by_identity.pop(batch.identity, None)
        by_identity[batch.identity] = batch
    return list(by_identity.values())


class GoneError(Exception):
    """A batch can't be put together any more; the message says why, as the end of a sentence."""


class WholeBatches:
    """Puts batches together, as their functions got them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def event(self, batch: Batch) -> dict[str, Any]:
        """The event of the batch, exactly as its function got it.

        Raises:
            GoneError: Nothing holds it any more.
        """
        if reason := batch.window.get("left_out"):
            why = "is too long for the log" if reason == "size" else "is not logged (redact)"
            raise GoneError(f"the state of its tumbling window {why}")
        records = self._of_stream(batch) if batch.records else []
        if records is None:
            records = self._stored_records(batch)
        if records is None:
            raise GoneError(f"the stream of {batch.table} has its records no more")
        return {"Records": records, **batch.window}

    def _of_stream(self, batch: Batch) -> list[dict[str, Any]] | None:
        arn = self._stream_of(batch)
        first, last = batch.records[0].sequence, batch.records[-1].sequence
        shard = self._gateway.streams.shard_of(arn, first) if arn else None
        if arn is None or shard is None:
            return None
        read = self._gateway.streams.records(arn, shard, first, last) or ()
        by_id = {record["eventID"]: record for record in read}
        if any(record.event_id not in by_id for record in batch.records):
            return None
        return [_as_told(by_id[record.event_id], record) for record in batch.records]

    def _stream_of(self, batch: Batch) -> str | None:
        """The stream the mapping reads; where the mapping is gone, the table's."""
        for mapping in self._gateway.control.mappings():
            if mapping["uuid"] == batch.mapping:
                return str(mapping["stream_arn"])
        table = self._gateway.tables.find(batch.table)
        return table.stream_arn if table else None

    def _stored_records(self, batch: Batch) -> list[dict[str, Any]] | None:
        """The records of a batch that was given up in one piece."""
        ids = [record.event_id for record in batch.records]
        for stored in self._gateway.control.batches():
            info = stored["message"]["DDBStreamBatchInfo"]
            bounds = info["startSequenceNumber"], info["endSequenceNumber"]
            if bounds != (batch.records[0].sequence, batch.records[-1].sequence):
                continue
            try:
                payload = self._gateway.control.batch(stored["name"])["payload"]
            except AwsError:
                continue  # replayed or purged meanwhile
            records: list[dict[str, Any]] = payload["Records"]
            if [record["eventID"] for record in records] == ids:
                return records
        return None


def _as_told(record: dict[str, Any], logged: Logged) -> dict[str, Any]:
    change = {**record["dynamodb"], "ApproximateCreationDateTime": logged.created}
    return {**record, "dynamodb": change}


def _batch(invocation: Invocation) -> Batch:
    start, end = invocation.start, invocation.end
    return Batch(
        at=time_of(end),
        function=str(start["function"]),
        table=str(start.get("table")),
        mapping=str(start["mapping"]),
        request_id=str(start["request_id"]),
        attempt=int(start.get("attempt") or 1),
        outcome=_outcome(end),
        records=tuple(_logged(record) for record in invocation.records),
        window=start.get("window") or {},
    )


def _outcome(end: Mapping[str, Any]) -> Outcome:
    error = end.get("error")
    failure = None
    if error:
        trace = stack_trace(error.get("trace") or ())
        failure = Failure(str(error.get("type")), str(error.get("message") or ""), trace)
    return Outcome(
        kind=end["outcome"],
        failure=failure,
        failures=tuple(str(number) for number in end["failures"]),
        duration_ms=end.get("duration_ms"),
        memory_mib=end.get("memory_mib"),
        init_ms=end.get("init_ms"),
    )


def _logged(record: Mapping[str, Any]) -> Logged:
    at = record.get("at")
    return Logged(
        event_id=str(record["event_id"]),
        event_name=str(record["event_name"]),
        sequence=str(record["sequence_number"]),
        created=datetime.fromisoformat(at).timestamp() if at else 0.0,
        keys=record.get("keys") or {},
    )
