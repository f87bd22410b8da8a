"""Handler output on its way to CloudWatch Logs: gathered, sent cheaply, and kept in bounds.

LocalStack sends the output of each invocation by itself, as a request through its own gateway,
made with a session of the function's role: that loads two more services and costs 5 to 10 ms an
invocation. Here the output of half a second goes together. While nobody has asked CloudWatch
Logs for anything, so that it is not loaded, it goes right where that service will find it.
LocalStack keeps all log events in memory; here the oldest are dropped beyond a limit.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty
from typing import Any

from localstack.aws.connect import connect_to
from localstack.services.lambda_.invocation.logs import QUEUE_SHUTDOWN, LogHandler, LogItem
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.bootstrap import is_api_enabled
from localstack.utils.patch import patch

LOG = logging.getLogger(__name__)

_EVERY = 0.5
# PutLogEvents takes 10,000 events and 1,048,576 bytes at once, counting 26 more for each.
_MAX_EVENTS = 10_000
_MAX_BYTES = 1_000_000
_EVENT_OVERHEAD = 26
# What is kept of each stream, and how much more may come before it is looked after.
_KEPT_EVENTS = 10_000
_KEPT_BYTES = 8_000_000
_TRIM_AFTER = 2_000_000


def install() -> None:
    """Replace LocalStack's way; to be called once."""
    patch(LogHandler.add_logs)(_add_logs)
    patch(LogHandler.run_log_loop)(_run_log_loop)


@dataclass(frozen=True)
class _StampedLogItem(LogItem):  # type: ignore[misc]
    """Output of an invocation and when it ended, in milliseconds since the epoch."""

    at: int = 0


def _add_logs(_fn: Any, self: Any, log_item: LogItem) -> None:
    if is_api_enabled("logs"):
        at = int(time.time() * 1000)
        names = log_item.log_group, log_item.log_stream
        self.log_queue.put(_StampedLogItem(*names, log_item.logs, at))


def _run_log_loop(_fn: Any, self: Any, *_args: Any, **_kwargs: Any) -> None:
    account = self.role_arn.split(":")[4]
    sender = _Sender(account, self.region)
    while True:
        items = [self.log_queue.get()]
        # What comes within this time is sent together; a stop cuts the wait short.
        self._shutdown_event.wait(_EVERY)
        with contextlib.suppress(Empty):
            while True:
                items.append(self.log_queue.get_nowait())
        try:
            sender.send([item for item in items if isinstance(item, LogItem)])
        except Exception as error:
            # Whatever is wrong there, handlers go on, and their next output is tried again.
            if not self._shutdown_event.is_set():
                LOG.warning("CloudWatch Logs took no output: %s: %s", type(error).__name__, error)
        if QUEUE_SHUTDOWN in items:
            return


class _Sender:
    """Sends output of one function version to the log group of its account and region."""

    def __init__(self, account: str, region: str) -> None:
        self._account = account
        self._region = region
        self._untrimmed: dict[tuple[str, str], int] = {}

    def send(self, items: list[Any]) -> None:
        """Send the output of several invocations."""
        streams: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for item in items:
            events = streams.setdefault((item.log_group, item.log_stream), [])
            lines = (line for line in item.logs.split("\n") if line)
            events += [{"timestamp": item.at, "message": f"{line}\n"} for line in lines]
        put = self._put_by_api if SERVICE_PLUGINS.is_running("logs") else self._put
        for names, events in streams.items():
            # They must come in order of time, also when the clock was set back.
            events.sort(key=lambda event: int(event["timestamp"]))
            for part in _parts(events):
                put(*names, part)
            self._trim(names, events)

    def _backend(self) -> Any:
        # Imported late: this loads a good part of LocalStack's library.
        from localstack.services.logs.models import get_moto_logs_backend

        return get_moto_logs_backend(self._account, self._region)

    def _put(self, group: str, stream: str, events: list[dict[str, Any]]) -> None:
        backend = self._backend()
        if group not in backend.groups:
            backend.create_log_group(group, {})
        if stream not in backend.groups[group].streams:
            backend.create_log_stream(group, stream)
        backend.put_log_events(group, stream, events)

    def _put_by_api(self, group: str, stream: str, events: list[dict[str, Any]]) -> None:
        """By a request, which goes through filters that were set up by then."""
        client = connect_to(aws_access_key_id=self._account, region_name=self._region).logs
        names = {"logGroupName": group, "logStreamName": stream}
        exceptions = client.exceptions
        try:
            client.put_log_events(**names, logEvents=events)
        except exceptions.ResourceNotFoundException:
            with contextlib.suppress(exceptions.ResourceAlreadyExistsException):
                client.create_log_group(logGroupName=group)
            client.create_log_stream(**names)
            client.put_log_events(**names, logEvents=events)

    def _trim(self, names: tuple[str, str], events: list[dict[str, Any]]) -> None:
        added = sum(len(event["message"]) + _EVENT_OVERHEAD for event in events)
        self._untrimmed[names] = self._untrimmed.get(names, 0) + added
        if self._untrimmed[names] < _TRIM_AFTER:
            return
        self._untrimmed[names] = 0
        group, stream = names
        try:
            kept = self._backend().groups[group].streams[stream].events
        except KeyError:
            return
        size = count = 0
        for event in reversed(kept):
            size += len(event.message) + _EVENT_OVERHEAD
            if size > _KEPT_BYTES or count == _KEPT_EVENTS:
                break
            count += 1
        del kept[: len(kept) - count]


def _parts(events: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    size = 0
    for event in events:
        added = len(event["message"].encode("utf-8", "replace")) + _EVENT_OVERHEAD
        if part and (len(part) == _MAX_EVENTS or size + added > _MAX_BYTES):
            yield part
            part, size = [], 0
        part.append(event)
        size += added
    if part:
        yield part
