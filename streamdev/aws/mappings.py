"""Event source mappings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from streamdev.aws import names
from streamdev.aws.errors import AwsError, AwsNotFoundError

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import (
        EventSourceMappingConfigurationResponseTypeDef,
        EventSourceMappingConfigurationTypeDef,
    )

    from streamdev.aws.gateway import Gateway


@dataclass(frozen=True)
class MappingSettings:
    """What of a mapping can be changed in place; times in seconds, ``-1`` means no limit.

    Attributes:
        filters: Patterns as JSON, equal ones spelled equally.
        destination: ARN that given-up batches are told to.
        alias: The function's alias that is called; ``None``: its unpublished code.
    """

    batch_size: int
    maximum_batching_window: int
    filters: tuple[str, ...]
    parallelization_factor: int
    tumbling_window: int
    maximum_retry_attempts: int
    maximum_record_age: int
    bisect_batch_on_function_error: bool
    report_batch_item_failures: bool
    destination: str | None
    alias: str | None
    enabled: bool

    def differences(self, other: MappingSettings) -> tuple[str, ...]:
        """What differs in ``other``, as ``batch-size 1 → 10``."""
        mine, theirs = asdict(self), asdict(other)
        return tuple(
            f"{name.replace('_', '-')} {_shown(mine[name])} → {_shown(theirs[name])}"
            for name in mine
            if mine[name] != theirs[name]
        )


@dataclass(frozen=True)
class MappingState:
    """A mapping as it exists.

    Attributes:
        function_arn: With the alias where it points at one.
        state: ``Creating``, ``Enabling``, ``Enabled``, ``Disabling``, ``Disabled``,
            ``Updating`` or ``Deleting``.
    """

    uuid: str
    function_arn: str
    source_arn: str
    state: str
    starting_position: str
    settings: MappingSettings
    last_result: str | None

    @property
    def function(self) -> str:
        """The function's name."""
        return _name_and_alias(self.function_arn)[0]

    @property
    def settled(self) -> bool:
        """Whether no change of it is under way."""
        return self.state in ("Enabled", "Disabled")


class Mappings:
    """Looks up, creates and changes mappings. Changes return before they are done."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def all(self) -> list[MappingState]:
        """Every mapping that is not on its way out."""
        with self._gateway.errors():
            paginator = self._gateway.client("lambda").get_paginator("list_event_source_mappings")
            found = [one for page in paginator.paginate() for one in page["EventSourceMappings"]]
        states = [_state(mapping) for mapping in found]
        return [state for state in states if state.state != "Deleting"]

    def find(self, uuid: str) -> MappingState | None:
        """The mapping ``uuid``, or ``None``."""
        try:
            with self._gateway.errors():
                response = self._gateway.client("lambda").get_event_source_mapping(UUID=uuid)
        except AwsNotFoundError:
            return None
        return _state(response)

    def create(
        self,
        function: str,
        stream_arn: str,
        starting_position: str,
        settings: MappingSettings,
        tags: Mapping[str, str],
    ) -> str:
        """Make ``function`` read the stream; the mapping's UUID."""
        request = _request(settings)
        if not settings.filters:
            del request["FilterCriteria"]
        with self._gateway.errors():
            response = self._gateway.client("lambda").create_event_source_mapping(
                FunctionName=_qualified(function, settings),
                EventSourceArn=stream_arn,
                StartingPosition=starting_position,  # type: ignore[arg-type]
                Tags=tags,
                **request,
            )
        return response["UUID"]

    def update(self, uuid: str, function: str, settings: MappingSettings) -> None:
        """Change the mapping; it goes on from where it stands."""
        with self._gateway.errors():
            self._gateway.client("lambda").update_event_source_mapping(
                UUID=uuid, FunctionName=_qualified(function, settings), **_request(settings)
            )

    def tags(self, uuid: str) -> dict[str, str]:
        """The tags of the mapping; none where the engine keeps none for mappings."""
        arn = names.mapping_arn(uuid, self._gateway.region)
        try:
            with self._gateway.errors():
                response = self._gateway.client("lambda").list_tags(Resource=arn)
        except AwsError:
            return {}
        return dict(response.get("Tags", {}))

    def delete(self, uuid: str) -> None:
        """Delete the mapping; nothing happens where it is already gone."""
        try:
            with self._gateway.errors():
                self._gateway.client("lambda").delete_event_source_mapping(UUID=uuid)
        except AwsNotFoundError:
            return


def normal_pattern(pattern: str) -> str:
    """A filter pattern's JSON spelled in one way, so that equal patterns are equal text."""
    return json.dumps(json.loads(pattern), ensure_ascii=False, separators=(",", ":"))


def _request(settings: MappingSettings) -> dict[str, Any]:
    destination = {"Destination": settings.destination} if settings.destination else {}
    responses = ["ReportBatchItemFailures"] if settings.report_batch_item_failures else []
    return {
        "BatchSize": settings.batch_size,
        "MaximumBatchingWindowInSeconds": settings.maximum_batching_window,
        # An empty list takes all filters away.
        "FilterCriteria": {"Filters": [{"Pattern": pattern} for pattern in settings.filters]},
        "ParallelizationFactor": settings.parallelization_factor,
        "TumblingWindowInSeconds": settings.tumbling_window,
        "MaximumRetryAttempts": settings.maximum_retry_attempts,
        "MaximumRecordAgeInSeconds": settings.maximum_record_age,
        "BisectBatchOnFunctionError": settings.bisect_batch_on_function_error,
        "FunctionResponseTypes": responses,
        "DestinationConfig": {"OnFailure": destination},
        "Enabled": settings.enabled,
    }


def _state(
    mapping: EventSourceMappingConfigurationTypeDef
    | EventSourceMappingConfigurationResponseTypeDef,
) -> MappingState:
    filters = mapping.get("FilterCriteria", {}).get("Filters", ())
    destination = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    state = mapping.get("State", "Enabled")
    return MappingState(
        uuid=mapping["UUID"],
        function_arn=mapping["FunctionArn"],
        source_arn=mapping.get("EventSourceArn", ""),
        state=state,
        starting_position=mapping.get("StartingPosition", ""),
        settings=MappingSettings(
            batch_size=mapping.get("BatchSize", 100),
            maximum_batching_window=mapping.get("MaximumBatchingWindowInSeconds", 0),
            filters=tuple(normal_pattern(one["Pattern"]) for one in filters if "Pattern" in one),
            parallelization_factor=mapping.get("ParallelizationFactor", 1),
            tumbling_window=mapping.get("TumblingWindowInSeconds", 0),
            maximum_retry_attempts=mapping.get("MaximumRetryAttempts", -1),
            maximum_record_age=mapping.get("MaximumRecordAgeInSeconds", -1),
            bisect_batch_on_function_error=mapping.get("BisectBatchOnFunctionError", False),
            report_batch_item_failures="ReportBatchItemFailures"
            in mapping.get("FunctionResponseTypes", ()),
            destination=destination,
            alias=_name_and_alias(mapping["FunctionArn"])[1],
            enabled=state not in ("Disabled", "Disabling"),
        ),
        last_result=mapping.get("LastProcessingResult"),
    )


def _qualified(function: str, settings: MappingSettings) -> str:
    return f"{function}:{settings.alias}" if settings.alias else function


def _name_and_alias(function_arn: str) -> tuple[str, str | None]:
    """``arn:aws:lambda:REGION:ACCOUNT:function:NAME[:ALIAS]`` taken apart."""
    name, _, alias = function_arn.split(":", 6)[6].partition(":")
    return name, alias or None


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
