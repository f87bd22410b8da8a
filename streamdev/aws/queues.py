"""Messages of SQS queues: looked at, put back, removed."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streamdev.aws import web
from streamdev.aws.errors import AwsError
from streamdev.aws.names import ACCOUNT_ID

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

    def urls(self) -> list[str]:
        """The URLs of all queues."""
        with self._gateway.errors():
            pages = self._gateway.client("sqs").get_paginator("list_queues").paginate()
            return [url for page in pages for url in page.get("QueueUrls", ())]

    def names(self) -> list[str]:
        """The names of all queues."""
        return sorted(url.rpartition("/")[2] for url in self.urls())

    def look(self, name: str) -> list[dict[str, Any]]:
        """Every message of a queue, also those that are held or delayed; nothing changes.

        SQS has no such call: this is LocalStack's (``services.sqs``, ``/_aws/sqs/messages``).

        Returns:
            Of each ``body``, ``attributes`` (SQS's ``MessageAttributes``, binary as base64 text),
            ``sent`` (ISO 8601), and ``group`` where the queue is a FIFO queue.

        Raises:
            AwsError: The engine does not answer it.
        """
        url = (
            f"{self._gateway.endpoint_url}/_aws/sqs/messages/{self._gateway.region}/{ACCOUNT_ID}/"
            f"{name}?ShowInvisible=true&ShowDelayed=true"
        )
        status, text = web.call("GET", url, content_type="application/x-amz-json-1.0")
        try:
            found = json.loads(text) if status == 200 else None
        except ValueError:
            found = None
        if found is None:
            raise AwsError(
                f"The messages of {name} can't be seen: the engine answers {status} at {url}.",
                hint="That is a call of LocalStack's own; another engine may not have it.",
            )
        return [_document(message) for message in found.get("Messages") or ()]

    def send(self, url: str, message: Mapping[str, Any]) -> None:
        """Send a message that `look` gave.

        A FIFO queue would take one it has seen in the last five minutes for a duplicate, so it
        gets a new ``MessageDeduplicationId``.
        """
        attributes: dict[str, Any] = {
            name: {k: base64.b64decode(v) if k == "BinaryValue" else v for k, v in value.items()}
            for name, value in (message.get("attributes") or {}).items()
        }
        fifo: dict[str, Any] = {}
        if message.get("group") is not None:
            fifo = {
                "MessageGroupId": message["group"],
                "MessageDeduplicationId": str(uuid.uuid4()),
            }
        with self._gateway.errors():
            self._gateway.client("sqs").send_message(
                QueueUrl=url, MessageBody=message["body"], MessageAttributes=attributes, **fifo
            )

    def purge(self, url: str) -> None:
        """Remove all messages."""
        with self._gateway.errors():
            self._gateway.client("sqs").purge_queue(QueueUrl=url)

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


def _document(message: Mapping[str, Any]) -> dict[str, Any]:
    known = message.get("Attributes") or {}
    sent = datetime.fromtimestamp(int(known["SentTimestamp"]) / 1e3, UTC)
    found = {
        "body": message["Body"],
        "attributes": message.get("MessageAttributes") or {},
        "sent": sent.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    group = known.get("MessageGroupId")
    return found if group is None else {**found, "group": group}
