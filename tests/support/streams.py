"""Stream records for tests of the mapping's logic."""

from __future__ import annotations

from typing import Any

from streamdev.semantics.records import Record, make_record

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2026-11-20T12:00:00.000"


def raw_record(number: int, key: str = "a", **attributes: Any) -> dict[str, Any]:
    """A record as DynamoDB Local's ``GetRecords`` gives it."""
    return {
        "eventID": f"94e4e107-6d3e-4d7a-8f57-{number:012x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "ddblocal",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795225680.0,
            "Keys": {"id": {"S": key}},
            "NewImage": {"id": {"S": key}, **attributes},
            "SequenceNumber": f"{number:021d}",
            "SizeBytes": 13,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def record(number: int, *, key: str = "a", created: float = 0.0, **attributes: Any) -> Record:
    """A record as the mapping handles it."""
    raw = raw_record(number, key, **attributes)
    return make_record(raw, stream_arn=STREAM, region="us-east-1", created=created)


def records(count: int, *, created: float = 0.0) -> tuple[Record, ...]:
    """Records 1, 2, 3..."""
    return tuple(record(number, created=created) for number in range(1, count + 1))


def numbers(some: tuple[Record, ...]) -> list[int]:
    """Their sequence numbers."""
    return [one.number for one in some]
