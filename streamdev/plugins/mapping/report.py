"""What a mapping tells of itself: its events in the log, its state in LocalStack's API."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from localstack.services.lambda_.invocation.models import lambda_stores

from streamdev.plugins import log
from streamdev.semantics.records import Record

NOTHING_PROCESSED = "No records processed"
OK = "OK"
CALL_FAILED = "PROBLEM: Function call failed"
LOOP = "PROBLEM: Stopped a loop: the function was invoked by its own writes"
STREAM_GONE = "PROBLEM: Stream not found"
USER_ACTION = "User action"


class Report:
    """Counts and events of one mapping.

    Args:
        configuration: The mapping as LocalStack's store holds it.
        function: The function's name.
        table: The table's name.
    """

    def __init__(self, configuration: dict[str, Any], function: str, table: str) -> None:
        self.uuid: str = configuration["UUID"]
        self.function = function
        self.table = table
        _, _, _, region, account, *_ = configuration["FunctionArn"].split(":")
        self._store = lambda_stores[account][region]
        self._lock = threading.Lock()
        self.last_result: str = configuration.get("LastProcessingResult") or NOTHING_PROCESSED
        self.handled = 0
        self.failed = 0
        self.in_flight = 0
        self.last_invocation: datetime | None = None
        self._stopped_loop: str | None = None

    def take_over(self, other: Report) -> None:
        """Go on with the counts of the worker before an update."""
        self.handled, self.failed = other.handled, other.failed
        self.last_result, self.last_invocation = other.last_result, other.last_invocation

    def emit(self, event: str, **fields: Any) -> None:
        """Write an event of this mapping."""
        log.emit(event, mapping=self.uuid, function=self.function, **fields)

    def state(self, state: str, reason: str = USER_ACTION) -> None:
        """Show a new state in the API and tell it in the log."""
        entry = self._store.event_source_mappings.get(self.uuid)
        if entry is not None:
            entry["State"] = state
            entry["StateTransitionReason"] = reason
        self.tell_state(state, reason)

    def tell_state(self, state: str, reason: str) -> None:
        """Tell a state in the log alone."""
        self.emit("mapping.state", table=self.table, state=state, reason=reason)

    def result(self, result: str) -> None:
        """Show what came of the last batch (``LastProcessingResult``)."""
        with self._lock:
            if self._stopped_loop and result == OK:
                # The invocation that made one record too many ends after that record was stopped.
                result = self._stopped_loop
            self._show(result)

    def _show(self, result: str) -> None:
        self.last_result = result
        entry = self._store.event_source_mappings.get(self.uuid)
        if entry is not None:
            entry["LastProcessingResult"] = result

    def remove(self) -> None:
        """The mapping is deleted: the API does not show it any more."""
        self._store.event_source_mappings.pop(self.uuid, None)

    def received(self, shard: str, records: tuple[Record, ...], caught_up_at: str | None) -> None:
        """Records were read; those written before ``caught_up_at`` had been read before."""
        self.emit(
            "mapping.received",
            table=self.table,
            shard=shard,
            count=len(records),
            first=records[0].sequence,
            last=records[-1].sequence,
            caught_up_at=caught_up_at,
        )

    def trimmed(self, shard: str, after: str | None) -> None:
        """Records after a position are gone from the stream."""
        self.emit(
            "mapping.trimmed",
            table=self.table,
            shard=shard,
            after=after,
            reason="The records after this position are older than 24 hours and gone.",
        )

    def filtered(self, record: Record, reason: str) -> None:
        """The filter keeps a record from the function."""
        self.emit(
            "mapping.filtered",
            table=self.table,
            event_id=record.event["eventID"],
            event_name=record.event["eventName"],
            keys=record.event["dynamodb"]["Keys"],
            sequence_number=record.sequence,
            reason=reason,
        )

    def loop(self, record: Record, rounds: int, breaking_filter: str) -> None:
        """A record is not delivered, as the function has caused it too often."""
        self.emit(
            "mapping.loop",
            table=self.table,
            event_id=record.event["eventID"],
            event_name=record.event["eventName"],
            keys=record.event["dynamodb"]["Keys"],
            sequence_number=record.sequence,
            rounds=rounds,
            filter=breaking_filter,
        )
        with self._lock:
            self._stopped_loop = f"{LOOP}; a filter such as {breaking_filter} would break it"
            self._show(self._stopped_loop)

    def invoked(self) -> None:
        """An invocation begins."""
        with self._lock:
            self._stopped_loop = None
            self.in_flight += 1
            self.last_invocation = datetime.now(UTC)

    def returned(self) -> None:
        """It ended."""
        with self._lock:
            self.in_flight -= 1

    def count(self, *, handled: int = 0, failed: int = 0) -> None:
        """Records are done."""
        with self._lock:
            self.handled += handled
            self.failed += failed
