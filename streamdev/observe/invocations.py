"""Invocations: the log tells their start and their end, with others' lines in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Invocation:
    """An invocation that has ended.

    Attributes:
        start: Its ``invocation.start`` event, as the log has it.
        records: The stream records of the event, of all the start's parts.
        end: Its ``invocation.end``, whole; where the engine stopped before, the next engine's
            ``engine.ready`` with the outcome ``unknown``.
    """

    start: dict[str, Any]
    records: list[dict[str, Any]]
    end: dict[str, Any]


class Invocations:
    """Puts starts and ends together. Holds only invocations that have not ended."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
        self._ending: dict[str, dict[str, Any]] = {}

    def feed(self, event: dict[str, Any]) -> Iterator[Invocation]:
        """What an event of the log ends, in the order of the starts."""
        request_id = str(event.get("request_id"))
        match event["event"]:
            case "invocation.start":
                records = event.get("records") or []
                if event.get("part") and request_id in self._open:
                    self._open[request_id][1].extend(records)
                else:
                    self._open[request_id] = event, list(records)
            case "invocation.end":
                end = self._whole(request_id, event)
                # Without its start (older than what is read) there is nothing to tell.
                if end is not None and (opened := self._open.pop(request_id, None)) is not None:
                    yield Invocation(*opened, end)
            case "engine.ready":
                # What was open when the old engine ended never got an end.
                left, self._open = self._open, {}
                for start, records in left.values():
                    yield Invocation(start, records, {**event, "outcome": "unknown"})

    def running(self) -> Iterator[Invocation]:
        """Those that have not ended, as if they had ended ``unknown`` when they began."""
        for start, records in self._open.values():
            yield Invocation(start, records, {"at": start["at"]})

    def _whole(self, request_id: str, event: dict[str, Any]) -> dict[str, Any] | None:
        """The end with the failures of all its parts; ``None`` until the last one is here."""
        if event.get("part"):
            if (end := self._ending.get(request_id)) is None:
                return None
            end["failures"] += event.get("failures") or ()
        else:
            end = {**event, "failures": list(event.get("failures") or ())}
            self._ending[request_id] = end
        if event.get("part", 1) < end.get("parts", 1):
            return None
        return self._ending.pop(request_id)
