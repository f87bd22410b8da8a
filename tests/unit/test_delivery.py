"""The fate of a batch: retried, split, given up, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdev.semantics.delivery import (
    AGE_EXCEEDED,
    RETRIES_EXHAUSTED,
    Delivery,
    Finished,
    GiveUp,
    Invoke,
    Wait,
)
from streamdev.semantics.retry import LONGEST, backoff
from streamdev.semantics.settings import MappingSettings
from tests.support.streams import numbers, record, records

# A function of the tests: gets numbers, returns the ones it reports as failed, or None if it
# raises.
Behaviour = Callable[[list[int]], "list[int] | None"]


class Run:
    """Drives a delivery to its end with a pretended function and clock."""

    def __init__(self, count: int, settings: MappingSettings, behave: Behaviour) -> None:
        self.invocations: list[list[int]] = []
        self.attempts: list[int] = []
        self.done: list[int] = []
        self.given_up: list[tuple[list[int], str, int]] = []
        self.clock = 1_000.0
        delivery = Delivery(records(count, created=self.clock), settings)
        for _ in range(100_000):
            step = delivery.next(self.clock)
            if isinstance(step, Finished):
                return
            if isinstance(step, Wait):
                assert step.until > self.clock
                self.clock = step.until
            elif isinstance(step, GiveUp):
                self.given_up.append((numbers(step.records), step.condition, step.invokes))
            else:
                self._invoke(delivery, step, behave)
        raise AssertionError("the delivery does not end")

    def _invoke(self, delivery: Delivery, step: Invoke, behave: Behaviour) -> None:
        handed = numbers(step.records)
        self.invocations.append(handed)
        self.attempts.append(step.attempt)
        failed = behave(handed)
        if failed is None:
            delivery.failed(self.clock)
        elif failed:
            lowest = next(one for one in step.records if one.number == min(failed))
            self.done += numbers(delivery.failed_from(lowest.sequence, self.clock).done)
        else:
            self.done += numbers(delivery.succeeded())

    @property
    def lost(self) -> list[int]:
        return [number for batch, _, _ in self.given_up for number in batch]


def raises_on(*poison: int) -> Behaviour:
    return lambda handed: None if set(handed) & set(poison) else []


def reports(*poison: int) -> Behaviour:
    return lambda handed: [number for number in handed if number in poison]


def test_success_takes_one_invocation() -> None:
    run = Run(3, MappingSettings(), raises_on())
    assert run.invocations == [[1, 2, 3]]
    assert run.done == [1, 2, 3]


def test_a_failed_batch_is_retried_whole_until_it_succeeds() -> None:
    left: Iterator[list[int] | None] = iter([None, None, []])
    run = Run(3, MappingSettings(), lambda handed: next(left))
    assert run.invocations == [[1, 2, 3]] * 3
    assert run.attempts == [1, 2, 3]
    assert run.done == [1, 2, 3]


@pytest.mark.parametrize("retries", [0, 1, 5])
def test_retries_end_at_the_maximum(retries: int) -> None:
    run = Run(2, MappingSettings(max_retries=retries), raises_on(2))
    assert run.invocations == [[1, 2]] * (retries + 1)
    assert run.given_up == [([1, 2], RETRIES_EXHAUSTED, retries + 1)]


def test_waits_grow_between_retries() -> None:
    waits = []
    delivery = Delivery(records(1), MappingSettings())
    for failure in range(1, 12):
        retry = delivery.failed(now=0.0)
        waits.append(retry.wait)
        assert delivery.next(0.0) == Wait(backoff(failure))
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST


def test_a_split_uses_up_no_attempt() -> None:
    run = Run(4, MappingSettings(max_retries=0, bisect=True), raises_on(3))
    assert run.invocations == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]]
    assert run.given_up == [([3], RETRIES_EXHAUSTED, 3)]
    assert run.done == [1, 2, 4]


def test_a_split_record_has_all_its_retries() -> None:
    run = Run(2, MappingSettings(max_retries=2, bisect=True), raises_on(1))
    assert run.invocations == [[1, 2], [1], [1], [1], [2]]


def test_partial_failures_keep_what_came_before() -> None:
    run = Run(5, MappingSettings(max_retries=1, report_failures=True), reports(3))
    assert run.invocations == [[1, 2, 3, 4, 5], [3, 4, 5]]
    assert run.done == [1, 2]
    assert run.given_up == [([3, 4, 5], RETRIES_EXHAUSTED, 2)]


def test_partial_failures_with_bisect_split_at_the_failed_record() -> None:
    settings = MappingSettings(max_retries=0, bisect=True, report_failures=True)
    run = Run(5, settings, reports(3))
    assert run.invocations == [[1, 2, 3, 4, 5], [3, 4, 5], [3], [4, 5]]
    assert run.done == [1, 2, 4, 5]
    assert run.lost == [3]


def test_throttles_use_up_no_attempt() -> None:
    delivery = Delivery(records(1), MappingSettings(max_retries=0))
    clock = 0.0
    for _ in range(20):
        assert delivery.next(clock) == Invoke(records(1), 1)
        clock += delivery.not_reached(clock)
    assert numbers(delivery.succeeded()) == [1]
    assert delivery.next(clock) == Finished()


def test_a_wait_can_be_cut_short() -> None:
    delivery = Delivery(records(1), MappingSettings())
    delivery.failed(now=0.0)
    assert isinstance(delivery.next(0.0), Wait)
    delivery.retry_now()
    assert isinstance(delivery.next(0.0), Invoke)


def test_old_records_are_given_up_before_they_reach_the_function() -> None:
    batch = (record(1, created=0.0), record(2, created=50.0))
    delivery = Delivery(batch, MappingSettings(max_age=60))
    assert delivery.next(60.0) == GiveUp(batch[:1], AGE_EXCEEDED, 0)
    assert delivery.next(60.0) == Invoke(batch[1:], 1)


def test_records_that_age_while_they_are_retried_are_given_up() -> None:
    run = Run(2, MappingSettings(max_age=60), raises_on(1))
    assert len(run.invocations) > 3
    assert [(batch, why) for batch, why, _ in run.given_up] == [([1, 2], AGE_EXCEEDED)]
    assert run.clock == 1_060.0


def test_what_is_left_is_known_at_any_time() -> None:
    delivery = Delivery(records(4), MappingSettings(bisect=True))
    delivery.failed(now=0.0)
    assert numbers(delivery.unfinished) == [1, 2, 3, 4]
    delivery.succeeded()
    assert numbers(delivery.unfinished) == [3, 4]


poison_sets = st.sets(st.integers(1, 24), max_size=6)


@given(
    count=st.integers(1, 24),
    poison=poison_sets,
    retries=st.integers(0, 3),
    bisect=st.booleans(),
    reporting=st.booleans(),
    flaky=st.dictionaries(st.integers(1, 24), st.integers(1, 3), max_size=4),
)
def test_every_record_is_handled_or_given_up_in_order(
    count: int,
    poison: set[int],
    retries: int,
    bisect: bool,
    reporting: bool,
    flaky: dict[int, int],
) -> None:
    """Poison records fail always, flaky ones some times; whatever the settings."""
    left = dict(flaky)

    def behave(handed: list[int]) -> list[int] | None:
        failed = []
        for number in handed:
            if number in poison or left.get(number, 0) > 0:
                left[number] = left.get(number, 0) - 1
                failed.append(number)
        return (failed or []) if reporting else (None if failed else [])

    settings = MappingSettings(max_retries=retries, bisect=bisect, report_failures=reporting)
    run = Run(count, settings, behave)

    everything = list(range(1, count + 1))
    assert sorted(run.done + run.lost) == everything
    assert run.done == sorted(run.done)
    assert run.lost == sorted(run.lost)
    # Order holds: each invocation is a run of records that begins at the first one not done.
    finished: set[int] = set()
    for handed in run.invocations:
        assert handed == list(range(handed[0], handed[-1] + 1))
        assert not finished & set(handed)
        assert set(range(1, handed[0])) <= set(run.done) | set(run.lost)
        finished |= set(range(1, handed[0]))
    if not poison and all(times <= retries for times in flaky.values()) and bisect:
        assert not run.lost


@given(count=st.integers(1, 40), poison=st.sets(st.integers(1, 40), max_size=5))
def test_bisecting_gives_up_the_poison_alone(count: int, poison: set[int]) -> None:
    settings = MappingSettings(max_retries=2, bisect=True)
    run = Run(count, settings, raises_on(*poison))
    expected = sorted(number for number in poison if number <= count)
    assert run.lost == expected
    alone = Counter(handed[0] for handed in run.invocations if len(handed) == 1)
    if count > 1:
        assert all(alone[number] == 3 for number in expected)


@given(count=st.integers(1, 40), poison=st.sets(st.integers(1, 40), max_size=5))
def test_reporting_never_repeats_what_came_before_the_failure(count: int, poison: set[int]) -> None:
    settings = MappingSettings(max_retries=3, report_failures=True, bisect=True)
    run = Run(count, settings, reports(*poison))
    for before, after in zip(run.invocations, run.invocations[1:], strict=False):
        failed = [number for number in before if number in poison]
        if failed:
            assert after[0] >= min(failed)
    assert run.lost == sorted(number for number in poison if number <= count)
