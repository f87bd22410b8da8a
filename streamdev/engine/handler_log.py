"""The logs of handlers' own containers (``STREAMDEV_EXECUTOR=docker``), joined to LocalStack's.

Handlers that run as processes print into LocalStack's log, where a marker line says whose
output follows. Those in containers have logs of their own, so the markers are added here.
"""

from __future__ import annotations

import heapq
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import docker
import requests
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from streamdev.engine.docker_log import Entry, LogCursor
from streamdev.semantics.log import render

POLL_INTERVAL_S = 0.1
DISCOVERY_INTERVAL_S = 0.5

# AWS's runtime prints it before each invocation.
_START = re.compile(r"START RequestId: ([0-9a-f-]{36})")

FindHandlers = Callable[[], list[Container]]


class _Handler:
    """A handler's container: whose output it is, and the request it is about."""

    def __init__(
        self, client: docker.DockerClient, container: Container, since: datetime | None
    ) -> None:
        self.cursor = LogCursor(client, str(container.id), since=since)
        variables = dict(
            line.partition("=")[::2] for line in container.attrs["Config"].get("Env") or ()
        )
        self._function = variables.get("AWS_LAMBDA_FUNCTION_NAME") or str(container.name)
        self._request: str | None = None

    def marked(self, line: str, *, anew: bool) -> list[str]:
        """``line``, after the marker that says whose it is where that changed."""
        started = _START.search(line)
        if started:
            self._request = started[1]
        if not (started or anew):
            return [line]
        return [
            *render("output", {"request_id": self._request, "function": self._function}),
            line,
        ]


def merged(
    client: docker.DockerClient,
    backlog: Iterator[Entry],
    follow_main: Callable[[threading.Event], Iterator[Entry]],
    handlers: FindHandlers,
    *,
    since: datetime | None,
    follow: bool,
    stop: threading.Event,
) -> Iterator[str]:
    """The lines of all containers: those that are there by time, new ones as they come.

    Args:
        client: The daemon.
        backlog: What LocalStack's log holds now.
        follow_main: What it holds after that, until the event that it is given is set.
        handlers: Finds the containers of handlers.
        since: Leave out what is older.
        follow: Whether to go on after the backlog.
        stop: Ends the iteration.
    """
    known: dict[str, _Handler] = {}

    def discover() -> list[_Handler]:
        fresh = [_Handler(client, c, since) for c in handlers() if str(c.id) not in known]
        known.update((handler.cursor.container, handler) for handler in fresh)
        return fresh

    speaker: _Handler | None = None

    def told(line: str, source: _Handler | None) -> list[str]:
        nonlocal speaker
        if source is None:
            return [line]
        anew, speaker = source is not speaker, source
        return source.marked(line, anew=anew)

    discover()
    streams = [_tagged(backlog, None)]
    streams += [_tagged(h.cursor.read(follow=False, stop=stop), h) for h in known.values()]
    for entry, source in heapq.merge(*streams, key=lambda item: item[0].at):
        yield from told(entry.line, source)
    if not follow:
        return
    arrived: queue.SimpleQueue[tuple[str, _Handler | None] | Exception | None]
    arrived = queue.SimpleQueue()
    halt = threading.Event()

    def pump(entries: Iterator[Entry], source: _Handler | None) -> None:
        try:
            for entry, _ in _tagged(entries, source):
                arrived.put((entry.line, source))
        except (APIError, requests.RequestException) as error:
            arrived.put(error)
        if source is None:
            arrived.put(None)

    def start(entries: Iterator[Entry], source: _Handler | None) -> None:
        threading.Thread(target=pump, args=(entries, source), daemon=True).start()

    start(follow_main(halt), None)
    for handler in known.values():
        start(handler.cursor.read(follow=True, stop=halt), handler)
    looked = time.monotonic()
    try:
        while not stop.is_set():
            if time.monotonic() - looked > DISCOVERY_INTERVAL_S:
                looked = time.monotonic()
                for handler in discover():
                    start(handler.cursor.read(follow=True, stop=halt), handler)
            try:
                arrival = arrived.get(timeout=POLL_INTERVAL_S)
            except queue.Empty:
                continue
            if arrival is None:
                return
            if isinstance(arrival, Exception):
                raise arrival
            yield from told(*arrival)
    finally:
        halt.set()


def _tagged(
    entries: Iterator[Entry], source: _Handler | None
) -> Iterator[tuple[Entry, _Handler | None]]:
    try:
        for entry in entries:
            yield entry, source
    except NotFound:
        return  # LocalStack removes the container of a handler that it no longer needs
