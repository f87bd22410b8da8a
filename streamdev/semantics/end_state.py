"""What deliveries led to, compared place by place.

A place is a table, a topic, or the records that were given up. What is different between two plain
deliveries (a time, a random id) says nothing about others: it is found by comparing those two, and
left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streamdev.semantics import exact_json

Paths = dict[str, Any]
"""A document as its values by path: ``address.city``, ``tags[0]``."""

_MISSING = object()


@dataclass(frozen=True)
class Place:
    """What is in one place at the end.

    Attributes:
        items: By key, for people; of a place that has keys.
        messages: In order; of a place that has none.
    """

    items: Mapping[str, Paths] = field(default_factory=dict)
    messages: Sequence[Paths] = ()

    @property
    def count(self) -> int:
        """How many things there are."""
        return len(self.items) + len(self.messages)


EndState = Mapping[str, Place]


@dataclass(frozen=True)
class Volatile:
    """What is another one in each plain delivery of the same.

    Attributes:
        paths: By place.
        counted: Places whose keys change; only how many things they have can be compared.
        unsteady: Places where not even that is always the same.
    """

    paths: Mapping[str, frozenset[str]] = field(default_factory=dict)
    counted: frozenset[str] = frozenset()
    unsteady: frozenset[str] = frozenset()

    def __or__(self, other: Volatile) -> Volatile:
        places = {*self.paths, *other.paths}
        none: frozenset[str] = frozenset()
        return Volatile(
            {one: self.paths.get(one, none) | other.paths.get(one, none) for one in places},
            self.counted | other.counted,
            self.unsteady | other.unsteady,
        )

    def words(self) -> list[str]:
        """What is not compared: ``Table.attribute``, ``Table (only how many)``, ``Table``."""
        told = [
            f"{place}.{path}" for place in sorted(self.paths) for path in sorted(self.paths[place])
        ]
        told += [f"{place} (only how many)" for place in sorted(self.counted)]
        return told + sorted(self.unsteady)


@dataclass(frozen=True)
class Difference:
    """One thing that is not as after the plain delivery.

    Attributes:
        key: The item's, for people; ``None`` where it is about the whole place.
        path: The attribute; ``None`` where it is about a whole item or message.
        plain: What the plain delivery led to; ``None`` for nothing.
        now: What the other one led to.
    """

    place: str
    key: str | None
    path: str | None
    plain: Any
    now: Any

    def __str__(self) -> str:
        where = " ".join(part for part in (self.place, self.key) if part)
        what = f"{self.path} " if self.path else ""
        return f"{where}: {what}{_word(self.plain)} → {_word(self.now)}"


def paths_of(document: Any, path: str = "") -> Paths:
    """A plain JSON document by path; what is empty in it stands for itself."""
    found: Paths = {}
    if isinstance(document, dict) and document:
        for name, value in document.items():
            found |= paths_of(value, f"{path}.{name}" if path else str(name))
    elif isinstance(document, list) and document:
        for number, value in enumerate(document):
            found |= paths_of(value, f"{path}[{number}]")
    else:
        found[path] = document
    return found


def volatile(one: EndState, other: EndState) -> Volatile:
    """What two plain deliveries of the same do not agree in."""
    paths: dict[str, frozenset[str]] = {}
    counted, unsteady = set(), set()
    for name in one:
        a, b = one[name], other[name]
        if a.count != b.count:
            unsteady.add(name)
        elif a.items.keys() != b.items.keys():
            counted.add(name)
        else:
            pairs = [(a.items[key], b.items[key]) for key in a.items]
            if _bag(a.messages, frozenset()) != _bag(b.messages, frozenset()):
                pairs += zip(a.messages, b.messages, strict=True)
            paths[name] = frozenset(path for x, y in pairs for path in _unlike(x, y))
    return Volatile(
        {name: own for name, own in paths.items() if own}, frozenset(counted), frozenset(unsteady)
    )


def differences(plain: EndState, now: EndState, apart_from: Volatile) -> Iterator[Difference]:
    """How an end differs from the plain delivery's, place by place."""
    for name, was in plain.items():
        if name in apart_from.unsteady:
            continue
        left_out = apart_from.paths.get(name, frozenset())
        if name in apart_from.counted:
            if was.count != now[name].count:
                yield Difference(name, None, None, was.count, now[name].count)
            continue
        yield from _items(name, was.items, now[name].items, left_out)
        yield from _messages(name, was.messages, now[name].messages, left_out)


def _items(
    place: str, was: Mapping[str, Paths], now: Mapping[str, Paths], left_out: frozenset[str]
) -> Iterator[Difference]:
    for key in dict.fromkeys([*was, *now]):
        if key not in now:
            yield Difference(place, key, None, was[key], None)
        elif key not in was:
            yield Difference(place, key, None, None, now[key])
        else:
            for path in _unlike(was[key], now[key]):
                if path not in left_out:
                    yield Difference(place, key, path, was[key].get(path), now[key].get(path))


def _messages(
    place: str, was: Sequence[Paths], now: Sequence[Paths], left_out: frozenset[str]
) -> Iterator[Difference]:
    before, after = _bag(was, left_out), _bag(now, left_out)
    for text in dict.fromkeys([*before, *after]):
        if before[text] != after[text]:
            yield Difference(place, text, None, _times(before[text]), _times(after[text]))


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _bag(messages: Sequence[Paths], left_out: frozenset[str]) -> Counter[str]:
    return Counter(
        exact_json.write(
            {path: value for path, value in sorted(one.items()) if path not in left_out}
        )
        for one in messages
    )


def _unlike(one: Paths, other: Paths) -> list[str]:
    return [
        path
        for path in dict.fromkeys([*one, *other])
        if one.get(path, _MISSING) != other.get(path, _MISSING)
    ]


def _word(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return exact_json.write(value)
    if isinstance(value, str) and value in ("never", "once", "twice"):
        return value
    return (
        json.dumps(value, ensure_ascii=False) if isinstance(value, str) else exact_json.write(value)
    )
