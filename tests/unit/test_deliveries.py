"""The ways to deliver records, and how the ends they lead to are compared."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamdev.semantics.deliveries import PLAIN, Handing, deliveries, once_each
from streamdev.semantics.end_state import Place, Volatile, differences, paths_of, volatile
from tests.support.streams import record

Shape = list[list[str]]
shapes = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), min_size=1, max_size=5)


def events(shape: Shape) -> list[dict[str, Any]]:
    """A batch for each list of keys; records are numbered from 1."""
    number = iter(range(1, 1000))
    return [{"Records": [record(next(number), key=key).event for key in keys]} for keys in shape]


def told(way: tuple[Handing, ...]) -> list[list[int]]:
    return [
        [int(one["dynamodb"]["SequenceNumber"]) for one in handing.event["Records"]]
        for handing in way
    ]


def test_each_way_of_delivering() -> None:
    ways = deliveries(events([["a", "b"], ["a"]]), seed=0, within_keys=True)
    assert told(ways["plain"]) == [[1, 2], [3]]
    assert told(ways["twice"]) == [[1, 2], [1, 2], [3], [3]]
    assert told(ways["again"]) == [[1, 2], [3], [1, 2], [3]]
    assert told(ways["split"]) == [[1], [2], [3]]
    assert told(ways["reordered"]) == [[2], [1], [3]]
    assert told(ways["out-of-order"])[0][-1] == 3
    assert [handing.written for handing in ways["again"]] == [1, 2, 1, 2]


def test_a_way_that_is_no_other_is_left_out() -> None:
    assert list(deliveries(events([["a"]]), seed=0, within_keys=True)) == [PLAIN, "twice"]
    assert "split" not in deliveries(events([["a"], ["b"]]), seed=0, within_keys=False)
    assert "reordered" not in deliveries(events([["a", "a"]]), seed=0, within_keys=False)


def test_the_event_of_a_window_is_not_cut() -> None:
    window = {**events([["a", "b"]])[0], "state": {"n": 1}}
    ways = deliveries([window], seed=0, within_keys=True)
    assert list(ways) == [PLAIN, "twice"]


@given(shapes, st.integers(0, 1000))
def test_no_way_loses_a_record_or_the_order_within_an_item(shape: Shape, seed: int) -> None:
    given_events = events(shape)
    for name, way in deliveries(given_events, seed=seed, within_keys=False).items():
        by_item: dict[str, list[int]] = defaultdict(list)
        for handing in way:
            for one in handing.event["Records"]:
                number = int(one["dynamodb"]["SequenceNumber"])
                of_batch = next(i for i, e in enumerate(given_events, 1) if one in e["Records"])
                # What is handed over was written before.
                assert of_batch <= handing.written
                by_item[one["dynamodb"]["Keys"]["id"]["S"]].append(number)
        times = 2 if name in ("twice", "again") else 1
        assert sum(map(len, by_item.values())) == times * sum(map(len, shape))
        if name in (PLAIN, "split", "reordered"):
            assert all(numbers == sorted(set(numbers)) for numbers in by_item.values())


def test_a_record_that_came_before_is_left_out() -> None:
    whole, *halves = events([["a", "b"]])[0], *events([["a"]]), *events([["a", "b"]])
    window_end: dict[str, Any] = {"Records": [], "isFinalInvokeForWindow": True}
    assert once_each([whole, *halves, window_end]) == [whole, window_end]


def state(**places: Any) -> dict[str, Place]:
    """Places of items (a dictionary) or of messages (a list)."""
    return {
        name: Place(items={key: paths_of(item) for key, item in content.items()})
        if isinstance(content, dict)
        else Place(messages=[paths_of(message) for message in content])
        for name, content in places.items()
    }


def compared(plain: Any, now: Any, apart_from: Volatile | None = None) -> list[str]:
    return [str(one) for one in differences(plain, now, apart_from or Volatile())]


def test_each_difference_is_named() -> None:
    plain = state(
        totals={"a": {"count": 3, "by": {"x": [1, 2]}}, "b": {"count": 1}, "d": {}},
        topic=[{"id": 1}, {"id": 2}],
    )
    now = state(
        totals={"a": {"count": 6, "by": {"x": [1]}}, "c": {"count": 1}, "d": {}},
        topic=[{"id": 2}, {"id": 1}, {"id": 2}],
    )
    assert compared(plain, plain) == []
    assert compared(plain, now) == [
        "totals a: count 3 → 6",
        "totals a: by.x[1] 2 → nothing",
        'totals b: {"count": 1} → nothing',
        'totals c: nothing → {"count": 1}',
        'topic {"id": 2}: once → twice',
    ]


def test_what_plain_deliveries_do_not_agree_in_is_left_out() -> None:
    one = state(
        items={"a": {"n": 1, "at": "10:01"}}, log={"r1": {"n": 1}}, topic=[{"n": 1, "id": "x"}]
    )
    two = state(
        items={"a": {"n": 1, "at": "10:02"}}, log={"r2": {"n": 1}}, topic=[{"n": 1, "id": "y"}]
    )
    changing = volatile(one, two)
    assert changing.words() == ["items.at", "topic.id", "log (only how many)"]
    assert compared(one, two, changing) == []
    other = state(
        items={"a": {"n": 2, "at": "10:03"}},
        log={"r3": {"n": 1}, "r4": {"n": 1}},
        topic=[{"n": 1, "id": "z"}, {"n": 1, "id": "u"}],
    )
    assert compared(one, other, changing) == [
        "items a: n 1 → 2",
        "log: 1 → 2",
        'topic {"n": 1}: once → twice',
    ]


def test_a_place_that_is_never_the_same_is_left_out() -> None:
    one, two, three = (state(topic=[{"n": 1}] * count) for count in (1, 2, 3))
    changing = volatile(one, two)
    assert changing.words() == ["topic"]
    assert compared(one, three, changing) == []


def test_what_is_left_out_adds_up() -> None:
    first = volatile(state(t={"a": {"x": 1, "y": 1}}), state(t={"a": {"x": 2, "y": 1}}))
    second = volatile(state(t={"a": {"x": 1, "y": 1}}), state(t={"a": {"x": 1, "y": 2}}))
    assert (first | second).words() == ["t.x", "t.y"]
