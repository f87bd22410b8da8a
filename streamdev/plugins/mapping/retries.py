"""What a lane tells of its retries: in the log, and to who asks where it stands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from streamdev.plugins.mapping.report import Report
from streamdev.semantics.delivery import Invoke, Retry
from streamdev.semantics.records import Record
from streamdev.semantics.responses import BatchResult


class Retries:
    """Tells each retry and each split of one lane.

    Args:
        report: Where to tell.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        #: The retry that is waited for, or ``None``: ``attempt``, ``next`` (seconds since the
        #: epoch), ``reason``, and its batch's ``first``, ``last`` and ``count``.
        self.current: dict[str, Any] | None = None

    def failed(self, retry: Retry, request_id: str, result: BatchResult) -> None:
        """The function was called and failed. Where no retry is left, giving up is told instead."""
        if retry.right:
            self._report.emit(
                "mapping.bisect",
                table=self._report.table,
                request_id=request_id,
                count=len(retry.left) + len(retry.right),
                left=len(retry.left),
                right=len(retry.right),
            )
        elif not retry.last:
            reason = result.reason or f"failed from {result.checkpoint} on"
            self._tell(retry.left, request_id, retry.attempt, retry.wait, reason)

    def not_reached(self, step: Invoke, wait: float, reason: str) -> None:
        """The function could not be called."""
        self._tell(step.records, None, step.attempt, wait, reason)

    def over(self) -> None:
        """The batch is done or given up."""
        self.current = None

    def _tell(
        self,
        records: Sequence[Record],
        request_id: str | None,
        attempt: int,
        wait: float,
        reason: str,
    ) -> None:
        self.current = {
            "attempt": attempt,
            "next": time.time() + wait,
            "reason": reason,
            **span(records),
        }
        self._report.emit(
            "mapping.retry",
            table=self._report.table,
            request_id=request_id,
            attempt=attempt,
            wait_ms=round(wait * 1000),
            reason=reason,
            count=len(records),
        )


def span(records: Sequence[Record]) -> dict[str, Any]:
    """Records as ``first`` and ``last`` sequence number, and ``count``."""
    ends = (records[0].sequence, records[-1].sequence) if records else (None, None)
    return {"first": ends[0], "last": ends[1], "count": len(records)}
