"""How far a shard is done, while its records finish in any order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamdev.semantics.checkpoint import Checkpoint


def test_begins_where_it_stood() -> None:
    assert Checkpoint("5").position == "5"
    assert Checkpoint().position is None


def test_moves_past_records_done_in_order() -> None:
    checkpoint = Checkpoint()
    checkpoint.read(["1", "2", "3"])
    assert checkpoint.done(["1", "2"])
    assert checkpoint.position == "2"
    assert checkpoint.open == 1


def test_waits_for_the_earliest_record() -> None:
    checkpoint = Checkpoint()
    checkpoint.read(["1", "2", "3"])
    assert not checkpoint.done(["2", "3"])
    assert checkpoint.position is None
    assert checkpoint.done(["1"])
    assert checkpoint.position == "3"
    assert checkpoint.open == 0


@given(count=st.integers(0, 40), data=st.data())
def test_position_is_the_end_of_the_done_beginning(count: int, data: st.DataObject) -> None:
    """Against the model: the longest prefix of what was read in which all is done."""
    names = [str(number) for number in range(1, count + 1)]
    checkpoint = Checkpoint()
    checkpoint.read(names)
    done: set[str] = set()
    for name in data.draw(st.permutations(names)):
        before = checkpoint.position
        moved = checkpoint.done([name])
        done.add(name)
        prefix = next((i for i, one in enumerate(names) if one not in done), count)
        assert checkpoint.position == (names[prefix - 1] if prefix else None)
        assert moved == (checkpoint.position != before)
        assert checkpoint.open == count - prefix
