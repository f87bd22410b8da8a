"""Which write made which stream record: a write that changes nothing makes none.

Neither names the other. Both come in order, and of both it is known between which times they
happened, so a write and a record belong together only where these times meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Window:
    """Between which times something happened; ``None``: not known.

    Attributes:
        nobodys: A record of no call: time to live deleted the item.
    """

    since: datetime | None
    to: datetime | None
    nobodys: bool = False

    def meets(self, other: Window) -> bool:
        """Whether both may have happened at one time."""
        return not (_before(self.to, other.since) or _before(other.to, self.since))


def _before(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and one < other


@dataclass
class Pairs:
    """What belongs together.

    Attributes:
        record_of: The record's number for each write that made one; where there are several
            ways, the latest write that may have.
        uncertain: The writes of which it can't be told whether they made a record.
    """

    record_of: dict[int, int] = field(default_factory=dict)
    uncertain: set[int] = field(default_factory=set)


def pair(writes: Sequence[Window], records: Sequence[Window]) -> Pairs:
    """Put writes and records together, both oldest first.

    A record takes the earliest write it can when all before it did, and the latest when all
    after it did: between the two lie all the writes that may have made it.
    """
    earliest = _assign(writes, records)
    backwards = _assign(writes[::-1], records[::-1])
    latest = {
        len(records) - 1 - record: len(writes) - 1 - write for record, write in backwards.items()
    }
    pairs = Pairs()
    for record, last in latest.items():
        first = earliest.get(record, last)
        pairs.record_of[last] = record
        may = [n for n in range(first, last + 1) if writes[n].meets(records[record])]
        if len(may) > 1:
            pairs.uncertain.update(may)
    return pairs


def _assign(writes: Sequence[Window], records: Sequence[Window]) -> dict[int, int]:
    """Each record, in order, with the first write after those already taken that may be its."""
    found: dict[int, int] = {}
    begin = 0
    for number, record in enumerate(records):
        if record.nobodys:
            continue
        for write in range(begin, len(writes)):
            if writes[write].meets(record):
                found[number] = write
                begin = write + 1
                break
    return found
