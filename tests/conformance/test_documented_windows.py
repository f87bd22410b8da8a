"""TumblingWindowInSeconds: state handed on within pieces of time."""

from __future__ import annotations

from datetime import datetime

import pytest
from botocore.exceptions import ClientError

from tests.conformance import answers
from tests.conformance.behaviour import behaviour
from tests.conformance.pages import CREATE, WINDOWS
from tests.conformance.world import Call, Function, World, until

GROUP = "TumblingWindowInSeconds"
LENGTH = 6


def final_calls(function: Function) -> list[Call]:
    """The calls that closed a window and have ended."""
    return [c for c in function.calls() if c.event.get("isFinalInvokeForWindow") and c.ended]


def wait_for_final(function: Function, count: int = 1) -> list[Call]:
    """Wait for the end of so many windows; all calls."""
    until(lambda: len(final_calls(function)) >= count, f"{count} final calls", timeout=40)
    return function.calls()


@behaviour(GROUP, "tumbling-state", "Each call of a window gets the state that the last one "
           "returned; the first an empty one.", WINDOWS)  # fmt: skip
def test_state_is_handed_on(world: World) -> None:
    table, function = world.table(), world.function(answers.SUM_UP)
    world.mapping(table, function, BatchSize=1, TumblingWindowInSeconds=LENGTH)
    table.put_all(["a", "b", "c", "d"])
    function.wait_for("a", "b", "c", "d")
    calls = [call for call in wait_for_final(function) if "window" in call.event]
    windows: dict[str, list[Call]] = {}
    for call in calls:
        windows.setdefault(call.event["window"]["start"], []).append(call)
    for window in windows.values():
        gathered: list[str] = []
        for call in window:
            assert call.event["state"].get("ids", []) == gathered
            gathered += call.ids
    assert [key for call in calls for key in call.ids] == ["a", "b", "c", "d"]


@behaviour(GROUP, "tumbling-final", "At the window's end there is a call with "
           "isFinalInvokeForWindow, the final state and no records.", WINDOWS)  # fmt: skip
def test_a_window_ends_with_a_final_call(world: World) -> None:
    table, function = world.table(), world.function(answers.SUM_UP)
    world.mapping(table, function, BatchSize=10, TumblingWindowInSeconds=LENGTH)
    table.put_all(["a", "b"])
    function.wait_for("a", "b")
    wait_for_final(function)
    finals = final_calls(function)
    assert [call.ids for call in finals] == [[]] * len(finals)
    # The two may have come into two windows.
    until(
        lambda: (
            [key for c in final_calls(function) for key in c.event["state"]["ids"]] == ["a", "b"]
        ),
        "all records in final states",
    )


@behaviour(GROUP, "tumbling-fields", "The event has window (start, end), state, shardId, "
           "eventSourceARN, isFinalInvokeForWindow, isWindowTerminatedEarly.", WINDOWS)  # fmt: skip
def test_events_tell_of_their_window(world: World) -> None:
    table, function = world.table(), world.function(answers.SUM_UP)
    world.mapping(table, function, TumblingWindowInSeconds=LENGTH)
    table.put("a")
    event = function.wait_for("a")[0].event
    assert event["eventSourceARN"] == table.stream
    assert event["shardId"].startswith("shardId-")
    assert event["isFinalInvokeForWindow"] is False
    assert event["isWindowTerminatedEarly"] is False
    assert event["state"] == {}
    start, end = (datetime.fromisoformat(event["window"][name]) for name in ("start", "end"))
    assert (end - start).total_seconds() == LENGTH
    created = event["Records"][0]["dynamodb"]["ApproximateCreationDateTime"]
    assert start.timestamp() <= created < end.timestamp()


@behaviour(GROUP, "tumbling-next", "The next window begins with an empty state.", WINDOWS)
def test_the_next_window_begins_anew(world: World) -> None:
    table, function = world.table(), world.function(answers.SUM_UP)
    world.mapping(table, function, TumblingWindowInSeconds=LENGTH)
    table.put("a")
    wait_for_final(function)
    table.put("b")
    calls = wait_for_final(function, 2)
    second = next(call for call in calls if call.ids == ["b"])
    first = next(call for call in calls if call.ids == ["a"])
    assert second.event["state"] == {}
    assert second.event["window"]["start"] >= first.event["window"]["end"]
    assert [c.event["state"] for c in final_calls(function)] == [{"ids": ["a"]}, {"ids": ["b"]}]


@behaviour(GROUP, "tumbling-no-state", "An answer without state counts as a failed call: the "
           "batch is retried.", WINDOWS)  # fmt: skip
def test_an_answer_without_state_is_a_failure(world: World) -> None:
    table, function = world.table(), world.function(answers.NOTHING)
    world.mapping(table, function, TumblingWindowInSeconds=900)
    table.put("a")
    until(lambda: len(function.ids()) >= 3, "retries of the batch")
    assert set(function.ids()) == {"a"}


@behaviour(GROUP, "tumbling-early", "A state over 1 MB ends the window early: the event says "
           "isWindowTerminatedEarly.", WINDOWS)  # fmt: skip
def test_a_big_state_ends_the_window_early(world: World) -> None:
    table, function = world.table(), world.function(answers.BIG_STATE)
    world.mapping(table, function, TumblingWindowInSeconds=900)
    table.put("a")
    until(
        lambda: any(call.event.get("isWindowTerminatedEarly") for call in function.calls()),
        "a call that says so",
    )


@behaviour(GROUP, "tumbling-range", "TumblingWindowInSeconds over 900 is refused.", CREATE)
def test_window_out_of_range(world: World) -> None:
    table, function = world.table(), world.function()
    with pytest.raises(ClientError):
        world.mapping(table, function, TumblingWindowInSeconds=901)
