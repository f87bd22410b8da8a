"""Reading a stream across shards that close, split, expire and are trimmed.

DynamoDB Local closes a shard after four hours, so this can't be waited for with a real one.
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from streamdev.aws.errors import AwsError, AwsNotFoundError
from streamdev.aws.gateway import Gateway
from streamdev.aws.stream_tail import Start, Tail

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/Things/stream/2026-11-20T12:00:00.000"


class Stream:
    """A stream's API: shards with parents, two a page of DescribeStream."""

    def __init__(self) -> None:
        self.parents: dict[str, str | None] = {}
        self.records: dict[str, list[int]] = {}
        self.closed: set[str] = set()
        self.status = "ENABLED"
        self.fail: list[AwsError] = []
        self.region = "us-east-1"

    def client(self, _service: str) -> Stream:
        return self

    def errors(self) -> Any:
        return nullcontext()

    def shard(self, name: str, *numbers: int, parent: str | None = None) -> None:
        self.parents[name], self.records[name] = parent, list(numbers)

    def describe_stream(self, StreamArn: str, ExclusiveStartShardId: str = "") -> Any:  # noqa: N803
        assert StreamArn == ARN
        names = sorted(name for name in self.parents if name > ExclusiveStartShardId)
        shards = [
            {
                "ShardId": name,
                **({"ParentShardId": parent} if (parent := self.parents[name]) else {}),
                "SequenceNumberRange": {"EndingSequenceNumber": "9"} if name in self.closed else {},
            }
            for name in names[:2]
        ]
        more = {"LastEvaluatedShardId": names[1]} if len(names) > 2 else {}
        return {"StreamDescription": {"StreamStatus": self.status, "Shards": shards, **more}}

    def get_shard_iterator(
        self,
        StreamArn: str,  # noqa: N803
        ShardId: str,  # noqa: N803
        ShardIteratorType: str,  # noqa: N803
        SequenceNumber: str = "0",  # noqa: N803
    ) -> Any:
        numbers = self.records[ShardId]
        if ShardIteratorType == "LATEST":
            SequenceNumber = str(numbers[-1]) if numbers else "0"  # noqa: N806
        return {"ShardIterator": f"{ShardId} {SequenceNumber}"}

    def get_records(self, ShardIterator: str, Limit: int) -> Any:  # noqa: N803
        if self.fail:
            raise self.fail.pop()
        shard, after = ShardIterator.split()
        found = [number for number in self.records[shard] if number > int(after)][:3]
        last = found[-1] if found else int(after)
        over = shard in self.closed and last >= max(self.records[shard], default=0)
        records = [_record(number) for number in found]
        return {"Records": records, **({} if over else {"NextShardIterator": f"{shard} {last}"})}


def _record(number: int) -> dict[str, Any]:
    return {
        "eventID": f"0-{number}",
        "eventName": "INSERT",
        "dynamodb": {
            "Keys": {"hash": {"B": bytes([number])}},
            "SequenceNumber": str(number),
            "ApproximateCreationDateTime": datetime(2026, 11, 20, 12, tzinfo=UTC),
        },
    }


def tail(stream: Stream, start: Start) -> Tail:
    return Tail(cast(Gateway, stream), ARN, start)


def rounds(reader: Tail) -> list[str]:
    """All that can be read now, as SHARD:NUMBER."""
    found: list[str] = []
    more = True
    while more and not reader.ended:
        page, more = reader.read()
        found += [f"{shard}:{event['dynamodb']['SequenceNumber']}" for shard, event in page]
    return found


@pytest.fixture
def stream() -> Stream:
    stream = Stream()
    stream.shard("a", 1, 2, 3, 4)
    stream.shard("b", 5, 6, parent="a")
    stream.shard("c", 7, parent="a")
    stream.closed = {"a", "b"}
    return stream


def test_parents_are_read_before_their_children(stream: Stream) -> None:
    found = rounds(tail(stream, "TRIM_HORIZON"))
    assert found[:4] == ["a:1", "a:2", "a:3", "a:4"]
    assert sorted(found[4:]) == ["b:5", "b:6", "c:7"]


def test_from_now_on_only_what_is_new_is_read_also_from_new_shards(stream: Stream) -> None:
    reader = tail(stream, "LATEST")
    assert rounds(reader) == []
    stream.records["c"].append(8)
    assert rounds(reader) == ["c:8"]
    stream.records["c"].append(9)
    stream.closed.add("c")
    stream.shard("d", 10, parent="c")
    assert rounds(reader) == ["c:9", "d:10"]


def test_a_record_is_in_the_form_that_a_function_gets(stream: Stream) -> None:
    (_, event), *_ = tail(stream, "TRIM_HORIZON").read()[0]
    assert event["eventSourceARN"] == ARN
    assert event["dynamodb"]["Keys"] == {"hash": {"B": "AQ=="}}
    assert event["eventID"] == "01"


def test_an_expired_iterator_is_renewed_without_loss(stream: Stream) -> None:
    reader = tail(stream, "TRIM_HORIZON")
    reader.read()
    stream.fail = [AwsError("too old", code="ExpiredIteratorException")]
    assert reader.read() == ([], False)
    assert rounds(reader)[0] == "a:4"


def test_what_the_stream_has_forgotten_is_passed_over(stream: Stream) -> None:
    reader = tail(stream, "TRIM_HORIZON")
    reader.read()
    stream.fail = [AwsError("forgotten", code="TrimmedDataAccessException")]
    reader.read()
    stream.records["a"] = [4]
    assert rounds(reader)[0] == "a:4"


def test_it_ends_with_a_stream_that_is_turned_off_and_not_before_all_is_read(
    stream: Stream,
) -> None:
    stream.status = "DISABLED"
    stream.closed.add("c")
    reader = tail(stream, "TRIM_HORIZON")
    assert len(rounds(reader)) == 7
    assert reader.ended


def test_a_stream_that_is_gone_is_an_error(stream: Stream) -> None:
    reader = tail(stream, "TRIM_HORIZON")
    stream.fail = [AwsNotFoundError("no such stream", code="ResourceNotFoundException")]
    with pytest.raises(AwsNotFoundError):
        reader.read()
