"""The least a function's role must allow: what its mapping, its log and its own calls need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from streamdev.aws import names
from streamdev.config.models import Destination, Pipeline


def trust(service: str) -> Mapping[str, Any]:
    """Lets an AWS service, such as ``lambda.amazonaws.com``, take the role on."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sts:AssumeRole",
            }
        ],
    }


#: Lambda takes the role on.
TRUST = trust("lambda.amazonaws.com")


def api_policy(table: str, actions: Iterable[str], region: str) -> dict[str, Any]:
    """The inline policy of an API's role: ``PutItem``... on one table."""
    allowed = [f"dynamodb:{action}" for action in sorted(actions)]
    statement = _allow("CallTable", allowed, [names.table_arn(table, region)])
    return {"Version": "2012-10-17", "Statement": [statement]}


def execution_policy(pipeline: Pipeline, region: str) -> dict[str, Any]:
    """The inline policy of the pipeline's role.

    Wildcards stand in resources only: for the stream's label, which a recreated table
    changes, for the names of log streams and of objects in a bucket, which Lambda makes up,
    and for X-Ray, whose actions know no resources.
    """
    stream = f"{names.table_arn(pipeline.table.name, region)}/stream/*"
    log_group = names.log_group_arn(pipeline.function.name, region)
    statements = [
        _allow(
            "ReadStream",
            [
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ],
            [stream],
        ),
        _allow(
            "WriteLog",
            # Not CreateLogGroup: the group is there before the function is (LocalStack makes it
            # itself, an export declares it). The last lines of a deleted function, which come
            # late, would make it anew, without a retention.
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [f"{log_group}:*"],
        ),
    ]
    if pipeline.table.actions:
        arn = names.table_arn(pipeline.table.name, region)
        statements.append(_allow("UseStreamTable", sorted(pipeline.table.actions), [arn]))
    if pipeline.mapping.on_failure is not None:
        statements.append(_tell_failures(pipeline.mapping.on_failure, region))
    # The same actions on several tables make one statement, as SIDs are letters and digits.
    allowed: dict[tuple[str, ...], list[str]] = {}
    for table in pipeline.tables:
        actions = tuple(sorted(table.actions))
        allowed.setdefault(actions, []).append(names.table_arn(table.name, region))
    for number, (actions, tables) in enumerate(allowed.items(), 1):
        statements.append(_allow(f"UseTables{number}", list(actions), tables))
    if pipeline.topics:
        topics = [names.topic_arn(topic.name, region) for topic in pipeline.topics]
        statements.append(_allow("Notify", ["sns:Publish"], topics))
    if pipeline.function.tracing_mode == "Active":
        actions_of_xray = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
        statements.append(_allow("Trace", actions_of_xray, ["*"]))
    return {"Version": "2012-10-17", "Statement": statements}


def _tell_failures(destination: Destination, region: str) -> dict[str, Any]:
    """Lambda sends given-up batches with the function's own role."""
    match destination.service:
        case "sqs":
            arn = names.queue_arn(destination.name, region)
            return _allow("TellFailures", ["sqs:SendMessage"], [arn])
        case "sns":
            arn = names.topic_arn(destination.name, region)
            return _allow("TellFailures", ["sns:Publish"], [arn])
        case "s3":
            arn = names.bucket_arn(destination.name)
            actions = ["s3:PutObject", "s3:ListBucket"]
            # Lambda chooses the objects' keys.
            return _allow("TellFailures", actions, [arn, f"{arn}/*"])


def _allow(sid: str, actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Resource": resources[0] if len(resources) == 1 else resources,
    }
