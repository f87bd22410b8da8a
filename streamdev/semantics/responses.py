"""What a function's answer says about its batch, with ``ReportBatchItemFailures``.

AWS's page "Configuring partial batch response with DynamoDB and Lambda" lists what counts as
complete success (an empty or null answer, an empty or null list) and as complete failure (an
empty or null identifier, an identifier under another name, an exception). An identifier that is
not of the batch can't be a checkpoint in it, so it counts as a complete failure too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from streamdev.semantics.records import Record


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch.

    Attributes:
        kind: ``ok``, ``partial`` (retry from ``checkpoint`` on) or ``failed`` (all of it).
        checkpoint: The lowest failed sequence number, with ``partial``.
        reason: Why it counts as failed, for people.
        failures: The identifiers the function named.
    """

    kind: Literal["ok", "partial", "failed"]
    checkpoint: str | None = None
    reason: str = ""
    failures: tuple[str, ...] = ()


def read_response(payload: bytes, records: Sequence[Record]) -> BatchResult:
    """Judge the answer of a function that reports failures.

    Args:
        payload: What the function returned, as JSON.
        records: The batch, in order.
    """
    try:
        answer = json.loads(payload) if payload.strip() else None
    except ValueError:
        return BatchResult("failed", reason="the answer is not JSON")
    if answer is None or answer == {}:
        return BatchResult("ok")
    if not isinstance(answer, dict):
        return BatchResult("failed", reason=f"the answer is {_kind(answer)}, not an object")
    failures = answer.get("batchItemFailures")
    if not failures and (failures is None or failures == []):
        return BatchResult("ok")
    if not isinstance(failures, list):
        return BatchResult("failed", reason="batchItemFailures is not a list")
    named: list[str] = []
    for entry in failures:
        identifier = entry.get("itemIdentifier") if isinstance(entry, dict) else None
        if not isinstance(identifier, str) or not identifier:
            shown = json.dumps(entry)[:200]
            return BatchResult("failed", reason=f"no itemIdentifier in {shown}")
        named.append(identifier)
    known = {record.sequence: record.number for record in records}
    for identifier in named:
        if identifier not in known:
            reason = f"itemIdentifier {identifier[:60]} is not a sequence number of the batch"
            return BatchResult("failed", reason=reason)
    lowest = min(named, key=lambda identifier: known[identifier])
    return BatchResult("partial", checkpoint=lowest, failures=tuple(named))


def _kind(value: Any) -> str:
    names = {str: "a string", list: "a list", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "something else")
