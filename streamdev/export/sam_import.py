"""A SAM template's tables, functions and stream events as a pipelines.toml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamdev.errors import InvalidInputError
from streamdev.export.template import Reference, Template, UnresolvedError
from streamdev.export.toml_text import section

_FUNCTION = "AWS::Serverless::Function"
_TABLES = ("AWS::DynamoDB::Table", "AWS::Serverless::SimpleTable")
_DESTINATIONS = {"AWS::SQS::Queue": "sqs", "AWS::SNS::Topic": "sns", "AWS::S3::Bucket": "s3"}

# SAM's names, and pipelines.toml's where only the spelling differs.
_SETTINGS = {
    "Handler": "handler",
    "Runtime": "runtime",
    "Timeout": "timeout",
    "MemorySize": "memory-size",
    "Tracing": "tracing-mode",
    "ReservedConcurrentExecutions": "reserved-concurrency",
}
_MAPPING = {
    "StartingPosition": "starting-position",
    "BatchSize": "batch-size",
    "MaximumBatchingWindowInSeconds": "maximum-batching-window",
    "ParallelizationFactor": "parallelization-factor",
    "TumblingWindowInSeconds": "tumbling-window",
    "MaximumRetryAttempts": "maximum-retry-attempts",
    "MaximumRecordAgeInSeconds": "maximum-record-age",
    "BisectBatchOnFunctionError": "bisect-batch-on-function-error",
    "Enabled": "enabled",
}
_OTHERWISE_READ = {
    *("FunctionName", "CodeUri", "Environment", "Events", "AutoPublishAlias"),
    *("ProvisionedConcurrencyConfig", "Stream", "FilterCriteria", "FunctionResponseTypes"),
    *("DestinationConfig", "TableName", "AttributeDefinitions", "KeySchema", "PrimaryKey"),
    *("GlobalSecondaryIndexes", "LocalSecondaryIndexes", "StreamSpecification", "BillingMode"),
    *("TimeToLiveSpecification", "QueueName", "TopicName", "BucketName"),
}
_READ = {*_SETTINGS, *_MAPPING, *_OTHERWISE_READ}


@dataclass
class Imported:
    """What became of a template.

    Attributes:
        pipelines: As pipelines.toml has them, by name.
        left_out: What has no place there, each by name.
    """

    pipelines: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As pipelines.toml."""
        parts = (section(f"pipelines.{name}", one) for name, one in self.pipelines.items())
        return "\n".join(line for part in parts for line in part)


def import_sam(template: Template, source: Path, folder: Path) -> Imported:
    """What of the template pipelines.toml can say.

    Args:
        template: The template.
        source: The file it was read from; CodeUri is relative to its folder.
        folder: Where pipelines.toml will be.

    Raises:
        InvalidInputError: It has no function with a stream event, or something that is needed
            has a value that only AWS knows; the message has its line.
    """
    reader = _Reader(template, source.resolve().parent, folder.resolve())
    try:
        reader.read()
    except UnresolvedError as error:
        raise InvalidInputError(f"{error}.", hint="Give the template a value for it.") from error
    except (KeyError, TypeError, AttributeError) as error:
        # A template can be wrong in a thousand ways, and AWS's own tools know them all.
        raise InvalidInputError(
            f"{source} is not as AWS has it: {type(error).__name__}: {error}.",
            hint="Check it first: sam validate --lint",
        ) from error
    if not reader.made.pipelines:
        raise InvalidInputError(
            f"{source} has no function with a DynamoDB event.",
            hint="Only AWS::Serverless::Function with such Events makes a pipeline.",
        )
    return reader.made


class _Reader:
    def __init__(self, template: Template, base: Path, folder: Path) -> None:
        self._template = template
        self._base, self._folder = base, folder
        self._used: set[str] = set()
        self.made = Imported()

    def read(self) -> None:
        for logical_id, resource in self._template.resources.items():
            if resource["Type"] == _FUNCTION:
                self._function(logical_id)
        for other in self._template.other_globals:
            self._leave(f"Globals.{other}")
        for logical_id, resource in self._template.resources.items():
            if logical_id not in self._used:
                self._leave(f"{logical_id} ({resource['Type']})")

    def _leave(self, what: str, why: str = "") -> None:
        line = f"{what}: {why}" if why else what
        if line not in self.made.left_out:
            self.made.left_out.append(line)

    def _use(self, logical_id: str) -> Mapping[str, Any]:
        """Take a resource up and name what of it is left out; its properties."""
        own = self._template.properties(logical_id)
        if logical_id not in self._used:
            self._used.add(logical_id)
            self._unread(logical_id, own)
            if "Condition" in self._template.resources[logical_id]:
                self._leave(f"{logical_id}.Condition", "here it is there always")
        return own

    def _function(self, logical_id: str) -> None:
        own = self._template.properties(logical_id)
        events = {
            name: event
            for name, event in (own.get("Events") or {}).items()
            if event.get("Type") == "DynamoDB"
        }
        if not events:
            return
        if (obstacle := self._obstacle(own, next(iter(events.values())))) is not None:
            self._used.add(logical_id)
            self._leave(f"{logical_id} ({_FUNCTION})", obstacle)
            return
        first, *others = events
        for name in (name for name in own["Events"] if name != first):
            why = "a function has one stream here" if name in others else ""
            self._leave(f"{logical_id}.Events.{name}", why)
        name = self._template.name(logical_id)
        code = str(self._template.value(own, "CodeUri"))
        source = os.path.relpath(self._base / code, self._folder)
        function: dict[str, Any] = {"source": Path(source).as_posix()}
        everywhere = self._template.global_properties
        for key, ours in _SETTINGS.items():
            properties = own if key in own else everywhere
            if (value := self._optional(properties, key, logical_id)) is not None:
                function[ours] = value
        warm = self._optional(own, "ProvisionedConcurrencyConfig", logical_id)
        if warm is not None:
            function["provisioned-concurrency"] = warm["ProvisionedConcurrentExecutions"]
        self._use(logical_id)
        self._unread("Globals.Function", everywhere)
        event = events[first]["Properties"]
        pipeline = self.made.pipelines[name] = {
            "table": self._table(self._template.value(event, "Stream").logical_id),
            "function": function,
            "mapping": self._mapping(f"{logical_id}.Events.{first}", event),
        }
        for properties in (everywhere, own):
            self._environment(logical_id, properties.get("Environment") or {}, pipeline)

    def _obstacle(self, own: Mapping[str, Any], event: Mapping[str, Any]) -> str | None:
        """Why the function can't be a pipeline; ``None`` if it can."""
        code = self._template.value(own, "CodeUri") if "CodeUri" in own else None
        if not isinstance(code, str) or "://" in code:
            return "its CodeUri is no folder"
        stream = self._template.value(event["Properties"], "Stream")
        if (
            not isinstance(stream, Reference)
            or stream.attribute != "StreamArn"
            or stream.logical_id not in self._template.resources
        ):
            return "its Stream is no table of the template"
        return None

    def _optional(self, node: Mapping[str, Any], key: str, label: str) -> Any:
        """``node[key]``, or ``None`` where it is not there or not known here."""
        if key not in node:
            return None
        try:
            return self._template.value(node, key)
        except UnresolvedError as error:
            self._leave(f"{label}.{key}", str(error))
            return None

    def _unread(self, label: str, properties: Mapping[str, Any]) -> None:
        for key in properties:
            if key not in _READ:
                self._leave(f"{label}.{key}")

    def _mapping(self, label: str, event: Mapping[str, Any]) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, ours in _MAPPING.items():
            if (value := self._optional(event, key, label)) is not None:
                mapping[ours] = value
        if criteria := self._optional(event, "FilterCriteria", label):
            mapping["filter-criteria"] = [one["Pattern"] for one in criteria["Filters"]]
        if self._optional(event, "FunctionResponseTypes", label):
            mapping["report-batch-item-failures"] = True
        if config := self._optional(event, "DestinationConfig", label):
            destination = config["OnFailure"]["Destination"]
            if (known := self._destination(destination)) is not None:
                mapping["on-failure"] = known
            else:
                self._leave(f"{label}.DestinationConfig", "it is not in the template")
        self._unread(label, event)
        return mapping

    def _destination(self, found: Any) -> dict[str, str] | None:
        if not isinstance(found, Reference) or found.logical_id not in self._template.resources:
            return None
        kind = self._template.resources[found.logical_id]["Type"]
        self._use(found.logical_id)
        return {_DESTINATIONS[kind]: self._template.name(found.logical_id)}

    def _table(self, logical_id: str) -> dict[str, Any]:
        own = self._use(logical_id)
        found = {key: self._template.value(own, key) for key in own if key in _READ}
        types = {
            one["AttributeName"]: one["AttributeType"]
            for one in found.get("AttributeDefinitions", ())
        }
        table: dict[str, Any] = {"name": self._template.name(logical_id)}
        if "KeySchema" in found:
            table |= _keys(found["KeySchema"], types)
        else:  # a SimpleTable
            key = found.get("PrimaryKey", {"Name": "id", "Type": "String"})
            table["key"] = f"{key['Name']}:{key['Type'][0]}"
        if stream := found.get("StreamSpecification"):
            table["stream"] = stream["StreamViewType"]
        ttl = found.get("TimeToLiveSpecification", {})
        if ttl.get("Enabled"):
            table["ttl"] = ttl["AttributeName"]
        for key, ours in (
            ("GlobalSecondaryIndexes", "global-secondary-indexes"),
            ("LocalSecondaryIndexes", "local-secondary-indexes"),
        ):
            if key in found:
                table[ours] = [_index(one, types, local=key[0] == "L") for one in found[key]]
        return table

    def _environment(
        self, label: str, environment: Mapping[str, Any], pipeline: dict[str, Any]
    ) -> None:
        variables = environment.get("Variables") or {}
        for name in variables:
            value = self._optional(variables, name, f"{label}.Environment")
            match self._kind_of(value):
                case None if value is not None:
                    pipeline["function"].setdefault("environment", {})[name] = str(value)
                case "AWS::DynamoDB::Table" | "AWS::Serverless::SimpleTable":
                    table = self._table(value.logical_id)
                    if "stream" in table:
                        pipeline["function"].setdefault("environment", {})[name] = table["name"]
                    else:
                        table["environment-variable"] = name
                        pipeline.setdefault("tables", []).append(table)
                case "AWS::SNS::Topic":
                    self._use(value.logical_id)
                    topic = {"name": self._template.name(value.logical_id)}
                    topic["environment-variable"] = name
                    pipeline.setdefault("topics", []).append(topic)
                case str():
                    self._leave(f"{label}.Environment.{name}", f"it is {value.logical_id}'s")

    def _kind_of(self, value: Any) -> str | None:
        if not isinstance(value, Reference):
            return None
        return str(self._template.resources.get(value.logical_id, {}).get("Type", "unknown"))


def _keys(schema: list[dict[str, str]], types: Mapping[str, str]) -> dict[str, str]:
    ours = {"HASH": "key", "RANGE": "sort-key"}
    return {
        ours[one["KeyType"]]: f"{one['AttributeName']}:{types.get(one['AttributeName'], 'S')}"
        for one in schema
    }


def _index(index: dict[str, Any], types: Mapping[str, str], *, local: bool) -> dict[str, Any]:
    keys = _keys(index["KeySchema"], types)
    if local:
        del keys["key"]
    projection = index.get("Projection", {})
    made = {"name": index["IndexName"], **keys}
    made["projection"] = projection.get("ProjectionType", "ALL")
    if "NonKeyAttributes" in projection:
        made["non-key-attributes"] = projection["NonKeyAttributes"]
    return made
