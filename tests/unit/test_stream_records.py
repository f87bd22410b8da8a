"""Stream records as Lambda hands them to a function."""

from __future__ import annotations

import json

import pytest

from streamdev.semantics.payload import build_payload
from streamdev.semantics.records import creation_time, make_record
from tests.support.streams import STREAM, raw_record, record, records


def test_record_has_the_shape_of_aws() -> None:
    event = make_record(
        raw_record(7, "k"), stream_arn=STREAM, region="eu-west-1", created=1795225702.7
    ).event

    assert event == {
        "eventID": "94e4e1076d3e4d7a8f57000000000007",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795225702.0,
            "Keys": {"id": {"S": "k"}},
            "NewImage": {"id": {"S": "k"}},
            "SequenceNumber": "000000000000000000007",
            "SizeBytes": 13,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": STREAM,
    }


def test_event_id_is_32_hexadecimal_digits() -> None:
    event_id = record(1).event["eventID"]
    assert len(event_id) == 32
    assert int(event_id, 16)


def test_items_deleted_by_ttl_carry_the_services_identity() -> None:
    raw = raw_record(1) | {"eventName": "UNKNOWN_TO_SDK_VERSION"}
    event = make_record(raw, stream_arn=STREAM, region="us-east-1", created=0).event

    assert event["eventName"] == "REMOVE"
    assert event["userIdentity"] == {
        "type": "Service",
        "principalId": "dynamodb.amazonaws.com",
    }


def test_records_of_callers_carry_no_identity() -> None:
    assert "userIdentity" not in record(1).event


def test_records_of_one_item_share_its_key_whatever_the_order_of_attributes() -> None:
    one = raw_record(1)
    one["dynamodb"]["Keys"] = {"id": {"S": "x"}, "at": {"N": "1"}}
    other = raw_record(2)
    other["dynamodb"]["Keys"] = {"at": {"N": "1"}, "id": {"S": "x"}}

    first, second = (
        make_record(raw, stream_arn=STREAM, region="us-east-1", created=0) for raw in (one, other)
    )
    assert first.item == second.item


@pytest.mark.parametrize(
    ("seen", "expected"),
    [(1795225702.5, 1795225702.5), (1795229999.0, 1795225739.999), (1795225000.0, 1795225680.0)],
    ids=["read at once", "read much later", "clock set back"],
)
def test_creation_time_stays_within_the_stamped_minute(seen: float, expected: float) -> None:
    assert creation_time(1795225680.0, seen) == expected


def test_payload_is_the_event_of_all_records() -> None:
    batch = records(3)
    assert json.loads(build_payload(batch)) == {"Records": [one.event for one in batch]}


def test_payload_holds_further_members() -> None:
    payload = build_payload((), {"state": {"n": "ü"}, "isFinalInvokeForWindow": True})
    assert json.loads(payload) == {
        "Records": [],
        "state": {"n": "ü"},
        "isFinalInvokeForWindow": True,
    }


def test_payload_keeps_any_text() -> None:
    text = 'quotes " \\ and 💡 and \u2028'
    batch = (record(1, name={"S": text}),)
    parsed = json.loads(build_payload(batch))
    assert parsed["Records"][0]["dynamodb"]["NewImage"]["name"]["S"] == text


def test_an_empty_map_has_its_type() -> None:
    image = {
        "id": {"S": "{}"},
        "empty": {},
        "list": {"L": [{}, {"L": []}, {"S": ""}]},
        "map": {"M": {"M": {}, "deep": {"M": {"x": {}}}}},
    }
    mended = {
        "id": {"S": "{}"},
        "empty": {"M": {}},
        "list": {"L": [{"M": {}}, {"L": []}, {"S": ""}]},
        "map": {"M": {"M": {"M": {}}, "deep": {"M": {"x": {"M": {}}}}}},
    }
    raw = raw_record(1)
    raw["dynamodb"] |= {"OldImage": image, "NewImage": image}
    made = make_record(raw, stream_arn=STREAM, region="eu-west-1", created=1.0)
    assert made.event["dynamodb"]["OldImage"] == mended
    assert json.loads(made.body)["dynamodb"]["NewImage"] == mended
    assert raw["dynamodb"]["NewImage"] == image
