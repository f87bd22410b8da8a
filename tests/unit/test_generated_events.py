"""Generated events: the shape that streams give."""

from __future__ import annotations

from typing import Any

import pytest

from streamdev.semantics.generated import Kind, as_stored, generated_event, with_new_ids
from streamdev.semantics.records import TTL_IDENTITY
from tests.support.streams import STREAM, raw_record, record

OLD, NEW = {"id": {"S": "a"}, "n": {"N": "1"}}, {"id": {"S": "a"}, "n": {"N": "2"}}


def event(kind: Kind, view: str = "NEW_AND_OLD_IMAGES") -> dict[str, Any]:
    (made,) = generated_event(
        kind,
        key={"id": {"S": "a"}},
        old=None if kind == "INSERT" else OLD,
        new=NEW if kind in ("INSERT", "MODIFY") else None,
        view=view,
        stream_arn=STREAM,
        region="us-east-1",
        sequence=8,
        created=1795225702.7,
    )["Records"]
    assert isinstance(made, dict)
    return made


def shape(value: Any) -> Any:
    """Names and types, without what is another in each record."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items() if name != "NewImage"}
    return type(value)


def test_it_has_the_shape_of_a_record_that_a_stream_gave() -> None:
    made, real = event("INSERT"), record(7).event
    assert shape(made) == shape(real)
    assert made["dynamodb"]["NewImage"] == NEW
    assert len(made["eventID"]) == len(raw_record(7)["eventID"].replace("-", ""))
    assert made["dynamodb"]["SequenceNumber"] == "000000000000000000008"
    assert made["dynamodb"]["ApproximateCreationDateTime"] == 1795225702.0


@pytest.mark.parametrize(
    ("view", "kind", "images"),
    [
        ("NEW_AND_OLD_IMAGES", "INSERT", {"NewImage"}),
        ("NEW_AND_OLD_IMAGES", "MODIFY", {"NewImage", "OldImage"}),
        ("NEW_AND_OLD_IMAGES", "REMOVE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", "TTL", {"OldImage"}),
        ("NEW_IMAGE", "MODIFY", {"NewImage"}),
        ("NEW_IMAGE", "REMOVE", set()),
        ("OLD_IMAGE", "INSERT", set()),
        ("OLD_IMAGE", "MODIFY", {"OldImage"}),
        ("KEYS_ONLY", "MODIFY", set()),
    ],
)
def test_it_has_the_images_of_its_view(view: str, kind: Kind, images: set[str]) -> None:
    change = event(kind, view)["dynamodb"]
    assert change.keys() & {"NewImage", "OldImage"} == images
    assert change["StreamViewType"] == view
    # Three bytes of the key, and six an image: two names, "a" and a number.
    assert change["SizeBytes"] == 3 + 6 * len(images)


def test_only_time_to_live_carries_the_services_identity() -> None:
    assert event("TTL")["userIdentity"] == TTL_IDENTITY
    assert event("TTL")["eventName"] == "REMOVE"
    assert "userIdentity" not in event("REMOVE")


def test_new_ids_change_nothing_else() -> None:
    given = {"Records": [event("INSERT"), event("REMOVE")], "state": {}}
    made = with_new_ids(given)
    ids = {one["eventID"] for one in (*given["Records"], *made["Records"])}
    assert len(ids) == 4
    for old, new in zip(given["Records"], made["Records"], strict=True):
        assert {**new, "eventID": old["eventID"]} == old


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"N": "7.50"}, {"N": "7.5"}),
        ({"N": "1.20E3"}, {"N": "1200"}),
        ({"N": "1e-5"}, {"N": "0.00001"}),
        ({"N": "-0.0"}, {"N": "0"}),
        ({"N": "+5"}, {"N": "5"}),
        ({"N": "-100"}, {"N": "-100"}),
        ({"NS": ["10", "2", "1.0"]}, {"NS": ["1", "2", "10"]}),
        ({"SS": ["b", "ä", "a"]}, {"SS": ["a", "b", "ä"]}),
        (
            {"M": {"a": {"L": [{"N": "1.0"}, {"S": "1.0"}]}}},
            {"M": {"a": {"L": [{"N": "1"}, {"S": "1.0"}]}}},
        ),
    ],
)
def test_a_value_as_dynamodb_gives_it_back(value: dict[str, Any], kept: dict[str, Any]) -> None:
    assert as_stored({"a": value}) == {"a": kept}
