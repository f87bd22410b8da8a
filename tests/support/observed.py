"""Lines of an engine's log, as the engine writes them, for the tests of what reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streamdev.semantics import log

TABLE = "UserProfileTable"


def at(second: float) -> str:
    """A time on one day, as the log has it."""
    return f"2026-11-20T12:{int(second) // 60:02d}:{second % 60:09.6f}Z"


def line(event: str, second: float = 0, /, **fields: Any) -> list[str]:
    """The lines of one event."""
    return log.render(event, {"at": at(second), **fields})


def record(
    key: str = "123",
    event_name: str = "INSERT",
    *,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    sequence_number: str = "1",
) -> dict[str, Any]:
    """A record of ``invocation.start``; images get the key."""
    keys = {"id": {"S": key}}
    return {
        "event_id": f"{int(sequence_number):032x}",
        "event_name": event_name,
        "keys": keys,
        "old": None if old is None else {**keys, **old},
        "new": None if new is None else {**keys, **new},
        "sequence_number": sequence_number,
        "at": at(0),
    }


def invocation(
    records: Sequence[Mapping[str, Any]],
    *,
    second: float = 1,
    function: str = "user-profile",
    request_id: str = "r1",
    outcome: str = "ok",
    attempt: int = 1,
    **end: Any,
) -> list[str]:
    """Start and end of one invocation."""
    common = {"function": function, "request_id": request_id, "attempt": attempt, "mapping": "m1"}
    started = line(
        "invocation.start", second, table=TABLE, batch_size=len(records), records=records, **common
    )
    told: dict[str, Any] = {
        "duration_ms": 12.5,
        "memory_mib": 64,
        "init_ms": None,
        "error": None,
        "failures": [],
    }
    return started + line("invocation.end", second + 0.5, **common, outcome=outcome, **told | end)
