"""Alarms as Terraform's AWS provider has them."""

from __future__ import annotations

from collections.abc import Iterator

from streamdev.config.models import Pipeline
from streamdev.export.alarms import alarms as wanted
from streamdev.export.hcl import Block, Expression, Noted, block
from streamdev.export.terraform_names import Addresses, named, snake_case

#: The variable that says where alarms are told.
ALARM_TOPIC = "alarm_topic_arn"

_NAMES = {"Function": "function_name", "Queue": "name"}


def alarms(pipeline: Pipeline, addresses: Addresses) -> Iterator[Block]:
    """The pipeline's alarms."""
    topic = f"var.{ALARM_TOPIC}"
    for alarm in wanted(pipeline):
        watched = addresses.attribute(alarm.kind, alarm.resource, _NAMES[alarm.kind])
        settings = alarm.settings({alarm.dimension: watched})
        arguments = {snake_case(name): value for name, value in settings.items()}
        if alarm.unit:
            arguments["threshold"] = Noted(alarm.unit, alarm.threshold)
        yield block(
            "resource",
            "aws_cloudwatch_metric_alarm",
            addresses.labels.of("Alarm", alarm.name),
            alarm_name=named(alarm.name),
            **arguments,
            alarm_actions=Expression(f'{topic} == "" ? [] : [{topic}]'),
        )
