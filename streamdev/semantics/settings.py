"""The parameters of a DynamoDB event source mapping, checked as AWS checks them.

Ranges and defaults are those of Lambda's API reference, ``CreateEventSourceMapping``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PAYLOAD_LIMIT = 6 * 1024 * 1024

# Parameter: (API's member name, lowest, highest, default).
_RANGES = {
    "BatchSize": ("batchSize", 1, 10_000, 100),
    "MaximumBatchingWindowInSeconds": ("maximumBatchingWindowInSeconds", 0, 300, 0),
    "ParallelizationFactor": ("parallelizationFactor", 1, 10, 1),
    "TumblingWindowInSeconds": ("tumblingWindowInSeconds", 0, 900, 0),
    "MaximumRetryAttempts": ("maximumRetryAttempts", -1, 10_000, -1),
    "MaximumRecordAgeInSeconds": ("maximumRecordAgeInSeconds", -1, 604_800, -1),
}
_SHORTEST_AGE = 60

# Whole, so that what is accepted can be sent to: a queue, a topic or a bucket.
_DESTINATION = re.compile(
    r"arn:aws[a-z-]*:((sqs|sns):[a-z0-9-]+:\d{12}:[\w-]+(\.fifo)?|s3:::[a-z0-9.-]+)"
)


class InvalidSettingError(ValueError):
    """A value that AWS refuses.

    Attributes:
        message: What AWS's API answers.
        validation: Whether it answers ``ValidationException`` (a range), not
            ``InvalidParameterValueException``.
    """

    def __init__(self, message: str, *, validation: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.validation = validation


@dataclass(frozen=True)
class MappingSettings:
    """How a mapping batches, retries and gives up.

    Attributes:
        batch_size: Most records an invocation gets.
        batching_window: Seconds to gather records for, from the first one on.
        parallelization: Concurrent batches per shard; records of one item stay in order.
        tumbling_window: Seconds of an aggregation window; 0: none.
        max_retries: Retries after the first failure; -1: no limit.
        max_age: Seconds after which a record is given up; -1: no limit.
        bisect: Split a failed batch in two.
        report_failures: Believe ``batchItemFailures`` in the function's answer.
        starting_position: ``TRIM_HORIZON`` or ``LATEST``.
        on_failure: ARN that batches given up are reported to, or ``None``.
    """

    batch_size: int = 100
    batching_window: float = 0
    parallelization: int = 1
    tumbling_window: float = 0
    max_retries: int = -1
    max_age: float = -1
    bisect: bool = False
    report_failures: bool = False
    starting_position: str = "TRIM_HORIZON"
    on_failure: str | None = None

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any]) -> MappingSettings:
        """Read an ``EventSourceMappingConfiguration`` or a request to make one.

        Raises:
            InvalidSettingError: A value AWS would refuse.
        """
        numbers = {name: _number(configuration, name) for name in _RANGES}
        age = numbers["MaximumRecordAgeInSeconds"]
        if 0 <= age < _SHORTEST_AGE:
            raise InvalidSettingError(
                f"Maximum record age in seconds must be -1 or at least {_SHORTEST_AGE}."
            )
        destination = configuration.get("DestinationConfig") or {}
        response_types = configuration.get("FunctionResponseTypes") or []
        for entry in response_types:
            if entry != "ReportBatchItemFailures":
                raise InvalidSettingError(
                    f"1 validation error detected: Value '[{entry}]' at 'functionResponseTypes' "
                    "failed to satisfy constraint: Member must satisfy constraint: "
                    "[Member must satisfy enum value set: [ReportBatchItemFailures]]",
                    validation=True,
                )
        return cls(
            batch_size=numbers["BatchSize"],
            batching_window=numbers["MaximumBatchingWindowInSeconds"],
            parallelization=numbers["ParallelizationFactor"],
            tumbling_window=numbers["TumblingWindowInSeconds"],
            max_retries=numbers["MaximumRetryAttempts"],
            max_age=age,
            bisect=bool(configuration.get("BisectBatchOnFunctionError")),
            report_failures="ReportBatchItemFailures" in response_types,
            starting_position=configuration.get("StartingPosition") or "TRIM_HORIZON",
            on_failure=_destination((destination.get("OnFailure") or {}).get("Destination")),
        )


def _number(configuration: Mapping[str, Any], name: str) -> int:
    member, lowest, highest, default = _RANGES[name]
    value = configuration.get(name)
    if value is None:
        return default
    if value < lowest or value > highest:
        bound = (
            f"greater than or equal to {lowest}"
            if value < lowest
            else f"less than or equal to {highest}"
        )
        raise InvalidSettingError(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
            f"constraint: Member must have value {bound}",
            validation=True,
        )
    return int(value)


def _destination(arn: str | None) -> str | None:
    if not arn:
        return None
    if not _DESTINATION.fullmatch(arn):
        raise InvalidSettingError(f"Invalid destination ARN: {arn}")
    if arn.endswith(".fifo"):
        kind = "SQS queues" if ":sqs:" in arn else "SNS topics"
        raise InvalidSettingError(f"FIFO {kind} are not supported as a failure destination: {arn}")
    return arn
