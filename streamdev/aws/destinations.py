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
    """Looks up and creates destinations."""

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
