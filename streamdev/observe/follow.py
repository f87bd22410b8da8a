"""Reading the engine's log: as entries, or as what handlers printed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from streamdev.observe.records import Entry, Tracker
from streamdev.semantics import log

# A record is told when its invocation ends, which began up to Lambda's longest timeout before.
LONGEST_INVOCATION = timedelta(seconds=900)


@dataclass(frozen=True)
class OutputLine:
    """A line that a handler printed.

    Attributes:
        at: The time of the last event before it in the log, if there was one.
        function: The function's name.
        request_id: The invocation's request id; ``None`` while the function was loading.
        text: The line as printed, without its end.
    """

    at: datetime | None
    function: str
    request_id: str | None
    text: str


def read_from(since: datetime | None) -> datetime | None:
    """From when on the log must be read to know all that happened since ``since``."""
    return None if since is None else since - LONGEST_INVOCATION


def entries(
    lines: Iterable[str],
    *,
    since: datetime | None = None,
    functions: Collection[str] | None = None,
) -> Iterator[Entry]:
    """Processed records and notices, in the log's order.

    Args:
        lines: The engine's log, from `read_from` ``since`` on.
        since: Leave out what was over before.
        functions: Only these functions' (``None``: all). Notices about the engine stay.
    """
    tracker = Tracker()
    for line in lines:
        event = log.parse(line)
        if event is None:
            continue
        for entry in tracker.feed(event):
            if since is not None and entry.at < since:
                continue
            if functions is None or entry.function is None or entry.function in functions:
                yield entry


def output(
    lines: Iterable[str], *, functions: Collection[str] | None = None
) -> Iterator[OutputLine]:
    """What handlers printed, line by line, with START, END and REPORT lines as on AWS."""
    function: str | None = None
    request_id: str | None = None
    at: datetime | None = None
    for line in lines:
        event = log.parse(line)
        if event is not None:
            at = datetime.fromisoformat(event["at"]) if "at" in event else at
            if event["event"] == "output":
                function, request_id = event.get("function"), event.get("request_id")
            continue
        if line.startswith((log.PREFIX, log.LOCALSTACK_PREFIX)) or function is None:
            continue
        if functions is None or function in functions:
            yield OutputLine(at, function, request_id, line)


def output_of(lines: Iterable[str], request_id: str) -> list[str]:
    """What one invocation printed; reads until its end."""

    def until_its_end() -> Iterator[str]:
        for line in lines:
            yield line
            event = log.parse(line)
            if event and (event["event"], event.get("request_id")) == (
                "invocation.end",
                request_id,
            ):
                return

    return [line.text for line in output(until_its_end()) if line.request_id == request_id]
