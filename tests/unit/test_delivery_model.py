"""Batching, bisecting, retrying and checkpointing against small models of AWS's rules.

The models are written from AWS's pages ("Using Lambda to process records from Amazon DynamoDB
streams", "How Lambda processes records from stream and queue-based event sources", "Configuring
partial batch response with DynamoDB and Lambda"), in another way than what is tested: as functions
over whole lists, without queues, stacks or clocks of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streamdev.semantics.batching import ENVELOPE, Batcher
from streamdev.semantics.checkpoint import Checkpoint
from streamdev.semantics.delivery import AGE_EXCEEDED, Delivery, Finished, GiveUp, Invoke, Wait
from streamdev.semantics.records import Record, lane_of
from streamdev.semantics.settings import MappingSettings
from tests.support.streams import numbers, record, records

# What a function did: all well, raised, could not be called, or reported a failure (the number
# says which record, counted from the batch's first; more than it has: the last one).
Outcome = Literal["ok", "raised", "throttled"] | int

outcomes = st.one_of(st.sampled_from(["ok", "raised", "raised", "throttled"]), st.integers(0, 12))
mapping_settings = st.builds(
    MappingSettings,
    batch_size=st.integers(1, 9),
    max_retries=st.integers(-1, 3),
    bisect=st.booleans(),
    report_failures=st.just(True),
)


@dataclass
class Told:
    """What became of records, as numbers.

    Attributes:
        script: What the function does, invocation by invocation; all is well afterwards.
        invoked: Each batch that was handed over, with its attempt's number.
        done: Handled, in order.
        lost: Given up, in order.
    """

    script: list[Outcome]
    invoked: list[tuple[list[int], int]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    def invoke(self, batch: list[int], attempt: int) -> Outcome:
        """Hand ``batch`` over; an index it has, or what else the function did."""
        self.invoked.append((batch, attempt))
        outcome = self.script.pop(0) if self.script else "ok"
        return min(outcome, len(batch) - 1) if isinstance(outcome, int) else outcome


def model(
    batch: list[int], rules: MappingSettings, told: Told, failures: int = 0, tried: int = 0
) -> None:
    """AWS's rules for one batch that failed ``failures`` times and was handed over ``tried``."""
    outcome = told.invoke(batch, tried + 1)
    while outcome == "throttled":  # it did not reach the function, so nothing is used up
        outcome = told.invoke(batch, tried + 1)
    if outcome == "ok":
        told.done += batch
        return
    # Records before the first failed one are done; if it is the first, all have failed.
    first = outcome if isinstance(outcome, int) else 0
    told.done += batch[:first]
    rest = batch[first:]
    if rules.bisect and first:
        model(rest, rules, told, failures, tried + 1)
    elif rules.bisect and len(rest) > 1:
        half = len(rest) // 2
        model(rest[:half], rules, told, failures, tried + 1)
        model(rest[half:], rules, told, failures, tried + 1)
    elif 0 <= rules.max_retries <= failures:
        told.lost += rest
    else:
        model(rest, rules, told, failures + 1, tried + 1)


def deliver(batch: tuple[Record, ...], rules: MappingSettings, told: Told) -> None:
    """The same by ``Delivery``, on a clock that only waits move."""
    delivery = Delivery(batch, rules)
    clock = 0.0
    while not isinstance(step := delivery.next(clock), Finished):
        if isinstance(step, Wait):
            clock = step.until
        elif isinstance(step, GiveUp):
            told.lost += numbers(step.records)
        else:
            outcome = told.invoke(numbers(step.records), step.attempt)
            told.done += numbers(apply(delivery, step.records, outcome, clock))


def apply(
    delivery: Delivery, handed: tuple[Record, ...], outcome: Outcome, clock: float
) -> tuple[Record, ...]:
    """Tell a delivery what the function did; the records that are done by it."""
    if outcome == "ok":
        return delivery.succeeded()
    if outcome == "throttled":
        delivery.not_reached(clock)
        return ()
    if outcome == "raised":
        return delivery.failed(clock).done
    assert isinstance(outcome, int)
    return delivery.failed_from(handed[outcome].sequence, clock).done


@given(count=st.integers(1, 16), rules=mapping_settings, script=st.lists(outcomes, max_size=40))
@settings(max_examples=400, deadline=None)
def test_a_batch_is_retried_split_and_given_up_as_the_model_does(
    count: int, rules: MappingSettings, script: list[Outcome]
) -> None:
    expected, found = Told(script.copy()), Told(script.copy())
    model(list(range(1, count + 1)), rules, expected)
    deliver(records(count), rules, found)
    assert found == expected


def model_batch(
    waiting: list[tuple[Record, float]], now: float, size: int, window: float, limit: int
) -> list[Record]:
    """AWS's rule: the batch size, the payload's limit or the window's end, whichever is first."""
    batch: list[Record] = []
    used = 0
    for one, _ in waiting[:size]:
        used += len(one.body) + 1
        if batch and used > limit:
            break
        batch.append(one)
    full = len(batch) == size or len(batch) < len(waiting) or used >= limit
    return batch if waiting and (full or now - waiting[0][1] >= window) else []


@given(
    arrivals=st.lists(st.lists(st.sampled_from([0, 900, 1_000, 9_000]), max_size=6), max_size=20),
    size=st.integers(1, 8),
    window=st.sampled_from([0.0, 1.0, 3.0]),
)
@settings(max_examples=200, deadline=None)
def test_batches_are_those_of_the_model_at_each_moment(
    arrivals: list[list[int]], size: int, window: float
) -> None:
    """Each second some records of such sizes arrive; neither too early nor too late a batch."""
    limit = 3 * (len(record(1, data={"S": "x" * 1_000}).body) + 1)  # three fit exactly
    batcher = Batcher(size, window, max_bytes=limit + ENVELOPE)
    waiting: list[tuple[Record, float]] = []
    number = 0
    for now, sizes in enumerate(arrivals):
        for length in sizes:
            number += 1
            arrived = record(number, data={"S": "x" * length})
            batcher.add([arrived], now)
            waiting.append((arrived, now))
        while expected := model_batch(waiting, now, size, window, limit):
            assert batcher.take(now) == tuple(expected)
            del waiting[: len(expected)]
        assert batcher.take(now) == ()


@given(
    ages=st.lists(st.integers(0, 90), min_size=1, max_size=8).map(lambda a: sorted(a)[::-1]),
    script=st.lists(outcomes, max_size=30),
    bisect=st.booleans(),
)
@settings(deadline=None)
def test_only_records_over_the_age_are_given_up_and_none_of_them_is_handed_over(
    ages: list[int], script: list[Outcome], bisect: bool
) -> None:
    clock, oldest = 1_000.0, 60.0
    batch = tuple(record(n, created=clock - age) for n, age in enumerate(ages, 1))
    delivery = Delivery(batch, MappingSettings(max_age=oldest, bisect=bisect))
    told = Told(script)
    while not isinstance(step := delivery.next(clock), Finished):
        if isinstance(step, Wait):
            clock = step.until
        elif isinstance(step, GiveUp):
            assert step.condition == AGE_EXCEEDED
            assert all(clock - one.created >= oldest for one in step.records)
            told.lost += numbers(step.records)
        else:
            assert all(clock - one.created < oldest for one in step.records)
            outcome = told.invoke(numbers(step.records), step.attempt)
            told.done += numbers(apply(delivery, step.records, outcome, clock))
            clock += 1.0  # the function takes its time
    assert sorted(told.done + told.lost) == numbers(batch)


class Shard(RuleBasedStateMachine):
    """A shard's records through batches, lanes and the checkpoint, with restarts at any moment.

    What must hold: the position is the end of the longest beginning that is done; an item's
    records go in order; after a restart no record is missing.
    """

    @initialize(how=mapping_settings, lanes=st.integers(1, 3))
    def begin(self, how: MappingSettings, lanes: int) -> None:
        self.settings, self.lanes = how, lanes
        self.written: list[Record] = []
        self.done: set[int] = set()
        self.clock = 0.0
        self.start_from(None)

    def start_from(self, position: str | None) -> None:
        self.checkpoint = Checkpoint(position)
        self.batchers = [Batcher(self.settings.batch_size, 0) for _ in range(self.lanes)]
        self.deliveries: list[Delivery | None] = [None] * self.lanes
        last = int(position or 0)
        self.done = {number for number in self.done if number <= last}
        self.read([one for one in self.written if one.number > last])

    def read(self, arrived: list[Record]) -> None:
        self.checkpoint.read(one.sequence for one in arrived)
        for one in arrived:
            self.batchers[lane_of(one.item, self.lanes)].add([one], self.clock)

    @rule(keys=st.lists(st.sampled_from("abcde"), min_size=1, max_size=8))
    def write(self, keys: list[str]) -> None:
        first = len(self.written) + 1
        arrived = [record(number, key=key) for number, key in enumerate(keys, first)]
        self.written += arrived
        self.read(arrived)

    @rule(lane=st.integers(0, 2), script=st.lists(outcomes, min_size=1, max_size=12))
    def work(self, lane: int, script: list[Outcome]) -> None:
        for outcome in script:
            self.step(lane % self.lanes, outcome)
            self.position_is_the_end_of_the_done_beginning()

    @rule()
    def restart(self) -> None:
        self.start_from(self.checkpoint.position)

    def step(self, lane: int, outcome: Outcome) -> bool:
        """Do one thing in a lane; whether there was something to do."""
        delivery = self.deliveries[lane]
        if delivery is None:
            batch = self.batchers[lane].take(self.clock)
            if not batch:
                return False
            delivery = self.deliveries[lane] = Delivery(batch, self.settings)
        match delivery.next(self.clock):
            case Finished():
                self.deliveries[lane] = None
            case Wait(until):
                self.clock = max(self.clock, until)
            case GiveUp(given_up):
                self.check_off(given_up)
            case Invoke(handed):
                self.check_order(handed)
                if isinstance(outcome, int):
                    outcome = min(outcome, len(handed) - 1)
                self.check_off(apply(delivery, handed, outcome, self.clock))
        return True

    def check_order(self, handed: tuple[Record, ...]) -> None:
        together = set(numbers(handed))
        assert numbers(handed) == sorted(together)
        for one in handed:
            assert one.number not in self.done
            for earlier in self.written[: one.number - 1]:
                if earlier.item == one.item:
                    assert earlier.number in self.done | together

    def check_off(self, some: tuple[Record, ...]) -> None:
        self.done |= set(numbers(some))
        self.checkpoint.done(one.sequence for one in some)

    @invariant()
    def position_is_the_end_of_the_done_beginning(self) -> None:
        beginning = 0
        while beginning + 1 in self.done:
            beginning += 1
        assert int(self.checkpoint.position or 0) == beginning
        assert self.checkpoint.open == len(self.written) - beginning

    def teardown(self) -> None:
        """Once the function is well, every record is done."""
        while any(self.step(lane, "ok") for lane in range(self.lanes)):
            pass
        assert self.done == set(range(1, len(self.written) + 1))
        self.position_is_the_end_of_the_done_beginning()


TestShard = Shard.TestCase
