"""What should exist: frozen descriptions of resources, made from pipelines."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from streamdev.aws import names
from streamdev.aws.apis import Method
from streamdev.aws.destinations import Service, destination_arn
from streamdev.aws.functions import FunctionSettings
from streamdev.aws.mappings import MappingSettings, normal_pattern
from streamdev.aws.tables import Index
from streamdev.config import models
from streamdev.deploy.package import Package
from streamdev.deploy.policy import TRUST, execution_policy

PROJECT_TAG = "streamdev:project"
PIPELINE_TAG = "streamdev:pipeline"

MAX_ROLE_NAME = 64

#: Where environments are provisioned, AWS wants a published version; mappings call this alias.
ALIAS = "live"


@dataclass(frozen=True)
class TableResource:
    """A table; ``stream_view`` is ``None`` where it has no stream."""

    kind: ClassVar[str] = "table"
    name: str
    keys: tuple[str, ...]
    attribute_types: Mapping[str, str]
    stream_view: str | None
    indexes: tuple[Index, ...]
    local_indexes: tuple[Index, ...]
    ttl: str | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class DestinationResource:
    """A queue, topic or bucket for given-up batches."""

    service: Service
    name: str

    @property
    def kind(self) -> str:
        """What people call it."""
        return {"sqs": "queue", "sns": "topic", "s3": "bucket"}[self.service]


@dataclass(frozen=True)
class SubscriptionResource:
    """A queue that gets what is published to a topic.

    Attributes:
        raw: Whether messages come without SNS's envelope.
        senders: All topics that may send to the queue.
        arn: Of the subscription that exists; ``None`` before it is made.
    """

    kind: ClassVar[str] = "subscription"
    topic: str
    queue: str
    raw: bool
    senders: tuple[str, ...]
    arn: str | None = None

    @property
    def name(self) -> str:
        """``TOPIC → QUEUE``."""
        return f"{self.topic} → {self.queue}"


@dataclass(frozen=True)
class RoleResource:
    """The role a function runs with: its trust and its one inline policy."""

    kind: ClassVar[str] = "role"
    name: str
    policy_name: ClassVar[str] = "streamdev"
    trust: Mapping[str, Any]
    policy: Mapping[str, Any]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class FunctionResource:
    """A function with its code; ``package`` is ``None`` only where it is to be deleted."""

    kind: ClassVar[str] = "function"
    name: str
    settings: FunctionSettings | None
    package: Package | None
    reserved_concurrency: int | None
    provisioned_concurrency: int | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class MappingResource:
    """A mapping from the current stream of ``table`` to ``function``.

    Attributes:
        uuid: Of the mapping that exists; ``None`` before it is created.
    """

    kind: ClassVar[str] = "mapping"
    function: str
    table: str
    starting_position: str
    settings: MappingSettings | None
    tags: Mapping[str, str]
    uuid: str | None = None

    @property
    def name(self) -> str:
        """``TABLE → FUNCTION``."""
        return f"{self.table} → {self.function}"


@dataclass(frozen=True)
class ApiResource:
    """A REST API in front of a table.

    Attributes:
        variables: The stage's variables, for the templates.
        definition: A hash of all that is deployed.
        id: Of the API that exists; ``None`` before it is created.
    """

    kind: ClassVar[str] = "api"
    name: str
    stage: str
    methods: tuple[Method, ...]
    role_arn: str
    variables: Mapping[str, str]
    definition: str
    tags: Mapping[str, str]
    id: str | None = None

    def known_as(self, api: str) -> ApiResource:
        """The same, as the API whose id is ``api``."""
        return replace(self, id=api)


Resource = (
    TableResource
    | DestinationResource
    | SubscriptionResource
    | RoleResource
    | FunctionResource
    | MappingResource
    | ApiResource
)


def project_id(config: Path) -> str:
    """What marks a pipelines.toml's own resources: a hash of where the file is.

    Two checkouts that share an engine never take each other's things for their own.
    """
    return hashlib.sha256(str(config.resolve()).encode()).hexdigest()[:12]


def role_name(function: str) -> str:
    """The name of a function's role, within IAM's 64 characters."""
    name = f"{function}-role"
    if len(name) <= MAX_ROLE_NAME:
        return name
    digest = hashlib.sha256(function.encode()).hexdigest()[:8]
    return f"{function[: MAX_ROLE_NAME - 14]}-{digest}-role"


def table_resource(table: models.Table, tags: Mapping[str, str]) -> TableResource:
    """The table as pipelines.toml declares it."""
    return TableResource(
        name=table.name,
        keys=tuple(key.name for key in table.keys),
        attribute_types=table.attribute_types,
        stream_view=table.stream,
        indexes=tuple(_index(index, index.keys) for index in table.global_secondary_indexes),
        local_indexes=tuple(
            _index(index, (table.key, index.sort_key)) for index in table.local_secondary_indexes
        ),
        ttl=table.ttl,
        tags=tags,
    )


def own_table_resource(table: models.OwnTable, tags: Mapping[str, str]) -> TableResource:
    """A function's own table, which has no stream."""
    return TableResource(
        name=table.name,
        keys=tuple(key.name for key in table.keys),
        attribute_types={key.name: key.type for key in table.keys},
        stream_view=None,
        indexes=(),
        local_indexes=(),
        ttl=table.ttl,
        tags=tags,
    )


def _index(index: models.SecondaryIndex, keys: tuple[models.KeyAttribute, ...]) -> Index:
    return Index(
        name=index.name,
        keys=tuple(key.name for key in keys),
        projection=index.projection,
        non_key_attributes=tuple(sorted(index.non_key_attributes)),
    )


def role_resource(pipeline: models.Pipeline, region: str, tags: Mapping[str, str]) -> RoleResource:
    """The role of the pipeline's function."""
    return RoleResource(
        name=role_name(pipeline.function.name),
        trust=TRUST,
        policy=execution_policy(pipeline, region),
        tags=tags,
    )


def function_resource(
    pipeline: models.Pipeline, package: Package, region: str, tags: Mapping[str, str]
) -> FunctionResource:
    """The pipeline's function with its zip."""
    function = pipeline.function
    return FunctionResource(
        name=function.name,
        settings=FunctionSettings(
            runtime=function.runtime,
            handler=function.handler,
            role=names.role_arn(role_name(function.name)),
            timeout=function.timeout,
            memory_size=function.memory_size,
            environment=_environment(pipeline, region),
            tracing_mode=function.tracing_mode,
        ),
        package=package,
        reserved_concurrency=function.reserved_concurrency,
        provisioned_concurrency=function.provisioned_concurrency,
        tags=tags,
    )


def _environment(pipeline: models.Pipeline, region: str) -> dict[str, str]:
    """The function's variables, with those that name its tables and topics."""
    variables = dict(pipeline.function.environment)
    for table in pipeline.tables:
        if table.environment_variable:
            variables[table.environment_variable] = table.name
    for topic in pipeline.topics:
        if topic.environment_variable:
            variables[topic.environment_variable] = names.topic_arn(topic.name, region)
    return variables


def mapping_resource(
    pipeline: models.Pipeline, region: str, tags: Mapping[str, str]
) -> MappingResource:
    """The pipeline's mapping."""
    mapping = pipeline.mapping
    failure = mapping.on_failure
    return MappingResource(
        function=pipeline.function.name,
        table=pipeline.table.name,
        starting_position=mapping.starting_position,
        settings=MappingSettings(
            batch_size=mapping.batch_size,
            maximum_batching_window=mapping.maximum_batching_window,
            filters=tuple(normal_pattern(pattern) for pattern in mapping.filter_criteria),
            parallelization_factor=mapping.parallelization_factor,
            tumbling_window=mapping.tumbling_window,
            maximum_retry_attempts=mapping.maximum_retry_attempts,
            maximum_record_age=mapping.maximum_record_age,
            bisect_batch_on_function_error=mapping.bisect_batch_on_function_error,
            report_batch_item_failures=mapping.report_batch_item_failures,
            destination=destination_arn(failure.service, failure.name, region) if failure else None,
            alias=ALIAS if pipeline.function.provisioned_concurrency else None,
            enabled=mapping.enabled,
        ),
        tags=tags,
    )
