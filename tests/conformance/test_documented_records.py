"""The stream's records: which changes make one, and what a function gets of them."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from tests.conformance.behaviour import behaviour
from tests.conformance.pages import RECORD, STREAM_RECORD, STREAMS, TTL, USING
from tests.conformance.world import PATIENCE, Function, Table, World, until

GROUP = "Records"


def mapped(world: World, view: str = "NEW_AND_OLD_IMAGES") -> tuple[Table, Function]:
    """A table whose changes reach a function."""
    table, function = world.table(view), world.function()
    world.mapping(table, function)
    return table, function


def changes(function: Function) -> list[tuple[str, str]]:
    """What it got: event name and key, in order."""
    return [(r["eventName"], r["dynamodb"]["Keys"]["id"]["S"]) for r in function.records()]


def wait_for_changes(function: Function, count: int) -> list[dict[str, Any]]:
    """Wait for so many records."""
    until(lambda: len(function.records()) >= count, f"{count} records")
    return function.records()


@behaviour(GROUP, "record-event-names", "A new item is INSERT, a changed one MODIFY, a deleted "
           "one REMOVE, in the order of the changes.", RECORD)  # fmt: skip
def test_changes_are_named(world: World) -> None:
    table, function = mapped(world)
    table.put("a", name="John")
    table.put("a", name="Jane")
    table.remove("a")
    wait_for_changes(function, 3)
    assert changes(function) == [("INSERT", "a"), ("MODIFY", "a"), ("REMOVE", "a")]


@behaviour(GROUP, "record-shape", "A record has eventName, eventVersion 1.1, eventSource "
           "aws:dynamodb, awsRegion and eventSourceARN, the stream's.", RECORD)  # fmt: skip
def test_records_have_the_documented_shape(world: World) -> None:
    table, function = mapped(world)
    table.put("a")
    record = wait_for_changes(function, 1)[0]
    about = {name: record.get(name) for name in record if name not in ("eventID", "dynamodb")}
    assert about == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": table.stream,
    }
    assert record["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"


@behaviour(GROUP, "record-event-id", "eventID is unique; AWS makes it of 32 hexadecimal digits.",
           RECORD)  # fmt: skip
def test_event_ids_are_unique_hexadecimal_digits(world: World) -> None:
    table, function = mapped(world)
    table.put_all(["a", "b", "c"])
    ids = [record["eventID"] for record in wait_for_changes(function, 3)]
    assert len(set(ids)) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", id_) for id_ in ids), ids


@behaviour(GROUP, "record-sequence-numbers", "SequenceNumber is a string of 21 to 40 digits that "
           "grows within the stream.", STREAM_RECORD)  # fmt: skip
def test_sequence_numbers_grow(world: World) -> None:
    table, function = mapped(world)
    table.put_all([str(n) for n in range(10)])
    numbers = [r["dynamodb"]["SequenceNumber"] for r in wait_for_changes(function, 10)]
    assert all(re.fullmatch("[0-9]{21,40}", number) for number in numbers), numbers
    assert sorted(set(numbers), key=int) == numbers


@behaviour(GROUP, "record-creation-time", "ApproximateCreationDateTime is when the change was "
           "made, in seconds.", STREAM_RECORD)  # fmt: skip
def test_creation_time_is_that_of_the_write(world: World) -> None:
    table, function = mapped(world)
    # At a minute's start a time that was cut to the minute would look right.
    until(lambda: 5 < time.time() % 60 < 55, "the middle of a minute")
    before = time.time()
    table.put("a")
    after = time.time()
    created = wait_for_changes(function, 1)[0]["dynamodb"]["ApproximateCreationDateTime"]
    assert isinstance(created, int | float)
    assert before - 1 <= created <= after + 1


@behaviour(GROUP, "record-size", "SizeBytes is the size of key and images; 26 and 59 bytes in "
           "AWS's example event.", USING)  # fmt: skip
def test_size_is_that_of_key_and_images(world: World) -> None:
    table, function = mapped(world)
    # AWS's example has a number as its key, "Id": 101; "id": "101" is of the same size.
    table.put("101", Message="New item!")
    table.put("101", Message="This item has changed")
    sizes = [r["dynamodb"]["SizeBytes"] for r in wait_for_changes(function, 2)]
    assert sizes == [26, 59]


@pytest.mark.parametrize(
    ("view", "images"),
    [
        pytest.param(view, images, id=view, marks=behaviour(GROUP, f"view-{name}", says, STREAMS))
        for view, images, name, says in [
            ("KEYS_ONLY", set(), "keys-only", "KEYS_ONLY: records hold the key alone."),
            ("NEW_IMAGE", {"NewImage"}, "new-image", "NEW_IMAGE: the item after the change."),
            ("OLD_IMAGE", {"OldImage"}, "old-image", "OLD_IMAGE: the item before the change."),
            (
                "NEW_AND_OLD_IMAGES",
                {"NewImage", "OldImage"},
                "both-images",
                "NEW_AND_OLD_IMAGES: the item before and after.",
            ),
        ]
    ],
)
def test_view_type_decides_on_images(world: World, view: str, images: set[str]) -> None:
    table, function = mapped(world, view)
    table.put("a", name="old")
    table.put("a", name="new")
    table.remove("a")
    inserted, modified, removed = (r["dynamodb"] for r in wait_for_changes(function, 3))
    old = {"id": {"S": "a"}, "name": {"S": "old"}}
    new = {"id": {"S": "a"}, "name": {"S": "new"}}
    shown = {n: modified[n] for n in ("NewImage", "OldImage") if n in modified}
    assert shown == {n: new if n == "NewImage" else old for n in images}
    assert {n for n in inserted if n.endswith("Image")} == images & {"NewImage"}
    assert {n for n in removed if n.endswith("Image")} == images & {"OldImage"}
    assert {r["StreamViewType"] for r in (inserted, modified, removed)} == {view}


@behaviour(GROUP, "no-op-put", "A write that changes nothing makes no record.", STREAMS)
def test_writes_that_change_nothing_make_no_record(world: World) -> None:
    table, function = mapped(world)
    table.put("a", name="same")
    table.put("a", name="same")
    world.dynamodb.update_item(
        TableName=table.name,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET #n = :same",
        ExpressionAttributeNames={"#n": "name"},
        ExpressionAttributeValues={":same": {"S": "same"}},
    )
    table.remove("never there")
    table.put("end")
    function.wait_for("end")
    assert changes(function) == [("INSERT", "a"), ("INSERT", "end")]


@behaviour(GROUP, "failed-write", "A write that its condition refuses makes no record.", STREAMS)
def test_refused_writes_make_no_record(world: World) -> None:
    table, function = mapped(world)
    table.put("a")
    with pytest.raises(world.dynamodb.exceptions.ConditionalCheckFailedException):
        world.dynamodb.put_item(
            TableName=table.name,
            Item={"id": {"S": "a"}, "name": {"S": "new"}},
            ConditionExpression="attribute_not_exists(id)",
        )
    table.put("end")
    function.wait_for("end")
    assert changes(function) == [("INSERT", "a"), ("INSERT", "end")]


@behaviour(GROUP, "update-item", "UpdateItem makes an INSERT of a new item and a MODIFY of one "
           "that was there.", STREAMS)  # fmt: skip
def test_update_item(world: World) -> None:
    table, function = mapped(world)
    for count in ("1", "2"):
        world.dynamodb.update_item(
            TableName=table.name,
            Key={"id": {"S": "a"}},
            UpdateExpression="SET visits = :count",
            ExpressionAttributeValues={":count": {"N": count}},
        )
    records = wait_for_changes(function, 2)
    assert changes(function) == [("INSERT", "a"), ("MODIFY", "a")]
    assert records[1]["dynamodb"]["NewImage"]["visits"] == {"N": "2"}


@behaviour(GROUP, "batch-write-item", "BatchWriteItem makes a record for each put and delete.",
           STREAMS)  # fmt: skip
def test_batch_write_item(world: World) -> None:
    table, function = mapped(world)
    table.put("old")
    requests: list[Any] = [{"PutRequest": {"Item": {"id": {"S": f"new-{n}"}}}} for n in range(5)]
    requests.append({"DeleteRequest": {"Key": {"id": {"S": "old"}}}})
    world.dynamodb.batch_write_item(RequestItems={table.name: requests})
    wait_for_changes(function, 7)
    expected = {("INSERT", f"new-{n}") for n in range(5)} | {("REMOVE", "old"), ("INSERT", "old")}
    assert set(changes(function)) == expected
    assert len(changes(function)) == 7


@behaviour(GROUP, "transact-write-items", "TransactWriteItems makes a record for each put, update "
           "and delete; none if it is cancelled.", STREAMS)  # fmt: skip
def test_transact_write_items(world: World) -> None:
    table, function = mapped(world)
    table.put_all(["updated", "deleted", "checked"])
    there = {"TableName": table.name}
    check = {**there, "Key": {"id": {"S": "checked"}}}
    update = {
        "UpdateExpression": "SET seen = :yes",
        "ExpressionAttributeValues": {":yes": {"BOOL": True}},
    }
    writes: list[dict[str, Any]] = [
        {"Put": {**there, "Item": {"id": {"S": "put"}}}},
        {"Update": {**there, "Key": {"id": {"S": "updated"}}, **update}},
        {"Delete": {**there, "Key": {"id": {"S": "deleted"}}}},
        {"ConditionCheck": {**check, "ConditionExpression": "attribute_exists(id)"}},
    ]
    world.dynamodb.transact_write_items(TransactItems=writes)
    refused = {"ConditionCheck": {**check, "ConditionExpression": "attribute_not_exists(id)"}}
    with pytest.raises(world.dynamodb.exceptions.TransactionCanceledException):
        world.dynamodb.transact_write_items(
            TransactItems=[{"Put": {**there, "Item": {"id": {"S": "cancelled"}}}}, refused]
        )
    table.put("end")
    function.wait_for("end")
    assert sorted(changes(function)[3:-1]) == [
        ("INSERT", "put"),
        ("MODIFY", "updated"),
        ("REMOVE", "deleted"),
    ]


@behaviour(GROUP, "partiql", "PartiQL's INSERT, UPDATE and DELETE make records like other writes.",
           STREAMS)  # fmt: skip
def test_partiql(world: World) -> None:
    table, function = mapped(world)
    for statement in (
        f"INSERT INTO \"{table.name}\" VALUE {{'id': 'a', 'name': 'John'}}",
        f"UPDATE \"{table.name}\" SET name = 'Jane' WHERE id = 'a'",
        f"DELETE FROM \"{table.name}\" WHERE id = 'a'",
    ):
        world.dynamodb.execute_statement(Statement=statement)
    world.dynamodb.batch_execute_statement(
        Statements=[{"Statement": f"INSERT INTO \"{table.name}\" VALUE {{'id': 'b'}}"}]
    )
    wait_for_changes(function, 4)
    assert changes(function) == [("INSERT", "a"), ("MODIFY", "a"), ("REMOVE", "a"), ("INSERT", "b")]


@behaviour(GROUP, "attribute-types", "Images hold all attribute types in DynamoDB JSON, binary "
           "values in base64 and numbers with 38 digits.", USING)  # fmt: skip
def test_images_hold_all_types(world: World) -> None:
    table, function = mapped(world)
    digits = "1234567890123456789012345678901234567.8"
    table.put(
        "a",
        n={"N": digits},
        b={"B": b"\x00\xff"},
        bool={"BOOL": True},
        null={"NULL": True},
        m={"M": {"deep": {"L": [{"S": "ä"}, {"N": "1"}]}}},
        ss={"SS": ["one", "two"]},
        ns={"NS": ["1", "2.5"]},
        bs={"BS": [b"\x01"]},
    )
    image = wait_for_changes(function, 1)[0]["dynamodb"]["NewImage"]
    for name in ("ss", "ns"):
        image[name] = {kind: sorted(values) for kind, values in image[name].items()}
    assert image == {
        "id": {"S": "a"},
        "n": {"N": digits},
        "b": {"B": "AP8="},
        "bool": {"BOOL": True},
        "null": {"NULL": True},
        "m": {"M": {"deep": {"L": [{"S": "ä"}, {"N": "1"}]}}},
        "ss": {"SS": ["one", "two"]},
        "ns": {"NS": ["1", "2.5"]},
        "bs": {"BS": ["AQ=="]},
    }


@behaviour(GROUP, "item-order", "Records of one item come in the order of its changes, each "
           "once.", STREAMS)  # fmt: skip
def test_records_of_an_item_keep_their_order(world: World) -> None:
    table, function = mapped(world)
    for n in range(60):
        table.put("a", n={"N": str(n)})
    table.put("end")
    function.wait_for("end")
    images = [r["dynamodb"]["NewImage"] for r in function.records()[:-1]]
    assert [image["n"]["N"] for image in images] == [str(n) for n in range(60)]


@behaviour(GROUP, "ttl-user-identity", "An item that its TTL deleted comes as REMOVE with "
           "userIdentity dynamodb.amazonaws.com.", TTL)  # fmt: skip
@pytest.mark.timeout(200)
def test_ttl_deletions_name_the_service(world: World) -> None:
    table, function = mapped(world)
    world.dynamodb.update_time_to_live(
        TableName=table.name,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
    )
    table.put("a", expires={"N": str(int(time.time()) - 60)})
    # AWS deletes within days; an emulator whose clock is not sooner is not waited for.
    records = until(
        lambda: [r for r in function.records() if r["eventName"] == "REMOVE"],
        "the expired item is deleted",
        timeout=4 * PATIENCE,
    )
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    found = {name.lower(): value for name, value in records[0].get("userIdentity", {}).items()}
    assert found == {name.lower(): value for name, value in identity.items()}, json.dumps(records)
