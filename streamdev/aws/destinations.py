"""What a mapping's given-up batches go to: standard queues, topics, buckets, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from streamdev.aws import names
from streamdev.aws.errors import AwsNotFoundError

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

Service = Literal["sqs", "sns", "s3"]


def destination_arn(service: Service, name: str, region: str) -> str:
    """The ARN of the queue, topic or bucket called ``name``."""
    match service:
        case "sqs":
            return names.queue_arn(name, region)
        case "sns":
            return names.topic_arn(name, region)
        case "s3":
            return names.bucket_arn(name)


class Destinations:
    """Looks up, creates and deletes destinations."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def exists(self, service: Service, name: str) -> bool:
        """Whether there is a queue, topic or bucket of that name."""
        try:
            with self._gateway.errors():
                match service:
                    case "sqs":
                        self._gateway.client("sqs").get_queue_url(QueueName=name)
                    case "sns":
                        arn = names.topic_arn(name, self._gateway.region)
                        self._gateway.client("sns").get_topic_attributes(TopicArn=arn)
                    case "s3":
                        self._gateway.client("s3").head_bucket(Bucket=name)
        except AwsNotFoundError:
            return False
        return True

    def create(self, service: Service, name: str) -> None:
        """Create the queue, topic or bucket.

        Raises:
            AwsError: Also where a bucket of that name belongs to someone else.
        """
        with self._gateway.errors():
            match service:
                case "sqs":
                    self._gateway.client("sqs").create_queue(QueueName=name)
                case "sns":
                    self._gateway.client("sns").create_topic(Name=name)
                case "s3":
                    self._create_bucket(name)

    def delete(self, service: Service, name: str) -> None:
        """Delete the queue, the topic with its subscriptions, or the bucket with what is in it."""
        with self._gateway.errors():
            match service:
                case "sqs":
                    self._gateway.client("sqs").delete_queue(
                        QueueUrl=self._gateway.queues.url(name)
                    )
                case "sns":
                    self._delete_topic(names.topic_arn(name, self._gateway.region))
                case "s3":
                    self._delete_bucket(name)

    def _delete_topic(self, arn: str) -> None:
        client = self._gateway.client("sns")
        pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        for subscription in [one for page in pages for one in page["Subscriptions"]]:
            client.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        client.delete_topic(TopicArn=arn)

    def _delete_bucket(self, name: str) -> None:
        client = self._gateway.client("s3")
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for found in page.get("Contents", ()):
                client.delete_object(Bucket=name, Key=found["Key"])
        client.delete_bucket(Bucket=name)

    def _create_bucket(self, name: str) -> None:
        client = self._gateway.client("s3")
        if self._gateway.region == "us-east-1":
            # S3 refuses a location constraint for this region alone.
            client.create_bucket(Bucket=name)
            return
        client.create_bucket(
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": self._gateway.region},  # type: ignore[typeddict-item]
        )
