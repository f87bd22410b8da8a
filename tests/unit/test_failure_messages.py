"""What AWS sends to a failure destination."""

from __future__ import annotations

import json

from streamdev.semantics.destinations import (
    LastResponse,
    failure_message,
    object_key,
    stored_object,
)
from tests.support.streams import STREAM, record


def test_the_message_says_where_the_records_are() -> None:
    batch = (record(3, created=1573691839.0), record(4, created=1573691840.4))
    message = failure_message(
        batch,
        request_id="316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
        function_arn="arn:aws:lambda:us-east-2:123456789012:function:myfunction",
        condition="RetryAttemptsExhausted",
        invokes=2,
        response=LastResponse("$LATEST", "Unhandled"),
        shard="shardId-00000001573689847184-864758bb",
        stream_arn=STREAM,
        now=1573691886.0213,
    )
    assert message == {
        "requestContext": {
            "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
            "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:myfunction",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2019-11-14T00:38:06.021Z",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001573689847184-864758bb",
            "startSequenceNumber": "000000000000000000003",
            "endSequenceNumber": "000000000000000000004",
            "approximateArrivalOfFirstRecord": "2019-11-14T00:37:19Z",
            "approximateArrivalOfLastRecord": "2019-11-14T00:37:20Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    }


def test_records_that_were_never_handed_over_have_no_response() -> None:
    message = failure_message(
        (record(1),),
        request_id="r",
        function_arn="f",
        condition="RecordAgeExceeded",
        invokes=0,
        response=None,
        shard="s",
        stream_arn=STREAM,
        now=0.0,
    )
    assert "responseContext" not in message


def test_objects_are_named_as_aws_names_them() -> None:
    key = object_key("uuid", "shardId-1", 1573691886.0, "unique")
    assert key == "aws/lambda/uuid/shardId-1/2019/11/14/2019-11-14T00.38.06-unique"


def test_the_object_in_s3_has_the_event_as_a_string() -> None:
    event = {"Records": [{"eventID": "1", "dynamodb": {"Keys": {"id": {"S": "ü"}}}}]}
    stored = json.loads(stored_object({"version": "1.0"}, event))
    assert stored["version"] == "1.0"
    assert isinstance(stored["payload"], str)
    assert json.loads(stored["payload"]) == event
