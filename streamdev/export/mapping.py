"""The parameters of an event source mapping, by AWS's names."""

from __future__ import annotations

from collections.abc import Iterator

from streamdev.aws.mappings import MappingSettings


def numbers(settings: MappingSettings) -> Iterator[tuple[str, int, int]]:
    """Each parameter that is a number or a switch: name, value, and AWS's default."""
    yield "MaximumBatchingWindowInSeconds", settings.maximum_batching_window, 0
    yield "ParallelizationFactor", settings.parallelization_factor, 1
    yield "TumblingWindowInSeconds", settings.tumbling_window, 0
    yield "MaximumRetryAttempts", settings.maximum_retry_attempts, -1
    yield "MaximumRecordAgeInSeconds", settings.maximum_record_age, -1
    yield "BisectBatchOnFunctionError", settings.bisect_batch_on_function_error, False
    yield "Enabled", settings.enabled, True
