"""How often a function is among a record's causes: a lower bound, whatever happens at once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from streamdev.semantics.cascades import (
    FROM_OUTSIDE,
    MOST_WRITES,
    Chain,
    Reader,
    TableWrites,
    TrackedWrite,
    breaking_filter,
    item_text,
    longer,
    shortest,
)
from streamdev.semantics.filters import compile_filters


def test_a_loop_is_counted_round_by_round() -> None:
    table, clock = TableWrites(), itertools.count(1.0)
    reader = table.add_reader()
    chain: Chain = FROM_OUTSIDE
    for rounds in range(1, 20):
        reader.read_to_end = next(clock)
        write = table.begin(longer(chain, "f"), lambda: ["k"])
        table.end(write, next(clock))
        chain = table.chain_of(reader, "k", str(rounds))
        assert chain == {"f": rounds}


def test_a_loop_is_counted_when_its_records_are_read_before_the_writes_are_answered() -> None:
    table, clock = TableWrites(), itertools.count(2.0)
    reader = table.add_reader()
    reader.read_to_end = 1
    chain: Chain = FROM_OUTSIDE
    answers: list[TrackedWrite] = []
    for rounds in range(1, 20):
        answers.append(table.begin(longer(chain, "f"), lambda: ["k"]))
        chain = table.chain_of(reader, "k", str(rounds))
        assert chain == {"f": rounds}
        if rounds % 3 == 0:
            table.end(answers.pop(), next(clock))


def test_a_write_from_outside_begins_anew() -> None:
    table = TableWrites()
    reader = table.add_reader()
    reader.read_to_end = 1
    table.end(table.begin({"f": 9}, lambda: ["k"]), 2)
    outside = table.begin(FROM_OUTSIDE, lambda: ["k"])
    assert table.chain_of(reader, "k", "1") == FROM_OUTSIDE
    table.end(outside, 3)
    assert table.chain_of(reader, "k", "1") == FROM_OUTSIDE
    assert table.chain_of(reader, "other", "2") == FROM_OUTSIDE
    reader.read_to_end = 2.5
    assert table.chain_of(reader, "k", "3") == FROM_OUTSIDE
    table.end(table.begin({"f": 9}, lambda: ["k"]), 4)
    assert table.chain_of(reader, "k", "4") == {"f": 9}


def test_what_one_reader_has_read_another_may_still_have_to_read() -> None:
    table = TableWrites()
    fast, slow = table.add_reader(), table.add_reader()
    fast.read_to_end = slow.read_to_end = 1
    table.end(table.begin({"f": 8}, lambda: ["k"]), 2)
    table.end(table.begin(FROM_OUTSIDE, lambda: ["k"]), 3)
    fast.read_to_end = 4
    table.end(table.begin({"f": 8}, lambda: ["k"]), 5)
    table.end(table.begin({"f": 9}, lambda: ["k"]), 6)
    assert table.chain_of(fast, "k", "3") == {"f": 8}  # or 9: both are possible
    assert table.chain_of(slow, "k", "2") == FROM_OUTSIDE
    table.remove_reader(slow)
    fast.read_to_end = 5
    assert table.chain_of(fast, "k", "4") == {"f": 9}


def test_writes_before_anybody_reads_are_from_outside() -> None:
    table = TableWrites()
    early = table.begin({"f": 9}, lambda: ["k"])
    reader = table.add_reader()
    reader.read_to_end = 1
    assert table.chain_of(reader, "k", "1") == FROM_OUTSIDE
    table.end(early, 2)
    assert table.chain_of(reader, "k", "1") == FROM_OUTSIDE


def test_more_writes_than_can_be_remembered_are_from_outside_until_they_were_read() -> None:
    table = TableWrites()
    reader = table.add_reader()
    reader.read_to_end = 1
    for number in range(MOST_WRITES + 1):
        table.end(table.begin({"f": 9}, lambda: ["k"]), 2 + number)
    assert table.chain_of(reader, "k", "1") == FROM_OUTSIDE
    reader.read_to_end = MOST_WRITES + 3
    table.end(table.begin({"f": 9}, lambda: ["k"]), MOST_WRITES + 4)
    assert table.chain_of(reader, "k", "2") == {"f": 9}


def test_writes_whose_items_are_unknown_hide_all_others_until_they_were_read() -> None:
    table = TableWrites()
    reader = table.add_reader()
    reader.read_to_end = 1
    blind = table.begin(FROM_OUTSIDE, lambda: None)  # before any function has written
    table.end(table.begin({"f": 3}, lambda: ["k"]), 2)
    assert table.chain_of(reader, "k", "1") == FROM_OUTSIDE
    table.end(blind, 3)
    table.end(table.begin({"f": 4}, lambda: ["k"]), 5)
    reader.read_to_end = 2
    assert table.chain_of(reader, "k", "2") == FROM_OUTSIDE
    reader.read_to_end = 4
    assert table.chain_of(reader, "k", "2") == {"f": 4}


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
class Mapping:
    """A reader of the stream and its function, with the truth of who caused what."""

    function: str
    reader: Reader
    read: int = 0
    waiting: list[tuple[str, Chain, Chain]] = field(default_factory=list)


class World:
    """A table, its stream, and two functions on it that write."""

    def __init__(self) -> None:
        self.table = TableWrites()
        self.now = 1.0
        self.stream: list[tuple[str, Chain]] = []
        self.late: list[TrackedWrite] = []
        self.mappings = [Mapping(name, self.table.add_reader()) for name in ("f", "g")]
        # From here on writes are known by item.
        self.write("hot", {"f": 1}, {"f": 1}, late=False, void=True)
        for mapping in self.mappings:
            self.read(mapping, 1)

    def tick(self) -> float:
        self.now += 1
        return self.now

    def write(self, item: str, truth: Chain, chain: Chain, *, late: bool, void: bool) -> None:
        """Commit a write; with ``late`` its answer comes only after others were read.

        One that is ``void`` fails or changes nothing, and makes no record.
        """
        begun = self.table.begin(chain, lambda: [item])
        if not void:
            self.stream.append((item, truth))
        if late:
            self.late.append(begun)
        else:
            self.table.end(begun, self.tick())

    def answer_late(self) -> None:
        while self.late:
            self.table.end(self.late.pop(), self.tick())

    def read(self, mapping: Mapping, count: int) -> None:
        began = self.tick()
        page = self.stream[mapping.read : mapping.read + count]
        for item, truth in page:
            mapping.read += 1
            chain = self.table.chain_of(mapping.reader, item, str(mapping.read))
            assert all(rounds <= truth.get(name, 0) for name, rounds in chain.items())
            mapping.waiting.append((item, truth, chain))
        if not page:
            mapping.reader.read_to_end = began

    def invoke(
        self, mapping: Mapping, count: int, cause: int, target: str, *, late: bool, void: bool
    ) -> None:
        """The function gets a batch, and one of its records causes a write."""
        batch, mapping.waiting = mapping.waiting[:count], mapping.waiting[count:]
        if batch:
            truth = longer(batch[cause % len(batch)][1], mapping.function)
            chain = longer(shortest(chain for _, _, chain in batch), mapping.function)
            self.write(target, truth, chain, late=late, void=void)

    def pass_over(self, mapping: Mapping, count: int) -> None:
        """The function gets a batch and writes nothing."""
        mapping.waiting = mapping.waiting[count:]


ITEMS = st.sampled_from(["hot", "hot", "other"])
WHO = st.sampled_from([0, 0, 1])
SELDOM = st.sampled_from([False, False, False, True])
OUTSIDE = st.tuples(st.just("outside"), ITEMS, SELDOM, SELDOM)
READ = st.tuples(st.just("read"), WHO, st.sampled_from([1, 100]))
INVOKE = st.tuples(
    st.just("invoke"), WHO, st.integers(1, 2), st.integers(0, 1), ITEMS, SELDOM, SELDOM
)
PASS_OVER = st.tuples(st.just("pass over"), WHO, st.integers(1, 2))
STEPS = st.one_of(OUTSIDE, READ, READ, INVOKE, INVOKE, PASS_OVER, st.just(("answer",)))


@settings(max_examples=400, deadline=None)
@given(steps=st.lists(STEPS, min_size=10, max_size=60))
def test_nothing_from_outside_is_ever_counted(steps: list[tuple[object, ...]]) -> None:
    """Whatever is written, read and answered in whatever order, rounds are not overestimated."""
    world = World()
    for step in steps:
        match step:
            case ("outside", str(item), bool(late), bool(void)):
                world.write(item, FROM_OUTSIDE, FROM_OUTSIDE, late=late, void=void)
            case ("read", int(who), int(count)):
                world.read(world.mappings[who], count)
            case ("invoke", int(who), int(count), int(cause), str(target), bool(late), bool(void)):
                world.invoke(world.mappings[who], count, cause, target, late=late, void=void)
            case ("pass over", int(who), int(count)):
                world.pass_over(world.mappings[who], count)
            case ("answer",):
                world.answer_late()
            case _:
                raise AssertionError(step)
