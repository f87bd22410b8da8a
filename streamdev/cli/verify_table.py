"""The changes that stream records tell of, made anew in the copy of their table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from streamdev.semantics import values
from streamdev.semantics.records import item_text

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway
    from streamdev.semantics.items import Item


class RewrittenTable:
    """The copy of a table.

    Args:
        gateway: The engine's.
        original: The table's name.
        copy: The copy's name.
    """

    def __init__(self, gateway: Gateway, original: str, copy: str) -> None:
        self._items = gateway.items
        self._original = original
        self._copy = copy

    def restore(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Write the items as they were before the first of their records."""
        seen: set[str] = set()
        for event in events:
            for record in event["Records"]:
                change = record["dynamodb"]
                item = item_text(change["Keys"])
                if item not in seen and "OldImage" in change:
                    self._put(change["OldImage"])
                seen.add(item)

    def write(self, record: Mapping[str, Any]) -> None:
        """Make the change that a record tells of."""
        change = record["dynamodb"]
        old, new = change.get("OldImage"), change.get("NewImage")
        if record["eventName"] == "REMOVE":
            self._items.delete(self._copy, _boto(change["Keys"]))
        elif new is None:
            # A stream without new images: as the item is now.
            found = self._items.get(self._original, _boto(change["Keys"]))
            self._items.put(self._copy, found or _boto({**(old or {}), **change["Keys"]}))
        elif old is None:
            self._put(new)
        else:
            self._update(change["Keys"], old, new)

    def _update(self, key: Item, old: Item, new: Item) -> None:
        """Change what the record changed, and leave what the function may have written."""
        changed = [name for name, value in new.items() if old.get(name) != value]
        removed = [name for name in old if name not in new]
        names = {f"#{number}": name for number, name in enumerate([*changed, *removed])}
        sets = ", ".join(f"#{number} = :{number}" for number in range(len(changed)))
        removes = ", ".join(f"#{len(changed) + number}" for number in range(len(removed)))
        options: dict[str, Any] = {"ExpressionAttributeNames": names}
        if changed:
            options["ExpressionAttributeValues"] = {
                f":{number}": values.to_boto(new[name]) for number, name in enumerate(changed)
            }
        parts = [f"SET {sets}" if sets else "", f"REMOVE {removes}" if removes else ""]
        if names:
            expression = " ".join(filter(None, parts))
            self._items.update(self._copy, _boto(key), UpdateExpression=expression, **options)

    def _put(self, item: Item) -> None:
        self._items.put(self._copy, _boto(item))


def _boto(item: Mapping[str, Any]) -> Item:
    return {name: values.to_boto(value) for name, value in item.items()}
