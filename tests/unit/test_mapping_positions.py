"""Where mappings stand in their streams, on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdev.plugins.mapping import positions as module
from streamdev.plugins.mapping.positions import Position, Positions

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-11-20T12:00:00.000"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"


def opened(folder: Path | None, function: str = FUNCTION) -> Positions:
    return Positions(folder, STREAM, function)


def test_positions_are_there_after_a_restart(tmp_path: Path) -> None:
    positions = opened(tmp_path)
    positions.set("a", Position("1"))
    positions.set("a", Position("2", {"start": 0, "end": 60, "state": {"n": 1}}))
    positions.set("b", Position("9", closed=True))

    again = opened(tmp_path)
    assert again.all() == {
        "a": Position("2", {"start": 0, "end": 60, "state": {"n": 1}}),
        "b": Position("9", closed=True),
    }


def test_each_function_has_its_own(tmp_path: Path) -> None:
    opened(tmp_path).set("a", Position("1"))
    assert not opened(tmp_path, f"{FUNCTION}:live")


def test_a_line_that_was_cut_is_left_out(tmp_path: Path) -> None:
    positions = opened(tmp_path)
    positions.set("a", Position("1"))
    positions.set("a", Position("2"))
    path = positions.path
    assert path is not None
    path.write_bytes(path.read_bytes()[:-5])

    again = opened(tmp_path)
    assert again.get("a") == Position("1")
    again.set("a", Position("3"))
    assert opened(tmp_path).get("a") == Position("3")


def test_dropping_leaves_no_file(tmp_path: Path) -> None:
    positions = opened(tmp_path)
    positions.set("a", Position("1"))
    positions.drop()
    assert list(tmp_path.iterdir()) == []
    assert not opened(tmp_path)


def test_a_shard_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    positions = opened(tmp_path)
    positions.set("a", Position("1"))
    positions.set("b", Position("2"))
    positions.drop_shard("a")
    assert opened(tmp_path).all() == {"b": Position("2")}


def test_another_function_takes_over(tmp_path: Path) -> None:
    old, new = opened(tmp_path), opened(tmp_path, f"{FUNCTION}-2")
    old.set("a", Position("1"))
    new.take_over(old)
    assert opened(tmp_path, f"{FUNCTION}-2").all() == {"a": Position("1")}
    assert not opened(tmp_path)


def test_without_a_folder_positions_live_in_memory() -> None:
    positions = opened(None)
    positions.set("a", Position("1"))
    assert positions.get("a") == Position("1")
    assert positions.path is None


def test_the_file_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REWRITE_AT", 2_000)
    positions = opened(tmp_path)
    for number in range(500):
        positions.set("a", Position(str(number)))
    assert positions.path is not None
    assert positions.path.stat().st_size < 2_200
    assert opened(tmp_path).get("a") == Position("499")


def test_the_file_says_whose_it_is(tmp_path: Path) -> None:
    positions = opened(tmp_path)
    positions.set("a", Position("1"))
    assert positions.path is not None
    first = positions.path.read_text().splitlines()[0]
    assert json.loads(first) == {"stream": STREAM, "function": FUNCTION}


@given(
    moves=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 99)), max_size=40),
    cut=st.integers(0, 4_000),
)
def test_whatever_is_cut_off_an_earlier_position_counts(
    moves: list[tuple[str, int]], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A crash may lose the last moves, but never yields one that was not made."""
    folder = tmp_path_factory.mktemp("positions")
    positions = opened(folder)
    made: dict[str, set[str | None]] = {name: {None} for name in "abc"}
    for shard, number in moves:
        positions.set(shard, Position(str(number)))
        made[shard].add(str(number))
    positions.close()
    if positions.path is not None and positions.path.exists():
        positions.path.write_bytes(positions.path.read_bytes()[:cut])
    for shard, position in opened(folder).all().items():
        assert position.after in made[shard]
