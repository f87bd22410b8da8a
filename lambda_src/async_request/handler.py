"""Handles requests that an API has put into the table: each is an INSERT in the table's stream.

Ordinary AWS Lambda code: it runs on AWS as it stands here.

A request's item tells how it stands: without ``ttl`` and ``error`` it is still to be handled, with
``ttl`` it is done (and deleted when that time has come), with ``error`` it has failed.
"""

from __future__ import annotations

import time
from typing import Any

import boto3
import business
from botocore.exceptions import ClientError

#: How long a request can still be looked up after it is done, in seconds.
KEPT_FOR = 300
#: So often a request is begun before it counts as failed: a handler that dies tells nothing.
MAX_ATTEMPTS = 3

dynamodb = boto3.client("dynamodb")


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch of requests, in order.

    Args:
        event: ``{"Records": [...]}``, as an event source mapping of a DynamoDB stream sends it.
        context: The invocation's context, which is not used.

    Returns:
        ``batchItemFailures`` with the first record whose end could not be written down: Lambda
        sends it, and those after it, again.
    """
    for record in event["Records"]:
        if record["eventName"] != "INSERT":
            continue
        try:
            handle(record)
        except ClientError as error:
            print(f"record {record['eventID']}: {error}")
            sequence_number = record["dynamodb"]["SequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": sequence_number}]}
    return {"batchItemFailures": []}


def handle(record: dict[str, Any]) -> None:
    """Handle one request and write down how it ended.

    Raises:
        ClientError: DynamoDB can't be written to now.
    """
    table = record["eventSourceARN"].split("/")[1]
    image = record["dynamodb"]["NewImage"]
    request_id = image["id"]["S"]
    attempt = begin(table, request_id)
    if attempt is None:
        return  # it was done by an earlier attempt, or deleted
    if attempt > MAX_ATTEMPTS:
        fail(table, request_id, f"It was begun {MAX_ATTEMPTS} times and never came to an end.")
        return
    try:
        business.handle(request_id, image["request"]["S"])
    except Exception as error:  # whatever it is, the client is to know
        print(f"request {request_id} failed: {type(error).__name__}: {error}")
        fail(table, request_id, str(error) or type(error).__name__)
    else:
        update(
            table,
            request_id,
            "SET #ttl = :ttl",
            names={"#ttl": "ttl"},
            values={":ttl": {"N": str(int(time.time()) + KEPT_FOR)}},
        )


def begin(table: str, request_id: str) -> int | None:
    """Count the attempt in the item; ``None`` if the request is not to be handled any more."""
    item = update(
        table,
        request_id,
        "ADD #attempts :one",
        names={"#attempts": "attempts"},
        values={":one": {"N": "1"}},
    )
    return None if item is None else int(item["attempts"]["N"])


def fail(table: str, request_id: str, error: str) -> None:
    """Mark the request as failed."""
    update(
        table,
        request_id,
        "SET #error = :error",
        names={"#error": "error"},
        values={":error": {"S": error[:1000]}},
    )


def update(
    table: str, request_id: str, expression: str, names: dict[str, str], values: dict[str, Any]
) -> dict[str, Any] | None:
    """Change the request's item unless it has ended; return it, or ``None`` if it has."""
    try:
        answer = dynamodb.update_item(
            TableName=table,
            Key={"id": {"S": request_id}},
            UpdateExpression=expression,
            ConditionExpression="attribute_exists(#id) AND attribute_not_exists(#end_ttl)"
            " AND attribute_not_exists(#end_error)",
            ExpressionAttributeNames={
                "#id": "id",
                "#end_ttl": "ttl",
                "#end_error": "error",
                **names,
            },
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return None
    return answer["Attributes"]
