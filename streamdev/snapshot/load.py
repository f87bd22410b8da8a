"""Loading: what a snapshot holds, into the engine's tables and queues.

Everything that can be wrong is looked for first, so that a snapshot is loaded as a whole or not
at all; only an interruption, or an engine that goes, leaves a part of it, which is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamdev.aws.bulk import write_all
from streamdev.aws.items import BATCH_LIMIT
from streamdev.errors import InvalidInputError, NotFoundError
from streamdev.semantics import values
from streamdev.snapshot.file import Snapshot
from streamdev.snapshot.manifest import SavedTable
from streamdev.snapshot.save import Selection, Show

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway
    from streamdev.aws.tables import TableState

# So much is written at a time while other writes wait.
AT_ONCE = 100
BYTES_AT_ONCE = 1_000_000

Request = dict[str, Any]
WriteSome = Callable[[list[Request]], None]


@dataclass
class Loaded:
    """What was done so far.

    Attributes:
        deleted: How many items and messages were there before.
        items: How many items were written, by table.
        messages: How many messages were sent, by queue.
        batches: How many given-up batches were stored.
    """

    deleted: int = 0
    items: dict[str, int] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    batches: int = 0

    @property
    def item_count(self) -> int:
        """How many items were written."""
        return sum(self.items.values())

    @property
    def done(self) -> int:
        """How many items were deleted or written."""
        return self.deleted + self.item_count


class Loader:
    """Loads one snapshot.

    Args:
        snapshot: The snapshot, checked.
        gateway: The engine's AWS API.
        selection: What of it.
        fire: Have the streams tell the functions, as if all had just been written.
        has_plugins: Whether streamdev's plugins run in the engine.

    Raises:
        NotFoundError: The snapshot, or the engine, lacks a table or a queue.
        InvalidInputError: A table has another key, or the streams can't but fire.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        gateway: Gateway,
        selection: Selection,
        *,
        fire: bool,
        has_plugins: bool,
    ) -> None:
        self._snapshot = snapshot
        self._gateway = gateway
        self._fire = fire
        self._has_plugins = has_plugins
        self.loaded = Loaded()
        manifest, where = snapshot.manifest, f"the snapshot {snapshot.path}"
        self._tables: dict[str, TableState] = {}
        for name in selection.of("table", manifest.tables, where):
            if (table := self._table(name, manifest.tables[name])) is not None:
                self._tables[name] = table
        known = set(gateway.queues.names())
        self._queues = {
            name: gateway.queues.url(name)
            for name in selection.of("queue", manifest.queues, where)
            if self._has_queue(name, known)
        }

    @property
    def total(self) -> int:
        """How many items there are to write."""
        return sum(self._snapshot.manifest.tables[name].items for name in self._tables)

    @property
    def present(self) -> int:
        """How many items were in the tables."""
        return sum(table.item_count for table in self._tables.values())

    def occupied(self) -> list[str]:
        """What is not empty, of what is to be loaded into; in words."""
        found = []
        for name in self._tables:
            if next(self._gateway.items.scan(name, Limit=1), None) is not None:
                found.append(f"table {name}")
        for name in self._queues:
            if self._gateway.queues.look(name):
                found.append(f"queue {name}")
        return found

    def empty(self, show: Show) -> None:
        """Delete what is there, as quietly as the rest."""
        for name, table in self._tables.items():
            write = self._writer(table)
            keys = [(key, table.attribute_types[key]) for key in table.keys]
            for chunk in _chunks(_deletions(self._gateway, name, [key for key, _ in keys])):
                write(chunk)
                self.loaded.deleted += len(chunk)
                show(self.loaded.done)
        for name, url in self._queues.items():
            self.loaded.deleted += len(self._gateway.queues.look(name))
            self._gateway.queues.purge(url)
        if self._has_plugins:
            for batch in self._gateway.control.batches():
                if batch.get("table") in self._tables:
                    self._gateway.control.delete_batch(batch["name"])

    def load(self, show: Show) -> None:
        """Write it all."""
        for name, table in self._tables.items():
            write = self._writer(table)
            self.loaded.items[name] = 0
            puts = ((_put(item), size) for item, size in self._snapshot.items(name))
            for chunk in _chunks(puts):
                write(chunk)
                self.loaded.items[name] += len(chunk)
                show(self.loaded.done)
        if self._has_plugins:
            for batch in self._snapshot.batches():
                if batch.get("table") in self._tables:
                    content = {key: value for key, value in batch.items() if key != "name"}
                    self._gateway.control.put_batch(str(batch["name"]), content)
                    self.loaded.batches += 1
        for name, url in self._queues.items():
            self.loaded.messages[name] = 0
            for message in self._snapshot.messages(name):
                self._gateway.queues.send(url, message)
                self.loaded.messages[name] += 1

    def _writer(self, table: TableState) -> WriteSome:
        if self._fire or table.stream_arn is None:
            return lambda requests: self._write(table.name, requests)
        arn, source = table.stream_arn, self._snapshot.path.name
        return lambda requests: self._gateway.control.write_quietly(arn, requests, source)

    def _write(self, table: str, requests: list[Request]) -> None:
        for start in range(0, len(requests), BATCH_LIMIT):
            some = [_boto(request) for request in requests[start : start + BATCH_LIMIT]]
            write_all(self._gateway.items, table, some)

    def _table(self, name: str, saved: SavedTable) -> TableState | None:
        table = self._gateway.tables.find(name)
        if table is None:
            if not saved.items:
                return None
            raise NotFoundError(
                f"There is no table {name!r} in the engine, for the snapshot's {saved.items:,} "
                "items of it.",
                hint="Make it: ./dev.py deploy. Or load others only: --table NAME, --queue NAME.",
            )
        keys = tuple((key, table.attribute_types[key]) for key in table.keys)
        if keys != saved.keys:
            raise InvalidInputError(
                f"The key of the table {name} is {_key_text(keys)}; in the snapshot it is "
                f"{_key_text(saved.keys)}.",
                hint="Load others only: --table NAME, --queue NAME.",
            )
        if table.stream_arn and not self._fire and not self._has_plugins:
            raise InvalidInputError(
                f"An external engine can't keep the stream of {name} from firing.",
                hint="Have it fire: add --fire-streams. Or turn the mappings off before.",
            )
        return table

    def _has_queue(self, name: str, known: set[str]) -> bool:
        count = self._snapshot.manifest.queues[name]
        if name not in known and count:
            raise NotFoundError(
                f"There is no queue {name!r} in the engine, for the snapshot's {count:,} messages "
                "of it.",
                hint="Make it: ./dev.py deploy. Or load others only: --table NAME, --queue NAME.",
            )
        return name in known


def _put(item: Mapping[str, Any]) -> Request:
    return {"PutRequest": {"Item": item}}


def _deletions(gateway: Gateway, table: str, keys: list[str]) -> Iterator[tuple[Request, int]]:
    names = {f"#k{number}": key for number, key in enumerate(keys)}
    found = gateway.items.scan(
        table,
        ConsistentRead=True,
        ProjectionExpression=", ".join(names),
        ExpressionAttributeNames=names,
    )
    for key in found:
        text = {name: values.from_boto(value) for name, value in key.items()}
        yield {"DeleteRequest": {"Key": text}}, 0


def _chunks(requests: Iterable[tuple[Request, int]]) -> Iterator[list[Request]]:
    chunk: list[Request] = []
    total = 0
    for request, size in requests:
        if chunk and (len(chunk) == AT_ONCE or total + size > BYTES_AT_ONCE):
            yield chunk
            chunk, total = [], 0
        chunk.append(request)
        total += size
    if chunk:
        yield chunk


def _boto(request: Request) -> Request:
    ((kind, content),) = request.items()
    ((name, item),) = content.items()
    return {kind: {name: {key: values.to_boto(value) for key, value in item.items()}}}


def _key_text(keys: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name}:{kind}" for name, kind in keys)
