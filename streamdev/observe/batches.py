"""Batches that mappings handed to functions: found in the engine's log, and put together whole.

The log tells which records a batch had, with values that may be cut or masked. The records
themselves are read again from the stream, which holds them for 24 hours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamdev.observe.follow import entries
from streamdev.observe.records import Processed

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway


@dataclass(frozen=True)
class Batch:
    """What a mapping handed to its function.

    Attributes:
        records: In order.
    """

    function: str
    table: str
    request_id: str
    records: tuple[Processed, ...]


def last_batch(lines: Iterable[str], function: str) -> Batch | None:
    """The batch of the function that ended last; ``None`` if there was none."""
    found: list[Processed] = []
    for entry in entries(lines, functions=(function,)):
        if isinstance(entry, Processed) and entry.sequence_number and entry.request_id:
            if entry.position == 0:
                found = []
            found.append(entry)
    if not found:
        return None
    request_id = str(found[0].request_id)
    return Batch(function, str(found[0].table), request_id, tuple(found))


class GoneError(Exception):
    """A batch can't be put together any more; the message says why, as the end of a sentence."""


class WholeBatches:
    """Puts batches together, as their functions got them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def event(self, batch: Batch) -> dict[str, Any]:
        """The event of the batch.

        Raises:
            GoneError: Nothing holds it any more.
        """
        table = self._gateway.tables.find(batch.table)
        arn = table.stream_arn if table else None
        first, last = batch.records[0], batch.records[-1]
        shard = arn and self._gateway.streams.shard_of(arn, str(first.sequence_number))
        read = (
            self._gateway.streams.records(
                arn, shard, str(first.sequence_number), str(last.sequence_number)
            )
            if arn and shard
            else None
        )
        by_id = {record["eventID"]: record for record in read or ()}
        if any(record.event_id not in by_id for record in batch.records):
            raise GoneError(f"the stream of {batch.table} has its records no more")
        return {"Records": [by_id[str(record.event_id)] for record in batch.records]}
