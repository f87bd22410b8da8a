"""What AWS sends to a mapping's failure destination.

Shapes from AWS's pages "Capturing discarded batches for a DynamoDB event source" and "Retaining
discarded records with an S3 destination".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streamdev.semantics.records import Record


@dataclass(frozen=True)
class LastResponse:
    """What the last invocation of a batch answered; absent when there was none."""

    executed_version: str
    function_error: str | None
    status_code: int = 200


def failure_message(
    records: Sequence[Record],
    *,
    request_id: str,
    function_arn: str,
    condition: str,
    invokes: int,
    response: LastResponse | None,
    shard: str,
    stream_arn: str,
    now: float,
) -> dict[str, Any]:
    """The body of the message to SQS or SNS: where the records are, not the records.

    Args:
        records: The batch given up, in order; at least one.
        request_id: Of the last invocation.
        function_arn: The function as the mapping names it.
        condition: ``RetryAttemptsExhausted`` or ``RecordAgeExceeded``.
        invokes: How often the batch was handed to the function.
        response: What it answered last.
        shard: The shard's id.
        stream_arn: The stream's ARN.
        now: Seconds since the epoch.
    """
    message: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": invokes,
        }
    }
    if response is not None:
        message["responseContext"] = {
            "statusCode": response.status_code,
            "executedVersion": response.executed_version,
            "functionError": response.function_error,
        }
    message["version"] = "1.0"
    message["timestamp"] = _iso(now, "milliseconds")
    message["DDBStreamBatchInfo"] = {
        "shardId": shard,
        "startSequenceNumber": records[0].sequence,
        "endSequenceNumber": records[-1].sequence,
        "approximateArrivalOfFirstRecord": _iso(records[0].created, "seconds"),
        "approximateArrivalOfLastRecord": _iso(records[-1].created, "seconds"),
        "batchSize": len(records),
        "streamArn": stream_arn,
    }
    return message


def stored_object(message: dict[str, Any], payload: dict[str, Any]) -> bytes:
    """The object in S3: the message and, as an escaped JSON string, the event as invoked."""
    return json.dumps({**message, "payload": json.dumps(payload)}).encode()


def object_key(mapping: str, shard: str, now: float, unique: str) -> str:
    """The name of the object in S3: ``aws/lambda/UUID/SHARD/YYYY/MM/DD/TIME-UNIQUE``."""
    at = datetime.fromtimestamp(now, UTC)
    return f"aws/lambda/{mapping}/{shard}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{unique}"


def _iso(seconds: float, precision: str) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec=precision).replace("+00:00", "Z")
