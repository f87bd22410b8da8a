"""The parameters of a mapping, and what AWS refuses."""

from __future__ import annotations

from typing import Any

import pytest

from streamdev.semantics.settings import InvalidSettingError, MappingSettings


def test_defaults_are_those_of_aws() -> None:
    settings = MappingSettings.from_configuration({})
    assert settings == MappingSettings(
        batch_size=100,
        batching_window=0,
        parallelization=1,
        tumbling_window=0,
        max_retries=-1,
        max_age=-1,
        bisect=False,
        report_failures=False,
        starting_position="TRIM_HORIZON",
        on_failure=None,
    )


def test_every_parameter_is_read() -> None:
    queue = "arn:aws:sqs:us-east-1:000000000000:failed"
    settings = MappingSettings.from_configuration(
        {
            "BatchSize": 10_000,
            "MaximumBatchingWindowInSeconds": 300,
            "ParallelizationFactor": 10,
            "TumblingWindowInSeconds": 900,
            "MaximumRetryAttempts": 0,
            "MaximumRecordAgeInSeconds": 60,
            "BisectBatchOnFunctionError": True,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "StartingPosition": "LATEST",
            "DestinationConfig": {"OnFailure": {"Destination": queue}},
        }
    )
    assert settings == MappingSettings(10_000, 300, 10, 900, 0, 60, True, True, "LATEST", queue)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BatchSize", 0, "Value '0' at 'batchSize'"),
        ("BatchSize", 10_001, "less than or equal to 10000"),
        ("MaximumBatchingWindowInSeconds", 301, "less than or equal to 300"),
        ("ParallelizationFactor", 11, "less than or equal to 10"),
        ("ParallelizationFactor", 0, "greater than or equal to 1"),
        ("TumblingWindowInSeconds", 901, "less than or equal to 900"),
        ("MaximumRetryAttempts", -2, "greater than or equal to -1"),
        ("MaximumRetryAttempts", 10_001, "less than or equal to 10000"),
        ("MaximumRecordAgeInSeconds", 604_801, "less than or equal to 604800"),
    ],
)
def test_values_out_of_range_are_refused_as_by_aws(name: str, value: int, told: str) -> None:
    with pytest.raises(InvalidSettingError, match=told) as caught:
        MappingSettings.from_configuration({name: value})
    assert caught.value.validation
    assert caught.value.message.startswith("1 validation error detected: ")


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({"MaximumRecordAgeInSeconds": 59}, "-1 or at least 60"),
        ({"FunctionResponseTypes": ["Report"]}, "functionResponseTypes"),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:lambda:r:a:function:f"}}},
            "Invalid destination ARN",
        ),
        (
            {
                "DestinationConfig": {
                    "OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:q.fifo"}
                }
            },
            "FIFO SQS queues are not supported",
        ),
    ],
    ids=["age", "response type", "destination", "fifo"],
)
def test_other_values_are_refused(configuration: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidSettingError, match=told):
        MappingSettings.from_configuration(configuration)


@pytest.mark.parametrize(
    "arn",
    [
        "queue",
        "arn:aws:sqs",
        "arn:aws:sqs:us-east-1:000000000000",
        "arn:aws:sqs:us-east-1:1:queue",
        "arn:aws:sns:us-east-1:000000000000:",
        "arn:aws:s3:us-east-1:000000000000:bucket",
        "arn:aws:s3:::",
        "arn:aws:s3:::bucket/folder",
    ],
)
def test_a_destination_that_names_nothing_is_refused(arn: str) -> None:
    with pytest.raises(InvalidSettingError, match="Invalid destination ARN"):
        MappingSettings.from_configuration(
            {"DestinationConfig": {"OnFailure": {"Destination": arn}}}
        )


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sqs:us-east-1:000000000000:a-queue_1",
        "arn:aws-cn:sns:cn-north-1:000000000000:topic",
        "arn:aws:s3:::my.bucket-1",
    ],
)
def test_a_queue_a_topic_and_a_bucket_are_destinations(arn: str) -> None:
    configuration = {"DestinationConfig": {"OnFailure": {"Destination": arn}}}
    assert MappingSettings.from_configuration(configuration).on_failure == arn
