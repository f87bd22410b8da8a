"""CloudWatch Logs: what functions printed, where the engine's own log can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streamdev.aws import names
from streamdev.aws.errors import AwsNotFoundError

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway


@dataclass(frozen=True)
class LogEvent:
    """One event of a function's log group.

    Attributes:
        id: Unique within the log group.
        at: When the function printed it (aware, UTC).
        stream: The log stream, one per execution environment.
        message: The line, without its end.
    """

    id: str
    at: datetime
    stream: str
    message: str


def function_log(
    gateway: Gateway, function: str, since: datetime | None = None
) -> Iterator[LogEvent]:
    """The events of ``/aws/lambda/FUNCTION`` from ``since`` on, oldest first.

    A function that never ran has none.
    """
    options: dict[str, Any] = {"logGroupName": f"/aws/lambda/{function}"}
    if since is not None:
        options["startTime"] = int(since.timestamp() * 1000)
    token: str | None = None
    while True:
        page_options = {**options, "nextToken": token} if token else options
        try:
            with gateway.errors():
                page = gateway.client("logs").filter_log_events(**page_options)
        except AwsNotFoundError:
            return
        for event in sorted(page["events"], key=lambda event: event["timestamp"]):
            yield LogEvent(
                id=event.get("eventId") or f"{event['timestamp']}/{event['message']}",
                at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
                stream=event.get("logStreamName", ""),
                message=event["message"].rstrip("\n"),
            )
        following = page.get("nextToken")
        if not following or following == token:
            return
        token = following


def delete_log(gateway: Gateway, function: str) -> None:
    """Delete the function's log group, if there is one."""
    with suppress(AwsNotFoundError), gateway.errors():
        gateway.client("logs").delete_log_group(logGroupName=names.log_group(function))
