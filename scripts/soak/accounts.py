"""The reckoning: was every record handled at least once, in order per key, or given up?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Note:
    """A line of a handler: it began with records (``start``), or has handled them (``done``)."""

    phase: str
    sequences: tuple[int, ...]


@dataclass(frozen=True)
class Account:
    """What a mapping did with the records of its stream.

    Attributes:
        records: How many there were.
        calls: How often the function was called.
        handled: Records handled at least once.
        repeated: How often a record was handled again.
        given_up: Records that went to the failure destination and were never handled.
        violation: The first thing that must not be, or ``None``.
    """

    records: int
    calls: int
    handled: int
    repeated: int
    given_up: int
    violation: str | None


def read_notes(path: Path) -> Iterator[Note]:
    """A handler's notes in order; a line that was cut by a kill is left out."""
    if not path.exists():
        return
    with path.open() as lines:
        for line in lines:
            if line.endswith("\n"):
                fields = json.loads(line)
                yield Note(fields["phase"], tuple(int(number) for number in fields["sequences"]))


def reckon(stream: dict[int, str], notes: Iterable[Note], given_up: set[int]) -> Account:
    """Compare what a stream held with what a handler noted.

    A record may be handed over when all earlier ones of its key are handled, given up, or before
    it in the same batch.

    Args:
        stream: The stream's records: sequence number → key of the item.
        notes: What the handler noted, in order.
        given_up: Sequence numbers that the failure destination holds.
    """
    by_key: dict[str, list[int]] = {}
    for sequence in sorted(stream):
        by_key.setdefault(stream[sequence], []).append(sequence)
    place = {s: index for of_key in by_key.values() for index, s in enumerate(of_key)}
    handled: set[int] = set()
    reached = dict.fromkeys(by_key, 0)
    calls = repeated = 0
    violation: str | None = None

    def next_open(key: str) -> int:
        of_key = by_key[key]
        while reached[key] < len(of_key) and (
            of_key[reached[key]] in handled or of_key[reached[key]] in given_up
        ):
            reached[key] += 1
        return reached[key]

    for note in notes:
        unknown = [sequence for sequence in note.sequences if sequence not in stream]
        if unknown:
            violation = violation or f"record {unknown[0]} came, but is not in the stream"
        known = [sequence for sequence in note.sequences if sequence in stream]
        if note.phase == "done":
            repeated += sum(sequence in handled for sequence in known)
            handled.update(known)
            continue
        calls += 1
        expected: dict[str, int] = {}
        for sequence in known:
            key = stream[sequence]
            limit = expected.get(key, next_open(key))
            if place[sequence] > limit:
                missing = by_key[key][limit]
                violation = violation or (
                    f"record {sequence} of item {key} came before {missing}, which was neither "
                    "handled nor given up"
                )
            expected[key] = max(limit, place[sequence] + 1)
    lost = [s for s in sorted(stream) if s not in handled and s not in given_up]
    if lost:
        violation = violation or (
            f"{len(lost)} records were lost, the first being {lost[0]} of item {stream[lost[0]]}"
        )
    return Account(
        records=len(stream),
        calls=calls,
        handled=len(handled),
        repeated=repeated,
        given_up=len(given_up - handled),
        violation=violation,
    )
