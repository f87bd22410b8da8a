"""Records of a table's stream, read again by their sequence numbers."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from streamdev.aws.errors import AwsError
from streamdev.semantics.records import make_record

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

# A stream forgets records after 24 hours, and all of them with its table.
_GONE = frozenset({"ResourceNotFoundException", "TrimmedDataAccessException"})


class Streams:
    """Reads streams."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

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
                        record = _event(raw, stream_arn, self._gateway.region)
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

    def shard_of(self, stream_arn: str, sequence: str) -> str | None:
        """The shard that holds a sequence number; ``None`` where the stream has none such."""
        client = self._gateway.client("dynamodbstreams")
        start: dict[str, str] = {}
        number = int(sequence)
        while True:
            try:
                with self._gateway.errors():
                    answer = client.describe_stream(StreamArn=stream_arn, **cast(Any, start))
            except AwsError as error:
                if error.code in _GONE:
                    return None
                raise
            description = answer["StreamDescription"]
            for shard in description.get("Shards", ()):
                bounds = shard.get("SequenceNumberRange", {})
                last = bounds.get("EndingSequenceNumber")
                first = int(bounds.get("StartingSequenceNumber", "0"))
                if first <= number and (last is None or number <= int(last)):
                    return shard["ShardId"]
            following = description.get("LastEvaluatedShardId")
            if not following:
                return None
            start = {"ExclusiveStartShardId": following}


def _event(raw: Mapping[str, Any], stream_arn: str, region: str) -> dict[str, Any]:
    created = raw["dynamodb"]["ApproximateCreationDateTime"]
    seconds = created.timestamp() if isinstance(created, datetime) else float(created)
    return make_record(_json(raw), stream_arn=stream_arn, region=region, created=seconds).event


def _json(value: Any) -> Any:
    """boto3 has binary values as bytes; in JSON they are base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: _json(inner) for key, inner in value.items()}
    return [_json(inner) for inner in value] if isinstance(value, list) else value
