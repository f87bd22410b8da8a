"""Functions of a SAM template, with their roles, log groups and mappings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streamdev.aws import names
from streamdev.config.models import Pipeline
from streamdev.deploy import resources
from streamdev.deploy.policy import TRUST, execution_policy
from streamdev.deploy.resources import ALIAS, RoleResource
from streamdev.export.mapping import numbers
from streamdev.export.references import References, named
from streamdev.export.sam_storage import Entry
from streamdev.export.values import Commented, GetAtt, Ref

LOG_RETENTION = "LogRetentionInDays"


def function(
    pipeline: Pipeline, references: References, region: str, folder: Path
) -> Iterator[Entry]:
    """The pipeline's function; ``folder`` is where the template will be."""
    own, ids = pipeline.function, references.ids
    yield role(
        ids.of("Role", own.name),
        "Only on AWS are roles enforced: what is not allowed here fails there.",
        TRUST,
        execution_policy(pipeline, region),
        references,
    )
    yield (
        ids.of("LogGroup", own.name),
        Commented(
            {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {
                    "LogGroupName": named(names.log_group(own.name)),
                    "RetentionInDays": Ref(LOG_RETENTION),
                },
            }
        ),
    )
    yield ids.of("Function", own.name), _function(pipeline, references, region, folder)


def role(
    logical_id: str,
    comment: str,
    trust: Mapping[str, Any],
    policy: Mapping[str, Any],
    references: References,
) -> Entry:
    """A role with one inline policy, its ARNs replaced by references."""
    properties = {
        "AssumeRolePolicyDocument": trust,
        "Policies": [
            {
                "PolicyName": RoleResource.policy_name,
                "PolicyDocument": references.within(policy),
            }
        ],
    }
    return logical_id, Commented(
        {"Type": "AWS::IAM::Role", "Properties": properties}, {"Properties": comment}
    )


def _function(pipeline: Pipeline, references: References, region: str, folder: Path) -> Commented:
    own, ids = pipeline.function, references.ids
    comments = {"CodeUri": "sam build adds what requirements.txt in the folder names."}
    properties: dict[str, Any] = {
        "FunctionName": named(own.name),
        "CodeUri": f"{Path(os.path.relpath(own.source, folder)).as_posix()}/",
        "Handler": own.handler,
        "Runtime": own.runtime,
        "MemorySize": own.memory_size,
        "Timeout": own.timeout,
    }
    if own.tracing_mode != "PassThrough":
        properties["Tracing"] = own.tracing_mode
    properties["Role"] = GetAtt(ids.of("Role", own.name), "Arn")
    properties["LoggingConfig"] = {"LogGroup": Ref(ids.of("LogGroup", own.name))}
    if own.reserved_concurrency is not None:
        properties["ReservedConcurrentExecutions"] = Ref(ids.of("ReservedConcurrency", own.name))
    if own.provisioned_concurrency is not None:
        properties["AutoPublishAlias"] = ALIAS
        properties["ProvisionedConcurrencyConfig"] = {
            "ProvisionedConcurrentExecutions": Ref(ids.of("ProvisionedConcurrency", own.name))
        }
        comments["AutoPublishAlias"] = "The mapping calls the alias, whose environments are warm."
    if variables := _environment(pipeline, references, region):
        properties["Environment"] = {"Variables": variables}
    event = {"Type": "DynamoDB", "Properties": _mapping(pipeline, references, region)}
    properties["Events"] = Commented(
        {"Stream": event},
        {"Stream": "AWS splits a busy stream into shards: order holds for each item, not for all."},
    )
    return Commented(
        {"Type": "AWS::Serverless::Function", "Properties": Commented(properties, comments)}
    )


def concurrency_parameters(
    pipeline: Pipeline, references: References
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Concurrency differs by stage, and an account has only so much of it."""
    own = pipeline.function
    declared = {
        "ReservedConcurrency": (own.reserved_concurrency, "At most so many at a time"),
        "ProvisionedConcurrency": (own.provisioned_concurrency, "Environments kept warm"),
    }
    for kind, (value, what) in declared.items():
        if value is not None:
            yield (
                references.ids.of(kind, own.name),
                {
                    "Type": "Number",
                    "Default": value,
                    "MinValue": 0 if kind == "ReservedConcurrency" else 1,
                    "Description": f"{what}, of {own.name}.",
                },
            )


def _environment(pipeline: Pipeline, references: References, region: str) -> dict[str, Any]:
    variables: dict[str, Any] = dict(pipeline.function.environment)
    for table in pipeline.tables:
        if table.environment_variable:
            variables[table.environment_variable] = Ref(references.ids.of("Table", table.name))
    for topic in pipeline.topics:
        if topic.environment_variable:
            arn = names.topic_arn(topic.name, region)
            variables[topic.environment_variable] = references.of(arn)
    return variables


def _mapping(pipeline: Pipeline, references: References, region: str) -> Commented:
    """All parameters of the mapping, those left at AWS's defaults apart."""
    mapping = resources.mapping_resource(pipeline, region, {})
    settings = mapping.settings
    assert settings is not None
    comments: dict[str, str] = {}
    properties: dict[str, Any] = {
        "Stream": GetAtt(references.ids.of("Table", mapping.table), "StreamArn"),
        "StartingPosition": mapping.starting_position,
        "BatchSize": settings.batch_size,
    }
    if mapping.starting_position == "LATEST":
        comments["StartingPosition"] = (
            "What is written while AWS sets the mapping up, for minutes, may be missed."
        )
    properties |= {name: value for name, value, default in numbers(settings) if value != default}
    if settings.filters:
        properties["FilterCriteria"] = {
            "Filters": [{"Pattern": pattern} for pattern in settings.filters]
        }
    if settings.report_batch_item_failures:
        properties["FunctionResponseTypes"] = ["ReportBatchItemFailures"]
    failure = pipeline.mapping.on_failure
    if settings.destination is not None and failure is not None:
        properties["DestinationConfig"] = {
            "OnFailure": {
                "Type": failure.service.upper(),
                "Destination": references.of(settings.destination),
            }
        }
        if failure.service != "s3":
            comments["DestinationConfig"] = (
                "A letter tells where in the stream a batch was; its records stay there for a day."
            )
    return Commented(properties, comments)
