"""The answer as lines of text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.text import Text

from streamdev.observe.changes import changes
from streamdev.observe.records import Processed
from streamdev.observe.render import (
    OUTCOME_STYLES,
    change_line,
    details,
    escaped,
    failure_lines,
    key_text,
)
from streamdev.observe.why import Answer, Told
from streamdev.observe.why.facts import Chaos, LoggedWrite, StreamRecord
from streamdev.observe.why.findings import Finding
from streamdev.observe.why.story import Passage

INDENT = " " * 14
MAX_CHANGES = 5
MAX_ATTEMPTS = 4
MAX_CHAOS = 8
MAX_ANSWER = 200


def lines(answer: Answer) -> Iterator[Text]:
    """The story, oldest change first, and at its end what it comes to."""
    question = answer.facts.question
    of = f", pipeline {question.pipeline.name}" if question.pipeline else ""
    yield Text.assemble((escaped(question.item), "bold"), of)
    begins = answer.facts.history.begins
    if not answer.facts.live.has_plugins:
        yield Text("(an external engine tells of no writes and invocations)", "dim")
    elif begins:
        yield Text(f"(the engine's log begins at {_clock(begins)})", "dim")
    if answer.facts.live.unread:
        yield Text("(the stream is long: its newest records were not looked at)", "yellow")
    for told in answer.told:
        yield from _told(answer, told)
    yield Text("")
    for finding in answer.findings:
        yield from finding_lines(finding)


def finding_lines(finding: Finding) -> Iterator[Text]:
    """What a check says: the sentence, and what to do."""
    label = "Done: " if finding.check == "handled" else "Why: "
    yield Text.assemble((label, "bold green" if finding.ok else "bold red"), escaped(finding.text))
    if finding.cure:
        yield Text.assemble(("Do:  ", "bold"), escaped(finding.cure))


def _told(answer: Answer, told: Told) -> Iterator[Text]:
    write, record = told.change.write, told.change.record
    head = Text()
    if write is not None:
        head.append(_clock(write.at), "dim").append(f"  {write.operation}")
        if write.invocation:
            head.append(f" by invocation {write.invocation}", "dim")
    elif record is not None and record.expired:
        head.append(" " * 12, "dim").append("  deleted by time to live")
    else:
        head.append(" " * 12).append("  a write that the log does not have")
    if record is None:
        yield head.append(f": {_no_record(told)}", "yellow")
        return
    yield head.append("  →  ").append(record.event_name, "bold")
    yield from _changes(answer, record)
    for passage in told.change.passages:
        yield from _passage(answer, passage)


def _no_record(told: Told) -> str:
    words = {
        "stream-disabled": "the stream is off",
        "before-stream": "the stream was not on yet",
        "changed-nothing": "changed nothing, so the stream has no record of it",
    }
    return words.get(told.findings[0].check, "no stream record")


def _changes(answer: Answer, record: StreamRecord) -> Iterator[Text]:
    found = changes(answer.facts.question.masked(record))
    for change in found[:MAX_CHANGES]:
        yield Text(INDENT).append_text(change_line(change))
    if len(found) > MAX_CHANGES:
        yield Text(f"{INDENT}... and {len(found) - MAX_CHANGES} more", "dim")


def _passage(answer: Answer, passage: Passage) -> Iterator[Text]:
    names = answer.facts.question.names
    name = names.pipeline(passage.function) or passage.function
    head = Text(INDENT).append(escaped(name), "cyan")
    if passage.quiet:
        yield head.append("  is not told of it: it came by a snapshot", "dim")
    elif passage.received_at and not passage.attempts and not passage.running:
        told = "" if passage.chaos else ", not handed over yet"
        yield head.append(f"  read at {_clock(passage.received_at)}{told}", "dim")
    elif not passage.attempts and not passage.running:
        yield head.append("  has not seen it", "dim")
    else:
        yield head
    chaos = list(passage.chaos[-MAX_CHAOS:])
    if hidden := len(passage.chaos) - len(chaos):
        yield Text(f"{INDENT}  ... {hidden} more by chaos", "dim")
    for attempt in _some(passage.attempts):
        while attempt is not None and chaos and chaos[0].at <= attempt.at:
            yield _chaos(chaos.pop(0))
        if attempt is None:
            yield Text(f"{INDENT}  ... {len(passage.attempts) - MAX_ATTEMPTS} more", "dim")
        else:
            # A stack trace is long, and that of the last attempt tells.
            yield from _attempt(answer, attempt, brief=attempt is not passage.last)
    yield from map(_chaos, chaos)
    if passage.running:
        text = f"since {_clock(passage.running.at)}, request {passage.running.request_id}"
        yield Text(f"{INDENT}  ").append("running", "yellow").append(f"  {text}", "dim")
    if passage.given_up:
        stored = passage.given_up.batch in answer.facts.live.stored
        kept = "a dead letter, kept whole" if stored else "replayed or removed since"
        text = f"given up at {_clock(passage.given_up.at)}: {passage.given_up.reason}; {kept}"
        yield Text(f"{INDENT}  {text}", "red" if stored else "dim")


def _chaos(chaos: Chaos) -> Text:
    line = Text(f"{INDENT}  ").append(_clock(chaos.at), "dim")
    return line.append("  chaos", "yellow").append(f"  {escaped(chaos.text)}", "dim")


def _some(attempts: tuple[Processed, ...]) -> Iterable[Processed | None]:
    """The first and the last attempts; ``None`` stands for those between."""
    if len(attempts) <= MAX_ATTEMPTS:
        return attempts
    return (attempts[0], None, *attempts[1 - MAX_ATTEMPTS :])


def _attempt(answer: Answer, attempt: Processed, *, brief: bool) -> Iterator[Text]:
    line = Text(f"{INDENT}  ").append(_clock(attempt.at), "dim").append("  ")
    line.append(attempt.outcome, OUTCOME_STYLES[attempt.outcome])
    line.append(f"  {', '.join(details(attempt))}", "dim")
    if attempt.request_id:
        line.append(f", request {attempt.request_id}", "dim")
    yield line
    inner = f"{INDENT}    "
    if attempt.answer is not None:
        yield Text(inner).append(f"answered {escaped(_cut(attempt.answer))}")
    failure = list(failure_lines(attempt))
    for text in failure[:1] if brief else failure:
        yield Text(inner).append_text(text)
    for wrote in _wrote(answer, attempt):
        yield Text(inner).append(escaped(wrote))


def _wrote(answer: Answer, attempt: Processed) -> Iterator[str]:
    """What the invocation wrote, a line each table and operation."""
    wrote = answer.facts.history.wrote_back.get(attempt.request_id or "", [])
    by_call: dict[tuple[str, str], list[LoggedWrite]] = {}
    for write in wrote:
        by_call.setdefault((write.operation, write.table), []).append(write)
    shared = f" (for a batch of {attempt.batch_size})" if attempt.batch_size > 1 else ""
    names = answer.facts.question.names
    for (operation, table), calls in by_call.items():
        keys = [key_text(names.key(table, call.key)) for call in calls if call.key]
        more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
        yield f"wrote {table}: {operation} {', '.join(keys[:3])}{more}{shared}".rstrip()


def _cut(text: str) -> str:
    return text if len(text) <= MAX_ANSWER else f"{text[:MAX_ANSWER]}…"


def _clock(moment: datetime) -> str:
    local = moment.astimezone()
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
