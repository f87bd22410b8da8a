"""What a checkout's data holds, read from the files, whether the engine runs or not."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, field

from streamdev.paths import StateDir


@dataclass(frozen=True)
class StoredData:
    """What wiping would lose.

    Attributes:
        tables: Number of items by table; ``None`` where it could not be counted.
        batches: Number of failed batches that were kept.
    """

    tables: dict[str, int | None] = field(default_factory=dict)
    batches: int = 0

    @property
    def items(self) -> int:
        """All items of all tables that could be counted."""
        return sum(count or 0 for count in self.tables.values())

    def __bool__(self) -> bool:
        """Whether there is anything to lose: an item, an uncounted table, a batch."""
        return bool(self.batches) or any(count != 0 for count in self.tables.values())

    def __str__(self) -> str:
        parts = [
            f"{name} ({'items not counted' if count is None else plural(count, 'item')})"
            for name, count in self.tables.items()
            if count != 0
        ]
        if self.batches:
            parts.append(plural(self.batches, "failed batch", "failed batches"))
        return ", ".join(parts)


def stored_data(state: StateDir) -> StoredData:
    """Count items and failed batches of a host engine's checkout.

    DynamoDB Local keeps a SQLite database an account and region: its table ``dm`` lists the
    DynamoDB tables, and each has a table of its own name, a row an item.
    """
    tables: dict[str, int | None] = {}
    for file in sorted(state.database.glob("*.db")):
        try:
            tables |= _count(file.as_uri())
        except sqlite3.Error:
            tables[file.stem] = None  # in use or damaged: say that something is there
    batches = state.streams / "batches"
    return StoredData(tables, sum(1 for entry in batches.rglob("*") if entry.is_file()))


def _count(uri: str) -> dict[str, int | None]:
    with contextlib.closing(sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=2)) as database:
        names = [str(name) for (name,) in database.execute("SELECT TableName FROM dm")]
        found: dict[str, int | None] = {}
        for name in names:
            quoted = name.replace('"', '""')
            (count,) = database.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()
            found[name] = int(count)
        return found


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 item``, ``2 items``, ``20,000 items``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
