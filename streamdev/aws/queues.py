"""Messages of SQS queues: looked at, put back, removed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

#: SQS gives and takes at most so many messages a call.
AT_ONCE = 10


@dataclass(frozen=True)
class Message:
    """A message that was received and is held back from others for a while.

    Attributes:
        id: The same each time it is received.
        receipt: What it is put back or removed by; another one each time.
        sent: When it was sent (aware, UTC).
    """

    id: str
    receipt: str
    body: str
    sent: datetime


class Queues:
    """Standard queues, by URL (`url` finds it)."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def url(self, name: str) -> str:
        """The URL of the queue called ``name``.

        Raises:
            AwsNotFoundError: There is none.
        """
        with self._gateway.errors():
            return self._gateway.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]

    def receive(self, url: str, *, hold_s: int) -> list[Message]:
        """Up to ten messages, each held for ``hold_s`` seconds."""
        with self._gateway.errors():
            answer = self._gateway.client("sqs").receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=AT_ONCE,
                VisibilityTimeout=hold_s,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        return [
            Message(
                id=message["MessageId"],
                receipt=message["ReceiptHandle"],
                body=message["Body"],
                sent=datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1e3, UTC),
            )
            for message in answer.get("Messages", ())
        ]

    def collect(self, url: str, *, hold_s: int) -> list[Message]:
        """Every message that nobody else holds, oldest first.

        Each is held for ``hold_s`` seconds, or until `release`.
        """
        found: dict[str, Message] = {}
        while received := self.receive(url, hold_s=hold_s):
            found |= {message.id: message for message in received}
        return sorted(found.values(), key=lambda message: message.sent)

    def hold(self, url: str, message: Message, seconds: int) -> None:
        """Hold a message for ``seconds`` from now on."""
        with self._gateway.errors():
            self._gateway.client("sqs").change_message_visibility(
                QueueUrl=url, ReceiptHandle=message.receipt, VisibilityTimeout=seconds
            )

    def release(self, url: str, messages: Iterable[Message]) -> None:
        """Let others have the messages again, at once."""
        client = self._gateway.client("sqs")
        entries = [
            {"Id": str(number), "ReceiptHandle": message.receipt, "VisibilityTimeout": 0}
            for number, message in enumerate(messages)
        ]
        with self._gateway.errors():
            for start in range(0, len(entries), AT_ONCE):
                client.change_message_visibility_batch(
                    QueueUrl=url,
                    Entries=entries[start : start + AT_ONCE],  # type: ignore[arg-type]
                )

    def delete(self, url: str, message: Message) -> None:
        """Remove a message for good."""
        with self._gateway.errors():
            self._gateway.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message.receipt)
