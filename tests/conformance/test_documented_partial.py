"""ReportBatchItemFailures: a function names the records that failed."""

from __future__ import annotations

import pytest

from tests.conformance import answers
from tests.conformance.behaviour import behaviour
from tests.conformance.pages import PARTIAL
from tests.conformance.world import World, until

GROUP = "FunctionResponseTypes"
REPORT = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}


@behaviour(GROUP, "partial", "Records from the reported one on are retried, those before it are "
           "done.", PARTIAL)  # fmt: skip
def test_records_from_the_reported_one_on_are_retried(world: World) -> None:
    table = world.table()
    function = world.function(answers.REPORT_BAD_WHILE_FLAGGED)
    function.set("fail")
    table.put_all(["a", "b", "bad", "d"])
    world.mapping(table, function, BatchSize=4, **REPORT)
    until(lambda: len(function.calls()) >= 2, "a retry")
    function.clear("fail")
    table.put("end")
    calls = [call.ids for call in function.wait_for("end")]
    assert calls[:2] == [["a", "b", "bad", "d"], ["bad", "d"]]


@behaviour(GROUP, "partial-lowest", "Of several reported records the lowest sequence number "
           "counts.", PARTIAL)  # fmt: skip
def test_the_lowest_reported_record_counts(world: World) -> None:
    table = world.table()
    function = world.function(answers.REPORT_BAD_WHILE_FLAGGED)
    function.set("fail")
    table.put_all(["a", "bad-1", "c", "bad-2", "e"])
    world.mapping(table, function, BatchSize=5, **REPORT)
    until(lambda: len(function.calls()) >= 2, "a retry")
    function.clear("fail")
    calls = [call.ids for call in function.calls()]
    assert calls[1] == ["bad-1", "c", "bad-2", "e"]


@behaviour(GROUP, "partial-retries", "Retries of reported records count: at the end they are "
           "given up.", PARTIAL)  # fmt: skip
def test_reported_records_are_given_up_in_the_end(world: World) -> None:
    table, function = world.table(), world.function(answers.REPORT_BAD)
    table.put_all(["a", "bad"])
    world.mapping(table, function, BatchSize=2, MaximumRetryAttempts=2, **REPORT)
    table.put("end")
    function.wait_for("end")
    calls = [call.ids for call in function.calls() if "end" not in call.ids]
    assert calls[0] == ["a", "bad"]
    assert calls[1:] == [["bad"]] * (len(calls) - 1)
    assert 2 <= len(calls) - 1 <= 3


@behaviour(GROUP, "partial-off", "Without ReportBatchItemFailures the answer is not looked at.",
           PARTIAL)  # fmt: skip
def test_reports_are_ignored_where_not_turned_on(world: World) -> None:
    table, function = world.table(), world.function(answers.REPORT_BAD)
    table.put_all(["a", "bad"])
    world.mapping(table, function, BatchSize=2)
    table.put("end")
    function.wait_for("end")
    assert function.ids() == ["a", "bad", "end"]


@behaviour(GROUP, "partial-bisect", "With BisectBatchOnFunctionError the batch is split at the "
           "reported record and only the rest is retried.", PARTIAL)  # fmt: skip
def test_bisecting_splits_at_the_reported_record(world: World) -> None:
    table, function = world.table(), world.function(answers.REPORT_BAD)
    keys = ["a", "b", "c", "bad", "e", "f"]
    table.put_all(keys)
    world.mapping(
        table,
        function,
        BatchSize=6,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        **REPORT,
    )
    table.put("end")
    calls = [call.ids for call in function.wait_for("end")]
    assert calls[0] == keys
    assert not any({"a", "b", "c"} & set(ids) for ids in calls[1:])
    assert [i for i in calls[-1] if i != "end"] in (["e", "f"], [])
    assert {"e", "f"} <= {key for ids in calls[1:] if "bad" not in ids for key in ids}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answer, id=name, marks=behaviour(GROUP, name, says, PARTIAL))
        for name, says, answer in [
            (
                "partial-empty-list",
                "An empty batchItemFailures list is a complete success.",
                '{"batchItemFailures": []}',
            ),
            (
                "partial-null-list",
                "A null batchItemFailures list is a complete success.",
                '{"batchItemFailures": None}',
            ),
            ("partial-empty-answer", "An empty answer is a complete success.", "{}"),
            ("partial-null-answer", "A null answer is a complete success.", "None"),
        ]
    ],
)
def test_these_answers_are_a_success(world: World, answer: str) -> None:
    table, function = world.table(), world.function(answers.returning(answer))
    table.put_all(["a", "b"])
    world.mapping(table, function, BatchSize=2, **REPORT)
    table.put("end")
    function.wait_for("end")
    assert function.ids() == ["a", "b", "end"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answer, id=name, marks=behaviour(GROUP, name, says, PARTIAL))
        for name, says, answer in [
            (
                "partial-empty-identifier",
                'An empty itemIdentifier ("") is a complete failure.',
                '{"batchItemFailures": [{"itemIdentifier": ""}]}',
            ),
            (
                "partial-null-identifier",
                "A null itemIdentifier is a complete failure.",
                '{"batchItemFailures": [{"itemIdentifier": None}]}',
            ),
            (
                "partial-bad-name",
                "An itemIdentifier under another name is a complete failure.",
                '{"batchItemFailures": [{"identifier": '
                'event["Records"][0]["dynamodb"]["SequenceNumber"]}]}',
            ),
            ("partial-exception", "An exception is a complete failure.", "1 / 0"),
        ]
    ],
)
def test_these_answers_are_a_failure_of_all(world: World, answer: str) -> None:
    table, function = world.table(), world.function(answers.returning(answer))
    table.put_all(["a", "b"])
    world.mapping(table, function, BatchSize=2, **REPORT)
    table.put("end")
    function.wait_for("end")
    assert function.calls()[0].ids == ["a", "b"]
    assert [key for key in function.ids()[2:] if key != "end"] == ["a", "b"]
