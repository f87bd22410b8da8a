"""Tumbling windows: which record belongs where, and the state between invocations."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from streamdev.semantics.windows import GRACE, STATE_LIMIT, Window, split_by_window
from tests.support.streams import STREAM, numbers, record


def test_windows_are_aligned_pieces_of_time() -> None:
    assert Window.of(125.9, 60) == Window(120, 180)
    assert Window.of(180.0, 60) == Window(180, 240)


@given(created=st.floats(0, 4e9), length=st.integers(1, 900))
def test_a_record_is_in_its_window(created: float, length: int) -> None:
    window = Window.of(created, length)
    assert window.start <= created < window.end
    assert window.end - window.start == length
    assert window.start % length == 0


def test_a_batch_is_split_where_the_window_ends() -> None:
    batch = tuple(record(n, created=c) for n, c in ((1, 59.0), (2, 59.9), (3, 60.0), (4, 61.0)))
    own, later = split_by_window(batch, Window(0, 60))
    assert (numbers(own), numbers(later)) == ([1, 2], [3, 4])


def test_the_state_is_handed_on() -> None:
    window = Window(0, 60).with_answer(json.dumps({"state": {"sum": 3}}).encode())
    assert window is not None
    assert window.fields("shard", STREAM, final=False) == {
        "window": {"start": "1970-01-01T00:00:00Z", "end": "1970-01-01T00:01:00Z"},
        "state": {"sum": 3},
        "shardId": "shard",
        "eventSourceARN": STREAM,
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }


def test_the_first_invocation_gets_an_empty_state() -> None:
    assert Window(0, 60).fields("shard", STREAM, final=False)["state"] == {}


def test_an_answer_without_state_is_a_failure() -> None:
    for answer in (b"null", b"{}", b'{"state": null}', b'{"state": 1}', b"[]", b"nonsense"):
        assert Window(0, 60).with_answer(answer) is None


def test_a_state_over_the_limit_ends_the_window_early() -> None:
    answer = json.dumps({"state": {"data": "x" * STATE_LIMIT}}).encode()
    window = Window(0, 60).with_answer(answer)
    assert window is not None
    assert window.too_big
    fields = window.fields("shard", STREAM, final=True)
    assert fields["isFinalInvokeForWindow"]
    assert fields["isWindowTerminatedEarly"]


def test_an_open_window_survives_a_restart() -> None:
    window = Window(0, 60, {"sum": 3})
    assert Window.from_json(json.loads(json.dumps(window.to_json()))) == window


def test_a_window_closes_a_little_after_its_end() -> None:
    assert Window(0, 60).closes_at() == 60 + GRACE
