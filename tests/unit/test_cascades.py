"""How often a function is among a record's causes: a lower bound, whatever happens at once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from streamdev.semantics.cascades import (
    FROM_OUTSIDE,
    Chain,
    TableWrites,
    breaking_filter,
    item_text,
    longer,
    shortest,
)
from streamdev.semantics.filters import compile_filters


def test_a_loop_is_counted_round_by_round() -> None:
    table, clock = TableWrites(), itertools.count(1.0)
    chain: Chain = FROM_OUTSIDE
    for rounds in range(1, 20):
        read_to_end = next(clock)
        write = table.begin(longer(chain, "f"), lambda: ["k"])
        table.end(write, next(clock))
        chain = table.chain_of("k", read_to_end)
        assert chain == {"f": rounds}


def test_a_write_from_outside_begins_anew() -> None:
    table = TableWrites()
    table.end(table.begin({"f": 9}, lambda: ["k"]), 2)
    assert table.chain_of("k", 1) == {"f": 9}
    outside = table.begin(FROM_OUTSIDE, lambda: ["k"])
    assert table.chain_of("k", 1) == FROM_OUTSIDE
    table.end(outside, 3)
    assert table.chain_of("k", 1) == FROM_OUTSIDE
    assert table.chain_of("other", 1) == FROM_OUTSIDE


def test_writes_whose_items_are_unknown_hide_all_others_until_they_were_read() -> None:
    table = TableWrites()
    blind = table.begin(FROM_OUTSIDE, lambda: None)  # before any function has written
    table.end(table.begin({"f": 3}, lambda: ["k"]), 2)
    assert table.chain_of("k", 1) == FROM_OUTSIDE
    table.end(blind, 3)
    table.end(table.begin({"f": 4}, lambda: ["k"]), 5)
    assert table.chain_of("k", 2) == FROM_OUTSIDE
    assert table.chain_of("k", 4) == {"f": 4}


def test_of_several_causes_the_shortest_counts() -> None:
    assert shortest([{"f": 3, "g": 1}, {"f": 2}]) == {"f": 2}
    assert shortest([{"f": 3}, FROM_OUTSIDE]) == FROM_OUTSIDE
    assert shortest([]) == FROM_OUTSIDE


def test_a_key_is_the_same_however_its_number_is_written() -> None:
    assert item_text({"n": {"N": "1.0"}, "s": {"S": "a"}}) == item_text(
        {"s": {"S": "a"}, "n": {"N": "1"}}
    )


def test_the_filter_named_breaks_the_loop() -> None:
    for name in ("INSERT", "MODIFY", "REMOVE"):
        filters = compile_filters({"Filters": [{"Pattern": breaking_filter(name)}]})
        images = {"NewImage": {"id": {"S": "1"}, "made_by": {"S": "f"}}}
        assert not filters.match({"eventName": name, "dynamodb": images})


@dataclass
class World:
    """A table, its stream, and a function on it that writes: with the truth of who caused what."""

    table: TableWrites = field(default_factory=TableWrites)
    now: float = 1.0
    read_to_end: float = 0.0
    unread: list[tuple[str, int]] = field(default_factory=list)
    waiting: list[tuple[str, int, Chain]] = field(default_factory=list)
    late: list[tuple[object, ...]] = field(default_factory=list)

    def tick(self) -> float:
        self.now += 1
        return self.now

    def write(self, item: str, truth: int, chain: Chain, *, late: bool) -> None:
        """Commit a write; with ``late`` its answer comes only after others were read."""
        begun = self.table.begin(chain, lambda: [item])
        self.unread.append((item, truth))
        if late:
            self.late.append((begun,))
        else:
            self.table.end(begun, self.tick())

    def answer_late(self) -> None:
        while self.late:
            (begun,) = self.late.pop()
            self.table.end(begun, self.tick())  # type: ignore[arg-type]

    def read(self, count: int) -> None:
        began = self.tick()
        page, self.unread = self.unread[:count], self.unread[count:]
        for item, truth in page:
            chain = self.table.chain_of(item, self.read_to_end)
            assert chain.get("f", 0) <= truth
            self.waiting.append((item, truth, chain))
        if not page:
            self.read_to_end = began

    def invoke(self, count: int, cause: int, target: str, *, writes: bool, late: bool) -> None:
        """The function gets a batch; one of its records causes a write, or none does."""
        batch, self.waiting = self.waiting[:count], self.waiting[count:]
        if batch and writes:
            truth = batch[cause % len(batch)][1]
            chain = longer(shortest(chain for _, _, chain in batch), "f")
            self.write(target, truth + 1, chain, late=late)


ITEMS = st.sampled_from(["hot", "other"])
OUTSIDE = st.tuples(st.just("outside"), ITEMS, st.booleans())
READ = st.tuples(st.just("read"), st.integers(1, 3))
INVOKE = st.tuples(
    st.just("invoke"), st.integers(1, 2), st.integers(0, 1), ITEMS, st.just(True), st.booleans()
)
PASS_OVER = st.tuples(
    st.just("invoke"), st.integers(1, 2), st.just(0), ITEMS, st.just(False), st.just(False)
)
STEPS = st.one_of(OUTSIDE, READ, READ, INVOKE, INVOKE, PASS_OVER, st.just(("answer",)))


@settings(max_examples=400, deadline=None)
@given(steps=st.lists(STEPS, min_size=10, max_size=60))
def test_nothing_from_outside_is_ever_counted(steps: list[tuple[object, ...]]) -> None:
    """Whatever is written, read and answered in whatever order, rounds are not overestimated."""
    world = World()
    for step in steps:
        match step:
            case ("outside", str(item), bool(late)):
                world.write(item, 0, FROM_OUTSIDE, late=late)
            case ("read", int(count)):
                world.read(count)
            case ("invoke", int(count), int(cause), str(target), bool(writes), bool(late)):
                world.invoke(count, cause, target, writes=writes, late=late)
            case ("answer",):
                world.answer_late()
