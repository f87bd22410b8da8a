"""Topics a function publishes to and the queues subscribed to them, as pipelines.toml declares.

Limits: AWS's *CreateTopic*, *Subscribe* and *CreateQueue* API pages.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from streamdev.config.base import Model
from streamdev.config.function import VariableName, allowed_variable

QueueName = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[a-zA-Z0-9_-]+$")]
TopicName = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[a-zA-Z0-9_-]+$")]


class Subscription(Model):
    """A standard queue that gets what is published to the topic; deploy makes the queue."""

    sqs: QueueName = Field(description="The queue, by name.")
    raw_message_delivery: bool = Field(
        default=False, description="The message alone, without SNS's envelope around it."
    )


class Topic(Model):
    """A standard topic; the function's role may publish to it."""

    name: TopicName = Field(description="The topic's name.")
    environment_variable: VariableName | None = Field(
        default=None, description="The function's variable that is given the topic's ARN."
    )
    subscriptions: tuple[Subscription, ...] = Field(
        default=(), strict=False, description="Queues subscribed to it."
    )

    _allowed = field_validator("environment_variable")(allowed_variable)
