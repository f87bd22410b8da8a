"""Tumbling windows: time in equal pieces, a state handed on within each.

AWS's page "Implementing stateful DynamoDB stream processing in Lambda": each record belongs to
the window of its creation time; each invocation gets the state the last one returned; when a
window ends the function is invoked once more with the final state and no records; a state over
1 MB ends the window early; an answer without ``state`` is a failed invocation.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from streamdev.semantics.records import Record

STATE_LIMIT = 1024 * 1024
# A record of the window may still be on its way to the reader when the window ends.
GRACE = 0.5


@dataclass(frozen=True)
class Window:
    """One open window of a shard. Times are seconds since the epoch.

    Attributes:
        start: When it begins.
        end: When it ends; a record of this very time belongs to the next one.
        state: What the function returned last.
        too_big: Whether the state passed the limit, which ends the window.
    """

    start: int
    end: int
    state: Mapping[str, Any] = field(default_factory=dict)
    too_big: bool = False

    @classmethod
    def of(cls, created: float, length: float) -> Window:
        """The window of ``length`` seconds that holds ``created``."""
        start = math.floor(created / length) * int(length)
        return cls(start, start + int(length))

    def holds(self, record: Record) -> bool:
        """Whether the record is of this window; one that comes late counts with the open one."""
        return record.created < self.end

    def closes_at(self) -> float:
        """When the final invocation is due if no later record comes first."""
        return self.end + GRACE

    def with_answer(self, payload: bytes) -> Window | None:
        """The window after an invocation; ``None`` when the answer holds no state."""
        try:
            answer = json.loads(payload)
        except ValueError:
            return None
        state = answer.get("state") if isinstance(answer, dict) else None
        if not isinstance(state, dict):
            return None
        size = len(json.dumps(state, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        return replace(self, state=state, too_big=size > STATE_LIMIT)

    def fields(self, shard: str, stream_arn: str, *, final: bool) -> dict[str, Any]:
        """What the event holds beside the records."""
        return {
            "window": {"start": _iso(self.start), "end": _iso(self.end)},
            "state": self.state,
            "shardId": shard,
            "eventSourceARN": stream_arn,
            "isFinalInvokeForWindow": final,
            "isWindowTerminatedEarly": final and self.too_big,
        }

    def to_json(self) -> dict[str, Any]:
        """To be kept over a restart."""
        return {"start": self.start, "end": self.end, "state": self.state}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Window:
        """What ``to_json`` gave."""
        return cls(value["start"], value["end"], value["state"])


def split_by_window(
    records: tuple[Record, ...], window: Window
) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """The records up to the first that is past ``window``, and the rest."""
    count = next((i for i, record in enumerate(records) if not window.holds(record)), len(records))
    return records[:count], records[count:]


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
