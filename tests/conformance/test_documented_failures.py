"""What happens to a batch whose function fails."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from botocore.exceptions import ClientError

from tests.conformance import answers
from tests.conformance.behaviour import behaviour
from tests.conformance.pages import CREATE, ERRORS, PARAMETERS, RESERVED, USING
from tests.conformance.world import Function, World, until

KEYS = ["a", "b", "c", "d"]


def wait_for_calls(function: Function, count: int) -> None:
    """Wait until it was called so often."""
    until(lambda: len(function.calls()) >= count, f"{count} calls")


@behaviour("Failures", "retry-whole-batch", "A batch whose function raises is handed over again "
           "as a whole.", ERRORS)  # fmt: skip
def test_a_failed_batch_is_retried_whole(world: World) -> None:
    table, function = world.table(), world.function(answers.FAIL_WHILE_FLAGGED)
    function.set("fail")
    table.put_all(KEYS)
    world.mapping(table, function, BatchSize=4)
    wait_for_calls(function, 3)
    function.clear("fail")
    calls = function.wait_for(*KEYS)
    assert [call.ids for call in calls[:3]] == [KEYS] * 3


@behaviour("Failures", "retry-keeps-order", "While a batch is retried nothing later of its shard "
           "is handed over.", USING)  # fmt: skip
def test_order_holds_while_retrying(world: World) -> None:
    table, function = world.table(), world.function(answers.FAIL_WHILE_FLAGGED)
    function.set("fail")
    world.mapping(table, function, BatchSize=2)
    table.put_all(["a", "b"])
    wait_for_calls(function, 2)
    table.put_all(["c", "d"])
    wait_for_calls(function, 4)
    assert not {"c", "d"} & set(function.ids())
    function.clear("fail")
    function.wait_for(*KEYS)
    assert list(dict.fromkeys(function.ids())) == KEYS


@behaviour("Failures", "timeout-is-failure", "A function that times out has failed: its batch is "
           "retried.", ERRORS)  # fmt: skip
def test_a_timeout_is_a_failure(world: World) -> None:
    table = world.table()
    function = world.function(answers.TIME_OUT_WHILE_FLAGGED, Timeout=1)
    function.set("fail")
    world.mapping(table, function)
    table.put("a")
    wait_for_calls(function, 2)
    function.clear("fail")
    until(lambda: function.calls()[-1].ended, "a call that ends")
    assert set(function.ids()) == {"a"}


@behaviour("Failures", "crash-is-failure", "A function whose process ends has failed: its batch "
           "is retried.", ERRORS)  # fmt: skip
def test_a_crash_is_a_failure(world: World) -> None:
    table, function = world.table(), world.function(answers.CRASH_WHILE_FLAGGED)
    function.set("fail")
    world.mapping(table, function)
    table.put("a")
    wait_for_calls(function, 2)
    function.clear("fail")
    until(lambda: function.calls()[-1].ended, "a call that ends")
    assert set(function.ids()) == {"a"}


@pytest.mark.parametrize(
    "retries",
    [
        pytest.param(
            retries,
            id=str(retries),
            marks=behaviour("MaximumRetryAttempts", f"retries-{retries}", says, PARAMETERS),
        )
        for retries, says in [
            (0, "MaximumRetryAttempts 0: a failed batch is given up at once."),
            (2, "MaximumRetryAttempts 2: a failed batch is handed over three times."),
        ]
    ],
)
def test_retries_are_limited(world: World, retries: int) -> None:
    table, function = world.table(), world.function(answers.FAIL_ON_BAD)
    world.mapping(table, function, BatchSize=1, MaximumRetryAttempts=retries)
    table.put_all(["bad", "good"])
    function.wait_for("good")
    assert function.ids() == ["bad"] * (retries + 1) + ["good"]


@behaviour("MaximumRetryAttempts", "retries-unlimited", "The default, -1, retries without an end.",
           PARAMETERS)  # fmt: skip
def test_retries_are_unlimited_by_default(world: World) -> None:
    table, function = world.table(), world.function(answers.FAIL_WHILE_FLAGGED)
    function.set("fail")
    mapping = world.mapping(table, function)
    assert mapping.get()["MaximumRetryAttempts"] == -1
    table.put("a")
    wait_for_calls(function, 5)
    function.clear("fail")
    table.put("b")
    function.wait_for("a", "b")
    assert function.ids()[:5] == ["a"] * 5


@behaviour("MaximumRetryAttempts", "retries-range", "MaximumRetryAttempts over 10,000 is refused.",
           CREATE)  # fmt: skip
def test_retries_out_of_range(world: World) -> None:
    table, function = world.table(), world.function()
    with pytest.raises(ClientError):
        world.mapping(table, function, MaximumRetryAttempts=10_001)


@behaviour("MaximumRecordAgeInSeconds", "record-age", "A failing record is given up when it is "
           "older than MaximumRecordAgeInSeconds, and later ones go on.", ERRORS)  # fmt: skip
@pytest.mark.timeout(240)
def test_records_are_given_up_by_age(world: World) -> None:
    table, function = world.table(), world.function(answers.FAIL_ON_BAD)
    world.mapping(table, function, BatchSize=1, MaximumRecordAgeInSeconds=60)
    before = time.time()
    table.put("bad")
    wait_for_calls(function, 2)
    # Within its minute it holds up what follows.
    until(lambda: time.time() > before + 45, "most of a minute", timeout=60)
    table.put("good")
    calls = function.wait_for("good", timeout=100)
    assert calls[-1].ids == ["good"]
    assert calls[-1].started - before > 55
    assert len([call for call in calls if call.ids == ["bad"]]) > 2


@behaviour("MaximumRecordAgeInSeconds", "record-age-range", "MaximumRecordAgeInSeconds below 60 "
           "is refused, but for -1.", CREATE)  # fmt: skip
def test_record_age_out_of_range(world: World) -> None:
    table, function = world.table(), world.function()
    with pytest.raises(ClientError):
        world.mapping(table, function, MaximumRecordAgeInSeconds=59)


@behaviour("BisectBatchOnFunctionError", "bisect", "A failed batch is split in two until the bad "
           "record is alone; the others are handled.", ERRORS)  # fmt: skip
def test_bisecting_isolates_the_bad_record(world: World) -> None:
    table, function = world.table(), world.function(answers.FAIL_ON_BAD)
    keys = ["a", "b", "c", "bad", "e", "f", "g", "h"]
    table.put_all(keys)
    world.mapping(
        table, function, BatchSize=8, BisectBatchOnFunctionError=True, MaximumRetryAttempts=1
    )
    table.put("end")
    calls = function.wait_for("end")
    handled = [key for call in calls if "bad" not in call.ids for key in call.ids]
    assert handled == [key for key in keys if key != "bad"] + ["end"]
    assert ["bad"] in [call.ids for call in calls]


@behaviour("BisectBatchOnFunctionError", "bisect-in-halves", "The batch is split into halves, the "
           "first of which is tried first.", ERRORS)  # fmt: skip
def test_batches_are_split_in_halves(world: World) -> None:
    table, function = world.table(), world.function(answers.FAIL_ON_BAD)
    keys = ["a", "b", "c", "bad"]
    table.put_all(keys)
    world.mapping(
        table, function, BatchSize=4, BisectBatchOnFunctionError=True, MaximumRetryAttempts=1
    )
    table.put("end")
    seen: list[list[str]] = []
    for call in function.wait_for("end"):
        if call.ids not in seen:
            seen.append(call.ids)
    assert seen[:4] == [keys, ["a", "b"], ["c", "bad"], ["c"]]


@behaviour("BisectBatchOnFunctionError", "bisect-keeps-attempts", "Splitting a batch does not use "
           "up the retry quota.", ERRORS)  # fmt: skip
def test_splitting_uses_up_no_attempt(world: World) -> None:
    table, function = world.table(), world.function(answers.FAIL_ON_BAD)
    keys = [f"k{n}" for n in range(15)] + ["bad"]
    table.put_all(keys)
    world.mapping(
        table, function, BatchSize=16, BisectBatchOnFunctionError=True, MaximumRetryAttempts=2
    )
    table.put("end")
    calls = function.wait_for("end")
    # Four splits and more than two failures lie between the whole batch and the bad record.
    assert [call.ids for call in calls].count(["bad"]) >= 2
    good = [key for call in calls if "bad" not in call.ids for key in call.ids]
    assert good == [*keys[:-1], "end"]


@behaviour("BisectBatchOnFunctionError", "no-bisect", "Without it the whole batch is given up.",
           ERRORS)  # fmt: skip
def test_without_bisecting_the_whole_batch_is_given_up(world: World) -> None:
    table, function = world.table(), world.function(answers.FAIL_ON_BAD)
    keys = ["a", "bad", "c"]
    table.put_all(keys)
    world.mapping(table, function, BatchSize=3, MaximumRetryAttempts=1)
    table.put("end")
    calls = function.wait_for("end")
    assert [call.ids for call in calls] == [keys, keys, ["end"]]


@behaviour("Failures", "throttled", "A function whose reserved concurrency is 0 is not called; "
           "the batch waits and comes once it may be.", ERRORS)  # fmt: skip
def test_a_throttled_function_gets_its_records_later(world: World) -> None:
    table, function = world.table(), world.function()
    witness = world.function()
    world.lambda_.put_function_concurrency(
        FunctionName=function.name, ReservedConcurrentExecutions=0
    )
    world.mapping(table, function, BatchSize=1, MaximumRetryAttempts=0)
    world.mapping(table, witness)
    table.put_all(KEYS)
    witness.wait_for(*KEYS)
    assert function.calls() == []
    world.lambda_.delete_function_concurrency(FunctionName=function.name)
    function.wait_for(*KEYS, timeout=60)
    # Being throttled uses up no attempt: nothing was given up.
    assert function.ids() == KEYS


@behaviour("Failures", "missing-function", "Records wait while the function does not exist, and "
           "come once it does again.", ERRORS)  # fmt: skip
def test_records_wait_for_a_missing_function(world: World) -> None:
    table, function = world.table(), world.function()
    world.mapping(table, function, BatchSize=1)
    table.put("a")
    function.wait_for("a")
    world.lambda_.delete_function(FunctionName=function.name)
    table.put_all(["b", "c"])
    time.sleep(1)
    function.create(answers.NOTHING)
    function.wait_for("b", "c", timeout=60)
    assert function.ids() == ["a", "b", "c"]


@behaviour("Failures", "reserved-concurrency", "Mappings call a function no more often at a time "
           "than its reserved concurrency.", RESERVED)  # fmt: skip
def test_reserved_concurrency_is_kept(world: World) -> None:
    table, function = world.table(), world.function(answers.SLOW)
    world.lambda_.put_function_concurrency(
        FunctionName=function.name, ReservedConcurrentExecutions=1
    )
    keys = [f"k{n}" for n in range(6)]
    table.put_all(keys)
    world.mapping(table, function, BatchSize=1, ParallelizationFactor=5)
    calls = sorted(function.wait_for(*keys, timeout=60), key=lambda call: call.started)
    overlaps = [
        (one.ids, two.ids) for one, two in pairwise(calls) if one.ended and one.ended > two.started
    ]
    assert overlaps == []
    assert len({call.fields["environment"] for call in calls}) == 1
