"""What happens to records that a mapping gives up: stored whole, told, reported."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from streamdev.plugins.mapping.batches import FailedBatches
from streamdev.plugins.mapping.destinations import Destinations
from streamdev.plugins.mapping.invoker import Answer
from streamdev.plugins.mapping.report import Report
from streamdev.semantics.delivery import GiveUp
from streamdev.semantics.destinations import LastResponse, failure_message


class GivenUp:
    """Takes the batches that one mapping gives up.

    Args:
        batches: Where they are stored.
        destinations: Sends their messages.
        report: Where to tell.
        function_arn: The function as the mapping names it.
        stream_arn: The event source.
        on_failure: ARN of the failure destination, or ``None``.
    """

    def __init__(
        self,
        batches: FailedBatches,
        destinations: Destinations,
        report: Report,
        *,
        function_arn: str,
        stream_arn: str,
        on_failure: str | None,
    ) -> None:
        self._batches = batches
        self._destinations = destinations
        self._report = report
        self._function_arn = function_arn
        self._stream_arn = stream_arn
        self._on_failure = on_failure

    def take(self, shard: str, step: GiveUp, last: Answer | None, error: bytes | None) -> None:
        """Store the records, tell the log, and have the destination told.

        Args:
            shard: Where they are from.
            step: The records, and why.
            last: The last invocation they were in, or ``None`` when there was none.
            error: What that invocation failed with, JSON, or ``None``.
        """
        now = time.time()
        response = None
        if last is not None:
            response = LastResponse(last.version, last.function_error)
        message = failure_message(
            step.records,
            request_id=last.request_id if last else str(uuid.uuid4()),
            function_arn=self._function_arn,
            condition=step.condition,
            invokes=step.invokes,
            response=response,
            shard=shard,
            stream_arn=self._stream_arn,
            now=now,
        )
        batch: dict[str, Any] = {
            "mapping": self._report.uuid,
            "function": self._report.function,
            "table": self._report.table,
            "condition": step.condition,
            "error": _parsed(error),
            "destination": self._on_failure,
            "delivered": False,
            "message": message,
            "payload": {"Records": [record.event for record in step.records]},
        }
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
        file_name = self._batches.save(f"{stamp}-{uuid.uuid4()}", batch)
        self._report.emit(
            "mapping.discarded",
            table=self._report.table,
            count=len(step.records),
            reason=step.condition,
            first=step.records[0].sequence,
            last=step.records[-1].sequence,
            batch=file_name,
            event_ids=[record.event["eventID"] for record in step.records],
            request_id=message["requestContext"]["requestId"],
        )
        if self._on_failure is not None:
            self._destinations.send(batch, file_name)


def _parsed(error: bytes | None) -> Any:
    if error is None:
        return None
    try:
        return json.loads(error)
    except ValueError:
        return error.decode("utf-8", "replace")
