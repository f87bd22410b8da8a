"""Batches as the engine's log tells of them."""

from __future__ import annotations

from typing import Any

import pytest

from streamdev.aws.gateway import Gateway
from streamdev.observe.batches import GoneError, WholeBatches, batches, last_batch, latest
from streamdev.semantics.log import render
from tests.support import observed


def of(number: int, key: str = "1") -> dict[str, Any]:
    return observed.record(key, new={}, sequence_number=str(number))


def test_a_batch_has_what_finds_its_records_again() -> None:
    lines = observed.invocation([of(7), of(9)], request_id="r7", attempt=2)
    (batch,) = batches(lines)
    assert (batch.function, batch.table, batch.mapping) == ("user-profile", observed.TABLE, "m1")
    assert (batch.request_id, batch.attempt, batch.outcome.kind) == ("r7", 2, "ok")
    assert [(one.sequence, int(one.event_id, 16)) for one in batch.records] == [("7", 7), ("9", 9)]
    assert batch.records[0].keys == {"id": {"S": "1"}}


def test_who_else_invokes_the_function_makes_no_batch() -> None:
    lines = observed.invocation([of(1)])
    others = [line.replace('"mapping":"m1"', '"mapping":null') for line in lines]
    assert others != lines
    assert list(batches(others)) == []


def test_what_an_engine_left_open_is_no_batch() -> None:
    start, _ = observed.invocation([of(1)])
    assert list(batches([start, *observed.line("engine.ready", 9)])) == []


def test_the_last_attempt_of_a_batch_counts() -> None:
    lines = [
        *observed.invocation([of(1), of(2)], request_id="a", outcome="error"),
        *observed.invocation([of(1)], request_id="half", second=2),
        *observed.invocation([of(1), of(2)], request_id="b", second=3, attempt=2),
    ]
    found = latest(batches(lines))
    assert [(batch.request_id, batch.outcome.kind) for batch in found] == [
        ("half", "ok"),
        ("b", "ok"),
    ]
    newest = last_batch(lines, "user-profile")
    assert newest is not None
    assert newest.request_id == "b"
    assert last_batch(lines, "another") is None


def test_failures_that_fill_several_lines_are_all_there() -> None:
    numbers = [f"{number:021d}" for number in range(3_000)]
    lines = observed.invocation([of(1)], outcome="partial", failures=numbers)
    assert len(lines) > 3
    (batch,) = batches(lines)
    assert batch.outcome.failures == tuple(numbers)
    # Cut short, the end is not known.
    assert list(batches(lines[:-1])) == []


@pytest.mark.parametrize(
    ("state", "redact", "left_out"),
    [
        ({"n": 1}, {}, None),
        ({"n": "x" * 5_000}, {}, "size"),
        ({"n": 1}, {observed.TABLE: {"pin"}}, "redacted"),
    ],
    ids=["short", "too long", "redacted"],
)
def test_a_windows_state_is_logged_if_it_may_be(
    state: dict[str, Any], redact: dict[str, set[str]], left_out: str | None
) -> None:
    window = {"window": {"start": "a", "end": "b"}, "state": state, "shardId": "s"}
    start = {
        "function": "f",
        "request_id": "r",
        "mapping": "m",
        "table": observed.TABLE,
        "records": [],
        "window": window,
    }
    lines = render("invocation.start", start, redact)
    lines += observed.line("invocation.end", 2, request_id="r", outcome="ok")
    (batch,) = batches(lines)
    # Nothing is asked of an engine for a batch without records.
    whole = WholeBatches(Gateway("http://127.0.0.1:9"))
    if left_out is None:
        assert whole.event(batch) == {"Records": [], **window}
    else:
        assert batch.window == {
            "window": {"start": "a", "end": "b"},
            "shardId": "s",
            "left_out": left_out,
        }
        with pytest.raises(GoneError, match="tumbling window"):
            whole.event(batch)
