"""Which stream records come from writes of the functions that records invoke: chains of them.

A function that writes to the table that invokes it, without a filter, runs for ever. To stop that
one has to know how often a function is among the causes of a record, and must never think so of a
record that comes from outside. A record does not say who wrote it, and writes to one item may be
under way at the same time, so all that is told here is a lower bound:

* A record's write is one of those to its item that ended after the stream was last read to its
  end (or have not ended yet): earlier ones have been read. Where only one of them is left, that
  is the write, and no other record's. Else, when one of them may be from outside, the record
  counts as from outside, and otherwise it has the shortest chain among them.
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
#: So many writes are remembered; more are too many to tell anything of.
MOST_WRITES = 20_000
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


@dataclass(slots=True, eq=False)
class Reader:
    """Somebody who reads the table's stream.

    Attributes:
        read_to_end: When the last read began that found the shard's end.
    """

    read_to_end: float = 0.0


@dataclass(slots=True, eq=False)
class _Written:
    """One item of a write, and the record it made (its sequence number) once that is known."""

    write: TrackedWrite
    record: str | None = None


class TableWrites:
    """The writes to one table that may have records which were not read yet.

    Until a function writes to the table, and while nobody reads its stream, calls are only
    counted.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_item: dict[str, list[_Written]] = {}
        self._count = 0
        self._readers: list[Reader] = []
        self._blind = 0
        self._blind_until = 0.0
        self.tracked = False

    def add_reader(self) -> Reader:
        """Somebody begins to read; ``remove_reader`` has to follow."""
        reader = Reader()
        with self._lock:
            self._readers.append(reader)
        return reader

    def remove_reader(self, reader: Reader) -> None:
        """They read no more."""
        with self._lock:
            self._readers.remove(reader)

    def begin(self, chain: Chain, items: Callable[[], Iterable[str] | None]) -> TrackedWrite:
        """A call is about to be carried out; ``end`` has to follow, whatever comes of it.

        Args:
            chain: Its causes.
            items: Gives the written items (``item_text``), or ``None`` if they are not known;
                asked only when the table is tracked.
        """
        if not self._readers or not (chain or self.tracked):
            with self._lock:
                if not self._readers or not (chain or self.tracked):
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
                self._by_item.setdefault(item, []).append(_Written(write))
                self._count += 1
            return write

    def end(self, write: TrackedWrite, now: float) -> None:
        """The call was answered."""
        with self._lock:
            write.ended = now
            if write.blind:
                self._blind -= 1
                self._blind_until = now
            elif self._count > MOST_WRITES:
                self._forget(now)

    def _forget(self, now: float) -> None:
        """Drop what is known, but for calls under way."""
        for item in list(self._by_item):
            self._keep(item, _UNDER_WAY)
        self._blind_until = now

    def _keep(self, item: str, since: float) -> list[_Written]:
        """Drop what is known of an item but for the writes that ended ``since`` or later."""
        before = self._by_item.pop(item, [])
        kept = [written for written in before if written.write.ended >= since]
        if kept:
            self._by_item[item] = kept
        self._count -= len(before) - len(kept)
        return kept

    def chain_of(self, reader: Reader, item: str, record: str) -> Chain:
        """The causes of a record.

        Args:
            reader: Who has read it.
            item: Its item (``item_text``).
            record: Its sequence number.
        """
        with self._lock:
            if self._blind or reader.read_to_end <= self._blind_until:
                return FROM_OUTSIDE
            # Others may still have to read what this reader has read.
            known = self._keep(item, min(other.read_to_end for other in self._readers))
            possible = [
                written
                for written in known
                if written.write.ended > reader.read_to_end and written.record in (None, record)
            ]
            if len(possible) == 1:
                possible[0].record = record
            return next(
                (written.write.chain for written in possible if written.record == record),
                shortest(written.write.chain for written in possible),
            )


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
