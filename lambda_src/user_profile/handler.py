"""Handles changes of user profiles: the records of UserProfileTable's stream.

Each change is checked, logged and told of on a topic; one that is not valid is told of as
rejected. Records that come twice, or late, change nothing and are not told of again.

Ordinary AWS Lambda code: it runs on AWS as it stands here.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from batches import StreamProcessor
from botocore.config import Config
from notifications import Notifier
from profiles import Change
from versions import Versions

SERVICE = "user-profile"
#: A stream keeps its records for 24 hours; a dead letter may come back later.
REMEMBERED_S = 15 * 86_400
#: What is this old may soon be lost.
OLD_S = 20 * 3600
#: A record that takes longer holds up its shard.
SLOW_S = 3.0

logger = Logger(service=SERVICE)
metrics = Metrics(namespace="UserProfiles", service=SERVICE)
# A service that does not answer must not take up the function's whole time.
_config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard"})
_dynamodb = boto3.client("dynamodb", config=_config)
notifier = Notifier(boto3.client("sns", config=_config), os.environ["PROFILE_UPDATES_TOPIC_ARN"])
versions = Versions(_dynamodb, os.environ["VERSIONS_TABLE"])
counts: Counter[str] = Counter()


def _duplicate(response: Any, _stored: Any) -> Any:
    """Called in place of ``announce`` for a record that was handled before."""
    counts["RecordsDuplicate"] += 1
    logger.info("handled before", outcome=response)
    return response


idempotency = IdempotencyConfig(expires_after_seconds=REMEMBERED_S, response_hook=_duplicate)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch in order.

    Args:
        event: ``{"Records": [...]}``, as an event source mapping of a DynamoDB stream sends it.
        context: The invocation's context.

    Returns:
        ``{"batchItemFailures": [...]}``: empty, or the first record that failed.

    Raises:
        Exception: The first record failed, with this.
    """
    print("Received event:", json.dumps(event))
    idempotency.register_lambda_context(context)
    counts.clear()
    _tell_age(event)
    try:
        answer: dict[str, Any] = process_partial_response(
            event=event, record_handler=handle, processor=StreamProcessor(), context=context
        )
    finally:
        for name in ("RecordsHandled", "RecordsRejected", "RecordsFailed"):
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=counts.pop(name, 0))
        for name, value in counts.items():
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    return answer


def handle(record: DynamoDBRecord) -> None:
    """Handle one record.

    Raises:
        Exception: It can't be handled now; the mapping tries again.
    """
    started = time.monotonic()
    print("Event ID:", record.event_id)
    print("Event Name:", record["eventName"])
    print("DynamoDB Record:", json.dumps(record["dynamodb"]))
    with logger.append_context_keys(event_id=record.event_id):
        try:
            change = Change.of(record)
            outcome = announce(event_id=change.event_id, change=change)
        except Exception:
            # Counted and logged here, where the event id is known; what to do is the mapping's.
            counts["RecordsFailed"] += 1
            logger.exception("failed")
            raise
        counts["RecordsHandled"] += 1
        seconds = time.monotonic() - started
        logger.info(outcome, profile_id=change.profile_id, seconds=round(seconds, 3))
        if seconds > SLOW_S:
            logger.warning("slow: the records behind this one waited", seconds=round(seconds, 3))


@idempotent_function(
    data_keyword_argument="event_id",
    persistence_store=DynamoDBPersistenceLayer(
        table_name=os.environ["IDEMPOTENCY_TABLE"], boto3_client=_dynamodb
    ),
    config=idempotency,
)
def announce(*, event_id: str, change: Change) -> str:
    """Tell of a change, or of its rejection, unless a newer one was told of.

    Done once for each event id; when it raises it is as if it had not been called.

    Returns:
        ``announced``, ``rejected`` or ``stale``.
    """
    if change.problems:
        logger.warning("rejected", profile_id=change.profile_id, problems=change.problems)
        notifier.tell(change)
        counts["RecordsRejected"] += 1
        return "rejected"
    if not versions.claim(change):
        counts["RecordsStale"] += 1
        return "stale"
    notifier.tell(change)
    return "announced"


def _tell_age(event: dict[str, Any]) -> None:
    """Measure how old the batch's last record is, as AWS's IteratorAge does; warn of old ones."""
    created = [record["dynamodb"]["ApproximateCreationDateTime"] for record in event["Records"]]
    now = time.time()
    age = max(0.0, now - created[-1])
    metrics.add_metric(name="IteratorAge", unit=MetricUnit.Milliseconds, value=round(age * 1000))
    if now - min(created) > OLD_S:
        logger.warning(
            "the stream drops its records after 24 hours and this batch is nearly as old",
            hours=round((now - min(created)) / 3600, 1),
        )
