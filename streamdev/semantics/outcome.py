"""What an invocation was about and how it ended, read from its event, its answer and its logs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["ok", "error", "partial", "timeout", "crash"]

# Bytes of a function's answer that the log shows.
MAX_ANSWER = 1_024

_CRASHES = ("Runtime.ExitError", "Runtime.OutOfMemory")
_DURATION = re.compile(r"\tDuration: ([\d.]+) ms")
_MEMORY = re.compile(r"\tMax Memory Used: ([\d.]+) MB")
_INIT = re.compile(r"\tInit Duration: ([\d.]+) ms")


@dataclass(frozen=True)
class Failure:
    """The error that a function, or the runtime in its place, reported.

    Attributes:
        type: ``errorType``, e.g. ``KeyError`` or ``Sandbox.Timedout``.
        message: ``errorMessage``.
        trace: The stack trace's lines, outermost frame first.
    """

    type: str
    message: str
    trace: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended.

    Attributes:
        kind: ``ok``; ``error`` (the function raised, or could not be loaded); ``partial`` (it
            named failed records); ``timeout``; ``crash`` (its process ended).
        failure: The error, where there is one.
        failures: The item identifiers that a partial answer names.
        duration_ms: As the REPORT line says, where there is one.
        memory_mib: Most memory used, likewise.
        init_ms: How long the cold start took, where this invocation had one.
        answer: What the function answered, as text, cut to 1 KB; ``None`` where it failed.
    """

    kind: Kind
    failure: Failure | None = None
    failures: tuple[str, ...] = ()
    duration_ms: float | None = None
    memory_mib: float | None = None
    init_ms: float | None = None
    answer: str | None = None


def judge(
    payload: bytes, *, is_error: bool, logs: str, report_failures: bool | None = None
) -> Outcome:
    """The outcome of an invocation.

    Args:
        payload: The function's answer, or the error in AWS's shape.
        is_error: Whether it is an error (``FunctionError``).
        logs: What the invocation printed; its REPORT line is read.
        report_failures: Whether ``batchItemFailures`` in the answer counts
            (``ReportBatchItemFailures``); ``None`` counts any.
    """
    if not is_error:
        failures = () if report_failures is False else _failures(payload)
        kind: Kind = "partial" if failures else "ok"
        return _with_report(Outcome(kind, failures=failures, answer=_shown_answer(payload)), logs)
    failure = _failure(payload)
    return _with_report(Outcome(_kind_of(failure), failure=failure), logs)


def records_of(payload: bytes) -> list[dict[str, Any]]:
    """The DynamoDB stream records of an event, none if it is another kind of event."""
    if b'"Records"' not in payload or b'"dynamodb"' not in payload:
        return []
    try:
        event = json.loads(payload)
    except ValueError:
        return []
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        return []
    return [
        record
        for record in records
        if isinstance(record, dict) and isinstance(record.get("dynamodb"), dict)
    ]


def shown_records(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Stream records as the log's ``invocation.start`` has them.

    Each has ``event_id``, ``event_name``, ``keys``, ``old`` and ``new`` (items in DynamoDB JSON,
    ``None`` where the stream has no such image), ``sequence_number`` and ``at`` (when the
    change was made).
    """
    shown = []
    for record in records:
        change = record["dynamodb"]
        shown.append(
            {
                "event_id": record.get("eventID"),
                "event_name": record.get("eventName"),
                "keys": change.get("Keys"),
                "old": change.get("OldImage"),
                "new": change.get("NewImage"),
                "sequence_number": change.get("SequenceNumber"),
                "at": _time(change.get("ApproximateCreationDateTime")),
            }
        )
    return shown


def table_of(records: Sequence[Mapping[str, Any]]) -> str | None:
    """The table's name, from the first record's ``eventSourceARN``."""
    arn = records[0].get("eventSourceARN") if records else None
    if not isinstance(arn, str):
        return None
    _, found, rest = arn.partition(":table/")
    return rest.split("/", 1)[0] if found else None


def _time(seconds: Any) -> str | None:
    if not isinstance(seconds, int | float):
        return None
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _shown_answer(payload: bytes) -> str:
    text = payload[:MAX_ANSWER].decode("utf-8", "ignore")
    return text if len(payload) <= MAX_ANSWER else f"{text}... (cut, {len(payload)} bytes)"


def _with_report(outcome: Outcome, logs: str) -> Outcome:
    start = logs.rfind("REPORT RequestId:")
    if start < 0:
        return outcome
    line = logs[start:]

    def figure(pattern: re.Pattern[str]) -> float | None:
        match = pattern.search(line)
        return float(match[1]) if match else None

    return replace(
        outcome,
        duration_ms=figure(_DURATION),
        memory_mib=figure(_MEMORY),
        init_ms=figure(_INIT),
    )


def _failures(payload: bytes) -> tuple[str, ...]:
    if b'"batchItemFailures"' not in payload:
        return ()
    try:
        answer = json.loads(payload)
    except ValueError:
        return ()
    entries = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        return ()
    named = (entry.get("itemIdentifier") if isinstance(entry, dict) else None for entry in entries)
    return tuple(str(identifier or "") for identifier in named)


def _failure(payload: bytes) -> Failure:
    try:
        error = json.loads(payload)
    except ValueError:
        error = None
    if not isinstance(error, dict):
        return Failure("Unknown", payload[:1_024].decode("utf-8", "replace"))
    message = str(error.get("errorMessage") or "")
    error_type = str(error.get("errorType") or "")
    if not error_type:
        # Older runtimes name no type for what the platform does.
        error_type = "Sandbox.Timedout" if "Task timed out after" in message else "Unknown"
    trace = error.get("stackTrace")
    lines = [
        line
        for frame in (trace if isinstance(trace, list) else ())
        for line in str(frame).rstrip("\n").split("\n")
    ]
    return Failure(error_type, message, tuple(lines))


def _kind_of(failure: Failure) -> Kind:
    if failure.type == "Sandbox.Timedout":
        return "timeout"
    if failure.type in _CRASHES:
        return "crash"
    return "error"


def error_in_words(payload: bytes, limit: int = 300) -> str:
    """A failed invocation's payload as ``TYPE: MESSAGE``, cut to ``limit`` characters."""
    try:
        error = json.loads(payload)
    except ValueError:
        error = None
    if not isinstance(error, dict):
        return "the function failed"
    told = [str(error[name]) for name in ("errorType", "errorMessage") if error.get(name)]
    return ": ".join(told)[:limit] or "the function failed"
