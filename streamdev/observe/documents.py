"""Processed records and notices as JSON documents, for scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from streamdev.observe.changes import changes
from streamdev.observe.names import Names
from streamdev.observe.notices import Notice
from streamdev.observe.records import Entry, LoggedItem, Processed
from streamdev.semantics import values


def document(entry: Entry, names: Names) -> dict[str, Any]:
    """One entry as plain JSON (numbers as `Decimal`, to be written by ``exact_json``).

    A record has ``kind`` "record" and the fields of `Processed`, with keys and images in plain
    JSON and ``changes`` as ``[{"path", "kind", "old", "new"}]``; a notice has its own kind,
    ``text`` and the fields of the log's event. A value that the log cut is
    ``{"cut": size, "value": its beginning}``, a redacted one ``{"redacted": true}``.
    """
    if isinstance(entry, Notice):
        told = {name: value for name, value in entry.fields.items() if name not in ("event", "at")}
        return {
            "kind": entry.kind,
            "at": stamp(entry.at),
            "pipeline": names.pipeline(entry.function),
            **told,
            "text": entry.text,
        }
    return _record(entry, names)


def _record(record: Processed, names: Names) -> dict[str, Any]:
    failure = record.failure
    return {
        "kind": "record",
        "at": stamp(record.at),
        "pipeline": names.pipeline(record.function),
        "function": record.function,
        "table": record.table,
        "event_name": record.event_name,
        "event_id": record.event_id,
        "sequence_number": record.sequence_number,
        "keys": plain_item(names.key(record.table, record.keys)),
        "old": plain_item(record.old),
        "new": plain_item(record.new),
        "changes": [
            {
                "path": change.path,
                "kind": change.kind,
                "old": None if change.old is None else plain_value(change.old),
                "new": None if change.new is None else plain_value(change.new),
            }
            for change in changes(record)
        ],
        "left_out": dict(record.left_out),
        "outcome": record.outcome,
        "reason": record.reason,
        "attempt": record.attempt,
        "duration_ms": record.duration_ms,
        "init_ms": record.init_ms,
        "memory_mib": record.memory_mib,
        "request_id": record.request_id,
        "batch_size": record.batch_size,
        "position": record.position,
        "error": None
        if failure is None
        else {"type": failure.type, "message": failure.message, "trace": list(failure.trace)},
    }


def stamp(moment: datetime) -> str:
    """A time as the log writes it: UTC, with microseconds and ``Z``."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def plain_item(item: LoggedItem | None) -> dict[str, Any] | None:
    """An item as logged, in plain JSON."""
    if item is None:
        return None
    return {name: plain_value(value) for name, value in item.items()}


def plain_value(value: dict[str, Any]) -> Any:
    """A value as logged, in plain JSON."""
    if "redacted" in value:
        return {"redacted": True}
    if "cut" in value:
        beginning = next(content for kind, content in value.items() if kind != "cut")
        return {"cut": value["cut"], "value": beginning}
    return values.to_plain(value)
