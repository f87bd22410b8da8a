"""Terraform files of what pipelines.toml declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from streamdev.aws.names import DEFAULT_REGION
from streamdev.config.models import Pipeline, Project
from streamdev.deploy import topics
from streamdev.export import (
    alarms,
    limits,
    terraform_alarms,
    terraform_api,
    terraform_function,
    terraform_storage,
)
from streamdev.export.files import Export, made_from
from streamdev.export.hcl import Block, Expression, block, present, render
from streamdev.export.terraform_names import NAME_SUFFIX, Addresses

FILE_NAMES = ("main.tf", "variables.tf", "outputs.tf", "versions.tf")

# An index's keys are a key_schema by then; data.aws_region has "region" since 6.0.
_AWS_PROVIDER = "~> 6.36"


def export_terraform(project: Project, folder: Path, today: date) -> Export:
    """The files for ``project``, to be put into ``folder``.

    Raises:
        InvalidInputError: AWS would refuse it; the message names its limit.
        DeployError: A handler's folder is missing, or its code can't be packaged.
    """
    pipelines = tuple(project.pipelines.values())
    notes = limits.check(project, DEFAULT_REGION, today)
    folder = folder.resolve()
    addresses = Addresses(pipelines, DEFAULT_REGION)
    contents = (
        _main(pipelines, addresses, folder),
        _variables(pipelines, addresses),
        _outputs(pipelines, addresses),
        _versions(),
    )
    header = made_from(project.path.name, "terraform")
    texts = [render(blocks, header) for blocks in contents]
    fetched = [
        f"{one.function.name}: its requirements go into a layer, which Terraform does not fetch; "
        "main.tf has the command."
        for one in pipelines
        if terraform_function.requirements_command(one.function, folder) is not None
    ]
    return Export(dict(zip(FILE_NAMES, texts, strict=True)), (*notes, *fetched))


def _main(pipelines: Sequence[Pipeline], addresses: Addresses, folder: Path) -> Iterator[Block]:
    """Every resource once, below the first pipeline that names it."""
    if any(pipeline.api is not None for pipeline in pipelines):
        yield from terraform_api.DATA
    made: set[tuple[str, ...]] = set()
    for pipeline in pipelines:
        title = f"Pipeline {pipeline.name}"
        for one in _of(pipeline, pipelines, addresses, folder):
            if one.header in made:
                continue
            made.add(one.header)
            if title:
                one = replace(one, comment=f"{title}\n\n{one.comment}" if one.comment else title)
                title = ""
            yield one


def _of(
    pipeline: Pipeline, pipelines: Sequence[Pipeline], addresses: Addresses, folder: Path
) -> Iterator[Block]:
    yield from terraform_storage.tables(pipeline, addresses)
    yield from terraform_storage.destinations(pipelines, pipeline, addresses, DEFAULT_REGION)
    yield from terraform_function.function(pipeline, addresses, DEFAULT_REGION, folder)
    if pipeline.api is not None:
        yield from terraform_api.api(pipeline, pipeline.api, addresses, DEFAULT_REGION, folder)
    yield from terraform_alarms.alarms(pipeline, addresses)


def _variables(pipelines: Sequence[Pipeline], addresses: Addresses) -> Iterator[Block]:
    room = limits.room_for_suffix(pipelines)
    yield _variable(
        NAME_SUFFIX,
        "string",
        "",
        "Ends every name, such as -staging, so that stages can share an account.",
        f'can(regex("^(-[a-z0-9]+)*$", var.{NAME_SUFFIX})) && length(var.{NAME_SUFFIX}) <= {room}',
        f"Words of small letters and digits with - before each, {room} characters at most.",
    )
    days = ", ".join(map(str, limits.RETENTIONS))
    retention = terraform_function.LOG_RETENTION
    yield _variable(
        retention,
        "number",
        limits.DEFAULT_RETENTION,
        "How long CloudWatch keeps what functions log.",
        f"contains([{days}], var.{retention})",
        f"AWS takes {days}.",
    )
    yield _variable(
        terraform_storage.KEEP_DATA,
        "bool",
        True,
        "Whether tables, and buckets with something in them, are kept from being deleted.",
    )
    topic = terraform_alarms.ALARM_TOPIC
    yield _variable(
        topic,
        "string",
        "",
        alarms.TOPIC_DESCRIPTION,
        f'can(regex("^(arn:[^:]+:sns:.+)?$", var.{topic}))',
        "AWS takes the ARN of an SNS topic.",
    )
    for pipeline in pipelines:
        if pipeline.api is not None:
            yield from terraform_api.stage_variables(pipeline.api, addresses)
        yield from terraform_function.concurrency_variables(pipeline, addresses)


def _outputs(pipelines: Sequence[Pipeline], addresses: Addresses) -> Iterator[Block]:
    """The names that clients and tests need, each once."""
    made: dict[tuple[str, ...], Block] = {}
    for pipeline in pipelines:
        for one in _outputs_of(pipeline, addresses):
            made.setdefault(one.header, one)
    yield from made.values()


def _outputs_of(pipeline: Pipeline, addresses: Addresses) -> Iterator[Block]:
    labels = addresses.labels
    for name in (pipeline.table.name, *(table.name for table in pipeline.tables)):
        yield _output(addresses, "Table", name, "name")
    function = pipeline.function.name
    value = addresses.attribute("Function", function, "function_name")
    yield block("output", f"{labels.of('Function', function)}_function_name", value=value)
    for service, name in topics.destinations([pipeline]):
        match service:
            case "sqs":
                yield _output(addresses, "Queue", name, "url")
            case "sns":
                yield _output(addresses, "Topic", name, "arn")
            case "s3":
                yield _output(addresses, "Bucket", name, "bucket")
    if pipeline.api is not None:
        yield from terraform_api.outputs(pipeline.api, addresses)


def _output(addresses: Addresses, kind: str, name: str, attribute: str) -> Block:
    what = "name" if attribute == "bucket" else attribute
    label = f"{addresses.labels.of(kind, name)}_{kind.lower()}_{what}"
    return block("output", label, value=addresses.attribute(kind, name, attribute))


def _variable(
    name: str,
    kind: str,
    default: str | int,
    description: str,
    condition: str | None = None,
    error_message: str | None = None,
) -> Block:
    """A variable; it takes what fulfils ``condition``."""
    arguments = {"type": Expression(kind), "default": default, "description": description}
    body: tuple[tuple[str, object] | Block, ...] = tuple(present(arguments))
    if condition is not None:
        check = block("validation", condition=Expression(condition), error_message=error_message)
        body = (*body, check)
    return Block(("variable", name), body)


def _versions() -> Iterator[Block]:
    providers = Block(
        ("required_providers",),
        (
            ("archive", {"source": "hashicorp/archive", "version": "~> 2.6"}),
            ("aws", {"source": "hashicorp/aws", "version": _AWS_PROVIDER}),
        ),
    )
    yield Block(
        ("terraform",),
        (("required_version", ">= 1.5"), providers),
        "Region and account are those of the environment (AWS_REGION, AWS_PROFILE). A backend,\n"
        "tags or another provider configuration go into a file of your own beside this one.",
    )
