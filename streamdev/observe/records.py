"""From the engine's log to what happened to each stream record.

`Tracker` is fed the events of the log (``streamdev.semantics.log``) in order and gives, as soon as
an invocation ends, one `Processed` per record of its batch, and a `Notice` for what a mapping did
besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from streamdev.observe.invocations import Invocation, Invocations
from streamdev.observe.notices import Notice, notices, time_of

Outcome = Literal["ok", "error", "timeout", "crash", "filtered", "unknown"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "error", "timeout", "crash", "filtered", "unknown")

# Where LocalStack unpacks a function's code; on AWS that is /var/task.
_TASK_ROOT = re.compile(r'/[^"\s]*/awslambda-[^/"\s]+-tasks/[^/"\s]+/code/')

LoggedItem: TypeAlias = dict[str, dict[str, Any]]
"""An item in DynamoDB JSON as the log has it: values may be cut or redacted."""


@dataclass(frozen=True)
class Failure:
    """What a handler's failure said.

    Attributes:
        type: The exception's class, as AWS names it (``KeyError``, ``Sandbox.Timedout``).
        message: Its message.
        trace: The stack trace, one entry a line or frame, outermost first.
    """

    type: str
    message: str
    trace: tuple[str, ...] = ()


@dataclass(frozen=True)
class Processed:
    """One stream record that was handed to a function, or kept from it by a filter.

    Attributes:
        at: When the invocation ended, or the filter decided (aware, UTC).
        function: The function's name.
        table: The table's name; ``None`` for an invocation that was no mapping's.
        event_name: ``INSERT``, ``MODIFY``, ``REMOVE``; ``INVOKE`` for an invocation without
            stream records.
        event_id: The record's event id.
        sequence_number: The record's sequence number in its shard.
        keys: The item's key.
        old: The item before, where the stream has it.
        new: The item after, where the stream has it.
        left_out: How many attributes of ``old`` and ``new`` the log left out, where it did.
        outcome: What became of it. ``error`` is also a record the function reported in
            ``batchItemFailures``; ``unknown`` one whose engine stopped meanwhile.
        attempt: Counted from 1; ``None`` for a filtered record.
        duration_ms: The invocation's duration.
        memory_mib: The memory the function used at most.
        init_ms: The cold start's duration, where there was one.
        request_id: The invocation's request id; records of one batch share it.
        batch_size: How many records the batch had.
        position: The record's place in the batch, from 0.
        failure: What the handler's failure said.
        reason: Why the filter kept it out.
        mapping: UUID of the mapping that handed it over or kept it; ``None`` for an invocation
            that was no mapping's.
        began: When the invocation began; ``None`` for a filtered record.
        answer: What the function answered, as text, where it did not fail.
    """

    at: datetime
    function: str
    table: str | None
    event_name: str
    event_id: str | None
    sequence_number: str | None
    keys: LoggedItem
    old: LoggedItem | None
    new: LoggedItem | None
    outcome: Outcome
    left_out: Mapping[str, int] = field(default_factory=dict)
    attempt: int | None = None
    duration_ms: float | None = None
    memory_mib: float | None = None
    init_ms: float | None = None
    request_id: str | None = None
    batch_size: int = 1
    position: int = 0
    failure: Failure | None = None
    reason: str | None = None
    mapping: str | None = None
    began: datetime | None = None
    answer: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the function did not handle it."""
        return self.outcome in ("error", "timeout", "crash")

    @property
    def last_of_batch(self) -> bool:
        """Whether it is the last record of its batch."""
        return self.position == self.batch_size - 1


Entry: TypeAlias = Processed | Notice


class Tracker:
    """Puts the events of the log together. Holds only invocations that have not ended."""

    def __init__(self) -> None:
        self._invocations = Invocations()

    def feed(self, event: dict[str, Any]) -> list[Entry]:
        """What the event completes, oldest first."""
        ended = [
            record
            for invocation in self._invocations.feed(event)
            for record in _processed(invocation)
        ]
        match event["event"]:
            case "invocation.start" | "invocation.end":
                return [*ended]
            case "mapping.filtered":
                return [_filtered(event)]
        return [*ended, *notices(event)]

    def running(self) -> list[Processed]:
        """The records of the invocations that have not ended, ``at`` their begin."""
        return [
            record
            for invocation in self._invocations.running()
            for record in _processed(invocation)
        ]


def _processed(invocation: Invocation) -> list[Processed]:
    start, end = invocation.start, invocation.end
    outcome = end.get("outcome", "unknown")
    failed = {str(number) for number in end.get("failures") or ()} if outcome == "partial" else None
    records = invocation.records or [{"event_name": "INVOKE"}]
    return [
        Processed(
            at=time_of(end),
            function=str(start.get("function") or end.get("function")),
            table=start.get("table"),
            event_name=record.get("event_name") or "INVOKE",
            event_id=record.get("event_id"),
            sequence_number=record.get("sequence_number"),
            keys=record.get("keys") or {},
            old=record.get("old"),
            new=record.get("new"),
            left_out=record.get("left_out") or {},
            outcome=_outcome(outcome, record, failed),
            attempt=start.get("attempt") or 1,
            duration_ms=end.get("duration_ms"),
            memory_mib=end.get("memory_mib"),
            init_ms=end.get("init_ms"),
            request_id=start.get("request_id"),
            batch_size=len(records),
            position=position,
            failure=_failure(end.get("error"), record, failed),
            mapping=start.get("mapping"),
            began=time_of(start),
            answer=end.get("answer"),
        )
        for position, record in enumerate(records)
    ]


def _outcome(outcome: str, record: dict[str, Any], failed: set[str] | None) -> Outcome:
    if failed is not None:
        return "error" if record.get("sequence_number") in failed else "ok"
    return next((known for known in OUTCOMES if known == outcome), "unknown")


def _failure(
    error: dict[str, Any] | None, record: dict[str, Any], failed: set[str] | None
) -> Failure | None:
    if failed is not None and record.get("sequence_number") in failed:
        return Failure("batchItemFailures", "the function reported this record as failed")
    if not error:
        return None
    trace = error.get("trace") or ()
    return Failure(
        str(error.get("type") or "Error"),
        str(error.get("message") or ""),
        stack_trace(trace),
    )


def stack_trace(lines: Iterable[object]) -> tuple[str, ...]:
    """A handler's stack trace as AWS shows it: its own files under ``/var/task``."""
    return tuple(_TASK_ROOT.sub("/var/task/", str(line).rstrip("\n")) for line in lines)


def _filtered(event: dict[str, Any]) -> Processed:
    return Processed(
        at=time_of(event),
        function=str(event.get("function")),
        table=event.get("table"),
        event_name=event.get("event_name") or "?",
        event_id=event.get("event_id"),
        sequence_number=event.get("sequence_number"),
        keys=event.get("keys") or {},
        old=None,
        new=None,
        outcome="filtered",
        reason=event.get("reason"),
        mapping=event.get("mapping"),
    )
