"""Writes that no function is told of: what a snapshot brings back has been handled before.

Their records are in the stream like all others. While a few of them are written, all other writes
wait (``dynamodb.gate``), so that every record between the stream's end before and after is theirs;
those ranges are kept, and the mappings pass over the records in them. Nothing else changes: what
was written before and after is handled, in order, by whoever reads the stream.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from streamdev.plugins import log
from streamdev.plugins.dynamodb.changes import Writes
from streamdev.plugins.dynamodb.client import (
    DynamoDbApiError,
    DynamoDbClient,
    DynamoDbUnavailableError,
    namespace_of,
)
from streamdev.plugins.dynamodb.gate import GateBusyError
from streamdev.plugins.mapping.quiet import QuietRanges
from streamdev.plugins.mapping.stream import Stream, StreamGoneError
from streamdev.semantics.log import now

LOG = logging.getLogger(__name__)

# BatchWriteItem takes at most so many items a call.
BATCH_LIMIT = 25
GATE_TIMEOUT = 30.0
PATIENCE = 30.0
PAUSE = 0.05


class UnprocessedError(Exception):
    """DynamoDB takes no more of a batch."""


#: What `QuietWriter.write` raises.
QUIET_ERRORS = (
    DynamoDbApiError,
    DynamoDbUnavailableError,
    GateBusyError,
    StreamGoneError,
    UnprocessedError,
    OSError,
)


class QuietWriter:
    """Writes quietly, and knows what was.

    Args:
        client: DynamoDB Local.
        writes: Whose gate is closed meanwhile, and who is told.
        wait: Waits until DynamoDB Local answers, after it was killed.
        folder: Where ranges are kept; ``None``: in memory only.
    """

    def __init__(
        self,
        client: DynamoDbClient,
        writes: Writes,
        wait: Callable[[], None],
        folder: Path | None,
    ) -> None:
        self._client = client
        self._writes = writes
        self._wait = wait
        self._folder = folder
        self._lock = threading.Lock()
        self._ranges: dict[str, QuietRanges] = {}

    def resume(self) -> None:
        """Go on with what an earlier run of the engine left."""
        unfinished = []
        for path in sorted(self._folder.glob("*.jsonl")) if self._folder else ():
            try:
                arn = json.loads(path.read_text(encoding="utf-8").split("\n", 1)[0])["stream"]
            except (ValueError, KeyError):
                LOG.warning("%s says not whose it is, and is left out", path)
                continue
            if not self.ranges(arn):
                path.unlink()
            elif self.ranges(arn).unfinished:
                unfinished.append(Stream(self._client, arn))
        if unfinished:
            # Until the next write all there is was written quietly, or before.
            self._writes.gate.before_next(lambda: [self._close(stream) for stream in unfinished])

    def ranges(self, stream_arn: str) -> QuietRanges:
        """What is quiet in a stream."""
        with self._lock:
            if stream_arn not in self._ranges:
                digest = hashlib.sha256(stream_arn.encode()).hexdigest()[:32]
                path = self._folder / f"{digest}.jsonl" if self._folder else None
                self._ranges[stream_arn] = QuietRanges(path, stream_arn)
            return self._ranges[stream_arn]

    def write(self, stream_arn: str, requests: Sequence[Mapping[str, Any]], source: str) -> None:
        """Put and delete items of one table without telling the functions.

        Args:
            stream_arn: The table's stream.
            requests: BatchWriteItem's ``PutRequest``s and ``DeleteRequest``s, DynamoDB JSON; each
                item once. A few hundred: all other writes wait.
            source: Where they come from, for the log.

        Raises:
            DynamoDbApiError: One was refused; those before it may be written.
            DynamoDbUnavailableError: No answer.
            GateBusyError: Other writes don't end.
            StreamGoneError: There is no such stream.
            UnprocessedError: DynamoDB takes no more.
            OSError: What is quiet can't be kept.
        """
        ranges = self.ranges(stream_arn)
        stream = Stream(self._client, stream_arn)
        with self._writes.gate.closed(GATE_TIMEOUT):
            after = _end(stream)
            ranges.open(after)
            try:
                for start in range(0, len(requests), BATCH_LIMIT):
                    self._write(stream, list(requests[start : start + BATCH_LIMIT]))
            finally:
                last = self._close(stream)
                log.emit(
                    "stream.quiet",
                    table=stream.table,
                    stream_arn=stream_arn,
                    after=f"{after:021d}",
                    last=f"{last:021d}",
                    source=source,
                )

    def _write(self, stream: Stream, requests: list[Mapping[str, Any]]) -> None:
        namespace = namespace_of(stream.account, stream.region)
        deadline = time.monotonic() + PATIENCE
        while requests:
            parameters = {"RequestItems": {stream.table: requests}}
            began = now()
            target = "DynamoDB_20120810.BatchWriteItem"
            answer = self._client.call(target, parameters, namespace, stream.region)
            self._writes.happened(
                stream.account,
                stream.region,
                "BatchWriteItem",
                parameters,
                answer,
                str(uuid.uuid4()),
                None,
                began,
            )
            requests = answer.get("UnprocessedItems", {}).get(stream.table, [])
            if requests:
                if time.monotonic() > deadline:
                    raise UnprocessedError(f"DynamoDB left {len(requests)} items unprocessed")
                time.sleep(PAUSE)

    def _close(self, stream: Stream) -> int:
        """Close a stream's open range where the stream ends now, and return that."""
        try:
            last = _end(stream)
        except DynamoDbUnavailableError:
            self._wait()
            last = _end(stream)
        except StreamGoneError:
            last = 0  # its records are gone as well
        self.ranges(stream.arn).close(last)
        return last


def _end(stream: Stream) -> int:
    """The number after which all records come that are yet to be written, of whatever shard."""
    ends = []
    for shard in stream.shards(fresh=True):
        end = None if shard.closed else stream.end_of(shard)
        if not shard.closed:
            ends.append(int(shard.first) - 1 if end is None else int(end))
    return max(ends, default=0)
