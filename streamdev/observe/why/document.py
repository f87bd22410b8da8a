"""The answer as a JSON document for scripts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from streamdev.observe.documents import plain_item, stamp
from streamdev.observe.why import Answer, Told
from streamdev.observe.why.facts import StreamRecord
from streamdev.observe.why.findings import Finding
from streamdev.observe.why.story import Passage


def document(answer: Answer) -> dict[str, Any]:
    """The answer as one JSON document (numbers as `Decimal`)."""
    question, live = answer.facts.question, answer.facts.live
    return {
        "table": question.table,
        "key": plain_item(question.key),
        "pipeline": question.pipeline.name if question.pipeline else None,
        "ok": answer.ok,
        "findings": [finding_document(finding) for finding in answer.findings],
        "exists": live.exists,
        "stream_arn": live.table.stream_arn if live.table else None,
        "log_begins": _stamp(answer.facts.history.begins),
        "changes": [_told_document(answer, told) for told in answer.told],
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding as JSON."""
    return dict(vars(finding))


def _told_document(answer: Answer, told: Told) -> dict[str, Any]:
    write, record = told.change.write, told.change.record
    return {
        "changed": told.change.changed,
        "write": None
        if write is None
        else {
            "at": stamp(write.at),
            "operation": write.operation,
            "request_id": write.request_id,
            "invocation": write.invocation,
        },
        "record": None if record is None else _record_document(answer, record),
        "functions": [_passage_document(answer, one) for one in told.change.passages],
        "findings": [finding_document(finding) for finding in told.findings],
    }


def _record_document(answer: Answer, record: StreamRecord) -> dict[str, Any]:
    shown = answer.facts.question.masked(record)
    return {
        "event_name": record.event_name,
        "event_id": record.event_id,
        "sequence_number": record.sequence_number,
        "shard": record.shard,
        "expired": record.expired,
        "old": plain_item(shown.old),
        "new": plain_item(shown.new),
    }


def _passage_document(answer: Answer, passage: Passage) -> dict[str, Any]:
    mapping, wrote = passage.mapping, answer.facts.history.wrote_back
    return {
        "function": passage.function,
        "exists": passage.state is not None,
        "mapping": mapping and {"uuid": mapping.uuid, "state": mapping.state},
        "received_at": _stamp(passage.received_at),
        "attempts": [
            {
                "at": stamp(one.at),
                "outcome": one.outcome,
                "attempt": one.attempt,
                "batch_size": one.batch_size,
                "position": one.position,
                "duration_ms": one.duration_ms,
                "request_id": one.request_id,
                "answer": one.answer,
                "reason": one.reason,
                "error": one.failure and vars(one.failure),
                "wrote": [
                    {"table": w.table, "operation": w.operation, "key": plain_item(w.key)}
                    for w in wrote.get(one.request_id or "", ())
                ],
            }
            for one in passage.attempts
        ],
        "chaos": [
            {"at": stamp(one.at), "deed": one.deed, "text": one.text} for one in passage.chaos
        ],
        "running_since": _stamp(passage.running.at if passage.running else None),
        "given_up": passage.given_up
        and {
            "at": stamp(passage.given_up.at),
            "reason": passage.given_up.reason,
            "batch": passage.given_up.batch,
            "stored": passage.given_up.batch in answer.facts.live.stored,
        },
    }


def _stamp(moment: datetime | None) -> str | None:
    return stamp(moment) if moment else None
