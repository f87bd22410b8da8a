"""The log of LocalStack's container, across its restarts."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import docker
from docker.errors import NotFound

from streamdev.engine.docker_log import Entry, LogCursor
from streamdev.engine.handler_log import FindHandlers, merged
from streamdev.semantics.log import PREFIX

# A container that stopped is waited for so long: `docker restart` starts it again at once.
RESTART_GRACE_S = 10.0
POLL_INTERVAL_S = 0.2

_AT = re.compile(r'"at": ?"([0-9T:.\-]+Z)"')


def read_lines(
    client: docker.DockerClient,
    container: str,
    *,
    since: datetime | None,
    follow: bool,
    stop: threading.Event,
    handlers: FindHandlers | None,
) -> Iterator[str]:
    """Lines of the container's log, oldest first, each once.

    Args:
        client: The daemon.
        container: The id of LocalStack's container.
        since: Leave out what is older.
        follow: Go on, also when the container is restarted, until ``stop`` is set or the
            container is removed or stays down.
        stop: Ends the iteration within a tenth of a second.
        handlers: Finds the containers of handlers; ``None`` where handlers are processes in
            LocalStack's container, which is where their output is then.
    """
    main = LogCursor(client, container, since=since)
    backlog = main.read(follow=False, stop=stop)
    if handlers is not None:
        lines = merged(
            client, backlog, lambda halt: _follow(client, main, halt), handlers,
            since=since, follow=follow, stop=stop,
        )  # fmt: skip
    elif follow:
        lines = (entry.line for entry in _follow(client, main, stop))
    else:
        lines = (entry.line for entry in _unless_removed(backlog))
    oldest = since and since.astimezone(UTC).isoformat(timespec="microseconds")
    for line in lines:
        # Docker's time of a line is that of its copying, a little later than the event.
        if oldest and line.startswith(PREFIX) and (at := _AT.search(line)) and at[1] < oldest:
            continue
        yield line


def _unless_removed(entries: Iterator[Entry]) -> Iterator[Entry]:
    try:
        yield from entries
    except NotFound:
        return


def _follow(
    client: docker.DockerClient, cursor: LogCursor, stop: threading.Event
) -> Iterator[Entry]:
    try:
        yield from cursor.read(follow=True, stop=stop)
        while not stop.is_set() and _comes_back(client, cursor.container, stop):
            yield from cursor.read(follow=True, stop=stop)
        # What was written between the end of the stream and the end of the container.
        yield from cursor.read(follow=False, stop=stop)
    except NotFound:
        return


def _comes_back(client: docker.DockerClient, container: str, stop: threading.Event) -> bool:
    """Whether the container runs (again) within the grace; a removed one raises NotFound."""
    deadline = time.monotonic() + RESTART_GRACE_S
    while time.monotonic() < deadline:
        state: dict[str, Any] = client.api.inspect_container(container)["State"]
        if state["Running"]:
            return True
        if stop.wait(POLL_INTERVAL_S):
            return False
    return False
