"""What a snapshot's ``snapshot.json`` says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

VERSION = 1


@dataclass(frozen=True)
class SavedTable:
    """A table in a snapshot.

    Attributes:
        keys: Name and type (``S``, ``N``, ``B``) of the partition key and of the sort key.
        items: How many there are.
    """

    keys: tuple[tuple[str, str], ...]
    items: int


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds.

    Attributes:
        saved: When it was saved (aware, UTC).
        tables: By name.
        queues: How many messages, by the queue's name.
        batches: How many batches that were given up.
    """

    saved: datetime
    tables: Mapping[str, SavedTable] = field(default_factory=dict)
    queues: Mapping[str, int] = field(default_factory=dict)
    batches: int = 0

    @property
    def items(self) -> int:
        """All items of all tables."""
        return sum(table.items for table in self.tables.values())

    @property
    def messages(self) -> int:
        """All messages of all queues."""
        return sum(self.queues.values())

    def document(self) -> dict[str, Any]:
        """The manifest as JSON."""
        return {
            "version": VERSION,
            "saved": self.saved.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "tables": {
                name: {"keys": dict(table.keys), "items": table.items}
                for name, table in self.tables.items()
            },
            "queues": {name: {"messages": count} for name, count in self.queues.items()},
            "batches": self.batches,
        }


def manifest_of(document: Mapping[str, Any]) -> Manifest:
    """The manifest that a document of this version is.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: It is none.
    """
    return Manifest(
        saved=datetime.fromisoformat(document["saved"]),
        tables={
            name: SavedTable(tuple(table["keys"].items()), int(table["items"]))
            for name, table in document["tables"].items()
        },
        queues={name: int(queue["messages"]) for name, queue in document["queues"].items()},
        batches=int(document["batches"]),
    )
