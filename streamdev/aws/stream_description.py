"""What a stream is made of, as DescribeStream tells it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams.type_defs import StreamDescriptionTypeDef

    from streamdev.aws.gateway import Gateway


def described(gateway: Gateway, stream_arn: str) -> Iterator[StreamDescriptionTypeDef]:
    """The pages of a stream's description: each has its state, and some of its shards.

    Raises:
        AwsNotFoundError: The stream is gone, with its table.
        AwsError: It can't be described for another reason.
        EngineNotRunningError: Nothing answers.
    """
    client = gateway.client("dynamodbstreams")
    start: dict[str, Any] = {}
    while True:
        with gateway.errors():
            page = client.describe_stream(StreamArn=stream_arn, **start)["StreamDescription"]
        yield page
        last = page.get("LastEvaluatedShardId")
        if not last:
            return
        start = {"ExclusiveStartShardId": last}
