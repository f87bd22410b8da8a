"""Notifications, as SNS puts them into a queue or raw."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from streamdev.aws.queues import Message
from streamdev.observe.notifications import notification

SENT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def message(body: str) -> Message:
    return Message("sqs-id", "receipt", body, SENT)


def test_snss_envelope_is_taken_off() -> None:
    envelope = {
        "Type": "Notification",
        "MessageId": "sns-id",
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:profile-updates",
        "Subject": "profile.created",
        "Message": json.dumps({"id": "1"}),
        "Timestamp": "2026-11-20T11:59:59.500Z",
    }
    found = notification(message(json.dumps(envelope)))
    assert (found.id, found.topic, found.subject) == (
        "sns-id",
        "profile-updates",
        "profile.created",
    )
    assert found.message == {"id": "1"}
    assert found.at == datetime(2026, 11, 20, 11, 59, 59, 500_000, UTC)


def test_a_raw_message_is_itself() -> None:
    found = notification(message('{"Type": "Notification"}'))
    assert (found.id, found.at, found.topic) == ("sqs-id", SENT, None)
    assert found.message == {"Type": "Notification"}
    assert notification(message("plain words")).message == "plain words"
