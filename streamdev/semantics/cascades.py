"""Which stream records come from writes of the functions that records invoke: chains of them.

A function that writes to the table that invokes it, without a filter, runs for ever. To stop that
one has to know how often a function is among the causes of a record, and must never think so of a
record that comes from outside. A record does not say who wrote it, and writes to one item may be
under way at the same time, so all that is told here is a lower bound:

* A record's write is one of those to its item that ended after the stream was last read to its
  end (or have not ended yet): earlier ones have been read. When one of them may be from outside,
  the record counts as from outside; else it has the shortest chain among them.
* A function's write may be caused by any record of its batch: it has the shortest chain among
  them, and the function itself.
* Where writes are not known by item, nothing is told until the stream was read to its end again.

Times are seconds of one clock that only goes forward.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

Chain = Mapping[str, int]
"""How often each function is among the causes."""

FROM_OUTSIDE: Final[Chain] = {}
MOST_ITEMS = 20_000
_UNDER_WAY = float("inf")


@dataclass(slots=True, eq=False)
class TrackedWrite:
    """A call that writes to a table.

    Attributes:
        chain: Its causes.
        ended: When it was answered.
        blind: Whether its items are not known here.
    """

    chain: Chain
    ended: float = _UNDER_WAY
    blind: bool = False


class TableWrites:
    """The writes to one table that may have records which were not read yet.

    Until a function writes to the table, calls are only counted.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_item: dict[str, list[TrackedWrite]] = {}
        self._blind = 0
        self._blind_until = 0.0
        self.tracked = False

    def begin(self, chain: Chain, items: Callable[[], Iterable[str] | None]) -> TrackedWrite:
        """A call is about to be carried out; ``end`` has to follow, whatever comes of it.

        Args:
            chain: Its causes.
            items: Gives the written items (``item_text``), or ``None`` if they are not known;
                asked only when the table is tracked.
        """
        if not chain and not self.tracked:
            with self._lock:
                if not self.tracked:
                    self._blind += 1
                    return TrackedWrite(chain, blind=True)
        written = items()
        with self._lock:
            if written is None:
                self._blind += 1
                return TrackedWrite(chain, blind=True)
            self.tracked = True
            write = TrackedWrite(chain)
            for item in written:
                self._by_item.setdefault(item, []).append(write)
            return write

    def end(self, write: TrackedWrite, now: float) -> None:
        """The call was answered."""
        with self._lock:
            write.ended = now
            if write.blind:
                self._blind -= 1
                self._blind_until = now
            elif len(self._by_item) > MOST_ITEMS:
                self._forget(now)

    def _forget(self, now: float) -> None:
        """Drop what is known, but for calls under way."""
        under_way = {
            item: [write for write in writes if write.ended == _UNDER_WAY]
            for item, writes in self._by_item.items()
        }
        self._by_item = {item: writes for item, writes in under_way.items() if writes}
        self._blind_until = now

    def chain_of(self, item: str, read_to_end: float) -> Chain:
        """The causes of a record.

        Args:
            item: Its item (``item_text``).
            read_to_end: When the last read began that found the shard's end.
        """
        with self._lock:
            if self._blind or read_to_end <= self._blind_until:
                return FROM_OUTSIDE
            writes = [w for w in self._by_item.get(item, ()) if w.ended > read_to_end]
            if writes:
                self._by_item[item] = writes
            else:
                self._by_item.pop(item, None)
            return shortest(write.chain for write in writes)


def shortest(chains: Iterable[Chain]) -> Chain:
    """What all of ``chains`` have at least; nothing of no chains."""
    found: Chain | None = None
    for chain in chains:
        if not chain:
            return FROM_OUTSIDE
        if found is None or found is chain:
            found = chain
        else:
            found = {name: min(found[name], chain[name]) for name in found.keys() & chain.keys()}
    return found or FROM_OUTSIDE


def longer(chain: Chain, function: str) -> Chain:
    """``chain`` and then one more invocation of ``function``."""
    return {**chain, function: chain.get(function, 0) + 1}


def item_text(key: Mapping[str, Mapping[str, Any]]) -> str:
    """A key in DynamoDB JSON as text, the same for all ways to write a number."""
    plain = {
        name: {kind: _number(value) if kind == "N" else value for kind, value in typed.items()}
        for name, typed in key.items()
    }
    return json.dumps(plain, sort_keys=True)


def _number(text: Any) -> str:
    try:
        return str(Decimal(str(text)).normalize())
    except InvalidOperation:
        return str(text)


def breaking_filter(event_name: str) -> str:
    """A filter pattern that would keep a loop's records from the function, for people."""
    match event_name:
        case "MODIFY":
            return '{"eventName": ["INSERT", "REMOVE"]}'
        case "REMOVE":
            return '{"eventName": ["INSERT", "MODIFY"]}'
    # The function makes new items: it has to mark them, and leave out what is marked.
    return '{"dynamodb": {"NewImage": {"made_by": {"S": [{"exists": false}]}}}}'
