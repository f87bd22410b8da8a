"""Records straight from a stream, for people: in the same lines as those that were handled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from rich.text import Text

from streamdev.aws.names import table_of_stream
from streamdev.observe.names import Names
from streamdev.observe.records import Processed
from streamdev.observe.render import INDENT, change_lines, key_text


def record_of(event: dict[str, Any]) -> Processed:
    """A stream record as a function gets it, as one of which nothing more is known."""
    data = event["dynamodb"]
    return Processed(
        at=datetime.fromtimestamp(data["ApproximateCreationDateTime"], UTC),
        function="",
        table=table_of_stream(event["eventSourceARN"]),
        event_name=event["eventName"],
        event_id=event["eventID"],
        sequence_number=data["SequenceNumber"],
        keys=data["Keys"],
        old=data.get("OldImage"),
        new=data.get("NewImage"),
        outcome="unknown",
    )


def raw_lines(
    event: dict[str, Any], shard: str, names: Names, zone: tzinfo | None = None
) -> Iterator[Text]:
    """The lines of one record: when, what, which item, where in the stream; then the change.

    Args:
        event: The record as a function gets it.
        shard: The id of its shard; its end is shown.
        names: For the order of the key's attributes.
        zone: The time zone of the time shown; ``None``: this machine's.
    """
    record = record_of(event)
    local = record.at.astimezone(zone)
    key = names.key(record.table, record.keys)
    head = Text.assemble((f"{local:%Y-%m-%d %H:%M:%S}", "dim"), "  ")
    head.append(f"{record.event_name:<6}  ", "bold").append(key_text(key))
    expired = ", by time to live" if "userIdentity" in event else ""
    head.append(f"  {record.sequence_number} in shard …{shard[-8:]}{expired}", "dim")
    yield head
    for line in change_lines(record):
        yield Text(INDENT).append_text(line)
