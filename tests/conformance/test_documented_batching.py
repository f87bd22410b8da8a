"""How a mapping makes batches of records, where it begins, and what it does at a time."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance import answers
from tests.conformance.behaviour import behaviour
from tests.conformance.pages import CREATE, MAPPINGS, PARAMETERS, USING
from tests.conformance.world import Call, Function, Table, World, until

KEYS = [f"k{n:04d}" for n in range(10)]


def refused(world: World, **parameters: Any) -> str:
    """The code of the error that a mapping with these parameters is refused with."""
    table, function = world.table(), world.function()
    with pytest.raises(ClientError) as caught:
        world.create_mapping(
            EventSourceArn=table.stream,
            FunctionName=function.name,
            **{"StartingPosition": "TRIM_HORIZON", **parameters},
        )
    return str(caught.value.response["Error"]["Code"])


def most_at_a_time(calls: list[Call]) -> int:
    """How many calls ran at the same time, at most."""
    moments = [(call.started, 1) for call in calls]
    moments += [(call.ended, -1) for call in calls if call.ended]
    running = most = 0
    for _, step in sorted(moments):
        running += step
        most = max(most, running)
    return most


@behaviour("BatchSize", "batch-size-limit", "No call gets more records than BatchSize, and a "
           "backlog comes in full batches.", PARAMETERS)  # fmt: skip
def test_batch_size_is_the_limit(world: World) -> None:
    table, function = world.table(), world.function()
    table.put_all(KEYS)
    world.mapping(table, function, BatchSize=4)
    sizes = [len(call.records) for call in function.wait_for(*KEYS)]
    assert sizes == [4, 4, 2]
    assert function.ids() == KEYS


@behaviour("BatchSize", "batch-size-one", "BatchSize 1: each record has a call of its own.",
           PARAMETERS)  # fmt: skip
def test_batch_size_one(world: World) -> None:
    table, function = world.table(), world.function()
    table.put_all(KEYS)
    world.mapping(table, function, BatchSize=1)
    sizes = [len(call.records) for call in function.wait_for(*KEYS)]
    assert sizes == [1] * 10
    assert function.ids() == KEYS


@behaviour("BatchSize", "batch-size-maximum", "BatchSize up to 10,000: a call may get more than "
           "1,000 records, gathered within the batching window.", PARAMETERS)  # fmt: skip
def test_batches_over_a_thousand(world: World) -> None:
    table = world.table()
    function = world.function(variables={"BRIEF": "1"})
    keys = [f"k{n:04d}" for n in range(2_500)]
    table.write_batches(keys)
    world.mapping(table, function, BatchSize=10_000, MaximumBatchingWindowInSeconds=5)
    calls = function.wait_for(*keys, timeout=60)
    assert max(len(call.records) for call in calls) > 1_000
    assert sorted(function.ids()) == keys


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(
            size,
            marks=behaviour("BatchSize", f"batch-size-{size}", says, CREATE),
            id=str(size),
        )
        for size, says in [
            (0, "BatchSize 0 is refused."),
            (10_001, "BatchSize over 10,000 is refused."),
        ]
    ],
)
def test_batch_size_out_of_range(world: World, size: int) -> None:
    assert refused(world, BatchSize=size) in (
        "ValidationException",
        "InvalidParameterValueException",
    )


@behaviour("BatchSize", "payload-limit", "A batch is closed before it passes the 6 MB payload "
           "limit, whatever BatchSize says.", MAPPINGS)  # fmt: skip
def test_batches_stay_below_the_payload_limit(world: World) -> None:
    table = world.table("NEW_IMAGE")
    function = world.function(variables={"BRIEF": "1"}, MemorySize=512)
    keys = [f"k{n:02d}" for n in range(24)]
    for key in keys:
        table.put(key, text="x" * 390_000)
    world.mapping(table, function, BatchSize=100)
    calls = function.wait_for(*keys, timeout=60)
    assert max(call.event["size"] for call in calls) <= 6 * 1024 * 1024
    assert function.ids() == keys


@behaviour("MaximumBatchingWindowInSeconds", "window-gathers", "Records are gathered until the "
           "batching window has passed.", USING)  # fmt: skip
def test_the_batching_window_gathers(world: World) -> None:
    table, function = world.table(), world.function()
    world.mapping(table, function, BatchSize=100, MaximumBatchingWindowInSeconds=4)
    table.put("a")
    began = time.time()
    table.put_all(["b", "c"])
    assert time.time() - began < 3, "this machine is too slow for the test"
    calls = function.wait_for("a", "b", "c")
    assert [call.ids for call in calls] == [["a", "b", "c"]]


@behaviour("MaximumBatchingWindowInSeconds", "window-waits", "A batch that is not full is "
           "handed over when the window has passed, not before.", USING)  # fmt: skip
def test_the_batching_window_waits(world: World) -> None:
    table, function = world.table(), world.function()
    world.mapping(table, function, BatchSize=100, MaximumBatchingWindowInSeconds=3)
    before = time.time()
    table.put("a")
    waited = function.wait_for("a")[0].started - before
    assert 2.5 <= waited <= 20


@behaviour("MaximumBatchingWindowInSeconds", "window-full-batch", "A full batch does not wait "
           "for the window.", USING)  # fmt: skip
def test_a_full_batch_does_not_wait(world: World) -> None:
    table, function = world.table(), world.function()
    world.mapping(table, function, BatchSize=3, MaximumBatchingWindowInSeconds=60)
    table.put_all(["a", "b", "c"])
    assert [call.ids for call in function.wait_for("a", "b", "c")] == [["a", "b", "c"]]


@behaviour("MaximumBatchingWindowInSeconds", "window-range", "A batching window over 300 seconds "
           "is refused.", CREATE)  # fmt: skip
def test_batching_window_out_of_range(world: World) -> None:
    assert refused(world, MaximumBatchingWindowInSeconds=301)


@behaviour("StartingPosition", "trim-horizon", "TRIM_HORIZON begins with the oldest record of the "
           "stream.", PARAMETERS)  # fmt: skip
def test_trim_horizon_begins_with_the_oldest(world: World) -> None:
    table, function = world.table(), world.function()
    table.put_all(["a", "b"])
    world.mapping(table, function, StartingPosition="TRIM_HORIZON")
    table.put("c")
    function.wait_for("a", "b", "c")
    assert function.ids() == ["a", "b", "c"]


@behaviour("StartingPosition", "latest", "LATEST begins with what is written once the mapping is "
           "enabled.", USING)  # fmt: skip
def test_latest_leaves_out_what_was_there(world: World) -> None:
    table, function = world.table(), world.function()
    table.put_all(["before-1", "before-2"])
    world.mapping(table, function, StartingPosition="LATEST")
    written: list[str] = []

    def arrived() -> bool:
        # AWS too may miss records written while the mapping is being set up.
        written.append(f"after-{len(written)}")
        table.put(written[-1])
        time.sleep(0.3)
        return bool(function.ids())

    until(arrived, "records written after the mapping was enabled")
    function.wait_for(written[-1])
    assert not [key for key in function.ids() if key.startswith("before")]


@behaviour("StartingPosition", "latest-at-once", "With LATEST the first record written after the "
           "mapping says Enabled is handed over.", USING)  # fmt: skip
def test_latest_misses_nothing_once_enabled(world: World) -> None:
    table, function = world.table(), world.function()
    table.put("before")
    world.mapping(table, function, StartingPosition="LATEST")
    table.put("after")
    function.wait_for("after")
    assert function.ids() == ["after"]


@behaviour("StartingPosition", "at-timestamp", "AT_TIMESTAMP is for other sources and refused.",
           CREATE)  # fmt: skip
def test_at_timestamp_is_refused(world: World) -> None:
    assert refused(world, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=time.time())


@behaviour("StartingPosition", "starting-position-required", "A mapping without StartingPosition "
           "is refused.", PARAMETERS)  # fmt: skip
def test_starting_position_is_required(world: World) -> None:
    table, function = world.table(), world.function()
    with pytest.raises(ClientError, match="tarting"):
        world.create_mapping(EventSourceArn=table.stream, FunctionName=function.name)


def write_interleaved(table: Table, items: int, changes: int) -> list[str]:
    """Change each of several items several times, turn by turn; return the items' keys."""
    keys = [f"item-{n}" for n in range(items)]
    for change in range(changes):
        for key in keys:
            table.put(key, n={"N": str(change)})
    return keys


def changes_by_item(function: Function) -> dict[str, list[str]]:
    """The changes each item arrived with, in order."""
    found: dict[str, list[str]] = {}
    for record in function.records():
        image = record["dynamodb"]["NewImage"]
        found.setdefault(image["id"]["S"], []).append(image["n"]["N"])
    return found


@behaviour("ParallelizationFactor", "parallel-order", "With a ParallelizationFactor records of "
           "one item still come in order.", USING)  # fmt: skip
def test_parallel_batches_keep_an_items_order(world: World) -> None:
    table, function = world.table(), world.function()
    world.mapping(table, function, BatchSize=5, ParallelizationFactor=10)
    keys = write_interleaved(table, items=8, changes=8)
    until(lambda: len(function.records()) >= 64, "64 records")
    assert changes_by_item(function) == {key: [str(n) for n in range(8)] for key in keys}


@behaviour("ParallelizationFactor", "parallel-calls", "Up to ParallelizationFactor batches of a "
           "shard are handled at the same time.", USING)  # fmt: skip
def test_batches_run_in_parallel(world: World) -> None:
    table, function = world.table(), world.function(answers.SLOW)
    keys = [f"item-{n}" for n in range(24)]
    table.put_all(keys)
    world.mapping(table, function, BatchSize=1, ParallelizationFactor=4)
    calls = function.wait_for(*keys, timeout=60)
    assert 2 <= most_at_a_time(calls) <= 4


@behaviour("ParallelizationFactor", "parallel-one-item", "Batches of one item never run at the "
           "same time.", USING)  # fmt: skip
def test_one_item_is_never_handled_twice_at_a_time(world: World) -> None:
    table, function = world.table(), world.function(answers.SLOW)
    for n in range(6):
        table.put("a", n={"N": str(n)})
    world.mapping(table, function, BatchSize=1, ParallelizationFactor=10)
    until(lambda: len(function.records()) >= 6 and function.calls()[-1].ended, "6 records")
    assert most_at_a_time(function.calls()) == 1
    assert changes_by_item(function) == {"a": [str(n) for n in range(6)]}


@behaviour("ParallelizationFactor", "one-at-a-time", "Without it one batch of a shard is handled "
           "at a time.", USING)  # fmt: skip
def test_one_batch_at_a_time(world: World) -> None:
    table, function = world.table(), world.function(answers.SLOW)
    table.put_all(KEYS[:6])
    world.mapping(table, function, BatchSize=1)
    calls = function.wait_for(*KEYS[:6])
    assert most_at_a_time(calls) == 1
    assert function.ids() == KEYS[:6]


@behaviour("ParallelizationFactor", "parallel-failure", "A batch that fails does not hold up "
           "other items' batches.", USING)  # fmt: skip
def test_a_failing_item_does_not_hold_up_the_others(world: World) -> None:
    table, function = world.table(), world.function(answers.FAIL_ON_BAD)
    table.put("bad")
    table.put_all(KEYS)
    world.mapping(table, function, BatchSize=1, ParallelizationFactor=10)
    until(lambda: "bad" in function.ids() and set(function.ids()) - {"bad"}, "other items")


@pytest.mark.parametrize(
    "factor",
    [
        pytest.param(
            factor,
            id=str(factor),
            marks=behaviour("ParallelizationFactor", f"parallel-range-{factor}", says, CREATE),
        )
        for factor, says in [
            (0, "ParallelizationFactor 0 is refused."),
            (11, "ParallelizationFactor over 10 is refused."),
        ]
    ],
)
def test_parallelization_factor_out_of_range(world: World, factor: int) -> None:
    assert refused(world, ParallelizationFactor=factor)


@behaviour("Enabled", "disabled-at-first", "A mapping created with Enabled false hands nothing "
           "over until it is enabled, and then all.", PARAMETERS)  # fmt: skip
def test_disabled_at_first(world: World) -> None:
    table, function, other = world.table(), world.function(), world.function()
    mapping = world.mapping(table, function, Enabled=False)
    world.mapping(table, other)
    table.put_all(["a", "b"])
    other.wait_for("a", "b")
    assert function.calls() == []
    mapping.update(Enabled=True)
    function.wait_for("a", "b")
    assert function.ids() == ["a", "b"]


@behaviour("Enabled", "off-and-on", "Turned off and on again, a mapping goes on where it stood: "
           "no record is lost, none comes twice.", MAPPINGS)  # fmt: skip
def test_off_and_on_without_loss_or_repetition(world: World) -> None:
    table, function = world.table(), world.function()
    mapping = world.mapping(table, function, BatchSize=2)
    table.put_all(KEYS[:4])
    function.wait_for(*KEYS[:4])
    mapping.update(Enabled=False, state="Disabled")
    table.put_all(KEYS[4:7])
    mapping.update(Enabled=True)
    table.put_all(KEYS[7:])
    function.wait_for(*KEYS)
    assert function.ids() == KEYS


@behaviour("Enabled", "off-under-load", "Turned off and on while it is written to, a mapping "
           "hands over every record.", MAPPINGS)  # fmt: skip
def test_off_and_on_while_written_to(world: World) -> None:
    table, function = world.table(), world.function()
    mapping = world.mapping(table, function, BatchSize=5)
    keys = [f"k{n:04d}" for n in range(150)]
    writer = threading.Thread(target=table.put_all, args=(keys,))
    writer.start()
    for _ in range(2):
        mapping.update(Enabled=False, state="Disabled")
        mapping.update(Enabled=True)
    writer.join()
    function.wait_for(*keys, timeout=60)
    first_times = list(dict.fromkeys(function.ids()))
    assert first_times == keys
