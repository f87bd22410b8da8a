"""One table's stream, read once for all mappings that want it.

Reads come from DynamoDB Local directly. What was read last is kept in memory for a while, so
that several functions on one stream cost one read. Readers sleep until a write to the table
(known from ``plugins.dynamodb.changes``) wakes them.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from streamdev.plugins.dynamodb.client import (
    DynamoDbApiError,
    DynamoDbClient,
    DynamoDbUnavailableError,
    local_arn,
    namespace_of,
)
from streamdev.plugins.mapping.tail import Tail
from streamdev.semantics.records import Record, creation_time, make_record

LOG = logging.getLogger(__name__)

# DynamoDB Local refuses more records at once, but takes any number of bytes (AWS: 1 MB).
READ_LIMIT = 1_000
READ_BYTES = 4 * 1024 * 1024
FIRST_READ = 100
# A new shard is found at once when its parent ends; this is only a safety net.
SHARDS_KNOWN_FOR = 300.0
CURSORS = 256


class StreamGoneError(Exception):
    """The stream does not exist any more: its table was deleted, or the stream's day is over."""


class TrimmedError(Exception):
    """The position asked for is older than what the stream still holds (24 hours)."""


@dataclass(frozen=True)
class Shard:
    """A shard of the stream.

    Attributes:
        id: Its id.
        parent: The shard that has to be done before, where the stream still knows it.
        first: The sequence number its records begin with.
        closed: Whether it gets no more records.
    """

    id: str
    parent: str | None
    first: str
    closed: bool


@dataclass(frozen=True)
class Page:
    """What a read gave: the records after a position; whether the shard has ended there."""

    records: tuple[Record, ...]
    ended: bool


class Stream:
    """A stream.

    Args:
        client: DynamoDB Local.
        arn: The stream's ARN as LocalStack shows it.
        quiet: Of which of its records, by number, no function is to be told.
    """

    def __init__(
        self,
        client: DynamoDbClient,
        arn: str,
        quiet: Callable[[int], bool] = lambda _: False,
    ) -> None:
        _, _, _, region, account, resource = arn.split(":", 5)
        self.arn = arn
        self.region = region
        self.account = account
        self.table = resource.split("/")[1]
        self._client = client
        self._quiet = quiet
        self._local_arn = local_arn(arn)
        self._namespace = namespace_of(account, region)
        self._readers: tuple[Callable[[], None], ...] = ()
        self._limit = FIRST_READ
        self._shards: tuple[Shard, ...] = ()
        self._shards_at = 0.0
        self._tails: dict[str, Tail] = {}
        self._cursors: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called when there may be something to read; it must return at once."""
        with self._lock:
            self._readers = (*self._readers, wake)

    def unsubscribe(self, wake: Callable[[], None]) -> None:
        """Undo ``subscribe``."""
        with self._lock:
            self._readers = tuple(reader for reader in self._readers if reader != wake)

    @property
    def unread(self) -> bool:
        """Whether nobody reads it."""
        return not self._readers

    def wake(self) -> None:
        """The table was written to: wake all readers."""
        for reader in self._readers:
            reader()

    def shards(self, *, fresh: bool = False) -> tuple[Shard, ...]:
        """All shards of the stream, parents first.

        Raises:
            StreamGoneError: There is no such stream.
        """
        with self._lock:
            age = time.monotonic() - self._shards_at
            if not fresh and self._shards and age < SHARDS_KNOWN_FOR:
                return self._shards
            found: list[Shard] = []
            start: str | None = None
            while True:
                request = {"StreamArn": self._local_arn}
                if start:
                    request["ExclusiveStartShardId"] = start
                description = self._call("DescribeStream", request)["StreamDescription"]
                found += [_shard(entry) for entry in description["Shards"]]
                start = description.get("LastEvaluatedShardId")
                if not start:
                    break
            known = {shard.id for shard in found}
            found = [
                shard if shard.parent in known else replace(shard, parent=None) for shard in found
            ]
            self._shards = tuple(sorted(found, key=lambda shard: shard.id))
            self._shards_at = time.monotonic()
            for gone in self._tails.keys() - known:
                del self._tails[gone]
            return self._shards

    def end_of(self, shard: Shard) -> str | None:
        """The sequence number after which new records of ``shard`` will come.

        Returns:
            ``None`` when the shard has had no records: its beginning is its end.
        """
        following = _position_in(self._iterator(shard.id, "LATEST", None))
        if following is not None:
            return f"{following - 1:021d}" if following > int(shard.first) else None
        # An iterator that can't be read into: find the end by reading up to it.
        last: str | None = None
        while records := self.read(shard.id, last).records:
            last = records[-1].sequence
        return last

    def read(self, shard: str, after: str | None, limit: int = READ_LIMIT) -> Page:
        """The records after a position, up to ``limit``; none when there are none yet.

        Raises:
            StreamGoneError: There is no such stream or shard.
            TrimmedError: The position is older than the stream's oldest record.
        """
        with self._lock:
            tail = self._tails.get(shard)
        if tail is not None:
            with tail.lock:
                if len(self._readers) <= 1:
                    tail.drop_through(after)
                while (known := tail.after(after, limit)) is not None:
                    if known:
                        return Page(known, ended=False)
                    new = self._read_on(shard, tail)
                    if not new:
                        return Page((), ended=tail.iterator is None)
                    # Of what was just read some may be gone from the tail already, if it is big.
                    if wanted := [r for r in new if after is None or r.number > int(after)]:
                        return Page(tuple(wanted[:limit]), ended=False)
        return self._read_apart(shard, after, min(limit, self._limit))

    def _read_on(self, shard: str, tail: Tail) -> tuple[Record, ...]:
        """Read what is new at the end of a shard."""
        answer, records = self._get_records(shard, tail.last, tail.iterator, self._limit)
        tail.iterator = answer.get("NextShardIterator")
        tail.extend(records)
        return records

    def _read_apart(self, shard: str, after: str | None, limit: int) -> Page:
        """Read far from the end; where the end is reached, a tail begins."""
        cursor = self._cursors.pop((shard, after), None) if after is not None else None
        answer, records = self._get_records(shard, after, cursor, limit)
        following = answer.get("NextShardIterator")
        if following is None:
            return Page(records, ended=not records)
        last = records[-1].sequence if records else after
        with self._lock:
            if len(records) < limit:
                self._tails.setdefault(shard, Tail(last, following))
            elif last is not None:
                while len(self._cursors) >= CURSORS:
                    self._cursors.pop(next(iter(self._cursors)))
                self._cursors[shard, last] = following
        return Page(records, ended=False)

    def _get_records(
        self, shard: str, after: str | None, iterator: str | None, limit: int
    ) -> tuple[dict[str, Any], tuple[Record, ...]]:
        """Read by ``iterator``, or by a new one where there is none or it has expired."""
        if iterator is not None:
            try:
                return self._fetch(iterator, limit)
            except DynamoDbApiError as error:
                if error.code != "ExpiredIteratorException":
                    raise
                LOG.debug("an iterator of %s expired and is made anew", self.arn)
            except TrimmedError:
                # DynamoDB Local counts all tables' writes together: an iterator at the start of
                # an empty shard is past its trim horizon once another table was written to.
                LOG.debug("an iterator of %s was overtaken and is made anew", self.arn)
        if after is None:
            iterator = self._iterator(shard, "TRIM_HORIZON", None)
        else:
            iterator = self._iterator(shard, "AFTER_SEQUENCE_NUMBER", after)
        return self._fetch(iterator, limit)

    def _fetch(self, iterator: str, limit: int) -> tuple[dict[str, Any], tuple[Record, ...]]:
        try:
            answer = self._call("GetRecords", {"ShardIterator": iterator, "Limit": limit})
        except (DynamoDbApiError, DynamoDbUnavailableError):
            # Many large records at once may be more than its memory takes.
            self._limit = max(1, limit // 8)
            raise
        now = time.time()
        records = tuple(
            make_record(
                raw,
                stream_arn=self.arn,
                region=self.region,
                created=creation_time(raw["dynamodb"]["ApproximateCreationDateTime"], now),
                quiet=self._quiet(int(raw["dynamodb"]["SequenceNumber"])),
            )
            for raw in answer["Records"]
        )
        if records:
            size = sum(len(record.body) for record in records) // len(records)
            self._limit = max(1, min(READ_LIMIT, READ_BYTES // size, 4 * self._limit))
        return answer, records

    def _iterator(self, shard: str, kind: str, sequence: str | None) -> str:
        request = {"StreamArn": self._local_arn, "ShardId": shard, "ShardIteratorType": kind}
        if sequence is not None:
            request["SequenceNumber"] = sequence
        return str(self._call("GetShardIterator", request)["ShardIterator"])

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        target = f"DynamoDBStreams_20120810.{operation}"
        try:
            return self._client.call(target, request, self._namespace, self.region)
        except DynamoDbApiError as error:
            if error.code == "ResourceNotFoundException":
                raise StreamGoneError(error.message) from error
            if error.code == "TrimmedDataAccessException":
                raise TrimmedError(error.message) from error
            raise


def _shard(entry: dict[str, Any]) -> Shard:
    numbers = entry.get("SequenceNumberRange", {})
    return Shard(
        id=entry["ShardId"],
        parent=entry.get("ParentShardId"),
        first=numbers.get("StartingSequenceNumber", "0"),
        closed="EndingSequenceNumber" in numbers,
    )


def _position_in(iterator: str) -> int | None:
    """The sequence number an iterator of DynamoDB Local points at, if it can be read."""
    try:
        fields = base64.b64decode(iterator.rpartition("|")[2]).decode("ascii").split("|")
        return int(fields[1])
    except (ValueError, IndexError):
        return None
