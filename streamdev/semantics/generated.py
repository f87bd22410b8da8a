"""Events as a stream would make them, of an item that nobody wrote."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, get_args

from streamdev.semantics.items import Item, item_size
from streamdev.semantics.records import TTL_EVENT, make_record
from streamdev.semantics.values import AttributeValue

Kind = Literal["INSERT", "MODIFY", "REMOVE", "TTL"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_NEW = frozenset({"NEW_IMAGE", "NEW_AND_OLD_IMAGES"})
_OLD = frozenset({"OLD_IMAGE", "NEW_AND_OLD_IMAGES"})


def generated_event(
    kind: Kind,
    *,
    key: Item,
    old: Item | None,
    new: Item | None,
    view: str,
    stream_arn: str,
    region: str,
    sequence: int,
    created: float,
) -> dict[str, Any]:
    """The event of one change, as a function gets it.

    ``SizeBytes`` counts the key and the images that the record has, as DynamoDB Local does.

    Args:
        kind: What happened; ``TTL`` is a ``REMOVE`` by DynamoDB itself.
        key: The item's key, DynamoDB JSON.
        old: The item before; ``None`` with ``INSERT``.
        new: The item after; ``None`` with ``REMOVE`` and ``TTL``.
        view: The stream's view type, which says what images the record has.
        stream_arn: The stream, with its label.
        region: The stream's region.
        sequence: The record's sequence number.
        created: When the change was made, seconds since the epoch.
    """
    images = {"Keys": key}
    if new is not None and view in _NEW:
        images["NewImage"] = new
    if old is not None and view in _OLD:
        images["OldImage"] = old
    raw = {
        "eventID": str(uuid.uuid4()),
        "eventName": TTL_EVENT if kind == "TTL" else kind,
        "dynamodb": {
            "ApproximateCreationDateTime": created,
            **images,
            "SequenceNumber": f"{sequence:021d}",
            "SizeBytes": sum(item_size(image) for image in images.values()),
            "StreamViewType": view,
        },
    }
    record = make_record(raw, stream_arn=stream_arn, region=region, created=created)
    return {"Records": [record.event]}


def with_new_ids(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with another ``eventID`` in each stream record, as if it had not come before."""
    records = [
        {**record, "eventID": uuid.uuid4().hex} if isinstance(record, dict) else record
        for record in event.get("Records", ())
    ]
    return {**event, "Records": records}


def as_stored(item: Item) -> Item:
    """An item as DynamoDB gives it back: ``1E2`` is ``100``, ``7.50`` ``7.5``; sets are sorted."""
    return {name: _stored(value) for name, value in item.items()}


def _stored(value: AttributeValue) -> AttributeValue:
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return {"N": _stored_number(content)}
        case "NS":
            return {"NS": sorted(map(_stored_number, content), key=Decimal)}
        case "SS" | "BS":
            as_bytes = str.encode if kind == "SS" else base64.b64decode
            return {kind: sorted(content, key=as_bytes)}
        case "L":
            return {"L": [_stored(element) for element in content]}
        case "M":
            return {"M": {key: _stored(inner) for key, inner in content.items()}}
    return value


def _stored_number(text: str) -> str:
    plain = f"{Decimal(text):f}".removeprefix("-")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return f"-{plain}" if Decimal(text) < 0 else plain
