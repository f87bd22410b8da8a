"""The ways in which AWS may deliver the same stream records, each as what is handed over in turn.

A stream's mapping delivers every record at least once and those of an item in order. Where it
cuts batches is not promised, nor is the order of different items (with ``ParallelizationFactor``).
So a handler should come to the same end in all of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamdev.semantics.chaos import roll
from streamdev.semantics.records import item_text

Event = Mapping[str, Any]
"""What a function gets: ``{"Records": [...]}``; a tumbling window adds members."""

PLAIN = "plain"

#: Each way of delivering, and what it is.
WORDS = {
    PLAIN: "each batch once, in order",
    "twice": "each batch twice in a row",
    "again": "all batches, and then all once more",
    "split": "each record in a batch of its own",
    "reordered": "some items before others; each item in order",
    "out-of-order": "an item's later records before earlier ones, which AWS does not do",
}


@dataclass(frozen=True)
class Handing:
    """One event that is handed over.

    Attributes:
        written: How many of the batches, from the first, have been written to the table by then.
    """

    event: Event
    written: int


def once_each(events: Iterable[Event]) -> list[Event]:
    """The events without records that came before, as in the halves of a batch that failed."""
    seen: set[str] = set()
    found: list[Event] = []
    for event in events:
        fresh = [record for record in event["Records"] if record["eventID"] not in seen]
        seen |= {record["eventID"] for record in fresh}
        if fresh or not event["Records"]:
            found.append({**event, "Records": fresh})
    return found


def deliveries(
    events: Sequence[Event], *, seed: int, within_keys: bool
) -> dict[str, tuple[Handing, ...]]:
    """Each way to deliver the events, the plain one first; none is there under two names.

    Args:
        events: The batches, in order.
        seed: Decides which items come first.
        within_keys: Whether to put an item's own records out of order as well.
    """
    plain = [Handing(event, number) for number, event in enumerate(events, 1)]
    ways = {
        PLAIN: plain,
        "twice": [handing for handing in plain for _ in range(2)],
        "again": plain + plain,
        "split": [part for handing in plain for part in _split(handing)],
        "reordered": _reordered(plain, seed, lambda record: item_text(record["dynamodb"]["Keys"])),
    }
    if within_keys:
        ways["out-of-order"] = _reordered(plain, seed, lambda record: record["eventID"])
    found: dict[str, tuple[Handing, ...]] = {}
    for name, way in ways.items():
        if tuple(way) not in found.values():
            found[name] = tuple(way)
    return found


def _split(handing: Handing) -> list[Handing]:
    if _is_whole(handing.event):
        return [handing]
    return [Handing({"Records": [one]}, handing.written) for one in handing.event["Records"]]


def _reordered(plain: Sequence[Handing], seed: int, name_of: Any) -> list[Handing]:
    """As two lanes of a shard would deliver if the first one were held up all the time."""
    cut = [handing for handing in plain if not _is_whole(handing.event)]
    names = list(dict.fromkeys(name_of(one) for h in cut for one in h.event["Records"]))
    # The last one overtakes, so that there is another order wherever there can be.
    ahead = {name for name in names[1:-1] if roll(seed, "ahead", name) < 0.5} | set(names[-1:])
    if len(names) < 2:
        return list(plain)
    first: list[Handing] = []
    second: list[Handing] = []
    for handing in plain:
        if _is_whole(handing.event):
            second.append(handing)
            continue
        for lane, wanted in ((first, True), (second, False)):
            own = [one for one in handing.event["Records"] if (name_of(one) in ahead) == wanted]
            if own:
                lane.append(Handing({"Records": own}, handing.written))
    return first + second


def _is_whole(event: Event) -> bool:
    """Whether the event can't be cut: a tumbling window's has a state that belongs to all of it."""
    return event.keys() != {"Records"}
