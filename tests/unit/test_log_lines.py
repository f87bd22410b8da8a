"""The engine log's lines: what is cut, masked and split, and that it can be read again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamdev.semantics.log import MAX_LINE, PREFIX, cut_value, parse, render


def events_of(lines: list[str]) -> list[dict[str, Any]]:
    events = [parse(line) for line in lines]
    assert all(event is not None for event in events)
    return [event for event in events if event is not None]


def record(**images: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "event_id": "e1",
        "event_name": "INSERT",
        "keys": {"id": {"S": "1"}},
        "old": None,
        "new": None,
        "sequence_number": "100",
        "at": None,
    }
    return shown | images


def test_a_short_event_is_one_line_that_parses_to_its_fields() -> None:
    lines = render("write", {"table": "T", "keys": [{"id": {"S": "ä"}}], "request_id": None})

    (event,) = events_of(lines)
    assert event.pop("at").endswith("Z")
    assert event == {
        "event": "write",
        "table": "T",
        "keys": [{"id": {"S": "ä"}}],
        "request_id": None,
    }


def test_a_given_time_is_kept() -> None:
    (event,) = events_of(render("x", {"at": "2026-11-20T12:00:00.000000Z"}))
    assert event["at"] == "2026-11-20T12:00:00.000000Z"


@pytest.mark.parametrize(
    "line",
    [
        "plain output",
        '{"event": "write"}',
        "[streamdev] not json",
        "[streamdev] [1, 2]",
        '[streamdev] {"no": "event"}',
        ' [streamdev] {"event": "write"}',
        '[localstack] {"event": "write"}',
    ],
)
def test_other_lines_are_no_events(line: str) -> None:
    assert parse(line) is None


def test_values_up_to_1_kb_are_whole_and_longer_ones_say_their_size() -> None:
    assert cut_value({"S": "x" * 1024}) == {"S": "x" * 1024}
    assert cut_value({"S": "x" * 1025}) == {"cut": 1025, "S": "x" * 1024}


def test_a_cut_does_not_split_a_character() -> None:
    assert cut_value({"S": "x" + "ä" * 600}) == {"cut": 1201, "S": "x" + "ä" * 511}


def test_a_long_list_is_cut_to_the_beginning_of_its_json() -> None:
    value = {"L": [{"S": "x" * 100}] * 20}
    cut = cut_value(value)
    whole = json.dumps(value["L"], separators=(",", ":"))
    assert cut == {"cut": len(whole), "L": whole[:1024]}


def test_named_attributes_are_masked_in_keys_and_images() -> None:
    fields = {
        "table": "Users",
        "keys": [{"id": {"S": "secret"}}],
        "records": [record(new={"id": {"S": "secret"}, "name": {"S": "John"}})],
    }
    (event,) = events_of(render("invocation.start", fields, {"Users": {"id"}}))
    assert event["keys"] == [{"id": {"redacted": True}}]
    assert event["records"][0]["new"] == {"id": {"redacted": True}, "name": {"S": "John"}}
    assert "secret" not in json.dumps(event["records"][0]["new"])


def test_masks_hold_for_their_table_only() -> None:
    fields = {"table": "Other", "keys": [{"id": {"S": "1"}}]}
    (event,) = events_of(render("write", fields, {"Users": {"id"}}))
    assert event["keys"] == [{"id": {"S": "1"}}]


def test_a_long_batch_goes_on_in_further_parts() -> None:
    records = [
        record(event_id=f"e{number}", new={"text": {"S": "x" * 900}}) for number in range(100)
    ]
    fields = {"function": "f", "request_id": "r", "batch_size": 100, "records": records}

    lines = render("invocation.start", fields)
    events = events_of(lines)

    assert len(lines) > 1
    assert all(len(line.encode()) < MAX_LINE for line in lines)
    assert [event.get("part") for event in events] == [None, *range(2, len(events) + 1)]
    assert all(event["request_id"] == "r" and event["batch_size"] == 100 for event in events)
    assert [r["event_id"] for event in events for r in event["records"]] == [
        f"e{number}" for number in range(100)
    ]


def test_a_record_too_long_for_a_line_says_how_many_attributes_it_left_out() -> None:
    new = {f"attribute-{number}": {"S": "x" * 500} for number in range(200)}
    old = {"text": {"S": "y"}}

    lines = render("invocation.start", {"records": [record(new=new, old=old)]})

    assert all(len(line.encode()) < MAX_LINE for line in lines)
    (shown,) = [r for event in events_of(lines) for r in event["records"]]
    assert shown["keys"] == {"id": {"S": "1"}}
    assert len(shown["new"]) + shown["left_out"]["new"] == 200
    assert len(shown["new"]) > 10
    assert shown["old"] == old
    assert "old" not in shown["left_out"]


def test_a_long_error_keeps_both_ends_of_its_stack_trace() -> None:
    trace = [f"frame {number} " + "x" * 200 for number in range(1_000)]
    error = {"type": "RecursionError", "message": "m" * 20_000, "trace": trace}

    (line,) = render("invocation.end", {"request_id": "r", "error": error})

    assert len(line.encode()) < MAX_LINE
    (event,) = events_of([line])
    assert event["error"]["type"] == "RecursionError"
    assert event["error"]["message"].endswith("(cut, 20000 bytes)")
    assert event["error"]["trace"][0].startswith("frame 0 ")
    assert event["error"]["trace"][-1].startswith("frame 999 ")


def test_a_lone_surrogate_survives() -> None:
    (line,) = render("x", {"text": "a\ud800b"})
    written = line.encode("utf-8", "backslashreplace").decode()
    (event,) = events_of([written])
    assert event["text"] == "a\ud800b"


TEXTS = st.tuples(st.text(max_size=8), st.sampled_from([1, 50, 400])).map(lambda t: t[0] * t[1])
VALUES = st.one_of(
    TEXTS.map(lambda text: {"S": text}), st.lists(TEXTS, max_size=3).map(lambda ts: {"SS": ts})
)
ITEMS = st.dictionaries(TEXTS, VALUES, max_size=8)


@settings(max_examples=60)
@given(st.lists(st.tuples(ITEMS, ITEMS), max_size=4), st.integers(1, 6), TEXTS)
def test_any_batch_becomes_short_lines_that_parse(
    images: list[tuple[dict[str, Any], dict[str, Any]]], times: int, name: str
) -> None:
    records = [
        record(event_id=str(number), old=old, new=new)
        for number, (old, new) in enumerate(images * times)
    ]
    lines = render("invocation.start", {"function": name, "records": records})

    written = [line.encode("utf-8", "backslashreplace") for line in lines]
    assert all(len(line) < MAX_LINE and b"\n" not in line for line in written)
    assert all(line.startswith(PREFIX.encode()) for line in written)
    events = events_of([line.decode() for line in written])
    shown = [r["event_id"] for event in events for r in event["records"]]
    assert shown == [str(number) for number in range(len(records))]
