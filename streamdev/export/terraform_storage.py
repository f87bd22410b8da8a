"""Tables, queues, topics and buckets as Terraform's AWS provider has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from streamdev.aws.destinations import Service
from streamdev.aws.tables import Index
from streamdev.aws.topics import sending_policy
from streamdev.config.models import Pipeline
from streamdev.deploy import resources, topics
from streamdev.deploy.resources import TableResource
from streamdev.export.hcl import Block, Call, Expression, Noted, block, present
from streamdev.export.terraform_names import TYPES, Addresses, named, variable

#: The variable that says whether what holds data is kept.
KEEP_DATA = "keep_data"


def tables(pipeline: Pipeline, addresses: Addresses) -> Iterator[Block]:
    """The pipeline's table and the function's own tables."""
    yield _table(resources.table_resource(pipeline.table, {}), addresses)
    for own in pipeline.tables:
        yield _table(resources.own_table_resource(own, {}), addresses)


def _table(table: TableResource, addresses: Addresses) -> Block:
    arguments = {
        "name": named(table.name),
        "billing_mode": "PAY_PER_REQUEST",
        "hash_key": table.keys[0],
        "range_key": table.keys[1] if len(table.keys) > 1 else None,
        "stream_enabled": True if table.stream_view is not None else None,
        "stream_view_type": table.stream_view,
        "deletion_protection_enabled": Noted(
            "AWS refuses to delete it, with its items, while this is true.", variable(KEEP_DATA)
        ),
    }
    below = [
        block("attribute", name=name, type=kind) for name, kind in table.attribute_types.items()
    ]
    for index in table.indexes:
        keys = zip(index.keys, ("HASH", "RANGE"), strict=False)
        below.append(
            _index(
                "global_secondary_index",
                index,
                *(block("key_schema", attribute_name=name, key_type=kind) for name, kind in keys),
            )
        )
    for index in table.local_indexes:
        # A local index has the table's partition key.
        below.append(_index("local_secondary_index", index, ("range_key", index.keys[1])))
    if table.ttl is not None:
        comment = (
            "AWS deletes expired items within a few days, not at once: readers look at it too."
        )
        below.append(block("ttl", comment=comment, attribute_name=table.ttl, enabled=True))
    header = ("resource", TYPES["Table"], addresses.labels.of("Table", table.name))
    return Block(header, (*present(arguments), *below))


def _index(kind: str, index: Index, *keys: tuple[str, str] | Block) -> Block:
    projection = {
        "projection_type": index.projection,
        "non_key_attributes": list(index.non_key_attributes) or None,
    }
    return Block((kind,), (("name", index.name), *present(projection), *keys))


def destinations(
    pipelines: Sequence[Pipeline], pipeline: Pipeline, addresses: Addresses, region: str
) -> Iterator[Block]:
    """The queues, topics and buckets that the pipeline names, with what connects them.

    Args:
        pipelines: All of them: a queue's policy names every topic that sends to it.
        pipeline: The one whose destinations are wanted.
        addresses: Gives labels and references.
        region: The region that local ARNs are made for.
    """
    for service, name in topics.destinations([pipeline]):
        yield _destination(service, name, addresses)
    everywhere = topics.subscriptions(pipelines)
    for topic, queue in topics.subscriptions([pipeline]):
        subscription = everywhere[topic, queue]
        yield block(
            "resource",
            "aws_sns_topic_subscription",
            # A space is in no name, so that each pair has a label of its own.
            addresses.labels.of("Subscription", f"{topic} to {queue}"),
            topic_arn=addresses.attribute("Topic", topic, "arn"),
            protocol="sqs",
            endpoint=addresses.attribute("Queue", queue, "arn"),
            raw_message_delivery=True if subscription.raw else None,
        )
        policy = sending_policy(queue, subscription.senders, region)
        yield block(
            "resource",
            "aws_sqs_queue_policy",
            addresses.labels.of("Queue", queue),
            queue_url=addresses.attribute("Queue", queue, "url"),
            policy=Call("jsonencode", addresses.within(policy)),
        )


def _destination(service: Service, name: str, addresses: Addresses) -> Block:
    arguments: dict[str, Any]
    match service:
        case "sqs":
            kind, arguments = "Queue", {"name": named(name)}
        case "sns":
            kind, arguments = "Topic", {"name": named(name)}
        case "s3":
            kind = "Bucket"
            arguments = {
                "bucket": Noted(
                    "A bucket's name is taken once for all accounts of AWS.", named(name)
                ),
                "force_destroy": Noted(
                    "Unless this is true, a bucket with something in it can't be deleted.",
                    Expression(f"!var.{KEEP_DATA}"),
                ),
            }
    return block("resource", TYPES[kind], addresses.labels.of(kind, name), **arguments)
