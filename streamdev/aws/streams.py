"""Records of a table's stream, read again by their sequence numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamdev.aws.errors import AwsError
from streamdev.aws.stream_tail import Start, Tail, event_of

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

# A stream forgets records after 24 hours, and all of them with its table.
_GONE = frozenset({"ResourceNotFoundException", "TrimmedDataAccessException"})


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
