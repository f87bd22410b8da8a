"""Saving: what the engine's tables and queues hold, into a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamdev.errors import NotFoundError
from streamdev.semantics import values
from streamdev.snapshot import file
from streamdev.snapshot.manifest import Manifest

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway
    from streamdev.aws.tables import TableState

SHOW_EVERY = 100

#: Told how many items are done so far.
Show = Callable[[int], None]


@dataclass(frozen=True)
class Selection:
    """Which tables and queues; without any names, all."""

    tables: Collection[str] = ()
    queues: Collection[str] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing was named."""
        return not self.tables and not self.queues

    def of(self, kind: str, known: Collection[str], where: str) -> list[str]:
        """Those of the ``known`` tables or queues (``kind``) that are selected, sorted.

        Raises:
            NotFoundError: One that is named is not known.
        """
        if self.everything:
            return sorted(known)
        wanted = self.tables if kind == "table" else self.queues
        for name in wanted:
            if name not in known:
                raise NotFoundError(
                    f"There is no {kind} {name!r} in {where}.",
                    hint=f"It has: {', '.join(sorted(known)) or 'none'}.",
                )
        return sorted(wanted)


def selected(gateway: Gateway, selection: Selection) -> tuple[list[TableState], list[str]]:
    """The engine's selected tables and queues.

    Raises:
        NotFoundError: One that is named does not exist.
    """
    names = selection.of("table", gateway.tables.names(), "the engine")
    queues = selection.of("queue", gateway.queues.names(), "the engine")
    found = (gateway.tables.find(name) for name in names)
    return [table for table in found if table is not None], queues


def save(
    path: Path,
    gateway: Gateway,
    tables: Collection[TableState],
    queues: Collection[str],
    *,
    has_plugins: bool,
    show: Show,
) -> Manifest:
    """Write a snapshot; what is written meanwhile may be in it or not.

    Args:
        path: The file; one that is there is replaced at the end.
        gateway: The engine's AWS API.
        tables: Which tables.
        queues: Which queues.
        has_plugins: Whether the engine stores batches that were given up.
        show: Told how far it is.

    Raises:
        StreamdevError: It can't be read or written; nothing is left of the file.
    """
    done = 0

    def shown(items: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        nonlocal done
        for item in items:
            yield {name: values.from_boto(value) for name, value in item.items()}
            done += 1
            if done % SHOW_EVERY == 0:
                show(done)

    with file.new(path) as writer:
        for table in tables:
            keys = [(key, table.attribute_types[key]) for key in table.keys]
            writer.table(
                table.name, keys, shown(gateway.items.scan(table.name, ConsistentRead=True))
            )
        for queue in queues:
            writer.queue(queue, gateway.queues.look(queue))
        writer.batches(_batches(gateway, {table.name for table in tables}) if has_plugins else ())
        return writer.end()


def _batches(gateway: Gateway, tables: Collection[str]) -> Iterator[dict[str, Any]]:
    """The stored batches of some tables, whole: what dead letters are replayed from."""
    for batch in gateway.control.batches():
        if batch.get("table") in tables:
            yield gateway.control.batch(batch["name"])
