"""What an invocation's answer and logs say about how it ended."""

from __future__ import annotations

import json

import pytest

from streamdev.semantics.outcome import judge, records_of, shown_records, table_of

REPORT = (
    "START RequestId: r Version: $LATEST\n"
    "REPORT RequestId: fake\tDuration: 9.99 ms\n"
    "END RequestId: r\n"
    "REPORT RequestId: r\tDuration: 12.50 ms\tBilled Duration: 113 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 36 MB\tInit Duration: 100.25 ms\n"
)


def error(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_an_answer_is_ok_and_the_last_report_line_has_its_figures() -> None:
    outcome = judge(b'{"done": 1}', is_error=False, logs=REPORT)
    assert (outcome.kind, outcome.failure) == ("ok", None)
    assert (outcome.duration_ms, outcome.memory_mib, outcome.init_ms) == (12.5, 36.0, 100.25)


def test_without_a_report_line_there_are_no_figures() -> None:
    outcome = judge(b"null", is_error=False, logs="")
    assert (outcome.duration_ms, outcome.memory_mib, outcome.init_ms) == (None, None, None)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (error(errorType="KeyError", errorMessage="'id'"), "error"),
        (error(errorType="Runtime.ImportModuleError", errorMessage="no"), "error"),
        (error(errorType="Sandbox.Timedout", errorMessage="Task timed out"), "timeout"),
        (error(errorMessage="2026-11-20T12:00:00Z r Task timed out after 3.00 seconds"), "timeout"),
        (error(errorType="Runtime.ExitError", errorMessage="exit status 1"), "crash"),
        (error(errorType="Runtime.OutOfMemory", errorMessage="signal: killed"), "crash"),
        (b"not json", "error"),
        (b"[1]", "error"),
    ],
)
def test_errors_are_told_apart(payload: bytes, kind: str) -> None:
    outcome = judge(payload, is_error=True, logs="")
    assert outcome.kind == kind
    assert outcome.failure is not None


def test_the_stack_trace_is_given_line_by_line() -> None:
    trace = ['  File "handler.py", line 3, in f\n    g()\n', '  File "handler.py", line 6, in g\n']
    payload = error(errorType="ValueError", errorMessage="no", stackTrace=trace)
    failure = judge(payload, is_error=True, logs="").failure
    assert failure is not None
    assert failure.trace == (
        '  File "handler.py", line 3, in f',
        "    g()",
        '  File "handler.py", line 6, in g',
    )


def test_named_records_make_an_answer_partial() -> None:
    payload = b'{"batchItemFailures": [{"itemIdentifier": "100"}, {"itemIdentifier": ""}]}'
    outcome = judge(payload, is_error=False, logs="")
    assert (outcome.kind, outcome.failures) == ("partial", ("100", ""))


@pytest.mark.parametrize(
    "payload",
    [b'{"batchItemFailures": []}', b'{"batchItemFailures": null}', b'"batchItemFailures"', b"{}"],
)
def test_an_answer_that_names_no_records_is_ok(payload: bytes) -> None:
    assert judge(payload, is_error=False, logs="").kind == "ok"


def test_named_records_do_not_count_where_the_mapping_does_not_ask_for_them() -> None:
    payload = b'{"batchItemFailures": [{"itemIdentifier": "100"}]}'
    assert judge(payload, is_error=False, logs="", report_failures=False).kind == "ok"


RECORD = {
    "eventID": "e1",
    "eventName": "MODIFY",
    "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/Users/stream/2026-11-20",
    "dynamodb": {
        "Keys": {"id": {"S": "1"}},
        "NewImage": {"id": {"S": "1"}},
        "SequenceNumber": "100",
        "ApproximateCreationDateTime": 1795219200.0,
    },
}


def test_stream_records_are_shown_as_the_log_has_them() -> None:
    records = records_of(json.dumps({"Records": [RECORD]}).encode())
    assert table_of(records) == "Users"
    assert shown_records(records) == [
        {
            "event_id": "e1",
            "event_name": "MODIFY",
            "keys": {"id": {"S": "1"}},
            "old": None,
            "new": {"id": {"S": "1"}},
            "sequence_number": "100",
            "at": "2026-11-21T00:00:00.000000Z",
        }
    ]


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'not json, but it has "Records" and "dynamodb"',
        b'{"Records": [{"body": "from a queue"}]}',
        b'{"Records": {"dynamodb": 1}}',
        b'{"Records": ["dynamodb"], "dynamodb": 1}',
    ],
)
def test_other_events_have_no_stream_records(payload: bytes) -> None:
    assert records_of(payload) == []
    assert table_of([]) is None
