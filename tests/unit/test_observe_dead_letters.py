"""Dead letters, from the messages of a failure destination."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from streamdev.aws.gateway import Gateway
from streamdev.aws.queues import Message
from streamdev.observe.dead_letters import DeadLetter, DeadLetters, Newest, processed
from streamdev.observe.records import Tracker
from streamdev.semantics.destinations import LastResponse, failure_message
from streamdev.semantics.log import parse
from tests.support import observed
from tests.support.streams import records

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/UserProfileTable/stream/1"


def body() -> dict[str, Any]:
    return failure_message(
        records(2),
        request_id="r1",
        function_arn="arn:aws:lambda:us-east-1:000000000000:function:user-profile:live",
        condition="RetryAttemptsExhausted",
        invokes=3,
        response=LastResponse("1", "Unhandled"),
        shard="shard-1",
        stream_arn=STREAM,
        now=1_795_225_680.0,
    )


def letter_of(text: str) -> DeadLetter | None:
    # Nothing is asked of an engine that stores no batches.
    found = DeadLetters(Gateway("http://127.0.0.1:9"), stored=False)
    return found.letter(Message("id", "receipt", text, datetime.now(UTC)))


def test_a_failure_message_is_a_dead_letter() -> None:
    letter = letter_of(json.dumps(body()))
    assert letter is not None
    assert (letter.function, letter.table) == ("user-profile", "UserProfileTable")
    assert (letter.attempts, letter.size, letter.condition) == (3, 2, "RetryAttemptsExhausted")
    assert int(letter.first) == 1
    assert int(letter.last) == 2
    assert letter.batch is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"requestContext": {}}', "5"])
def test_any_other_message_is_none(text: str) -> None:
    assert letter_of(text) is None


def test_a_record_is_overtaken_when_a_later_one_of_its_item_was_handled() -> None:
    letter = letter_of(json.dumps(body()))
    assert letter is not None
    event = {"Records": [record.event for record in records(2)]}
    first, second = processed(letter, event)
    # The same item; another one; and a later change that failed.
    handled = [
        replace(second, outcome="ok", sequence_number="2"),
        replace(second, outcome="ok", sequence_number="9", keys={"id": {"S": "other"}}),
        replace(second, outcome="error", sequence_number="9"),
    ]
    assert Newest(handled).overtaken([first, second]) == [first]
    assert Newest([]).overtaken([first, second]) == []


def test_the_log_tells_what_is_newest() -> None:
    tracker = Tracker()
    lines = observed.invocation([observed.record("a", new={}, sequence_number="7")])
    events = [event for line in lines if (event := parse(line)) is not None]
    entries = [entry for event in events for entry in tracker.feed(event)]
    letter = letter_of(json.dumps(body()))
    assert letter is not None
    (record, _) = processed(letter, {"Records": [one.event for one in records(2)]})
    assert Newest(entries).overtaken([record]) == [record]
