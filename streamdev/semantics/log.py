"""The engine log's ``[streamdev]`` lines: one JSON object each, under 16 KB.

The log holds three kinds of lines:

* ``[streamdev] {...}``: an event, written by ``render`` and read by ``parse``.
* ``[localstack] ...``: what LocalStack itself logs.
* all others: what handlers print, as printed. Such a line belongs to the last
  ``{"event": "output", "request_id": ..., "function": ...}`` above it. A handler's line that
  begins like one of the other two gets a space in front, so that it can't be taken for one.

Docker splits lines at 16 KB, so an event that would be longer is written as several lines of
the same kind: its long list (``records``, ``keys``, ``failures``, ``event_ids``) goes on in
lines that have ``"part": 2``, ``"part": 3``... and otherwise repeat the first line's fields. The
first line says how many there are: ``"parts": 3``.

Items and keys are DynamoDB JSON, with these exceptions:

* A value over 1 KB is cut: ``{"cut": 5000, "S": "its first 1 KB"}``, where ``cut`` is its size
  in bytes. Of maps, lists and sets the first 1 KB of their JSON is given, as text.
* A redacted attribute is ``{"redacted": true}``.
* The ``window`` of an ``invocation.start`` (what a tumbling window adds to the event) has its
  ``state`` whole up to 4 KB. Without it, ``left_out`` says why: ``size``, or ``redacted`` where
  attributes of the table are, as nobody knows what the state holds of them.
* A record that is still too long for a line leaves out attributes of its images and says how
  many: ``"left_out": {"new": 12}``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

PREFIX = "[streamdev] "
LOCALSTACK_PREFIX = "[localstack] "
MAX_LINE = 16_000
MAX_VALUE = 1_024
MAX_STATE = 4_096

Redaction = Mapping[str, Collection[str]]
"""Names of attributes to mask, by table."""

_NO_REDACTION: Redaction = {}
_LISTS = ("records", "keys", "failures", "event_ids")
_IMAGES = ("new", "old")
_REDACTED = {"redacted": True}
# Room in a line for its end and for the ``parts`` or ``part`` that split lines carry.
_BUDGET = MAX_LINE - len(PREFIX) - len(',"parts":10000') - 1


def now() -> str:
    """The time as the log writes it: UTC, microseconds, ``Z``."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def render(event: str, fields: Mapping[str, Any], redact: Redaction = _NO_REDACTION) -> list[str]:
    """The lines (without line ends) of one event.

    Args:
        event: The kind of event.
        fields: JSON values; ``at`` is added where it is missing. ``keys`` (one key or a list
            of them) and in each of ``records`` the ``keys``, ``old`` and ``new`` are items in
            DynamoDB JSON, cut and redacted as the module says.
        redact: Attributes to mask, by table; ``fields["table"]`` tells the table.
    """
    masked = frozenset(redact.get(str(fields.get("table")), ()))
    whole: dict[str, Any] = {"event": event, "at": fields.get("at") or now()}
    whole.update((name, value) for name, value in fields.items() if name != "at")
    if isinstance(keys := whole.get("keys"), list):
        whole["keys"] = [_item(key, masked) for key in keys]
    elif isinstance(keys, dict):
        whole["keys"] = _item(keys, masked)
    if isinstance(records := whole.get("records"), list):
        whole["records"] = [_record(record, masked) for record in records]
    if isinstance(window := whole.get("window"), dict):
        whole["window"] = _window(window, masked)
    line = _dump(whole)
    if _size(line) <= _BUDGET:
        return [PREFIX + line]
    return [PREFIX + line for line in _split(whole)]


def parse(line: str) -> dict[str, Any] | None:
    """The event of a ``[streamdev]`` line, or ``None`` for any other line."""
    if not line.startswith(PREFIX):
        return None
    try:
        value = json.loads(line[len(PREFIX) :])
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("event"), str) else None


def cut_value(value: Any) -> Any:
    """An attribute value in DynamoDB JSON, cut as the module says if it is over 1 KB."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, content),) = value.items()
    text = content if isinstance(content, str) else _dump(content)
    if len(text) * 4 <= MAX_VALUE:
        return value
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= MAX_VALUE:
        return value
    return {"cut": len(raw), kind: raw[:MAX_VALUE].decode("utf-8", "ignore")}


def _item(item: Any, masked: frozenset[str]) -> Any:
    if not isinstance(item, dict):
        return item
    return {name: _REDACTED if name in masked else cut_value(value) for name, value in item.items()}


def _window(window: Mapping[str, Any], masked: frozenset[str]) -> dict[str, Any]:
    reason = "redacted" if masked else "size"
    if not masked and _size(_dump(window.get("state"))) <= MAX_STATE:
        return dict(window)
    return {name: value for name, value in window.items() if name != "state"} | {"left_out": reason}


def _record(record: Mapping[str, Any], masked: frozenset[str]) -> dict[str, Any]:
    shown = dict(record)
    for part in ("keys", *_IMAGES):
        if shown.get(part) is not None:
            shown[part] = _item(shown[part], masked)
    return shown


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def _size(text: str) -> int:
    # A lone surrogate is written as its escape, six bytes; nothing takes more a character.
    return len(text.encode("utf-8", "backslashreplace"))


def _split(whole: dict[str, Any]) -> list[str]:
    """The lines of an event that is too long for one."""
    lists = [name for name in _LISTS if isinstance(whole.get(name), list)]
    if not lists:
        return [_dump(_shortened(whole, _BUDGET))]
    name = max(lists, key=lambda n: _size(_dump(whole[n])))
    rest = {key: value for key, value in whole.items() if key != name}
    rest = _shortened(rest, _BUDGET // 2)
    room = _BUDGET - _size(_dump({**rest, name: []}))
    parts: list[list[str]] = [[]]
    free = room
    for element in whole[name]:
        text = _fit(element, room)
        size = _size(text) + 1
        if size > free and parts[-1]:
            parts.append([])
            free = room
        parts[-1].append(text)
        free -= size
    lines = []
    for number, part in enumerate(parts, start=1):
        told = {"part": number} if number > 1 else {"parts": len(parts)} if parts[1:] else {}
        head = {**rest, **told}
        lines.append(f'{_dump(head)[:-1]},"{name}":[{",".join(part)}]}}')
    return lines


def _fit(element: Any, room: int) -> str:
    """One element of a list as JSON of at most ``room`` bytes with its comma."""
    text = _dump(element)
    if _size(text) < room:
        return text
    if isinstance(element, dict) and any(name in element for name in _IMAGES):
        return _fit_record(element, room)
    return _dump(_shortened(element, room - 1))


def _fit_record(record: dict[str, Any], room: int) -> str:
    """A record whose images keep as many attributes as there is room for, new ones first."""
    names = [name for name in _IMAGES if isinstance(record.get(name), dict)]
    bare: dict[str, Any] = {**record, **dict.fromkeys(names)}
    bare["left_out"] = {name: len(record[name]) for name in names}
    bare = _shortened(bare, room // 2)
    free = room - _size(_dump(bare)) - 8
    for position, name in enumerate(names):
        kept: dict[str, Any] = {}
        share = free // (len(names) - position)
        for attribute, value in record[name].items():
            size = _size(_dump({attribute: value}))
            if size > share:
                break
            kept[attribute] = value
            share -= size
            free -= size
        bare[name] = kept
        bare["left_out"][name] = len(record[name]) - len(kept)
    bare["left_out"] = {name: count for name, count in bare["left_out"].items() if count}
    return _dump(bare)


def _shortened(value: Any, room: int) -> Any:
    """``value`` with its longest texts and lists cut until it takes at most ``room`` bytes."""
    shorter = value
    for limit in (4_096, 1_024, 256, 64, 16):
        if _size(_dump(shorter)) <= room:
            break
        shorter = _limit(value, limit)
    return shorter


def _limit(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        raw = value.encode("utf-8", "backslashreplace")
        if len(raw) <= limit:
            return value
        return f"{raw[:limit].decode('utf-8', 'ignore')}... (cut, {len(raw)} bytes)"
    if isinstance(value, dict):
        return {key: _limit(inner, limit) for key, inner in value.items()}
    if isinstance(value, list):
        # A stack trace tells most at its two ends.
        keep = max(2, limit // 128)
        if len(value) > 2 * keep + 1:
            note = f"... ({len(value) - 2 * keep} left out)"
            value = [*value[:keep], note, *value[-keep:]]
        return [_limit(inner, limit) for inner in value]
    return value
