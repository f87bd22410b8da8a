"""What was published to a topic, as a queue subscribed to it got it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamdev.aws.queues import Message


@dataclass(frozen=True)
class Notification:
    """One notification.

    Attributes:
        id: Of SNS's message, or of SQS's where it came raw: copies of one share SNS's.
        at: When it was published (aware, UTC).
        topic: The topic's name; ``None`` where it came raw.
        message: What was published: the parsed JSON where it is JSON, else the text.
    """

    id: str
    at: datetime
    topic: str | None
    subject: str | None
    message: Any


def notification(message: Message) -> Notification:
    """The notification in a message, with SNS's envelope or raw."""
    body = _parsed(message.body)
    if isinstance(body, dict) and body.get("Type") == "Notification" and "TopicArn" in body:
        return Notification(
            id=str(body.get("MessageId", message.id)),
            at=_time(body.get("Timestamp")) or message.sent,
            topic=str(body["TopicArn"]).rpartition(":")[2],
            subject=body.get("Subject"),
            message=_parsed(str(body.get("Message", ""))),
        )
    return Notification(message.id, message.sent, None, None, body)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
