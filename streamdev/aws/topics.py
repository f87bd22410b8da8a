"""SNS topics: which queues are subscribed to them, and the queues' leave to be sent to."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamdev.aws import names
from streamdev.aws.errors import AwsNotFoundError

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

_POLICY_SID = "TopicsMaySend"


def sending_policy(queue: str, topics: Collection[str], region: str) -> dict[str, Any]:
    """The whole policy of a queue that these topics, and no others, may send to."""
    arns = sorted(names.topic_arn(topic, region) for topic in topics)
    statement = {
        "Sid": _POLICY_SID,
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": names.queue_arn(queue, region),
        "Condition": {"ArnEquals": {"aws:SourceArn": arns}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


@dataclass(frozen=True)
class SubscriptionState:
    """A queue's subscription as it exists.

    Attributes:
        arn: Of the subscription.
        raw: Whether messages come without SNS's envelope.
        permitted: ARNs of the topics that the queue's policy lets send to it.
    """

    arn: str
    raw: bool
    permitted: frozenset[str]


class Topics:
    """Looks up, makes and changes subscriptions of queues, all by name."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def subscription(self, topic: str, queue: str) -> SubscriptionState | None:
        """The subscription of ``queue`` to ``topic``, or ``None``."""
        client = self._gateway.client("sns")
        endpoint = names.queue_arn(queue, self._gateway.region)
        try:
            with self._gateway.errors():
                pages = client.get_paginator("list_subscriptions_by_topic").paginate(
                    TopicArn=names.topic_arn(topic, self._gateway.region)
                )
                found = next(
                    (
                        one["SubscriptionArn"]
                        for page in pages
                        for one in page["Subscriptions"]
                        if one["Endpoint"] == endpoint
                    ),
                    None,
                )
                if found is None:
                    return None
                attributes = client.get_subscription_attributes(SubscriptionArn=found)["Attributes"]
                permitted = self._permitted(queue)
        except AwsNotFoundError:
            return None
        return SubscriptionState(found, attributes.get("RawMessageDelivery") == "true", permitted)

    def subscribe(self, topic: str, queue: str, *, raw: bool) -> None:
        """Subscribe the queue to the topic; both exist."""
        with self._gateway.errors():
            self._gateway.client("sns").subscribe(
                TopicArn=names.topic_arn(topic, self._gateway.region),
                Protocol="sqs",
                Endpoint=names.queue_arn(queue, self._gateway.region),
                Attributes={"RawMessageDelivery": json.dumps(raw)},
            )

    def set_raw(self, subscription_arn: str, *, raw: bool) -> None:
        """Turn raw message delivery on or off."""
        with self._gateway.errors():
            self._gateway.client("sns").set_subscription_attributes(
                SubscriptionArn=subscription_arn,
                AttributeName="RawMessageDelivery",
                AttributeValue=json.dumps(raw),
            )

    def permit(self, queue: str, topics: Collection[str]) -> None:
        """Let the topics, and no others, send to the queue (its whole policy)."""
        policy = json.dumps(sending_policy(queue, topics, self._gateway.region))
        client = self._gateway.client("sqs")
        with self._gateway.errors():
            url = client.get_queue_url(QueueName=queue)["QueueUrl"]
            client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def _permitted(self, queue: str) -> frozenset[str]:
        client = self._gateway.client("sqs")
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
        policy: Mapping[str, Any] = json.loads(attributes.get("Attributes", {}).get("Policy", "{}"))
        return frozenset(
            arn
            for statement in policy.get("Statement", ())
            if statement.get("Sid") == _POLICY_SID
            for arn in statement["Condition"]["ArnEquals"]["aws:SourceArn"]
        )
