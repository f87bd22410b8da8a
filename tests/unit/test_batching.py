"""When records make a batch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamdev.semantics.batching import ENVELOPE, Batcher
from streamdev.semantics.payload import build_payload
from streamdev.semantics.settings import PAYLOAD_LIMIT
from tests.support.streams import numbers, record, records


def test_without_a_window_records_go_out_at_once() -> None:
    batcher = Batcher(100, 0)
    batcher.add(records(3), now=5.0)
    assert batcher.due() == 5.0
    assert numbers(batcher.take(5.0)) == [1, 2, 3]


def test_nothing_is_due_when_nothing_waits() -> None:
    batcher = Batcher(100, 0)
    assert batcher.due() is None
    assert batcher.take(5.0) == ()


def test_a_batch_waits_for_the_end_of_its_window() -> None:
    batcher = Batcher(100, 2.0)
    batcher.add(records(1), now=5.0)
    batcher.add((record(2),), now=6.5)
    assert batcher.due() == 7.0
    assert batcher.take(6.9) == ()
    assert numbers(batcher.take(7.0)) == [1, 2]


def test_a_full_batch_does_not_wait() -> None:
    batcher = Batcher(2, 300.0)
    batcher.add(records(3), now=5.0)
    assert numbers(batcher.take(5.0)) == [1, 2]
    # What is left waits for its own window.
    assert batcher.take(5.0) == ()
    assert batcher.due() == 305.0


def test_the_payload_limit_ends_a_batch_and_its_window() -> None:
    big = {"S": "x" * 400_000}
    batch = tuple(record(number, data=big) for number in range(1, 21))
    batcher = Batcher(10_000, 300.0)
    batcher.add(batch, now=5.0)

    first = batcher.take(5.0)
    assert 10 < len(first) < 20
    assert len(build_payload(first)) <= PAYLOAD_LIMIT
    assert len(build_payload(batch[: len(first) + 1])) > PAYLOAD_LIMIT - ENVELOPE


def test_a_record_over_the_limit_goes_alone() -> None:
    batcher = Batcher(100, 0, max_bytes=2_000)
    batcher.add((record(1, data={"S": "x" * 5_000}), record(2)), now=0.0)
    assert numbers(batcher.take(0.0)) == [1]
    assert numbers(batcher.take(0.0)) == [2]


def test_what_is_put_back_comes_first_and_at_once() -> None:
    batcher = Batcher(3, 60.0)
    batcher.add(records(4), now=0.0)
    taken = batcher.take(0.0)
    batcher.put_back(taken[1:], now=1.0)
    assert numbers(batcher.take(1.0)) == [2, 3, 4]


@given(
    arrivals=st.lists(st.integers(0, 5), max_size=30),
    sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=10),
    size=st.integers(1, 7),
    window=st.sampled_from([0.0, 1.0, 4.0]),
)
def test_batches_are_whole_in_order_within_limits_and_in_time(
    arrivals: list[int], sizes: list[int], size: int, window: float
) -> None:
    """Whatever arrives when: nothing lost, repeated, reordered, too large or too late."""
    limit = 8_000
    batcher = Batcher(size, window, max_bytes=limit)
    clock = 0.0
    number = 0
    arrived: dict[int, float] = {}
    out: list[int] = []
    for step in [*arrivals, *[6] * 40]:
        for _ in range(step % 6):
            number += 1
            arrived[number] = clock
            data = {"S": "x" * sizes[number % len(sizes)]}
            batcher.add((record(number, data=data),), clock)
        while batch := batcher.take(clock):
            assert len(batch) <= size
            assert len(batch) == 1 or len(build_payload(batch)) <= limit
            assert clock - arrived[batch[0].number] <= window + 1.0
            out += numbers(batch)
        clock += 1.0
    assert out == list(range(1, number + 1))
    assert len(batcher) == 0
