"""Finding the record of one write in the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from streamdev.observe.waiting import Write, outcome_of
from tests.support.observed import TABLE, invocation, line, record

SENT = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
KEY = {"id": {"S": "7"}}


def write(old: Any, new: Any, table: str = TABLE) -> Write:
    def whole(image: Any) -> Any:
        return None if image is None else {**KEY, **image}

    return Write(table, KEY, whole(old), whole(new), SENT)


def found(write: Write, lines: list[str], function: str | None = "user-profile") -> str | None:
    record = outcome_of(write, lines, function)
    return record.request_id if record else None


A, B = {"n": {"N": "1"}}, {"n": {"N": "2"}}


@pytest.mark.parametrize(
    ("old", "new", "event_name"),
    [(None, A, "INSERT"), (A, B, "MODIFY"), (A, None, "REMOVE")],
)
def test_the_record_is_found_by_key_and_images(old: Any, new: Any, event_name: str) -> None:
    lines = invocation([record("7", event_name, old=old, new=new)])
    assert found(write(old, new), lines) == "r1"


@pytest.mark.parametrize(
    ("event_name", "old", "new"),
    [("INSERT", None, A), ("INSERT", None, None)],
)
def test_keys_alone_do_where_the_stream_has_no_more(event_name: str, old: Any, new: Any) -> None:
    lines = invocation([record("7", event_name)])
    assert found(write(old, new or A), lines) == "r1"


def test_an_earlier_write_to_the_same_item_is_not_taken_for_it() -> None:
    earlier = invocation([record("7", "MODIFY", old=B, new=A)], request_id="earlier")
    own = invocation([record("7", "MODIFY", old=A, new=B)], request_id="own")
    assert found(write(A, B), earlier + own) == "own"


def test_other_keys_tables_and_functions_are_not_taken_for_it() -> None:
    lines = invocation([record("8", new=A)])
    lines += invocation([record("7", new=A)], function="other", request_id="other")
    assert found(write(None, A), lines) is None
    assert found(write(None, A), lines, function=None) == "other"
    assert found(write(None, A, table="Other"), lines, function=None) is None


def test_numbers_and_sets_are_compared_as_dynamodb_does() -> None:
    sent = {"n": {"N": "1.0"}, "s": {"SS": ["b", "a"]}}
    streamed = {"n": {"N": "1"}, "s": {"SS": ["a", "b"]}}
    assert found(write(None, sent), invocation([record("7", new=streamed)])) == "r1"


def test_cut_and_redacted_values_are_compared_as_far_as_they_go() -> None:
    sent = {"text": {"S": "x" * 5000}, "raw": {"B": "QUJD" * 500}, "pin": {"S": "1234"}}
    lines = invocation([record("7", new=sent)])
    assert '"cut":' in lines[0]
    lines[0] = lines[0].replace('{"S":"1234"}', '{"redacted":true}')
    assert found(write(None, sent), lines) == "r1"
    other = {**sent, "text": {"S": "y" * 5000}}
    assert found(write(None, other), lines) is None


def test_an_image_that_is_too_long_for_the_log_is_compared_as_far_as_it_goes() -> None:
    sent = {f"a{n}": {"S": "x" * 900} for n in range(40)}
    lines = invocation([record("7", new=sent)])
    assert '"left_out"' in "".join(lines)
    assert found(write(None, sent), lines) == "r1"


def test_a_filter_ends_the_waiting() -> None:
    lines = line(
        "mapping.filtered",
        1,
        function="user-profile",
        table=TABLE,
        event_name="INSERT",
        keys=KEY,
        reason="because",
    )
    told = outcome_of(write(None, A), lines, "user-profile")
    assert told is not None
    assert (told.outcome, told.reason) == ("filtered", "because")


def test_the_first_attempt_ends_the_waiting() -> None:
    lines = invocation([record("7", new=A)], outcome="error")
    lines += invocation([record("7", new=A)], request_id="r2", attempt=2, second=3)
    told = outcome_of(write(None, A), lines, "user-profile")
    assert told is not None
    assert (told.outcome, told.attempt) == ("error", 1)


def test_lines_that_end_before_give_none() -> None:
    assert outcome_of(write(None, A), [], None) is None
