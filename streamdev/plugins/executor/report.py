"""The REPORT line that ends each invocation's output, as Lambda writes it."""

from __future__ import annotations

import math

from streamdev.plugins.executor.errors import Failure
from streamdev.plugins.executor.limits import MIB


def report_line(
    request_id: str,
    duration_ms: float,
    init_ms: float | None,
    memory_mib: int,
    peak: int,
    failure: Failure | None,
) -> str:
    """One line, its parts with tabs between them.

    Args:
        request_id: The invocation's.
        duration_ms: How long it took.
        init_ms: How long init took, where this was the process's first invocation.
        memory_mib: The function's memory.
        peak: Most bytes of resident memory seen.
        failure: Why there is no answer, where the runtime itself ended.
    """
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {math.ceil(duration_ms + (init_ms or 0))} ms",
        f"Memory Size: {memory_mib} MB",
        f"Max Memory Used: {math.ceil(peak / MIB)} MB",
    ]
    if init_ms is not None:
        parts.append(f"Init Duration: {init_ms:.2f} ms")
    if failure is not None:
        parts.append(f"Status: {failure.status}")
        if failure.status == "error":
            parts.append(f"Error Type: {failure.error_type}")
    return "\t".join(parts)
