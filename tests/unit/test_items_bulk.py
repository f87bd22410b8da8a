"""Writing many items, where DynamoDB does not take all of them at once."""

from __future__ import annotations

from typing import Any, cast

import pytest

from streamdev.aws import bulk
from streamdev.aws.bulk import BulkWriter
from streamdev.aws.errors import AwsInvalidError, AwsNotFoundError
from streamdev.aws.items import Items
from streamdev.errors import TimedOutError


class Table:
    """A table in memory that answers as DynamoDB does under load, or to wrong items.

    DynamoDB Local leaves nothing unprocessed, so that can't be had from it.
    """

    def __init__(self, takes: int = 25, refuses: str | None = None) -> None:
        self.takes = takes
        self.refuses = refuses
        self.items: dict[str, Any] = {}
        self.batches: list[int] = []

    def write_batch(self, table: str, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.batches.append(len(requests))
        keys = [request["PutRequest"]["Item"]["id"]["S"] for request in requests]
        assert len(set(keys)) == len(keys), "a batch can't hold a key twice"
        if self.refuses in keys:
            raise AwsInvalidError("the batch is refused")
        for request in requests[: self.takes]:
            self.put(table, request["PutRequest"]["Item"])
        return requests[self.takes :]

    def put(self, table: str, item: dict[str, Any]) -> None:
        if item["id"]["S"] == self.refuses:
            raise AwsInvalidError("the item is refused")
        self.items[item["id"]["S"]] = item


def write(table: Any, keys: list[str], size: int = 10) -> tuple[BulkWriter, list[tuple[int, str]]]:
    refused: list[tuple[int, str]] = []
    writer = BulkWriter(
        cast(Items, table),
        "Table",
        lambda item: {"id": item["id"]},
        lambda number, reason: refused.append((number, reason)),
    )
    for number, key in enumerate(keys, 1):
        writer.add(number, {"id": {"S": key}, "n": {"N": str(number)}}, size)
    writer.flush()
    return writer, refused


def test_batches_of_25() -> None:
    table = Table()
    writer, refused = write(table, [str(number) for number in range(60)])
    assert table.batches == [25, 25, 10]
    assert writer.written == len(table.items) == 60
    assert refused == []


def test_what_is_left_unprocessed_is_sent_again() -> None:
    table = Table(takes=10)
    writer, _ = write(table, [str(number) for number in range(25)])
    assert table.batches == [25, 15, 5]
    assert writer.written == len(table.items) == 25


def test_the_later_of_two_items_with_one_key_wins() -> None:
    table = Table()
    writer, _ = write(table, ["a", "b", "a", "c"])
    assert table.batches == [2, 2]
    assert table.items["a"]["n"] == {"N": "3"}
    assert writer.written == 4


def test_a_refused_item_is_named_and_the_rest_written() -> None:
    table = Table(refuses="3")
    writer, refused = write(table, [str(number) for number in range(30)])
    assert refused == [(4, "the item is refused")]
    assert writer.written == len(table.items) == 29


def test_a_batch_stays_within_dynamodbs_bytes() -> None:
    table = Table()
    write(table, [str(number) for number in range(4)], size=6_000_000)
    assert table.batches == [2, 2]


def test_a_missing_table_ends_it_at_once() -> None:
    class Missing(Table):
        def write_batch(self, table: str, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
            raise AwsNotFoundError("no such table")

    with pytest.raises(AwsNotFoundError):
        write(Missing(), ["a"])


def test_a_table_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PATIENCE_S", 0.1)
    with pytest.raises(TimedOutError, match="left 1 items unprocessed"):
        write(Table(takes=0), ["a"])
