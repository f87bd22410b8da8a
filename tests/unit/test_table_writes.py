"""Which items a DynamoDB call writes."""

from __future__ import annotations

from typing import Any

import pytest

from streamdev.semantics.writes import keys_of, statement_table, writes_of

ITEM = {"id": {"S": "1"}, "name": {"S": "x"}}
KEY = {"id": {"S": "1"}}
PUT = {"PutRequest": {"Item": ITEM}}
DELETE = {"DeleteRequest": {"Key": {"id": {"S": "2"}}}}


@pytest.mark.parametrize(
    ("operation", "request_", "expected"),
    [
        ("PutItem", {"TableName": "T", "Item": ITEM}, [("T", 1)]),
        ("UpdateItem", {"TableName": "T", "Key": KEY}, [("T", 1)]),
        ("DeleteItem", {"TableName": "arn:aws:dynamodb:r:a:table/T", "Key": KEY}, [("T", 1)]),
        (
            "BatchWriteItem",
            {"RequestItems": {"T": [PUT, DELETE], "U": [PUT]}},
            [("T", 2), ("U", 1)],
        ),
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {"TableName": "T", "Item": ITEM}},
                    {"Update": {"TableName": "U", "Key": KEY}},
                    {"Delete": {"TableName": "T", "Key": KEY}},
                    {"ConditionCheck": {"TableName": "V", "Key": KEY}},
                ]
            },
            [("T", 2), ("U", 1)],
        ),
        ("ExecuteStatement", {"Statement": 'INSERT INTO "T" VALUE {}'}, [("T", 0)]),
        ("ExecuteStatement", {"Statement": 'SELECT * FROM "T"'}, []),
        (
            "BatchExecuteStatement",
            {"Statements": [{"Statement": "DELETE FROM T WHERE id='1'"}]},
            [("T", 0)],
        ),
        (
            "ExecuteTransaction",
            {"TransactStatements": [{"Statement": "update 'My.Table-1' set a=1"}]},
            [("My.Table-1", 0)],
        ),
        ("GetItem", {"TableName": "T", "Key": KEY}, []),
    ],
)
def test_tables_and_items_of_each_operation(
    operation: str, request_: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    writes = writes_of(operation, request_, {})
    assert [(write.table, len(write.items)) for write in writes] == expected


def test_unprocessed_items_were_not_written() -> None:
    request = {"RequestItems": {"T": [PUT, DELETE]}}
    writes = writes_of("BatchWriteItem", request, {"UnprocessedItems": {"T": [PUT]}})
    assert [write.items for write in writes] == [({"id": {"S": "2"}},)]


def test_keys_are_the_key_attributes_of_the_items() -> None:
    assert keys_of((ITEM, KEY), ("id",)) == [KEY, KEY]


def test_a_statement_over_lines_names_its_table() -> None:
    assert statement_table('\n  insert\n into "T"\n value {}') == "T"
