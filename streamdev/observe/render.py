"""Processed records and notices as lines of text for people.

Lines, not tables: they can be followed, searched and read in a narrow terminal. Whatever comes
from data is escaped, so that it can't move the cursor or change colours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

from rich.text import Text

from streamdev.observe.changes import Change, changes
from streamdev.observe.names import Names
from streamdev.observe.notices import Notice
from streamdev.observe.records import Entry, LoggedItem, Processed
from streamdev.semantics import exact_json, values

INDENT = " " * 14
MAX_VALUE = 120
MAX_CHANGES = 30
TRACE_LINES = 6

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "unknown": " "}
_CHANGE_STYLES = {"added": "green", "removed": "red", "changed": "yellow", "unknown": ""}
OUTCOME_STYLES = {
    "ok": "green",
    "error": "bold red",
    "timeout": "bold red",
    "crash": "bold red",
    "filtered": "dim",
    "unknown": "yellow",
}


class Renderer:
    """Writes entries as text.

    Args:
        names: What the project calls things; a function of no pipeline keeps its own name.
        zone: The time zone of the times shown; ``None``: this machine's.
    """

    def __init__(self, names: Names, zone: tzinfo | None = None) -> None:
        self._names = names
        self._zone = zone
        self._width = max((len(name) for name in names.pipelines.values()), default=0)
        self._day: object = None

    def lines(self, entry: Entry) -> Iterator[Text]:
        """The lines of one entry; a line with the date comes first when the day is another."""
        local = entry.at.astimezone(self._zone)
        if local.date() != self._day:
            if self._day is not None or local.date() != datetime.now(self._zone).date():
                yield Text(f"{local:%A, %Y-%m-%d}", style="dim")
            self._day = local.date()
        if isinstance(entry, Notice):
            yield self._notice(entry, local)
        else:
            yield from self._processed(entry, local)

    def _head(self, local: datetime, function: str | None) -> Text:
        name = self._names.pipeline(function) or function or ""
        return Text.assemble(
            (f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}", "dim"),
            "  ",
            (escaped(name).ljust(self._width), "cyan"),
            "  ",
        )

    def _notice(self, notice: Notice, local: datetime) -> Text:
        style = "bold red" if notice.serious else "dim"
        return self._head(local, notice.function).append(escaped(notice.text), style)

    def _processed(self, record: Processed, local: datetime) -> Iterator[Text]:
        head = self._head(local, record.function)
        head.append(f"{record.event_name:<6}  ", "bold")
        key = self._names.key(record.table, record.keys)
        head.append(f"{key_text(key)}  " if key else "")
        head.append(record.outcome, OUTCOME_STYLES[record.outcome])
        if told := ", ".join(details(record)):
            head.append(f"  {told}", "dim")
        if record.outcome == "filtered":
            head.stylize("dim")
            yield head
            return
        yield head
        for line in change_lines(record):
            yield Text(INDENT).append_text(line)
        # The whole batch failed together: it is told once.
        if record.failure and (record.last_of_batch or record.failure.type == "batchItemFailures"):
            for line in failure_lines(record):
                yield Text(INDENT).append_text(line)


def details(record: Processed) -> Iterator[str]:
    """How a record was handled: why not, duration, place in its batch, attempt."""
    if record.reason:
        yield escaped(record.reason)
    if record.duration_ms is not None:
        yield f"{record.duration_ms:,.0f} ms"
    if record.init_ms is not None:
        yield f"cold start {record.init_ms:,.0f} ms"
    if record.batch_size > 1:
        yield f"{record.position + 1} of a batch of {record.batch_size}"
    if record.attempt is not None and record.attempt > 1:
        yield f"attempt {record.attempt}"


def change_lines(record: Processed) -> Iterator[Text]:
    """What a record changed, an attribute a line, without indentation."""
    found = changes(record)
    for change in found[:MAX_CHANGES]:
        yield change_line(change)
    if len(found) > MAX_CHANGES:
        yield Text(f"... and {len(found) - MAX_CHANGES} more (--json shows all)", "dim")
    for image, count in record.left_out.items():
        yield Text(f"({count} attributes of the {image} image are too long for the log)", "dim")
    if record.event_name == "INVOKE":
        return
    if record.old is None and record.new is None:
        yield Text("(the stream has keys only)", "dim")
    elif record.event_name == "MODIFY" and (record.old is None or record.new is None):
        which = "old" if record.old is None else "new"
        yield Text(f"(the stream has no {which} image, so what changed is not known)", "dim")


def change_line(change: Change) -> Text:
    """One change as ``~ PATH  OLD → NEW``."""
    line = Text.assemble(
        (f"{_SIGNS[change.kind]} ", _CHANGE_STYLES[change.kind]), f"{escaped(change.path)}  "
    )
    if change.kind == "changed" and change.old is not None and change.new is not None:
        return line.append(f"{value_text(change.old)} → {value_text(change.new)}")
    value = change.new if change.new is not None else change.old
    return line.append(value_text(value) if value is not None else "")


def failure_lines(record: Processed) -> Iterator[Text]:
    """What the handler's failure said, and the end of its stack trace."""
    failure = record.failure
    if failure is None:
        return
    message = f": {failure.message}" if failure.message else ""
    for line in f"{failure.type}{message}".splitlines():
        yield Text(escaped(line), "red")
    lines = [line for entry in failure.trace for line in entry.splitlines() if line.strip()]
    for line in lines[-TRACE_LINES:]:
        yield Text(escaped(line), "dim red")


def outcome_lines(record: Processed, what: str, after_ms: float) -> Iterator[Text]:
    """How one record was handled: ``what``, the outcome and how long it took; then the failure."""
    line = Text.assemble(
        f"{record.event_name} {what}  ", (record.outcome, OUTCOME_STYLES[record.outcome])
    )
    told = [f"{after_ms:,.0f} ms after the write", *details(record)]
    if record.duration_ms is not None:
        told = [told[0], f"handler {told[1]}", *told[2:]]
    yield line.append(f"  {', '.join(told)}", "dim")
    for failure_line in failure_lines(record):
        yield Text("  ").append_text(failure_line)


def key_text(keys: LoggedItem) -> str:
    """A key for people: its values, with a slash between partition key and sort key."""
    return " / ".join(
        escaped(value["S"]) if value.keys() == {"S"} else value_text(value)
        for value in keys.values()
    )


def value_text(value: dict[str, Any], limit: int | None = MAX_VALUE) -> str:
    """One attribute's value for people; one longer than ``limit`` characters is shortened."""
    if "redacted" in value:
        return "(redacted)"
    if "cut" in value:
        beginning = next(text for kind, text in value.items() if kind != "cut")
        return f"{_shortened(_json(beginning), limit)} ({value['cut']:,} bytes, cut in the log)"
    ((kind, content),) = value.items()
    if kind == "B":
        return f"binary {_shortened(content, limit)}"
    text = exact_json.write(values.to_plain(value))
    if kind in values.SET_TYPES:
        text = f"{{{text[1:-1]}}}"
    return _shortened(text, limit)


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _shortened(text: str, limit: int | None) -> str:
    text = escaped(text)
    return text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…"


def escaped(text: str) -> str:
    """The text on one line, with characters that a terminal would act on written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
