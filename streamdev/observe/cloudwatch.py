"""Following functions through CloudWatch Logs, for engines without streamdev's plugins."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from streamdev.aws.cloudwatch import LogEvent, function_log
from streamdev.observe.follow import OutputLine

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

POLL_INTERVAL_S = 1.0
# Events reach CloudWatch Logs a little late and out of order; so much is looked at again.
OVERLAP = timedelta(seconds=30)


def follow_functions(
    gateway: Gateway,
    functions: Sequence[str],
    *,
    since: datetime | None,
    follow: bool,
    stop: threading.Event,
) -> Iterator[OutputLine]:
    """What the functions printed, oldest first, each line once.

    Args:
        gateway: The engine's AWS API.
        functions: The functions' names.
        since: Leave out what was printed before.
        follow: Go on until ``stop`` is set.
        stop: Ends the iteration soon after it is set.
    """
    newest: dict[str, datetime | None] = dict.fromkeys(functions, since)
    seen: dict[str, dict[str, datetime]] = {name: {} for name in functions}
    while True:
        found: list[tuple[str, LogEvent]] = []
        for name in functions:
            events = function_log(gateway, name, newest[name])
            found += [(name, event) for event in events if event.id not in seen[name]]
        for name, event in sorted(found, key=lambda pair: pair[1].at):
            seen[name][event.id] = event.at
            yield OutputLine(event.at, name, None, event.message)
        if not follow or stop.wait(POLL_INTERVAL_S):
            return
        for name in functions:
            newest[name] = _again_from(seen[name], since)


def _again_from(seen: dict[str, datetime], since: datetime | None) -> datetime | None:
    """From when to look again; ids older than that are forgotten."""
    if not seen:
        return since
    start = max(seen.values()) - OVERLAP
    for identifier in [identifier for identifier, at in seen.items() if at < start]:
        del seen[identifier]
    return max(start, since) if since else start
