"""Functions as Terraform's AWS provider has them, with code, roles, log groups and mappings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from streamdev.aws import names
from streamdev.config.models import Function, Pipeline
from streamdev.deploy import resources
from streamdev.deploy.policy import TRUST, execution_policy
from streamdev.deploy.requirements import NAME as REQUIREMENTS
from streamdev.deploy.requirements import names_any
from streamdev.deploy.resources import ALIAS, RoleResource
from streamdev.export.hcl import Block, Call, Expression, Joined, Noted, block, present
from streamdev.export.mapping import numbers
from streamdev.export.terraform_names import (
    TYPES,
    Addresses,
    attribute,
    in_module,
    named,
    relative,
    snake_case,
    variable,
)

LOG_RETENTION = "log_retention_in_days"

# AWS, "IAM and AWS STS quotas": 64 characters, of which Terraform's own suffix takes 26.
_LONGEST_PREFIX = 38
_COMPILED = ["**/__pycache__/**", "**/*.pyc"]
_JUNK = [*_COMPILED, "**/.venv/**", "**/.*_cache/**"]
# Lambda needs to read what it is given, whatever this machine's umask.
_MODE = "0755"


def function(
    pipeline: Pipeline, addresses: Addresses, region: str, folder: Path
) -> Iterator[Block]:
    """The pipeline's function; ``folder`` is where the files will be."""
    own = pipeline.function
    label = addresses.labels.of("Function", own.name)
    role_block, policy = role(
        addresses.labels.of("Role", own.name),
        own.name,
        "Only on AWS are roles enforced: what is not allowed here fails there.",
        TRUST,
        addresses.within(execution_policy(pipeline, region)),
    )
    yield role_block
    yield policy
    yield block(
        "resource",
        TYPES["LogGroup"],
        addresses.labels.of("LogGroup", own.name),
        name=named(names.log_group(own.name)),
        retention_in_days=variable(LOG_RETENTION),
    )
    archive = addresses.labels.of("Archive", own.name)
    source = in_module(relative(own.source, folder))
    code = _archive(archive, source, _JUNK, f"build/{own.name}/function")
    yield code
    layers = list(_layer(own, addresses, folder))
    yield from layers
    made = _function(pipeline, addresses, region, role_block, code, layers)
    yield made
    called = made
    if own.provisioned_concurrency is not None:
        called = block(
            "resource",
            "aws_lambda_alias",
            label,
            comment="The mapping calls the alias, whose environments are warm.",
            name=ALIAS,
            function_name=attribute(made, "function_name"),
            function_version=attribute(made, "version"),
        )
        yield called
        yield block(
            "resource",
            "aws_lambda_provisioned_concurrency_config",
            label,
            function_name=attribute(made, "function_name"),
            qualifier=attribute(called, "name"),
            provisioned_concurrent_executions=variable(f"{label}_provisioned_concurrency"),
        )
    yield _mapping(pipeline, addresses, region, called, policy)


def role(
    label: str, name: str, comment: str, trust: Mapping[str, Any], policy: Any
) -> tuple[Block, Block]:
    """A role and its one inline policy. Terraform ends its name, which is unique in the account."""
    made = block(
        "resource",
        "aws_iam_role",
        label,
        comment=comment,
        name_prefix=f"{name[: _LONGEST_PREFIX - 1]}-",
        assume_role_policy=Call("jsonencode", trust),
    )
    return made, block(
        "resource",
        "aws_iam_role_policy",
        label,
        name=RoleResource.policy_name,
        role=attribute(made, "id"),
        policy=Call("jsonencode", policy),
    )


def _archive(label: str, source: Joined, excludes: list[str], path: str) -> Block:
    return block(
        "data",
        "archive_file",
        label,
        type="zip",
        source_dir=source,
        excludes=excludes,
        output_file_mode=_MODE,
        output_path=in_module(f"{path}.zip"),
    )


def requirements_command(own: Function, folder: Path) -> str | None:
    """What fetches a function's requirements, called in ``folder``; ``None``: it has none."""
    requirements = own.source / REQUIREMENTS
    if not names_any(requirements):
        return None
    return (
        f"pip install --requirement {relative(requirements, folder)} "
        f"--target build/{own.name}/requirements/python "
        f"--python-version {own.runtime.removeprefix('python')} "
        "--platform manylinux2014_x86_64 --only-binary :all:"
    )


def _layer(own: Function, addresses: Addresses, folder: Path) -> Iterator[Block]:
    command = requirements_command(own, folder)
    if command is None:
        return
    label = addresses.labels.of("Archive", f"{own.name} requirements")
    path = f"build/{own.name}/requirements"
    archive = _archive(label, in_module(path), _COMPILED, path)
    words = command.replace(" --target", " \\\n    --target").replace(
        " --platform", " \\\n    --platform"
    )
    comment = (
        f"What {REQUIREMENTS} names, as AWS's Linux needs it. Terraform fetches nothing: before\n"
        f"the first plan, and when {REQUIREMENTS} has changed, empty {path} and\n"
        f"  {words}"
    )
    yield Block(archive.header, archive.body, comment)
    yield block(
        "resource",
        "aws_lambda_layer_version",
        label,
        layer_name=named(f"{own.name}-requirements"),
        filename=attribute(archive, "output_path"),
        source_code_hash=attribute(archive, "output_base64sha256"),
        compatible_runtimes=[own.runtime],
    )


def _function(
    pipeline: Pipeline,
    addresses: Addresses,
    region: str,
    role: Block,
    code: Block,
    layers: list[Block],
) -> Block:
    own = pipeline.function
    label = addresses.labels.of("Function", own.name)
    reserved = own.reserved_concurrency is not None
    arguments = {
        "function_name": named(own.name),
        "filename": attribute(code, "output_path"),
        "source_code_hash": attribute(code, "output_base64sha256"),
        "layers": [attribute(layers[-1], "arn")] if layers else None,
        "handler": own.handler,
        "runtime": own.runtime,
        "memory_size": own.memory_size,
        "timeout": own.timeout,
        "role": attribute(role, "arn"),
        "reserved_concurrent_executions": (
            variable(f"{label}_reserved_concurrency") if reserved else None
        ),
        "publish": True if own.provisioned_concurrency is not None else None,
    }
    log_group = addresses.attribute("LogGroup", own.name, "name")
    below = [block("logging_config", log_format="Text", log_group=log_group)]
    if own.tracing_mode != "PassThrough":
        below.append(block("tracing_config", mode=own.tracing_mode))
    if variables := _environment(pipeline, addresses, region):
        below.append(block("environment", variables=variables))
    return Block(("resource", "aws_lambda_function", label), (*present(arguments), *below))


def concurrency_variables(pipeline: Pipeline, addresses: Addresses) -> Iterator[Block]:
    """Concurrency differs by stage, and an account has only so much of it."""
    own = pipeline.function
    label = addresses.labels.of("Function", own.name)
    declared = {
        "reserved": (own.reserved_concurrency, 0, "At most so many at a time"),
        "provisioned": (own.provisioned_concurrency, 1, "Environments kept warm"),
    }
    for kind, (value, least, what) in declared.items():
        if value is None:
            continue
        name = f"{label}_{kind}_concurrency"
        validation = block(
            "validation",
            condition=Expression(f"var.{name} >= {least}"),
            error_message=f"AWS takes {least} or more.",
        )
        arguments = {
            "type": Expression("number"),
            "default": value,
            "description": f"{what}, of {own.name}.",
        }
        yield Block(("variable", name), (*present(arguments), validation))


def _environment(pipeline: Pipeline, addresses: Addresses, region: str) -> dict[str, Any]:
    variables: dict[str, Any] = dict(pipeline.function.environment)
    for table in pipeline.tables:
        if table.environment_variable:
            variables[table.environment_variable] = addresses.attribute("Table", table.name, "name")
    for topic in pipeline.topics:
        if topic.environment_variable:
            arn = names.topic_arn(topic.name, region)
            variables[topic.environment_variable] = addresses.of(arn)
    return variables


def _mapping(
    pipeline: Pipeline, addresses: Addresses, region: str, called: Block, policy: Block
) -> Block:
    """All parameters of the mapping."""
    mapping = resources.mapping_resource(pipeline, region, {})
    settings = mapping.settings
    assert settings is not None
    position: str | Noted = mapping.starting_position
    if position == "LATEST":
        comment = "What is written while AWS sets the mapping up, for minutes, may be missed."
        position = Noted(comment, position)
    arguments: dict[str, Any] = {
        "event_source_arn": addresses.attribute("Table", mapping.table, "stream_arn"),
        "function_name": attribute(called, "arn"),
        "starting_position": position,
        "batch_size": settings.batch_size,
    }
    # Without them the provider would leave what a mapping has from before.
    arguments |= {snake_case(name): value for name, value, _ in numbers(settings)}
    if settings.report_batch_item_failures:
        arguments["function_response_types"] = ["ReportBatchItemFailures"]
    arguments["depends_on"] = Noted(
        "AWS takes the mapping once the role may read the stream.",
        [Expression(".".join(policy.header[1:]))],
    )
    below = []
    if settings.filters:
        patterns = [Call("jsonencode", _pattern(pattern)) for pattern in settings.filters]
        filters = tuple(block("filter", pattern=pattern) for pattern in patterns)
        below.append(Block(("filter_criteria",), filters))
    failure = pipeline.mapping.on_failure
    if settings.destination is not None and failure is not None:
        comment = (
            "A letter tells where in the stream a batch was; its records stay there for a day."
        )
        destination = block("on_failure", destination_arn=addresses.of(settings.destination))
        below.append(
            Block(
                ("destination_config",), (destination,), "" if failure.service == "s3" else comment
            )
        )
    return Block(
        ("resource", "aws_lambda_event_source_mapping", called.header[-1]),
        (*present(arguments), *below),
        "AWS splits a busy stream into shards: order holds for each item, not for all.",
    )


def _pattern(pattern: str) -> Any:
    return json.loads(pattern, parse_float=Decimal)
