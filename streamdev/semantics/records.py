"""Stream records as Lambda hands them to a function.

The shape is that of AWS's page "Using AWS Lambda with Amazon DynamoDB" and of the API's
``Record`` and ``StreamRecord``.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TTL_IDENTITY = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
# What DynamoDB Local names the records of items that their TTL deleted.
TTL_EVENT = "UNKNOWN_TO_SDK_VERSION"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a stream.

    Attributes:
        sequence: Its sequence number, as the stream writes it.
        number: The same as a number, to compare by.
        created: Seconds since the epoch.
        item: The item's key as text: records of one item have the same, others another.
        event: What the function gets.
        body: ``event`` as JSON.
        quiet: No function is to be told of it.
    """

    sequence: str
    number: int
    created: float
    item: str
    event: dict[str, Any]
    body: bytes
    quiet: bool = False


def make_record(
    raw: Mapping[str, Any],
    *,
    stream_arn: str,
    region: str,
    created: float,
    quiet: bool = False,
) -> Record:
    """The record that AWS would deliver for one that DynamoDB Local gave.

    DynamoDB Local writes ``eventID`` as a UUID with dashes, its own name as the region, the
    creation time rounded down to the minute (AWS rounds it down to the second), an empty map as
    ``{}``, and what TTL deleted under an event name of its own and without ``userIdentity``.

    Args:
        raw: A member of ``GetRecords``' ``Records``.
        stream_arn: The mapping's event source.
        region: The stream's region.
        created: When the write happened, seconds since the epoch.
        quiet: It was written quietly; what time to live deletes never is.
    """
    dynamodb = dict(raw["dynamodb"])
    dynamodb["ApproximateCreationDateTime"] = float(math.floor(created))
    expired = raw["eventName"] == TTL_EVENT
    event: dict[str, Any] = {
        "eventID": str(raw["eventID"]).replace("-", ""),
        "eventName": "REMOVE" if expired else raw["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": dynamodb,
    }
    identity = raw.get("userIdentity") or (TTL_IDENTITY if expired else None)
    if identity:
        event["userIdentity"] = _lower_first(identity)
    event["eventSourceARN"] = stream_arn
    body = _encoded(event)
    if b"{}" in body:
        with_empty_maps(dynamodb)
        body = _encoded(event)
    sequence = str(dynamodb["SequenceNumber"])
    return Record(
        sequence=sequence,
        number=int(sequence),
        created=created,
        item=item_text(dynamodb["Keys"]),
        event=event,
        body=body,
        quiet=quiet and not identity,
    )


def with_empty_maps(change: dict[str, Any]) -> None:
    """Mend a record's ``dynamodb`` in place: an empty map is ``{"M": {}}`` in its images.

    DynamoDB Local leaves the type of an empty map away (not that of an empty list).
    """
    for image in ("NewImage", "OldImage"):
        if image in change:
            change[image] = {name: _typed(value) for name, value in change[image].items()}


def _typed(value: Mapping[str, Any]) -> dict[str, Any]:
    match value:
        case {"M": dict(members)}:
            return {"M": {name: _typed(member) for name, member in members.items()}}
        case {"L": list(elements)}:
            return {"L": [_typed(element) for element in elements]}
    return dict(value) or {"M": {}}


def _encoded(event: Mapping[str, Any]) -> bytes:
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def item_text(keys: Mapping[str, Any]) -> str:
    """A record's ``Keys`` as text, the same for all records of one item."""
    return json.dumps(keys, sort_keys=True, separators=(",", ":"))


def lane_of(item: str, lanes: int) -> int:
    """Which of a shard's lanes (``ParallelizationFactor``) the records of an item take."""
    return zlib.crc32(item.encode()) % lanes


def creation_time(minute: float, seen: float) -> float:
    """When a record was written, from the minute it was stamped with and when it was first seen.

    A reader that keeps up sees a record within milliseconds of its write, so ``seen`` is nearly
    exact; one that comes later can only say that it was within the minute.
    """
    return min(max(seen, minute), minute + 59.999)


def _lower_first(identity: Mapping[str, str]) -> dict[str, str]:
    """The streams API says ``PrincipalId`` where Lambda's event says ``principalId``."""
    return {name[:1].lower() + name[1:]: value for name, value in identity.items()}
