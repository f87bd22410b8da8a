"""Records to try a filter on: from a file, made of an item, or the newest one of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streamdev.aws.names import table_arn
from streamdev.errors import InvalidInputError
from streamdev.observe.why.history import same_key
from streamdev.observe.why.live import MAX_RECORDS
from streamdev.semantics.filters import Explanation, Filters
from streamdev.semantics.items import Item
from streamdev.semantics.records import make_record
from streamdev.semantics.values import is_attribute_value

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

_IMAGES = {
    "NEW_AND_OLD_IMAGES": ("NewImage", "OldImage"),
    "NEW_IMAGE": ("NewImage",),
    "OLD_IMAGE": ("OldImage",),
    "KEYS_ONLY": (),
}


@dataclass(frozen=True)
class Trial:
    """A record and what the filters make of it."""

    event: Mapping[str, Any]
    explanation: Explanation

    @property
    def event_name(self) -> str:
        """``INSERT``, ``MODIFY``, ``REMOVE``."""
        return str(self.event.get("eventName", "?"))

    @property
    def keys(self) -> Any:
        """The record's key."""
        return self.event["dynamodb"].get("Keys") or {}


def trial(filters: Filters, event: Mapping[str, Any]) -> Trial:
    """Hold a record, in the shape a function gets it, against filters."""
    return Trial(event, filters.explain(event))


def events_in(document: Any, where: str) -> list[dict[str, Any]]:
    """The records in a JSON document: one, an array of them, or an event with ``Records``.

    Raises:
        InvalidInputError: There is none, or something else among them.
    """
    if isinstance(document, dict) and isinstance(document.get("Records"), list):
        document = document["Records"]
    found = document if isinstance(document, list) else [document]
    for record in found:
        if not _is_record(record):
            raise InvalidInputError(
                f"{where} has something that is no record of a DynamoDB stream.",
                hint="A record is an object with eventName and dynamodb, as a function gets it; "
                "several are an array or an event with Records.",
            )
    if not found:
        raise InvalidInputError(f"{where} has no records.")
    return found


def _is_record(value: Any) -> bool:
    change = value.get("dynamodb") if isinstance(value, dict) else None
    keys = change.get("Keys", {}) if isinstance(change, dict) else None
    return isinstance(keys, dict) and all(map(is_attribute_value, keys.values()))


def made_event(
    table: str, view: str, event_name: str, key: Item, old: Item | None, new: Item | None
) -> dict[str, Any]:
    """The record that a change of an item would make.

    Args:
        table: The table's name.
        view: Its ``StreamViewType``: which images the record has.
        event_name: ``INSERT``, ``MODIFY`` or ``REMOVE``.
        key: The item's key.
        old: The item before.
        new: The item after.
    """
    now = datetime.now(UTC)
    images = {"NewImage": new, "OldImage": old}
    shown = {name: images[name] for name in _IMAGES[view] if images[name] is not None}
    change = {"Keys": key, **shown, "SequenceNumber": "1", "StreamViewType": view}
    return make_record(
        {"eventID": "0" * 32, "eventName": event_name, "dynamodb": change},
        stream_arn=f"{table_arn(table)}/stream/{now:%Y-%m-%dT%H:%M:%S}.000",
        region="us-east-1",
        created=now.timestamp(),
    ).event


def newest_event(gateway: Gateway, stream_arn: str, key: Item) -> dict[str, Any] | None:
    """The item's newest record in the stream, or ``None`` where it holds none."""
    description = gateway.streams.description(stream_arn)
    newest: dict[str, Any] | None = None
    count = 0
    for shard in reversed(description.shards if description else ()):
        for event in gateway.streams.read(stream_arn, shard):
            count += 1
            if same_key(event["dynamodb"]["Keys"], key):
                newest = event
        if newest is not None or count >= MAX_RECORDS:
            break
    return newest
