"""Items of a table, as DynamoDB JSON: ``{"id": {"S": "123"}}``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

#: An item or key in DynamoDB JSON; binary values are ``bytes`` as boto3 has them.
Item = dict[str, Any]

#: BatchWriteItem takes at most so many items a call.
BATCH_LIMIT = 25


class Items:
    """Reads and writes of single items, of batches and of whole tables."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def put(self, table: str, item: Item, **options: Any) -> dict[str, Any]:
        """Write ``item``; ``options`` are PutItem's own, such as ``ReturnValues``."""
        with self._gateway.errors():
            response = self._gateway.client("dynamodb").put_item(
                TableName=table, Item=item, **options
            )
        return dict(response)

    def get(self, table: str, key: Item) -> Item | None:
        """The item at ``key`` by a consistent read, or ``None``."""
        with self._gateway.errors():
            response = self._gateway.client("dynamodb").get_item(
                TableName=table, Key=key, ConsistentRead=True
            )
        return dict(response["Item"]) if "Item" in response else None

    def update(self, table: str, key: Item, **options: Any) -> dict[str, Any]:
        """Update the item at ``key``; ``options`` are UpdateItem's own."""
        with self._gateway.errors():
            response = self._gateway.client("dynamodb").update_item(
                TableName=table, Key=key, **options
            )
        return dict(response)

    def delete(self, table: str, key: Item, **options: Any) -> Item | None:
        """Delete the item at ``key``; the item as it was, or ``None`` if there was none."""
        with self._gateway.errors():
            response = self._gateway.client("dynamodb").delete_item(
                TableName=table, Key=key, ReturnValues="ALL_OLD", **options
            )
        return dict(response["Attributes"]) if "Attributes" in response else None

    def scan(self, table: str, **options: Any) -> Iterator[Item]:
        """All items of the table, read page by page; ``options`` are Scan's own."""
        start: Mapping[str, Any] | None = None
        while True:
            if start is not None:
                options["ExclusiveStartKey"] = start
            with self._gateway.errors():
                page = self._gateway.client("dynamodb").scan(TableName=table, **options)
            yield from (dict(item) for item in page.get("Items", ()))
            start = page.get("LastEvaluatedKey")
            if not start:
                return

    def write_batch(self, table: str, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Up to 25 ``PutRequest``/``DeleteRequest`` in one call; those not processed."""
        with self._gateway.errors():
            response = self._gateway.client("dynamodb").batch_write_item(
                RequestItems={table: cast(Any, list(requests))}
            )
        return [dict(request) for request in response.get("UnprocessedItems", {}).get(table, ())]
