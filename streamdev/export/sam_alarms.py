"""Alarms of a SAM template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamdev.config.models import Pipeline
from streamdev.export.alarms import TOPIC_DESCRIPTION
from streamdev.export.alarms import alarms as wanted
from streamdev.export.references import References
from streamdev.export.sam_storage import Entry
from streamdev.export.values import Call, Commented, GetAtt, Ref

_TOPIC = "AlarmTopicArn"
_TOLD = "AlarmsAreTold"

PARAMETERS: dict[str, dict[str, Any]] = {
    _TOPIC: {
        "Type": "String",
        "Default": "",
        "AllowedPattern": "(arn:[^:]+:sns:.+)?",
        "Description": TOPIC_DESCRIPTION,
    }
}
CONDITIONS = {_TOLD: Call("Not", (Call("Equals", (Ref(_TOPIC), "")),))}


def alarms(pipeline: Pipeline, references: References) -> Iterator[Entry]:
    """The pipeline's alarms."""
    ids = references.ids
    for alarm in wanted(pipeline):
        watched = ids.of(alarm.kind, alarm.resource)
        named = Ref(watched) if alarm.kind == "Function" else GetAtt(watched, "QueueName")
        properties = {
            **alarm.settings([{"Name": alarm.dimension, "Value": named}]),
            "AlarmActions": Call("If", (_TOLD, (Ref(_TOPIC),), Ref("AWS::NoValue"))),
        }
        commented = Commented(properties, {"Threshold": alarm.unit} if alarm.unit else {})
        yield (
            ids.of("Alarm", alarm.name),
            Commented({"Type": "AWS::CloudWatch::Alarm", "Properties": commented}),
        )
