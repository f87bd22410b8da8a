"""DestinationConfig.OnFailure: where batches that were given up are reported."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest

from tests.conformance import answers
from tests.conformance.behaviour import behaviour
from tests.conformance.pages import ERRORS
from tests.conformance.world import Function, Mapping, Table, World, unique, until

GROUP = "DestinationConfig"


class Queue:
    """An SQS queue."""

    def __init__(self, world: World) -> None:
        self._sqs = world.client("sqs")
        self.url = self._sqs.create_queue(QueueName=unique("conformance"))["QueueUrl"]
        got = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = got["Attributes"]["QueueArn"]

    def receive(self, timeout: float = 25.0) -> dict[str, Any]:
        """The next message's body, which is JSON."""

        def one() -> list[dict[str, Any]]:
            got = self._sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=1)
            return list(got.get("Messages", []))

        message = until(one, "a message in the failure destination", timeout)[0]
        self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        body: dict[str, Any] = json.loads(message["Body"])
        return body


def failing(world: World, destination: str, **parameters: Any) -> tuple[Table, Function, Mapping]:
    """A mapping of a failing function, and three records that it gives up."""
    table, function = world.table(), world.function(answers.FAIL_ON_BAD)
    table.put_all(["bad-1", "bad-2", "bad-3"])
    mapping = world.mapping(
        table,
        function,
        BatchSize=3,
        DestinationConfig={"OnFailure": {"Destination": destination}},
        **{"MaximumRetryAttempts": 1, **parameters},
    )
    return table, function, mapping


def check_message(message: dict[str, Any], table: Table, function: Function) -> None:
    """Compare a message with what AWS documents, apart from ids and times."""
    records = function.records()
    request = message["requestContext"]
    assert request["functionArn"] == function.arn
    assert request["condition"] == "RetryAttemptsExhausted"
    assert request["approximateInvokeCount"] == 2
    assert re.fullmatch("[0-9a-f-]{36}", request["requestId"])
    assert message["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert message["version"] == "1.0"
    datetime.fromisoformat(message["timestamp"])
    info = dict(message["DDBStreamBatchInfo"])
    assert info.pop("shardId").startswith("shardId-")
    for name in ("First", "Last"):
        datetime.fromisoformat(info.pop(f"approximateArrivalOf{name}Record"))
    assert info == {
        "startSequenceNumber": records[0]["dynamodb"]["SequenceNumber"],
        "endSequenceNumber": records[2]["dynamodb"]["SequenceNumber"],
        "batchSize": 3,
        "streamArn": table.stream,
    }


@behaviour(GROUP, "on-failure-sqs", "A batch given up is reported to an SQS queue: function, "
           "condition, calls, and where its records are in the stream.", ERRORS)  # fmt: skip
def test_failure_is_reported_to_sqs(world: World) -> None:
    queue = Queue(world)
    table, function, _ = failing(world, queue.arn)
    check_message(queue.receive(), table, function)


@behaviour(GROUP, "on-failure-sns", "A batch given up is reported to an SNS topic.", ERRORS)
def test_failure_is_reported_to_sns(world: World) -> None:
    queue, sns = Queue(world), world.client("sns")
    topic = sns.create_topic(Name=unique("conformance"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    table, function, _ = failing(world, topic)
    check_message(json.loads(queue.receive()["Message"]), table, function)


def stored(s3: Any, bucket: str) -> tuple[str, dict[str, Any]]:
    """The first object that comes into the bucket: its key, and what it says."""
    contents = until(
        lambda: s3.list_objects_v2(Bucket=bucket).get("Contents", []), "an object in the bucket"
    )
    key: str = contents[0]["Key"]
    return key, json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


@behaviour(GROUP, "on-failure-s3", "A batch given up is stored in an S3 bucket with its payload, "
           "under aws/lambda/UUID/shard/date/time.", ERRORS)  # fmt: skip
def test_failure_is_reported_to_s3(world: World) -> None:
    s3, bucket = world.client("s3"), unique("conformance")
    s3.create_bucket(Bucket=bucket)
    table, function, mapping = failing(world, f"arn:aws:s3:::{bucket}")
    key, message = stored(s3, bucket)
    shape = r"/shardId-[^/]+/\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}"
    assert re.fullmatch(f"aws/lambda/{mapping.uuid}{shape}", key), key
    payload = message.pop("payload")
    check_message(message, table, function)
    event = json.loads(payload) if isinstance(payload, str) else payload
    assert event == function.calls()[0].event


@behaviour(GROUP, "on-failure-s3-payload", "The payload in the bucket is the whole event as an "
           "escaped JSON string.", ERRORS)  # fmt: skip
def test_the_payload_in_the_bucket_is_a_string(world: World) -> None:
    s3, bucket = world.client("s3"), unique("conformance")
    s3.create_bucket(Bucket=bucket)
    _, function, _ = failing(world, f"arn:aws:s3:::{bucket}")
    _, message = stored(s3, bucket)
    assert isinstance(message["payload"], str)
    assert json.loads(message["payload"]) == function.calls()[0].event


@behaviour(GROUP, "on-failure-age", "A record given up by its age is reported with the condition "
           "RecordAgeExceeded.", ERRORS)  # fmt: skip
@pytest.mark.timeout(240)
def test_age_is_reported(world: World) -> None:
    queue = Queue(world)
    failing(world, queue.arn, MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=60)
    message = queue.receive(timeout=130)
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"
    assert message["DDBStreamBatchInfo"]["batchSize"] == 3


@behaviour(GROUP, "on-failure-bisect", "With BisectBatchOnFunctionError only the bad record is "
           "reported.", ERRORS)  # fmt: skip
def test_only_the_bad_record_is_reported(world: World) -> None:
    queue, table = Queue(world), world.table()
    function = world.function(answers.FAIL_ON_BAD)
    table.put_all(["a", "bad", "c", "d"])
    world.mapping(
        table,
        function,
        BatchSize=4,
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": queue.arn}},
    )
    info = queue.receive()["DDBStreamBatchInfo"]
    bad = next(r for r in function.records() if r["dynamodb"]["Keys"]["id"]["S"] == "bad")
    assert info["batchSize"] == 1
    assert info["startSequenceNumber"] == bad["dynamodb"]["SequenceNumber"]
    assert info["endSequenceNumber"] == bad["dynamodb"]["SequenceNumber"]


@behaviour(GROUP, "on-failure-partial", "With ReportBatchItemFailures the report begins with the "
           "lowest failed record.", ERRORS)  # fmt: skip
def test_reports_begin_with_the_failed_record(world: World) -> None:
    queue, table, function = Queue(world), world.table(), world.function(answers.REPORT_BAD)
    table.put_all(["a", "bad", "c"])
    world.mapping(
        table,
        function,
        BatchSize=3,
        MaximumRetryAttempts=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": queue.arn}},
    )
    message = queue.receive()
    sequence = [r["dynamodb"]["SequenceNumber"] for r in function.records()]
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert message["DDBStreamBatchInfo"]["startSequenceNumber"] == sequence[1]
    assert message["DDBStreamBatchInfo"]["endSequenceNumber"] == sequence[2]
    assert message["DDBStreamBatchInfo"]["batchSize"] == 2


@behaviour(GROUP, "on-failure-goes-on", "After a batch was given up and reported the mapping goes "
           "on with the next one.", ERRORS)  # fmt: skip
def test_the_mapping_goes_on_after_a_report(world: World) -> None:
    queue = Queue(world)
    table, function, _ = failing(world, queue.arn)
    table.put("good")
    function.wait_for("good")
    queue.receive()
    assert function.calls()[-1].ids == ["good"]


@behaviour(GROUP, "on-failure-throttled", "Records of a function that can't be called are given up "
           "by their age alone, and reported.", ERRORS)  # fmt: skip
@pytest.mark.timeout(240)
def test_records_of_a_throttled_function_are_given_up_by_age(world: World) -> None:
    queue, table, function = Queue(world), world.table(), world.function()
    world.lambda_.put_function_concurrency(
        FunctionName=function.name, ReservedConcurrentExecutions=0
    )
    world.mapping(
        table,
        function,
        MaximumRetryAttempts=0,
        MaximumRecordAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": queue.arn}},
    )
    table.put("a")
    message = queue.receive(timeout=130)
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"
    assert function.calls() == []
