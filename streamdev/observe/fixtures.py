"""Recorded batches as files: the event as the function got it, and what came of it.

A fixture is one JSON object, described in docs/invoke-and-replay.md:

* ``version``: 1.
* ``pipeline``, ``function``, ``table``: what it was recorded from.
* ``recorded``: ``at``, ``request_id`` and ``attempt`` of the invocation.
* ``masked``: the attributes that are masked.
* ``outcome``: ``kind``, ``error`` (``type`` and ``message``, or null), ``failures`` (sequence
  numbers, with ``partial``) and ``duration_ms``.
* ``event``: the event.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamdev.aws.names import table_of_stream
from streamdev.errors import InvalidInputError
from streamdev.observe.batches import KINDS, Batch
from streamdev.observe.documents import stamp
from streamdev.observe.names import Names
from streamdev.observe.render import key_text
from streamdev.semantics.masking import Masks
from streamdev.semantics.outcome import Failure, Outcome

VERSION = 1

# What of an error's message is another one each time: request and event ids, addresses.
_CHANGING = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|\b0x[0-9a-f]+", re.IGNORECASE
)
# How the log ends a text that was too long for it.
_CUT = re.compile(r"\.\.\. \(cut, \d+ bytes\)$")


@dataclass(frozen=True)
class Fixture:
    """A recorded batch.

    Attributes:
        recorded: Where it comes from, for people: ``at``, ``request_id``, ``attempt``.
        masked: The attributes whose values are masked, sorted.
    """

    pipeline: str
    function: str
    table: str
    recorded: Mapping[str, Any]
    masked: tuple[str, ...]
    outcome: Outcome
    event: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """The fixture as JSON."""
        return {
            "version": VERSION,
            "pipeline": self.pipeline,
            "function": self.function,
            "table": self.table,
            "recorded": dict(self.recorded),
            "masked": list(self.masked),
            "outcome": outcome_document(self.outcome),
            "event": self.event,
        }


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """What is compared of an outcome, and how long it took."""
    failure = outcome.failure
    return {
        "kind": outcome.kind,
        "error": None if failure is None else {"type": failure.type, "message": failure.message},
        "failures": list(outcome.failures),
        "duration_ms": outcome.duration_ms,
    }


def fixture_of(batch: Batch, event: dict[str, Any], pipeline: str, masks: Masks) -> Fixture:
    """The fixture of a batch.

    Args:
        batch: The batch.
        event: The same, whole.
        pipeline: The pipeline's name.
        masks: What to mask; not used before.
    """
    outcome = batch.outcome
    masked = masks.event(event)
    if outcome.failure is not None:
        message = masks.text(outcome.failure.message)
        outcome = replace(outcome, failure=Failure(outcome.failure.type, message))
    return Fixture(
        pipeline=pipeline,
        function=batch.function,
        table=batch.table,
        recorded={
            "at": stamp(batch.at),
            "request_id": batch.request_id,
            "attempt": batch.attempt,
        },
        masked=tuple(sorted(masks.used)),
        outcome=outcome,
        event=masked,
    )


def file_name(batch: Batch) -> str:
    """The same for all attempts of one batch: when it began, what it holds, and a short hash."""
    digest = hashlib.sha256("\n".join(batch.identity[1:]).encode()).hexdigest()[:8]
    began = datetime.fromtimestamp(batch.records[0].created, UTC) if batch.records else batch.at
    names = {record.event_name.lower() for record in batch.records}
    what = names.pop() if len(names) == 1 else "mixed" if names else "window-end"
    count = f"-{len(batch.records)}" if len(batch.records) > 1 else ""
    return f"{began:%Y%m%dT%H%M%S}-{what}{count}-{digest}.json"


def subject(records: Sequence[Mapping[str, Any]], names: Names) -> str:
    """What an event is about: its first stream record, and how many more; empty without any."""
    if not records:
        return ""
    first = records[0]
    table = table_of_stream(str(first.get("eventSourceARN")))
    key = key_text(names.key(table, first["dynamodb"].get("Keys") or {}))
    more = f" and {len(records) - 1} more" if len(records) > 1 else ""
    return f"{first.get('eventName')} {key}{more}"


def write(fixture: Fixture, path: Path) -> None:
    """Write a fixture, whole or not at all.

    Raises:
        InvalidInputError: The folder or the file can't be written.
    """
    text = json.dumps(fixture.document(), ensure_ascii=False, indent=2) + "\n"
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A lone surrogate becomes its escape, which is the same in JSON.
        new.write_bytes(text.encode("utf-8", "backslashreplace"))
        new.replace(path)
    except OSError as error:
        raise InvalidInputError(f"{path} can't be written: {error.strerror}.") from error


def read(path: Path) -> Fixture:
    """The fixture in a file.

    Raises:
        InvalidInputError: It can't be read, or is no fixture.
    """
    fixture = parse(read_json(path))
    if fixture is None:
        raise InvalidInputError(
            f"{path} is no recorded batch: it has no event with an outcome.",
            hint="Record some: ./dev.py record. A plain event goes to: ./dev.py invoke NAME FILE",
        )
    return fixture


def read_json(path: Path) -> Any:
    """The JSON document in a file.

    Raises:
        InvalidInputError: It can't be read, or is no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidInputError(f"{path} can't be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path} is no JSON: {error}.") from error


def parse(document: Any) -> Fixture | None:
    """The fixture that a JSON document is; ``None`` if it is something else."""
    try:
        if document["version"] != VERSION or not isinstance(document["event"], dict):
            return None
        return Fixture(
            pipeline=str(document["pipeline"]),
            function=str(document.get("function")),
            table=str(document.get("table")),
            recorded=document.get("recorded") or {},
            masked=tuple(document.get("masked") or ()),
            outcome=_outcome(document["outcome"]),
            event=document["event"],
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _outcome(document: Mapping[str, Any]) -> Outcome:
    error = document.get("error")
    return Outcome(
        kind=KINDS[KINDS.index(document["kind"])],
        failure=Failure(str(error["type"]), str(error["message"])) if error else None,
        failures=tuple(document.get("failures") or ()),
        duration_ms=document.get("duration_ms"),
    )


def differences(recorded: Outcome, now: Outcome) -> Iterator[str]:
    """What of an outcome is not as it was recorded, in words; nothing if all is the same.

    The kind counts, an error's type and message, and which records were reported as failed; ids
    and addresses in messages don't, nor the duration.
    """
    if recorded.kind != now.kind or _type(recorded) != _type(now):
        yield f"{words(recorded)} → {words(now)}"
        return
    if not _same_message(_message(recorded), _message(now)):
        yield f"message {_message(recorded)!r} → {_message(now)!r}"
    if sorted(recorded.failures) != sorted(now.failures):
        yield f"failed records {_numbers(recorded.failures)} → {_numbers(now.failures)}"


def words(outcome: Outcome) -> str:
    """An outcome in a few words: ``ok``, ``error ValueError: ...``, ``partial 17, 18``."""
    if outcome.failure is not None:
        told = f"{outcome.kind} {outcome.failure.type}"
        return f"{told}: {outcome.failure.message}" if outcome.failure.message else told
    if outcome.failures:
        return f"{outcome.kind} {_numbers(outcome.failures)}"
    return outcome.kind


def _type(outcome: Outcome) -> str | None:
    return outcome.failure.type if outcome.failure else None


def _message(outcome: Outcome) -> str:
    return outcome.failure.message if outcome.failure else ""


def _same_message(recorded: str, now: str) -> bool:
    if match := _CUT.search(recorded):
        recorded, now = recorded[: match.start()], now[: match.start()]
    return _CHANGING.sub("", recorded) == _CHANGING.sub("", now)


def _numbers(failures: Sequence[str]) -> str:
    return ", ".join(number.lstrip("0") or number for number in failures) or "none"
