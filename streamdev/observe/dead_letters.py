"""Dead letters: what a failure destination was told, put together with the records it is about.

The message (AWS's page "Capturing discarded batches for a DynamoDB event source") says only where
the records were. They are found again in the batches that the mapping stored, or in the stream
as long as that holds them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from streamdev.aws.names import table_of_stream
from streamdev.aws.queues import Message
from streamdev.observe.records import Entry, Failure, Processed, stack_trace

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway


@dataclass(frozen=True)
class DeadLetter:
    """A batch that a mapping gave up.

    Attributes:
        message: The message, as it was received; ``message.id`` names the letter.
        function_arn: The function, with its qualifier where the mapping names one.
        condition: Why it was given up: ``RetryAttemptsExhausted``, ``RecordAgeExceeded``...
        attempts: How often the function was given the batch.
        first: Sequence number of the first record; ``last`` of the last.
        size: How many records there are.
        error: What the last attempt failed with, where the stored batch has it.
        batch: The stored batch's name, ``None`` where there is none.
    """

    message: Message
    request_id: str
    function_arn: str
    condition: str
    attempts: int
    stream_arn: str
    shard: str
    first: str
    last: str
    size: int
    at: datetime
    error: Failure | None
    batch: str | None

    @property
    def function(self) -> str:
        """The function's name."""
        return self.function_arn.split(":")[6]

    @property
    def table(self) -> str | None:
        """The table the records come from."""
        return table_of_stream(self.stream_arn)


class DeadLetters:
    """Finds what messages are about.

    Args:
        gateway: The engine's AWS API.
        stored: Whether the engine stores batches (streamdev's own engines do).
    """

    def __init__(self, gateway: Gateway, *, stored: bool) -> None:
        self._gateway = gateway
        self._stored = stored

    @cached_property
    def stored(self) -> list[dict[str, Any]]:
        """The stored batches without their records, as the engine lists them."""
        return self._gateway.control.batches() if self._stored else []

    def letter(self, message: Message) -> DeadLetter | None:
        """The dead letter that a message is; ``None`` if it is another kind of message."""
        try:
            body = json.loads(message.body)
            context, info = body["requestContext"], body["DDBStreamBatchInfo"]
            batch = self._by_message.get(_identity(body))
            return DeadLetter(
                message=message,
                request_id=context["requestId"],
                function_arn=context["functionArn"],
                condition=context["condition"],
                attempts=int(context["approximateInvokeCount"]),
                stream_arn=info["streamArn"],
                shard=info["shardId"],
                first=info["startSequenceNumber"],
                last=info["endSequenceNumber"],
                size=int(info["batchSize"]),
                at=datetime.fromisoformat(body["timestamp"]),
                error=_failure(batch.get("error")) if batch else None,
                batch=batch["name"] if batch else None,
            )
        except (ValueError, KeyError, TypeError):
            return None

    def event(self, letter: DeadLetter) -> dict[str, Any] | None:
        """The event with the letter's records, or ``None`` if nothing holds them any more."""
        if letter.batch is not None:
            payload: dict[str, Any] = self._gateway.control.batch(letter.batch)["payload"]
            return payload
        records = self._gateway.streams.records(
            letter.stream_arn, letter.shard, letter.first, letter.last
        )
        return None if records is None else {"Records": records}

    def forget(self, letter: DeadLetter) -> None:
        """Remove the stored batch; its message is gone."""
        if letter.batch is not None:
            self._gateway.control.delete_batch(letter.batch)

    @cached_property
    def _by_message(self) -> dict[tuple[str, ...], dict[str, Any]]:
        return {_identity(batch["message"]): batch for batch in self.stored}


def _identity(body: Mapping[str, Any]) -> tuple[str, ...]:
    """What of two messages is equal when they are about one batch."""
    info = body["DDBStreamBatchInfo"]
    numbers = info["startSequenceNumber"], info["endSequenceNumber"]
    return (body["requestContext"]["requestId"], info["streamArn"], info["shardId"], *numbers)


def processed(letter: DeadLetter, event: Mapping[str, Any]) -> list[Processed]:
    """The letter's records in the form that all records are shown in."""
    records = event["Records"]
    return [
        Processed(
            at=letter.at,
            function=letter.function,
            table=letter.table,
            event_name=record["eventName"],
            event_id=record["eventID"],
            sequence_number=record["dynamodb"]["SequenceNumber"],
            keys=record["dynamodb"]["Keys"],
            old=record["dynamodb"].get("OldImage"),
            new=record["dynamodb"].get("NewImage"),
            outcome="error",
            attempt=letter.attempts,
            request_id=letter.request_id,
            batch_size=len(records),
            position=position,
            failure=letter.error,
            reason=letter.condition,
        )
        for position, record in enumerate(records)
    ]


class Newest:
    """The newest change of each item that its function handled, as the engine's log tells it."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._newest: dict[tuple[str, str | None, str], int] = {}
        for entry in entries:
            if isinstance(entry, Processed) and entry.outcome == "ok" and entry.sequence_number:
                key, number = _item(entry), int(entry.sequence_number)
                self._newest[key] = max(number, self._newest.get(key, 0))

    def overtaken(self, records: Sequence[Processed]) -> list[Processed]:
        """Those of ``records`` whose item had a later change handled."""
        return [
            record
            for record in records
            if self._newest.get(_item(record), 0) > int(record.sequence_number or 0)
        ]


def _item(record: Processed) -> tuple[str, str | None, str]:
    return record.function, record.table, json.dumps(record.keys, sort_keys=True)


def _failure(error: Any) -> Failure | None:
    """A function's error in AWS's shape; a partial answer has none."""
    if not isinstance(error, Mapping) or "errorMessage" not in error:
        return None
    trace = error.get("stackTrace") or ()
    return Failure(
        str(error.get("errorType") or "Error"),
        str(error["errorMessage"]),
        stack_trace(trace),
    )
