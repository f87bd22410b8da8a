"""Waiting until one write has been handled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from streamdev.observe.follow import entries
from streamdev.observe.notices import Notice
from streamdev.observe.records import LoggedItem, Processed
from streamdev.semantics import values
from streamdev.semantics.items import Item


@dataclass(frozen=True)
class Write:
    """A write whose record is looked for.

    Attributes:
        table: The table's name.
        key: The item's key.
        old: The item before; ``None`` if there was none.
        new: The item after; ``None`` if it was deleted.
        at: When it was sent (aware).
    """

    table: str
    key: Item
    old: Item | None
    new: Item | None
    at: datetime

    def made(self, record: Processed) -> bool:
        """Whether the record is this write's, as far as what the stream shows can tell.

        The key must be the same, and so must the images that the record has: a record of an
        earlier write to the same item may still be on its way.
        """
        if record.table != self.table or not agrees(record.keys, self.key):
            return False
        if record.event_name != self._event_name:
            return False
        return (record.old is None or agrees(record.old, self.old or {}, record, "old")) and (
            record.new is None or agrees(record.new, self.new or {}, record, "new")
        )

    @property
    def _event_name(self) -> str:
        if self.new is None:
            return "REMOVE"
        return "MODIFY" if self.old is not None else "INSERT"


def agrees(
    logged: LoggedItem, item: Item, record: Processed | None = None, image: str = ""
) -> bool:
    """Whether an item as logged can be ``item``; what is cut or masked there can be anything.

    Args:
        logged: The item as logged.
        item: The item whole.
        record: The record that ``logged`` is an image of, which may have left attributes out.
        image: Which one, ``old`` or ``new``.
    """
    whole = record is None or not record.left_out.get(image)
    if whole and logged.keys() != item.keys():
        return False
    return all(name in item and _valueagrees(value, item[name]) for name, value in logged.items())


def _valueagrees(logged: dict[str, object], value: dict[str, object]) -> bool:
    if "redacted" in logged:
        return True
    if "cut" in logged:
        # The log cuts the text of strings and binary; for the rest its type must do.
        (kind,) = (name for name in logged if name != "cut")
        content, beginning = value.get(kind), logged[kind]
        if not isinstance(content, str):
            return kind in value
        return content.startswith(str(beginning))
    return values.same(logged, value)


def outcome_of(write: Write, lines: Iterable[str], function: str | None) -> Processed | None:
    """The first end of the write's record: handled, failed, or kept out by a filter.

    Args:
        write: What was written.
        lines: The engine's log from before the write on, followed.
        function: The function that counts; ``None``: any.

    Returns:
        ``None`` if the lines end before the record's end.
    """
    functions = None if function is None else (function,)
    for entry in entries(lines, since=write.at, functions=functions):
        if not isinstance(entry, Notice) and write.made(entry):
            return entry
    return None
