"""Tells of changes of profiles on an SNS topic."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from profiles import Change

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

#: SNS takes 256 KB a message, attributes included.
MAX_BYTES = 250_000


class Notifier:
    """Publishes a message for each change.

    Args:
        client: boto3's client of SNS.
        topic_arn: The topic.
    """

    def __init__(self, client: SNSClient, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def tell(self, change: Change) -> None:
        """Publish ``profile.created``, ``.updated``, ``.deleted`` or ``.rejected``.

        Raises:
            botocore.exceptions.ClientError: SNS refused the message.
            botocore.exceptions.BotoCoreError: SNS can't be reached.
        """
        event = f"profile.{'rejected' if change.problems else change.kind}"
        self._client.publish(
            TopicArn=self._topic_arn,
            Subject=event,
            Message=message(event, change),
            # Subscriptions can filter on this.
            MessageAttributes={"event": {"DataType": "String", "StringValue": event}},
        )


def message(event: str, change: Change) -> str:
    """The message as JSON.

    ``changes`` has ``[before, after]`` for each attribute. Where that would be more than SNS
    takes it is left out, and ``changed`` has the attributes' names alone. Whole numbers are
    numbers; others are strings, so that no digit is lost.
    """
    told: dict[str, Any] = {
        "event": event,
        "id": change.profile_id,
        "version": change.version,
        "eventId": change.event_id,
        "sequenceNumber": change.sequence_number,
    }
    if change.problems:
        told["problems"] = list(change.problems)
    text = json.dumps({**told, "changes": change.changed}, default=_plain)
    if len(text) > MAX_BYTES:
        told.pop("problems", None)
        text = json.dumps({**told, "changed": sorted(change.changed)}, default=_plain)
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
