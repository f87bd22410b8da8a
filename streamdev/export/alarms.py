"""The alarms of an export: a function that falls behind, and letters that nobody has looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from streamdev.config.models import Pipeline

# AWS, "Types of metrics for Lambda functions": IteratorAge is in milliseconds.
_HOUR_MS = 3_600_000

#: What the parameter is for that names a topic.
TOPIC_DESCRIPTION = "The SNS topic that alarms are told to. Without one CloudWatch only shows them."


@dataclass(frozen=True)
class Alarm:
    """An alarm on a metric of one resource.

    Attributes:
        kind: What the resource is.
        resource: Its name.
        subject: What it is about, in a word.
        description: What it tells.
        namespace: CloudWatch's, of the metric.
        metric: Its name.
        dimension: What the metric calls the resource's name.
        threshold: More than this is alarming...
        minutes: ...for so long.
        unit: What the threshold counts, where the metric's name does not say so.
    """

    kind: Literal["Function", "Queue"]
    resource: str
    subject: str
    description: str
    namespace: str
    metric: str
    dimension: str
    threshold: int
    minutes: int
    unit: str = ""

    @property
    def name(self) -> str:
        """``profile-updates-failed-dead-letters``."""
        return f"{self.resource}-{self.subject}"

    def settings(self, dimensions: Any) -> dict[str, Any]:
        """What CloudWatch is to do, by CloudFormation's names; Terraform has them in snake case."""
        return {
            "AlarmDescription": self.description,
            "Namespace": self.namespace,
            "MetricName": self.metric,
            "Dimensions": dimensions,
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": self.minutes,
            "Threshold": self.threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            # A function that is not called has no age, and an idle queue no count.
            "TreatMissingData": "notBreaching",
        }


def alarms(pipeline: Pipeline) -> Iterator[Alarm]:
    """On the age of what the function gets, and on its failure queue where it has one."""
    function, age = pipeline.function.name, pipeline.mapping.maximum_record_age
    yield Alarm(
        kind="Function",
        resource=function,
        subject="iterator-age",
        description=f"{function} is behind its stream, and loses records that become too old.",
        namespace="AWS/Lambda",
        metric="IteratorAge",
        dimension="FunctionName",
        # Half of what a record has, if that is less than two hours.
        threshold=min(_HOUR_MS, age * 500) if age > 0 else _HOUR_MS,
        minutes=5,
        unit="Milliseconds.",
    )
    failure = pipeline.mapping.on_failure
    if failure is not None and failure.service == "sqs":
        yield Alarm(
            kind="Queue",
            resource=failure.name,
            subject="dead-letters",
            description=f"{failure.name} has letters. Their records stay in the stream for a day.",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimension="QueueName",
            threshold=0,
            minutes=1,
        )
