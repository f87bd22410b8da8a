"""From the log's lines to processed records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from streamdev.observe import follow
from streamdev.observe.documents import document
from streamdev.observe.names import Names
from streamdev.observe.notices import Notice
from streamdev.observe.records import Processed, stack_trace
from streamdev.semantics import exact_json
from tests.support.observed import invocation, line, record

NAMES = Names({"user-profile": "profiles"})


def processed(lines: list[str], **options: Any) -> list[Processed]:
    return [entry for entry in follow.entries(lines, **options) if isinstance(entry, Processed)]


def test_a_record_is_told_when_its_invocation_ends() -> None:
    start, end = invocation([record("7", new={"name": {"S": "John"}})])
    assert processed([start]) == []
    (told,) = processed([start, end])
    assert told.at == datetime(2026, 11, 20, 12, 0, 1, 500_000, UTC)
    assert (told.function, told.table) == ("user-profile", "UserProfileTable")
    assert (told.event_name, told.keys, told.outcome) == ("INSERT", {"id": {"S": "7"}}, "ok")
    assert (told.attempt, told.duration_ms, told.memory_mib) == (1, 12.5, 64)
    assert told.new == {"id": {"S": "7"}, "name": {"S": "John"}}


def test_records_of_interleaved_invocations_come_as_they_end() -> None:
    one = invocation([record("a")], second=1, request_id="r1", function="one")
    two = invocation([record("b")], second=1, request_id="r2", function="two")
    told = processed([one[0], two[0], two[1], one[1]])
    assert [entry.function for entry in told] == ["two", "one"]


def test_a_batch_over_several_lines_is_one_batch() -> None:
    big = {"text": {"S": "x" * 900}}
    records = [record(str(n), new=big, sequence_number=str(n)) for n in range(40)]
    lines = invocation(records)
    assert len(lines) > 3
    told = processed(lines)
    assert [entry.keys["id"]["S"] for entry in told] == [str(n) for n in range(40)]
    assert {entry.batch_size for entry in told} == {40}
    assert [entry.last_of_batch for entry in told] == [False] * 39 + [True]


def test_a_failed_batch_fails_every_record() -> None:
    error = {"type": "KeyError", "message": "'name'", "trace": ['  File "handler.py", line 3']}
    told = processed(invocation([record("a"), record("b")], outcome="error", error=error))
    assert [entry.outcome for entry in told] == ["error", "error"]
    assert all(entry.failed for entry in told)
    failure = told[0].failure
    assert failure is not None
    assert (failure.type, failure.message) == ("KeyError", "'name'")
    assert failure.trace == ('  File "handler.py", line 3',)


def test_a_partial_failure_fails_the_records_that_were_reported() -> None:
    records = [record(key, sequence_number=key) for key in ("1", "2", "3")]
    told = processed(invocation(records, outcome="partial", failures=["2"]))
    assert [entry.outcome for entry in told] == ["ok", "error", "ok"]
    assert [entry.failure.type if entry.failure else None for entry in told] == [
        None,
        "batchItemFailures",
        None,
    ]


def test_the_attempts_of_a_batch_are_told_one_by_one() -> None:
    first = invocation([record()], request_id="r1", outcome="timeout", attempt=1)
    second = invocation([record()], request_id="r2", attempt=2, second=3)
    assert [(e.attempt, e.outcome) for e in processed(first + second)] == [
        (1, "timeout"),
        (2, "ok"),
    ]


def test_a_filtered_record_says_which_clause_kept_it_out() -> None:
    (told,) = processed(
        line(
            "mapping.filtered",
            mapping="m1",
            function="user-profile",
            table="UserProfileTable",
            event_id="e1",
            event_name="MODIFY",
            keys={"id": {"S": "7"}},
            sequence_number="5",
            reason='eventName is "MODIFY", filter 1 wants "INSERT"',
        )
    )
    assert (told.outcome, told.keys, told.failed) == ("filtered", {"id": {"S": "7"}}, False)
    assert told.reason == 'eventName is "MODIFY", filter 1 wants "INSERT"'


def test_an_invocation_without_records_is_told_too() -> None:
    (told,) = processed(invocation([], outcome="crash"))
    assert (told.event_name, told.keys, told.outcome) == ("INVOKE", {}, "crash")


def test_only_the_functions_asked_for() -> None:
    lines = invocation([record()], function="one") + invocation([record()], function="two")
    assert [entry.function for entry in processed(lines, functions={"two"})] == ["two"]


def test_what_was_over_before_is_left_out() -> None:
    lines = invocation([record("a")], second=1) + invocation([record("b")], second=10)
    since = datetime(2026, 11, 20, 12, 0, 5, tzinfo=UTC)
    assert [entry.keys["id"]["S"] for entry in processed(lines, since=since)] == ["b"]


def test_an_invocation_that_began_before_and_ended_after_is_told() -> None:
    start, _ = invocation([record("slow")], second=1)
    _, end = invocation([record("slow")], second=60)
    since = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
    read_from = follow.read_from(since)
    assert read_from is not None
    assert read_from < datetime(2026, 11, 20, 12, 0, 1, tzinfo=UTC)
    assert len(processed([start, end], since=since)) == 1


def test_what_was_running_when_the_engine_ended_has_an_unknown_outcome() -> None:
    start, end = invocation([record("a")])
    told = processed([start, *line("engine.ready", 9), end])
    assert [entry.outcome for entry in told] == ["unknown"]


def test_an_end_whose_start_is_not_in_the_log_is_left_out() -> None:
    _, end = invocation([record("a")])
    assert processed([end]) == []


def test_other_lines_are_passed_over() -> None:
    noise = ["plain text", "[streamdev] {broken", "[localstack] ready", "[streamdev] []", ""]
    assert processed([*noise, *invocation([record()]), *line("something.new", 2)]) != []


def notices(lines: list[str]) -> list[Notice]:
    return [entry for entry in follow.entries(lines) if isinstance(entry, Notice)]


def test_what_a_mapping_does_is_told() -> None:
    common = {"mapping": "m1", "function": "user-profile"}
    told = notices(
        [
            *line("mapping.retry", **common, request_id="r1", attempt=2, wait_ms=1500, reason="x"),
            *line("mapping.bisect", **common, count=5, left=3, right=2),
            *line(
                "mapping.discarded",
                **common,
                count=1,
                reason="RetryAttemptsExhausted",
                batch="b.json",
                event_ids=["e"],
            ),
            *line("mapping.destination", **common, arn="arn:q", ok=False, error="gone"),
            *line("mapping.destination", **common, arn="arn:q", ok=True, error=None),
            *line("mapping.state", mapping="m1", state="Disabled", reason="User action"),
            *line("mapping.trimmed", **common),
            *line("runtime.differs", function="user-profile", runtime="python3.9", runs="3.13"),
            *line("engine.ready"),
        ]
    )
    assert [(notice.kind, notice.serious, notice.text) for notice in told] == [
        ("retry", False, "tries the batch again in 1.5 s (attempt 2): x"),
        ("bisect", False, "splits the batch of 5 into 3 and 2"),
        (
            "discarded",
            True,
            "gives up 1 record: RetryAttemptsExhausted; kept whole in batches/b.json",
        ),
        ("destination", True, "could not reach the failure destination arn:q: gone"),
        ("destination", False, "told the failure destination arn:q"),
        ("state", False, "the mapping is Disabled: User action"),
        (
            "trimmed",
            True,
            "missed records: they are older than 24 hours and gone from the stream",
        ),
        ("differs", False, "runs on 3.13, not on python3.9"),
        ("ready", False, "the engine is ready"),
    ]


def test_what_chaos_does_is_told_as_chaos_and_without_being_asked_for() -> None:
    common = {"mapping": "m1", "function": "user-profile", "event_ids": ["e"]}
    told = notices(
        [
            *line("mapping.chaos", function="f", deed="begin", seed=7, shares={"fail": 1}),
            *line("mapping.chaos", **common, deed="fail", count=1, attempt=2),
            *line("mapping.chaos", **common, deed="throttle", count=3, attempt=1),
            *line("mapping.chaos", **common, deed="delay", count=3, attempt=1, wait_ms=1500),
            *line("mapping.chaos", **common, deed="duplicate", count=3, attempt=1),
            *line("mapping.chaos", **common, deed="reorder", count=2, overtaken=1),
            *line("mapping.chaos", **common, deed="split", count=5, left=4, right=1),
            *line("mapping.chaos", function="f", deed="end", deeds={"fail": 2, "split": 1}),
            *line("mapping.chaos", function="f", deed="end", deeds={}),
        ]
    )
    assert [notice.text for notice in told] == [
        "chaos: begins, seed 7",
        "chaos: attempt 2 at 1 record failed, the function was not run",
        "chaos: attempt 1 at 3 records throttled, the function was not run",
        "chaos: 3 records held back for 1.5 s",
        "chaos: 3 records handed over once more",
        "chaos: 2 records overtake 1",
        "chaos: 5 records cut into 4 and 1",
        "chaos: ends: 2 fail, 1 split",
        "chaos: ends: did nothing",
    ]
    assert all(notice.told and not notice.serious for notice in told)


def test_a_notice_over_several_lines_is_told_once() -> None:
    lines = line("mapping.discarded", function="f", count=900, event_ids=["e" * 32] * 900)
    assert len(lines) > 1
    assert [notice.text for notice in notices(lines)] == ["gives up 900 records: None"]


def test_the_json_document_of_a_record() -> None:
    old = {"age": {"N": "41"}, "pin": {"S": "secret"}}
    new = {"age": {"N": "42.10"}, "pin": {"S": "other"}, "bio": {"S": "b" * 5000}}
    lines = invocation([record("7", "MODIFY", old=old, new=new)])
    lines = [text.replace('{"S":"secret"}', '{"redacted":true}') for text in lines]
    (entry,) = processed(lines)
    told = json.loads(exact_json.write(document(entry, NAMES)))
    assert told["kind"] == "record"
    assert (told["pipeline"], told["function"]) == ("profiles", "user-profile")
    assert told["at"] == "2026-11-20T12:00:01.500000Z"
    assert told["keys"] == {"id": "7"}
    assert told["old"] == {"id": "7", "age": 41, "pin": {"redacted": True}}
    assert told["new"]["bio"] == {"cut": 5000, "value": "b" * 1024}
    assert told["changes"][0] == {"path": "age", "kind": "changed", "old": 41, "new": 42.10}
    assert told["error"] is None
    assert '"new": 42.10' in exact_json.write(document(entry, NAMES))


def test_the_json_document_of_a_notice() -> None:
    (notice,) = notices(line("mapping.discarded", function="user-profile", count=2, reason="X"))
    told = document(notice, NAMES)
    assert told["kind"] == "discarded"
    assert (told["pipeline"], told["count"], told["reason"]) == ("profiles", 2, "X")
    assert told["text"] == "gives up 2 records: X"


# What handlers print.


def test_handler_output_is_told_by_function() -> None:
    lines = [
        "printed before any marker",
        *line("output", 1, request_id="r1", function="one"),
        "START RequestId: r1",
        "hello",
        "[localstack] noise",
        *line("mapping.received", 2, function="one"),
        "",
        *line("output", 3, request_id="r2", function="two"),
        "  indented",
    ]
    found = list(follow.output(lines))
    assert [(entry.function, entry.request_id, entry.text) for entry in found] == [
        ("one", "r1", "START RequestId: r1"),
        ("one", "r1", "hello"),
        ("one", "r1", ""),
        ("two", "r2", "  indented"),
    ]
    assert found[2].at == datetime(2026, 11, 20, 12, 0, 2, tzinfo=UTC)
    assert [entry.text for entry in follow.output(lines, functions={"two"})] == ["  indented"]


def test_a_stack_trace_names_the_handlers_files_as_aws_does() -> None:
    unpacked = (
        "/x/.streamdev/localstack/tmp/lambda/awslambda-us-east-1-tasks/f-1b2c/code/handler.py"
    )

    assert stack_trace([f'  File "{unpacked}", line 16, in lambda_handler\n']) == (
        '  File "/var/task/handler.py", line 16, in lambda_handler',
    )
