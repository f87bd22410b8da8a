"""How a batch of a stream's records is worked through: in order, up to the first failure."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType


class StreamProcessor(BatchProcessor):  # type: ignore[misc]  # Powertools is not type-checked here
    """Reports the record that failed; those after it are left for the next try.

    For a stream AWS retries everything from the first reported record on. Working on what
    follows a failure would handle a profile's later changes before an earlier one.
    """

    def __init__(self) -> None:
        super().__init__(event_type=EventType.DynamoDBStreams)

    def process(self) -> list[tuple[Any, ...]]:
        """Handle records until one fails."""
        results = []
        for record in self.records:
            results.append(self._process_record(record))
            if self.fail_messages:
                break
        return results

    def _clean(self) -> None:
        # When not even the first was handled the invocation fails with the error itself, so
        # that it stands in the log, in metrics and beside the dead letter.
        if self.fail_messages and not self.success_messages:
            raise self.exceptions[0][1]
        super()._clean()
