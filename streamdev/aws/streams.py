"""Records of a table's stream, read again by their sequence numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from streamdev.aws.errors import AwsError, AwsNotFoundError
from streamdev.aws.stream_description import described
from streamdev.aws.stream_tail import Start, Tail, event_of

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

# A stream forgets records after 24 hours, and all of them with its table.
_GONE = frozenset({"ResourceNotFoundException", "TrimmedDataAccessException"})


@dataclass(frozen=True)
class StreamDescription:
    """A stream: when it was switched on (``None``: not told), and its shards, oldest first."""

    began: datetime | None
    shards: tuple[str, ...]


class Streams:
    """Reads streams."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def tail(self, stream_arn: str, start: Start) -> Tail:
        """A reader of the whole stream, from its oldest record or from now on."""
        return Tail(self._gateway, stream_arn, start)

    def records(
        self, stream_arn: str, shard: str, first: str, last: str
    ) -> list[dict[str, Any]] | None:
        """The records from ``first`` to ``last``, as a function gets them.

        Returns:
            The records in order, or ``None`` where the stream has not all of them any more.
        """
        client = self._gateway.client("dynamodbstreams")
        found: list[dict[str, Any]] = []
        try:
            with self._gateway.errors():
                iterator: str | None = client.get_shard_iterator(
                    StreamArn=stream_arn,
                    ShardId=shard,
                    ShardIteratorType="AT_SEQUENCE_NUMBER",
                    SequenceNumber=first,
                )["ShardIterator"]
                while iterator:
                    page = client.get_records(ShardIterator=iterator)
                    if not page["Records"]:
                        break
                    for raw in page["Records"]:
                        record = event_of(raw, stream_arn, self._gateway.region)
                        number = int(record["dynamodb"]["SequenceNumber"])
                        if number > int(last):
                            break
                        found.append(record)
                    else:
                        iterator = page.get("NextShardIterator")
                        continue
                    break
        except AwsError as error:
            if error.code in _GONE:
                return None
            raise
        numbers = [record["dynamodb"]["SequenceNumber"] for record in found]
        complete = bool(numbers) and int(numbers[0]) == int(first) and int(numbers[-1]) == int(last)
        return found if complete else None

    def description(self, stream_arn: str) -> StreamDescription | None:
        """When the stream was made, and its shards, oldest first; ``None`` if it is gone."""
        try:
            pages = list(described(self._gateway, stream_arn))
        except AwsNotFoundError:
            return None
        # Shard ids begin with the time they were made.
        shards = sorted(shard["ShardId"] for page in pages for shard in page.get("Shards", ()))
        return StreamDescription(pages[-1].get("CreationRequestDateTime"), tuple(shards))

    def read(
        self, stream_arn: str, shard: str, after: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """The records of a shard after a sequence number (``None``: all it still has).

        The records are as a function gets them; the iteration ends at the shard's present end.
        """
        client = self._gateway.client("dynamodbstreams")
        position: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if after is not None:
            position = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "SequenceNumber": after,
            }
        try:
            with self._gateway.errors():
                iterator: str | None = client.get_shard_iterator(
                    StreamArn=stream_arn, ShardId=shard, **position
                )["ShardIterator"]
            while iterator:
                with self._gateway.errors():
                    page = client.get_records(ShardIterator=iterator)
                if not page["Records"]:
                    return
                for raw in page["Records"]:
                    yield event_of(raw, stream_arn, self._gateway.region)
                iterator = page.get("NextShardIterator")
        except AwsError as error:
            # DynamoDB Local calls the beginning of a shard trimmed that never had a record.
            if error.code not in _GONE:
                raise
            if after is not None:
                yield from self.read(stream_arn, shard)

    def shard_of(self, stream_arn: str, sequence: str) -> str | None:
        """The shard that holds a sequence number; ``None`` where the stream has none such."""
        number = int(sequence)
        try:
            for page in described(self._gateway, stream_arn):
                for shard in page.get("Shards", ()):
                    bounds = shard.get("SequenceNumberRange", {})
                    last = bounds.get("EndingSequenceNumber")
                    first = int(bounds.get("StartingSequenceNumber", "0"))
                    if first <= number and (last is None or number <= int(last)):
                        return shard["ShardId"]
        except AwsError as error:
            if error.code not in _GONE:
                raise
        return None
