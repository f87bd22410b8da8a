"""What a stream record changed: attribute by attribute, down to nested ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from streamdev.observe.records import LoggedItem
from streamdev.semantics import values

Kind = Literal["added", "removed", "changed", "unknown"]

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Images(Protocol):
    """A stream record, as far as it tells what changed (`Processed` is one)."""

    @property
    def event_name(self) -> str:
        """``INSERT``, ``MODIFY``, ``REMOVE``."""

    @property
    def keys(self) -> LoggedItem:
        """The item's key."""

    @property
    def old(self) -> LoggedItem | None:
        """The item before, where the stream has it."""

    @property
    def new(self) -> LoggedItem | None:
        """The item after, where the stream has it."""


@dataclass(frozen=True)
class Change:
    """One value that differs between two images.

    Attributes:
        path: Where, e.g. ``address.city`` or ``orders[0].state``.
        kind: ``unknown`` when the log does not hold enough to tell (cut or redacted values).
        old: The value before, as logged, or ``None``. Elements of sets are values by themselves.
        new: The value after, as logged, or ``None``.
    """

    path: str
    kind: Kind
    old: dict[str, Any] | None
    new: dict[str, Any] | None


def changes(record: Images) -> list[Change]:
    """What the record changed, as far as its images tell; key attributes are left out.

    Where the stream has one image only, all its attributes are listed: as added for an
    ``INSERT``, as removed for a ``REMOVE``, else as ``unknown`` with the value there is.
    """
    old, new = record.old, record.new
    if old is None and new is None:
        return []
    one_sided = (old is None) != (new is None)
    found = list(_between(old or {}, new or {}, skip=record.keys))
    if one_sided and record.event_name not in ("INSERT", "REMOVE"):
        return [Change(change.path, "unknown", change.old, change.new) for change in found]
    return found


def _between(old: LoggedItem, new: LoggedItem, *, skip: LoggedItem) -> Iterator[Change]:
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in skip:
            yield from _compare(_step("", name), old.get(name), new.get(name))


def _compare(path: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Iterator[Change]:
    if old is None or new is None:
        if old is not None or new is not None:
            yield Change(path, "added" if old is None else "removed", old, new)
        return
    if not (_whole(old) and _whole(new)):
        if old != new:
            yield Change(path, "changed", old, new)
        else:
            yield Change(path, "unknown", old, new)
        return
    if values.same(old, new):
        return
    ((kind, before),) = old.items()
    after = new.get(kind)
    if kind == "M" and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _compare(_step(path, name), before.get(name), after.get(name))
    elif kind == "L" and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            yield from _compare(f"{path}[{index}]", _at(before, index), _at(after, index))
    elif kind in values.SET_TYPES and isinstance(after, list):
        element = values.SET_TYPES[kind]
        for gone in (value for value in before if value not in after):
            yield Change(path, "removed", {element: gone}, None)
        for come in (value for value in after if value not in before):
            yield Change(path, "added", None, {element: come})
    else:
        yield Change(path, "changed", old, new)


def _whole(value: dict[str, Any]) -> bool:
    return "cut" not in value and "redacted" not in value


def _at(elements: list[Any], index: int) -> Any:
    return elements[index] if index < len(elements) else None


def _step(path: str, name: str) -> str:
    if not _PLAIN_NAME.fullmatch(name):
        # Quoted, so that nothing in it can be taken for a path or disturb a terminal.
        return f"{path}[{json.dumps(name, ensure_ascii=False)}]"
    return f"{path}.{name}" if path else name
