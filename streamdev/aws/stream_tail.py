"""Reading a stream to its end and on, across its shards.

As AWS's page "DynamoDB Streams Kinesis Adapter" and the API's *GetShardIterator* and *GetRecords*
have it: a shard's children are read after the shard itself, so that the records of one item stay
in order; an iterator is good for 15 minutes; a closed shard ends without a next iterator.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from streamdev.aws.errors import AwsError
from streamdev.aws.stream_description import described
from streamdev.semantics.records import make_record

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

Start = Literal["LATEST", "TRIM_HORIZON"]

#: GetRecords refuses more.
PAGE = 1_000


@dataclass
class _Shard:
    """How far a shard was read.

    Attributes:
        begin: Where an iterator begins as long as nothing was read.
        after: The sequence number of the last record read.
        iterator: Where to go on; ``None``: a new one is needed.
        done: Whether it is closed and all of it was read.
    """

    id: str
    parent: str | None
    begin: Start
    after: str | None = None
    iterator: str | None = None
    done: bool = False


class Tail:
    """Reads all of a stream's shards, round by round.

    Args:
        gateway: The engine's API.
        stream_arn: The stream.
        start: ``TRIM_HORIZON``: from the oldest record it has; ``LATEST``: from now on, that is
            from this call.
    """

    def __init__(self, gateway: Gateway, stream_arn: str, start: Start) -> None:
        self._gateway = gateway
        self._arn = stream_arn
        self._shards: dict[str, _Shard] = {}
        #: Whether the stream is off and all that it held was read.
        self.ended = False
        self._discover(start)
        if start == "LATEST":
            for shard in self._shards.values():
                if not shard.done:
                    shard.iterator = self._iterator(shard)

    def read(self) -> tuple[list[tuple[str, dict[str, Any]]], bool]:
        """One round over all shards that can be read now.

        Returns:
            The records, each with its shard's id and in the form that a function gets; and
            whether there may be more at once.

        Raises:
            AwsNotFoundError: The stream is gone, with its table.
            EngineNotRunningError: Nothing answers any more.
        """
        found: list[tuple[str, dict[str, Any]]] = []
        closed = False
        for shard in [shard for shard in self._shards.values() if self._readable(shard)]:
            found += [(shard.id, event) for event in self._page(shard)]
            closed |= shard.done
        if closed or all(shard.done for shard in self._shards.values()):
            enabled = self._discover("TRIM_HORIZON")
            self.ended = not enabled and all(shard.done for shard in self._shards.values())
        return found, bool(found) or closed

    def _readable(self, shard: _Shard) -> bool:
        parent = self._shards.get(shard.parent or "")
        return not shard.done and (parent is None or parent.done)

    def _page(self, shard: _Shard) -> list[dict[str, Any]]:
        client = self._gateway.client("dynamodbstreams")
        try:
            shard.iterator = shard.iterator or self._iterator(shard)
            with self._gateway.errors():
                page = client.get_records(ShardIterator=shard.iterator, Limit=PAGE)
        except AwsError as error:
            if error.code not in ("ExpiredIteratorException", "TrimmedDataAccessException"):
                raise
            # Read on at the same place, or where that is older than the stream, at its beginning.
            if error.code == "TrimmedDataAccessException":
                shard.begin, shard.after = "TRIM_HORIZON", None
            shard.iterator = None
            return []
        shard.iterator = page.get("NextShardIterator")
        shard.done = shard.iterator is None
        events = [event_of(raw, self._arn, self._gateway.region) for raw in page["Records"]]
        if events:
            shard.after = events[-1]["dynamodb"]["SequenceNumber"]
        return events

    def _iterator(self, shard: _Shard) -> str:
        where: dict[str, Any] = {"ShardIteratorType": shard.begin}
        if shard.after is not None:
            where = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "SequenceNumber": shard.after,
            }
        with self._gateway.errors():
            answer = self._gateway.client("dynamodbstreams").get_shard_iterator(
                StreamArn=self._arn, ShardId=shard.id, **where
            )
        return answer["ShardIterator"]

    def _discover(self, begin: Start) -> bool:
        """Take up shards that are new, to be read from ``begin``; whether the stream is on."""
        on = False
        for page in described(self._gateway, self._arn):
            on = page["StreamStatus"] in ("ENABLED", "ENABLING")
            for shard in page.get("Shards", ()):
                name = shard["ShardId"]
                # From now on: what is closed already gets no more records.
                past = begin == "LATEST" and "EndingSequenceNumber" in shard.get(
                    "SequenceNumberRange", {}
                )
                known = _Shard(name, shard.get("ParentShardId"), begin, done=past)
                self._shards.setdefault(name, known)
        return on


def event_of(raw: Mapping[str, Any], stream_arn: str, region: str) -> dict[str, Any]:
    """A record as boto3 gives it, as a function gets it."""
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
