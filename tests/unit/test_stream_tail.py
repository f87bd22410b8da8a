"""The end of a shard, kept in memory for several readers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdev.plugins.mapping import tail as module
from streamdev.plugins.mapping.tail import Tail
from tests.support.streams import numbers, record


def sequence(number: int) -> str:
    return f"{number:021d}"


def test_an_empty_tail_begins_where_it_was_made() -> None:
    tail = Tail(sequence(5), None)
    assert tail.last == sequence(5)
    assert tail.after(sequence(5), 10) == ()
    assert tail.after(sequence(4), 10) is None
    assert tail.after(None, 10) is None


def test_a_tail_of_the_whole_shard_serves_its_beginning() -> None:
    tail = Tail(None, None)
    tail.extend((record(1), record(2)))
    assert numbers(tail.after(None, 10) or ()) == [1, 2]
    assert numbers(tail.after(None, 1) or ()) == [1]


def test_a_position_between_records_is_served() -> None:
    tail = Tail(None, None)
    tail.extend((record(2), record(9)))
    assert numbers(tail.after(sequence(5), 10) or ()) == [9]
    assert tail.after(sequence(20), 10) == ()


def test_what_one_reader_is_past_is_let_go() -> None:
    tail = Tail(None, None)
    tail.extend((record(1), record(2), record(3)))
    tail.drop_through(sequence(2))
    assert tail.after(sequence(1), 10) is None
    assert numbers(tail.after(sequence(2), 10) or ()) == [3]
    tail.drop_through(sequence(9))
    assert tail.last == sequence(3)
    tail.extend((record(4),))
    assert numbers(tail.after(sequence(3), 10) or ()) == [4]


@given(
    gaps=st.lists(st.integers(1, 3), min_size=1, max_size=60),
    keep=st.integers(1, 9),
    chunk=st.integers(1, 7),
    ask=st.integers(0, 200),
    limit=st.integers(1, 8),
)
def test_it_serves_exactly_what_follows_or_nothing(
    gaps: list[int], keep: int, chunk: int, ask: int, limit: int
) -> None:
    """Against the model: all records read so far, of which only the newest are kept."""
    numbered: list[int] = []
    for gap in gaps:
        numbered.append((numbered[-1] if numbered else 0) + gap)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "KEEP_RECORDS", keep)
        tail = Tail(None, None)
        for first in range(0, len(numbered), chunk):
            tail.extend(tuple(record(n) for n in numbered[first : first + chunk]))
    assert tail.last == sequence(numbered[-1])
    served = tail.after(sequence(ask), limit)
    if served is None:
        assert any(number > ask for number in numbered[:-keep])
    else:
        assert numbers(served) == [number for number in numbered if number > ask][:limit]
