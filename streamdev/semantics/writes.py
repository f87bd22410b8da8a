"""Which items of which tables a DynamoDB call writes, from its request and its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]

WRITE_OPERATIONS = frozenset(
    {
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "BatchWriteItem",
        "TransactWriteItems",
        "ExecuteStatement",
        "BatchExecuteStatement",
        "ExecuteTransaction",
    }
)

_STATEMENT = re.compile(
    r"""^\s*(?:UPDATE|INSERT\s+INTO|DELETE\s+FROM)\s+(?:"([^"]+)"|'([^']+)'|([\w.-]+))""",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Write:
    """The items of one table that one call wrote.

    Attributes:
        table: The table's name.
        items: Per written item, a map that holds at least its key's attributes; empty for
            PartiQL statements, whose keys are not known without evaluating them.
    """

    table: str
    items: tuple[Item, ...]


def writes_of(
    operation: str, request: Mapping[str, Any], answer: Mapping[str, Any]
) -> tuple[Write, ...]:
    """What a successful call wrote, by table, in the order of its items.

    Args:
        operation: E.g. ``BatchWriteItem``; one that does not write gives nothing.
        request: The call's parameters, DynamoDB JSON.
        answer: Its result; what ``UnprocessedItems`` names was not written.
    """
    by_table: dict[str, list[Item]] = {}
    for table, item in _items(operation, request, answer):
        own = by_table.setdefault(_table_name(table), [])
        if item is not None:
            own.append(item)
    return tuple(Write(table, tuple(items)) for table, items in by_table.items())


def keys_of(items: tuple[Item, ...], key_names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The keys of ``items``, DynamoDB JSON."""
    return [{name: item[name] for name in key_names if name in item} for item in items]


def statement_table(statement: str) -> str | None:
    """The table a PartiQL statement writes to; ``None`` for one that reads."""
    match = _STATEMENT.match(statement)
    return next((name for name in match.groups() if name), None) if match else None


def _items(
    operation: str, request: Mapping[str, Any], answer: Mapping[str, Any]
) -> Iterator[tuple[str, Item | None]]:
    match operation:
        case "PutItem":
            yield request["TableName"], request["Item"]
        case "UpdateItem" | "DeleteItem":
            yield request["TableName"], request["Key"]
        case "BatchWriteItem":
            unprocessed = answer.get("UnprocessedItems") or {}
            for table, entries in request["RequestItems"].items():
                left = list(unprocessed.get(table, ()))
                for entry in entries:
                    if entry in left:
                        left.remove(entry)
                        continue
                    put, delete = entry.get("PutRequest"), entry.get("DeleteRequest")
                    yield table, put["Item"] if put else delete["Key"]
        case "TransactWriteItems":
            for entry in request["TransactItems"]:
                if put := entry.get("Put"):
                    yield put["TableName"], put["Item"]
                elif change := entry.get("Update") or entry.get("Delete"):
                    yield change["TableName"], change["Key"]
        case "ExecuteStatement":
            yield from _statements([request])
        case "BatchExecuteStatement":
            yield from _statements(request["Statements"])
        case "ExecuteTransaction":
            yield from _statements(request["TransactStatements"])
        case _:
            return


def _statements(entries: list[Mapping[str, Any]]) -> Iterator[tuple[str, Item | None]]:
    for entry in entries:
        if table := statement_table(entry["Statement"]):
            yield table, None


def _table_name(table: str) -> str:
    """The name in a table's ARN, or the name itself."""
    return table.split(":table/")[-1]
