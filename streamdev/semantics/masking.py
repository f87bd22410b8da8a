"""Events without their secrets: attributes' values replaced, so that the event stays one.

A mask has the type of what it stands for, equal texts, numbers and binaries get the same mask and
different ones different masks. So a record still says whether a masked attribute changed, and two
items with masked keys are still two. Maps, lists and sets are masked inside; booleans are false.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from typing import Any

from streamdev.semantics.values import AttributeValue

_IMAGES = ("Keys", "NewImage", "OldImage")
# Shorter texts are in too many others to be replaced there.
_SHORTEST = 3


class Masks:
    """Masks the values of some attributes; the same in everything that it is given.

    Args:
        names: The attributes, those at the top of an item.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._masks: dict[tuple[str, str], str] = {}
        self.used: set[str] = set()

    def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The event with masked images and keys."""
        records = [
            {**record, "dynamodb": self._change(record["dynamodb"])}
            for record in event.get("Records", ())
        ]
        return {**event, "Records": records}

    def text(self, text: str) -> str:
        """A text in which each text and number that was masked so far is replaced by its mask."""
        shown = {content: mask for (kind, content), mask in self._masks.items() if kind != "B"}
        for secret in sorted(shown, key=len, reverse=True):
            if len(secret) >= _SHORTEST:
                text = text.replace(secret, shown[secret])
        return text

    def _change(self, change: Mapping[str, Any]) -> dict[str, Any]:
        return {
            part: self._item(content) if part in _IMAGES else content
            for part, content in change.items()
        }

    def _item(self, item: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        self.used |= self._names & item.keys()
        return {
            name: self._mask(value) if name in self._names else value
            for name, value in item.items()
        }

    def _mask(self, value: AttributeValue) -> AttributeValue:
        ((kind, content),) = value.items()
        match kind:
            case "S" | "N" | "B":
                return {kind: self._leaf(kind, content)}
            case "SS" | "NS" | "BS":
                return {kind: [self._leaf(kind[0], element) for element in content]}
            case "L":
                return {kind: [self._mask(element) for element in content]}
            case "M":
                return {kind: {name: self._mask(inner) for name, inner in content.items()}}
            case "BOOL":
                return {kind: False}
        return value

    def _leaf(self, kind: str, content: str) -> str:
        if (kind, content) not in self._masks:
            number = len(self._masks) + 1
            text = f"masked-{number}"
            mask = {"N": str(number), "B": base64.b64encode(text.encode()).decode()}.get(kind, text)
            self._masks[kind, content] = mask
        return self._masks[kind, content]
