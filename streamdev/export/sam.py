"""An AWS SAM template of what pipelines.toml declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from streamdev.aws.names import DEFAULT_REGION
from streamdev.config.models import Pipeline, Project
from streamdev.deploy import topics
from streamdev.errors import InvalidInputError
from streamdev.export import limits, sam_alarms, sam_api, sam_function, sam_storage
from streamdev.export.document import render
from streamdev.export.files import Export, made_from
from streamdev.export.references import NAME_SUFFIX, References
from streamdev.export.sam_storage import Entry
from streamdev.export.values import Commented, Ref, Sub

FILE_NAME = "template.yaml"

_HEADER = """\
{made}

  sam build && sam deploy --guided --capabilities CAPABILITY_IAM
"""


def export_sam(project: Project, folder: Path, today: date) -> Export:
    """The template for ``project``, to be put into ``folder``.

    Raises:
        InvalidInputError: AWS would refuse it; the message names its limit.
        DeployError: A handler's folder is missing, or its code can't be packaged.
    """
    pipelines = tuple(project.pipelines.values())
    notes = limits.check(project, DEFAULT_REGION, today)
    template = _template(pipelines, folder.resolve())
    text = render(template, _HEADER.format(made=made_from(project.path.name, "sam")))
    refusal = limits.template_refusal(text, len(template.values["Resources"].values))
    if refusal is not None:
        raise InvalidInputError(refusal, hint="Share the pipelines among several files (--config).")
    return Export({FILE_NAME: text}, notes)


def _template(pipelines: Sequence[Pipeline], folder: Path) -> Commented:
    references = References(pipelines, DEFAULT_REGION)
    return Commented(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Transform": "AWS::Serverless-2016-10-31",
            "Description": f"Tables whose changes start functions: {_listed(pipelines)}.",
            "Parameters": dict(_parameters(pipelines, references)),
            "Conditions": sam_alarms.CONDITIONS,
            "Resources": _resources(pipelines, references, folder),
            "Outputs": dict(_outputs(pipelines, references)),
        }
    )


def _listed(pipelines: Sequence[Pipeline]) -> str:
    """Their names, within the 1,024 bytes AWS takes of a description."""
    text = ", ".join(pipeline.name for pipeline in pipelines)
    return text if len(text) < 900 else f"{text[:900]}..."


def _parameters(
    pipelines: Sequence[Pipeline], references: References
) -> Iterator[tuple[str, dict[str, Any]]]:
    yield (
        NAME_SUFFIX,
        {
            "Type": "String",
            "Default": "",
            "AllowedPattern": "(-[a-z0-9]+)*",
            "MaxLength": limits.room_for_suffix(pipelines),
            "Description": (
                "Ends every name, such as -staging, so that stages can share an account."
            ),
        },
    )
    yield (
        sam_function.LOG_RETENTION,
        {
            "Type": "Number",
            "Default": limits.DEFAULT_RETENTION,
            "AllowedValues": list(limits.RETENTIONS),
            "Description": "How long CloudWatch keeps what functions log.",
        },
    )
    yield from sam_alarms.PARAMETERS.items()
    for pipeline in pipelines:
        if pipeline.api is not None:
            yield from sam_api.stage_parameters(pipeline.api, references)
        yield from sam_function.concurrency_parameters(pipeline, references)


def _resources(pipelines: Sequence[Pipeline], references: References, folder: Path) -> Commented:
    """Every resource once, below the first pipeline that names it."""
    made: dict[str, Commented] = {}
    comments: dict[str, str] = {}
    for pipeline in pipelines:
        for logical_id, resource in _of(pipeline, pipelines, references, folder):
            if logical_id in made:
                continue
            if pipeline.name not in comments.values():
                comments[logical_id] = pipeline.name
            made[logical_id] = resource
    return Commented(made, {key: f"\nPipeline {name}" for key, name in comments.items()})


def _of(
    pipeline: Pipeline, pipelines: Sequence[Pipeline], references: References, folder: Path
) -> Iterator[Entry]:
    yield from sam_storage.tables(pipeline, references)
    yield from sam_storage.destinations(pipelines, pipeline, references, DEFAULT_REGION)
    yield from sam_function.function(pipeline, references, DEFAULT_REGION, folder)
    if pipeline.api is not None:
        yield from sam_api.api(pipeline, pipeline.api, references, DEFAULT_REGION)
    yield from sam_alarms.alarms(pipeline, references)


def _outputs(
    pipelines: Sequence[Pipeline], references: References
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The names that clients and tests need."""
    ids = references.ids
    for pipeline in pipelines:
        for name in (pipeline.table.name, *(table.name for table in pipeline.tables)):
            yield _output(ids.of("Table", name), "Name")
        yield _output(ids.of("Function", pipeline.function.name), "Name")
        for service, name in topics.destinations([pipeline]):
            match service:
                case "sqs":
                    yield _output(ids.of("Queue", name), "Url")
                case "sns":
                    yield _output(ids.of("Topic", name), "Arn")
                case "s3":
                    yield _output(ids.of("Bucket", name), "Name")
        if (api := pipeline.api) is not None:
            yield _output(ids.of("Api", api.name), "Id")
            stage = Ref(sam_api.stage_parameter(api, references)).embedded
            host = Ref(ids.of("Api", api.name)).embedded
            url = f"https://{host}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{stage}"
            yield f"{ids.of('Api', api.name)}Url", {"Value": Sub(url)}


def _output(logical_id: str, what: str) -> tuple[str, dict[str, Any]]:
    return f"{logical_id}{what}", {"Value": Ref(logical_id)}
