"""Tables, queues, topics and buckets of a SAM template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from streamdev.aws import names
from streamdev.aws.destinations import Service
from streamdev.aws.tables import attribute_definitions, index_request, key_schema
from streamdev.aws.topics import sending_policy
from streamdev.config.models import Pipeline
from streamdev.deploy import resources, topics
from streamdev.deploy.resources import TableResource
from streamdev.export.references import References, named
from streamdev.export.values import Commented, Ref

#: A resource: its logical id and what stands below it.
Entry = tuple[str, Commented]

_KEPT = "Kept with its items when it leaves the stack; the name is then taken."


def tables(pipeline: Pipeline, references: References) -> Iterator[Entry]:
    """The pipeline's table and the function's own tables."""
    yield _table(resources.table_resource(pipeline.table, {}), references)
    for own in pipeline.tables:
        yield _table(resources.own_table_resource(own, {}), references)


def _table(table: TableResource, references: References) -> Entry:
    comments: dict[str, str] = {}
    properties: dict[str, Any] = {
        "TableName": named(table.name),
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attribute_definitions(table.attribute_types),
        "KeySchema": key_schema(table.keys),
    }
    if table.indexes:
        properties["GlobalSecondaryIndexes"] = [index_request(index) for index in table.indexes]
        comments["GlobalSecondaryIndexes"] = (
            "Once the table exists, AWS adds or removes one index in an update of the stack."
        )
    if table.local_indexes:
        properties["LocalSecondaryIndexes"] = [
            index_request(index) for index in table.local_indexes
        ]
    if table.stream_view is not None:
        properties["StreamSpecification"] = {"StreamViewType": table.stream_view}
    if table.ttl is not None:
        properties["TimeToLiveSpecification"] = {"AttributeName": table.ttl, "Enabled": True}
        comments["TimeToLiveSpecification"] = (
            "AWS deletes expired items within a few days, not at once: readers look at it too."
        )
    return _retained(
        references.ids.of("Table", table.name), "AWS::DynamoDB::Table", properties, comments
    )


def _retained(
    logical_id: str, kind: str, properties: dict[str, Any], comments: dict[str, str]
) -> Entry:
    return logical_id, Commented(
        {
            "Type": kind,
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": Commented(properties, comments),
        },
        {"DeletionPolicy": _KEPT},
    )


def destinations(
    pipelines: Sequence[Pipeline], pipeline: Pipeline, references: References, region: str
) -> Iterator[Entry]:
    """The queues, topics and buckets that the pipeline names, with what connects them.

    Args:
        pipelines: All of them: a queue's policy names every topic that sends to it.
        pipeline: The one whose destinations are wanted.
        references: Gives logical ids.
        region: The region that local ARNs are made for.
    """
    for service, name in topics.destinations([pipeline]):
        yield _destination(service, name, references)
    everywhere = topics.subscriptions(pipelines)
    for topic, queue in topics.subscriptions([pipeline]):
        subscription = everywhere[topic, queue]
        queue_ref = references.of(names.queue_arn(queue, region))
        topic_id, queue_id = references.ids.of("Topic", topic), references.ids.of("Queue", queue)
        properties: dict[str, Any] = {
            "TopicArn": Ref(topic_id),
            "Protocol": "sqs",
            "Endpoint": queue_ref,
        }
        if subscription.raw:
            properties["RawMessageDelivery"] = True
        yield (
            references.ids.of("Subscription", f"{topic}-to-{queue}"),
            Commented({"Type": "AWS::SNS::Subscription", "Properties": properties}),
        )
        document = sending_policy(queue, subscription.senders, region)
        policy = {"Queues": [Ref(queue_id)], "PolicyDocument": references.within(document)}
        yield (
            references.ids.of("QueuePolicy", queue),
            Commented({"Type": "AWS::SQS::QueuePolicy", "Properties": policy}),
        )


def _destination(service: Service, name: str, references: References) -> Entry:
    match service:
        case "sqs":
            return references.ids.of("Queue", name), Commented(
                {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": named(name)}}
            )
        case "sns":
            return references.ids.of("Topic", name), Commented(
                {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": named(name)}}
            )
        case "s3":
            comment = {"BucketName": "A bucket's name is taken once for all accounts of AWS."}
            return _retained(
                references.ids.of("Bucket", name),
                "AWS::S3::Bucket",
                {"BucketName": named(name)},
                comment,
            )
