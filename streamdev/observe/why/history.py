"""Reading the engine's log for one item, in one pass."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from streamdev.observe.notices import chaos_words, time_of
from streamdev.observe.records import LoggedItem, Processed, Tracker
from streamdev.observe.why.facts import (
    Chaos,
    GivenUp,
    History,
    LoggedWrite,
    Loop,
    Question,
    Quiet,
    Received,
)
from streamdev.semantics import log, values

OTHER_KEYS = 200


def read_history(lines: Iterable[str], question: Question, known: Collection[str] = ()) -> History:
    """What the log tells of the question's item.

    Args:
        lines: The engine's log, from its beginning.
        question: Which item.
        known: Sequence numbers of the item's records, for a key that the log redacts.
    """
    reader = _Reader(question, frozenset(known))
    for line in lines:
        event = log.parse(line)
        if event is not None and "at" in event:
            reader.feed(event)
    return reader.end()


def same_key(logged: Any, key: Mapping[str, Any]) -> bool:
    """Whether a key as logged is this one.

    A key over 1 KB is cut in the log and agrees by its beginning; one that is redacted agrees
    with none, as it might be any.
    """
    if not isinstance(logged, Mapping) or logged.keys() != key.keys():
        return False
    return all(_same_value(value, key[name]) for name, value in logged.items())


def _same_value(logged: Any, value: dict[str, Any]) -> bool:
    if not isinstance(logged, dict) or "redacted" in logged:
        return False
    if "cut" in logged:
        (kind,) = (name for name in logged if name != "cut")
        return str(value.get(kind, "")).startswith(str(logged[kind]))
    return values.same(logged, value)


class _Reader:
    """Keeps what concerns the item and lets everything else go by."""

    def __init__(self, question: Question, known: frozenset[str]) -> None:
        self._question = question
        self._known = known
        self._history = History()
        self._tracker = Tracker()
        self._requests: set[str] = set()
        self._others: dict[str, LoggedItem] = {}

    def feed(self, event: dict[str, Any]) -> None:
        """Take the next event."""
        if self._history.begins is None:
            self._history.begins = time_of(event)
        for entry in self._tracker.feed(event):
            if isinstance(entry, Processed):
                self._processed(entry)
        match event["event"]:
            case "write":
                self._write(event)
            case "invocation.start":
                self._started(event)
            case "mapping.received" if event.get("table") == self._question.table:
                self._history.received.append(_received(event))
            case "mapping.loop" if event.get("table") == self._question.table:
                self._history.loops.append(_loop(event))
            case "stream.quiet" if event.get("table") == self._question.table:
                self._history.quiet.append(_quiet(event))
            case "mapping.discarded" if event.get("table") == self._question.table:
                self._history.given_up.append(_given_up(event))
            case "mapping.chaos" if event.get("table") == self._question.table:
                self._history.chaos.append(_chaos(event))

    def end(self) -> History:
        """All that was found."""
        history = self._history
        for record in self._tracker.running():
            history.busy.append(record)
            if self._is_item(record):
                history.running.append(record)
        history.other_keys = list(self._others.values())
        return history

    def _is_item(self, record: Processed) -> bool:
        return record.table == self._question.table and self._is_own(
            record.keys, record.sequence_number
        )

    def _is_own(self, keys: Any, sequence_number: Any) -> bool:
        return sequence_number in self._known or same_key(keys, self._question.key)

    def _processed(self, record: Processed) -> None:
        if self._is_item(record):
            self._history.processed.append(record)
        if record.failed and record.position == 0 and record.sequence_number:
            self._history.failed[record.function, record.sequence_number] = record

    def _started(self, event: Mapping[str, Any]) -> None:
        if event.get("table") == self._question.table:
            for record in event.get("records") or ():
                if self._is_own(record.get("keys"), record.get("sequence_number")):
                    self._requests.add(str(event.get("request_id")))

    def _write(self, event: Mapping[str, Any]) -> None:
        table, keys = str(event.get("table")), event.get("keys") or []
        own = [key for key in keys if same_key(key, self._question.key)]
        if event.get("invocation") in self._requests:
            wrote = self._history.wrote_back.setdefault(str(event["invocation"]), [])
            wrote += [_logged_write(event, key) for key in keys or [{}]]
        if table != self._question.table:
            if own:
                self._history.elsewhere[table] = _logged_write(event, own[0])
            return
        if not keys and not event.get("part"):
            self._history.unkeyed += 1
        # A transaction or a batch can't name an item twice.
        if own:
            self._history.writes.append(_logged_write(event, own[0]))
        for key in keys:
            if key not in own:
                self._remember(key)

    def _remember(self, key: LoggedItem) -> None:
        text = str(key)
        self._others.pop(text, None)
        self._others[text] = key
        if len(self._others) > OTHER_KEYS:
            del self._others[next(iter(self._others))]


def _logged_write(event: Mapping[str, Any], key: LoggedItem) -> LoggedWrite:
    at = time_of(event)
    return LoggedWrite(
        began=_time(event.get("began")) or at,
        at=at,
        table=str(event.get("table")),
        operation=str(event.get("operation")),
        key=key,
        request_id=event.get("request_id"),
        invocation=event.get("invocation"),
    )


def _received(event: Mapping[str, Any]) -> Received:
    return Received(
        at=time_of(event),
        mapping=str(event.get("mapping")),
        function=str(event.get("function")),
        shard=str(event.get("shard")),
        first=str(event["first"]),
        last=str(event["last"]),
        caught_up_at=_time(event.get("caught_up_at")),
    )


def _given_up(event: Mapping[str, Any]) -> GivenUp:
    return GivenUp(
        at=time_of(event),
        function=str(event.get("function")),
        reason=str(event.get("reason")),
        count=int(event.get("count") or 0),
        batch=event.get("batch"),
        event_ids=frozenset(map(str, event.get("event_ids") or ())),
    )


def _chaos(event: Mapping[str, Any]) -> Chaos:
    at, wait_ms = time_of(event), event.get("wait_ms")
    return Chaos(
        at=at,
        function=str(event.get("function")),
        deed=str(event.get("deed")),
        text=chaos_words(event),
        until=at + timedelta(milliseconds=wait_ms) if wait_ms else None,
        event_ids=frozenset(map(str, event.get("event_ids") or ())),
    )


def _loop(event: Mapping[str, Any]) -> Loop:
    return Loop(
        at=time_of(event),
        function=str(event.get("function")),
        sequence_number=str(event.get("sequence_number")),
        rounds=int(event.get("rounds") or 0),
        filter=str(event.get("filter")),
    )


def _quiet(event: Mapping[str, Any]) -> Quiet:
    return Quiet(
        at=time_of(event),
        after=str(event["after"]),
        last=str(event["last"]),
        source=str(event.get("source")),
    )


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
