"""What a function's answer says about its batch."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdev.semantics.responses import BatchResult, read_response
from tests.support.streams import records

BATCH = records(5)


def respond(answer: Any) -> BatchResult:
    return read_response(json.dumps(answer).encode(), BATCH)


def failures(*identifiers: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": one} for one in identifiers]}


@pytest.mark.parametrize(
    "answer",
    [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, {"other": 1}],
    ids=["null", "empty", "empty list", "null list", "no list"],
)
def test_empty_answers_are_success(answer: Any) -> None:
    assert respond(answer).kind == "ok"


def test_an_answer_of_no_bytes_is_success() -> None:
    assert read_response(b"", BATCH).kind == "ok"


@pytest.mark.parametrize(
    "answer",
    [
        failures(""),
        failures(None),
        failures(3),
        {"batchItemFailures": [{"identifier": BATCH[0].sequence}]},
        {"batchItemFailures": ["x"]},
        {"batchItemFailures": "x"},
        {"batchItemFailures": {"itemIdentifier": "x"}},
        failures("000000000000000000099"),
        failures(BATCH[0].sequence, "nonsense"),
        ["x"],
        "x",
        7,
    ],
)
def test_malformed_answers_fail_the_whole_batch_and_say_why(answer: Any) -> None:
    result = respond(answer)
    assert result.kind == "failed"
    assert result.reason


def test_an_answer_that_is_no_json_fails_the_batch() -> None:
    assert read_response(b"<ok/>", BATCH).kind == "failed"


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_the_lowest_failed_record_is_the_checkpoint(indexes: list[int]) -> None:
    result = respond(failures(*(BATCH[index].sequence for index in indexes)))
    assert result.kind == "partial"
    assert result.checkpoint == BATCH[min(indexes)].sequence
    assert result.failures == tuple(BATCH[index].sequence for index in indexes)
