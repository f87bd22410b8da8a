"""Writing many items: in batches, with every refused one named."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamdev.aws.errors import AwsError, AwsNotFoundError
from streamdev.aws.items import BATCH_LIMIT, Items
from streamdev.errors import TimedOutError
from streamdev.semantics import values
from streamdev.semantics.items import Item

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
PATIENCE_S = 60.0
#: BatchWriteItem takes up to 16 MB a call.
BATCH_BYTES = 15_000_000


@dataclass(frozen=True)
class _Pending:
    number: int
    item: Item
    size: int


class BulkWriter:
    """Puts items with BatchWriteItem, in the order they are added for equal keys.

    What DynamoDB leaves unprocessed is sent again with growing pauses; when it refuses a batch,
    its items are put one by one, so that only the wrong one is left out. Close with `flush`.

    Args:
        items: The gateway's items.
        table: The table's name.
        key_of: The key of an item.
        refused: Told the number and the reason of each item that DynamoDB did not take.
    """

    def __init__(
        self,
        items: Items,
        table: str,
        key_of: Callable[[Item], Item],
        refused: Callable[[int, str], None],
    ) -> None:
        self._items = items
        self._table = table
        self._key_of = key_of
        self._refused = refused
        self._batch: dict[str, _Pending] = {}
        self._bytes = 0
        self.written = 0

    def add(self, number: int, item: Item, size: int) -> None:
        """Put ``item`` of about ``size`` bytes with the next batch; ``number`` is for `refused`.

        Raises:
            StreamdevError: The engine is gone or takes nothing any more.
        """
        key = repr(sorted(self._key_of(item).items()))
        # A batch can't hold a key twice, and the later one must win.
        if key in self._batch or self._bytes + size > BATCH_BYTES:
            self.flush()
        self._batch[key] = _Pending(number, item, size)
        self._bytes += size
        if len(self._batch) == BATCH_LIMIT:
            self.flush()

    def flush(self) -> None:
        """Write what is pending.

        Raises:
            StreamdevError: The engine is gone or takes nothing any more.
        """
        pending = list(self._batch.values())
        self._batch, self._bytes = {}, 0
        if not pending:
            return
        requests = [{"PutRequest": {"Item": _boto(entry.item)}} for entry in pending]
        try:
            write_all(self._items, self._table, requests)
        except AwsNotFoundError:
            raise
        except AwsError:
            self._write_singly(pending)
        else:
            self.written += len(pending)

    def _write_singly(self, pending: list[_Pending]) -> None:
        for entry in pending:
            try:
                self._items.put(self._table, _boto(entry.item))
            except AwsError as error:
                self._refused(entry.number, error.message)
            else:
                self.written += 1


def write_all(items: Items, table: str, requests: list[dict[str, Any]]) -> None:
    """Up to 25 ``PutRequest``s and ``DeleteRequest``s, until DynamoDB has taken them all.

    Raises:
        StreamdevError: One was refused, or DynamoDB takes nothing any more.
    """
    pause = FIRST_PAUSE_S
    deadline = time.monotonic() + PATIENCE_S
    while left := items.write_batch(table, requests):
        if len(left) < len(requests):
            deadline = time.monotonic() + PATIENCE_S
        elif time.monotonic() > deadline:
            raise TimedOutError(
                f"DynamoDB left {len(left)} items unprocessed for {PATIENCE_S:.0f} seconds."
            )
        requests = left
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def _boto(item: Item) -> Item:
    return {name: values.to_boto(value) for name, value in item.items()}
