"""Tables, their streams and their time to live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from streamdev.aws.errors import AwsNotFoundError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef

    from streamdev.aws.gateway import Gateway


@dataclass(frozen=True)
class Index:
    """A secondary index: its key attributes (partition first) and what it holds."""

    name: str
    keys: tuple[str, ...]
    projection: str
    non_key_attributes: tuple[str, ...]
    status: str = "ACTIVE"


@dataclass(frozen=True)
class TableState:
    """A table as it exists.

    Attributes:
        keys: Names of the partition key and, where there is one, the sort key.
        attribute_types: ``S``, ``N`` or ``B`` of each key attribute of table and indexes.
        stream_arn: ARN of the stream with its label; ``None`` where no stream is on.
        item_count: As DescribeTable has it; AWS brings it up to date every six hours.
    """

    name: str
    arn: str
    status: str
    keys: tuple[str, ...]
    attribute_types: Mapping[str, str]
    stream_arn: str | None
    stream_view: str | None
    indexes: Mapping[str, Index]
    local_indexes: Mapping[str, Index]
    item_count: int

    @property
    def active(self) -> bool:
        """Whether the table and all its indexes are ready."""
        return self.status == "ACTIVE" and all(
            index.status == "ACTIVE" for index in self.indexes.values()
        )


class Tables:
    """Looks up, creates and changes tables. Changes return before they are done."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def find(self, name: str) -> TableState | None:
        """The table called ``name``, or ``None``."""
        try:
            with self._gateway.errors():
                response = self._gateway.client("dynamodb").describe_table(TableName=name)
        except AwsNotFoundError:
            return None
        return _state(response["Table"])

    def names(self) -> list[str]:
        """The names of all tables."""
        with self._gateway.errors():
            pages = self._gateway.client("dynamodb").get_paginator("list_tables").paginate()
            return [name for page in pages for name in page["TableNames"]]

    def create(
        self,
        name: str,
        *,
        keys: Sequence[str],
        attribute_types: Mapping[str, str],
        stream_view: str | None,
        indexes: Sequence[Index],
        local_indexes: Sequence[Index],
        tags: Mapping[str, str],
    ) -> None:
        """Create a table, paid by request; with a stream unless ``stream_view`` is ``None``."""
        options: dict[str, Any] = {}
        if stream_view is not None:
            options["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream_view}
        if indexes:
            options["GlobalSecondaryIndexes"] = [index_request(index) for index in indexes]
        if local_indexes:
            options["LocalSecondaryIndexes"] = [index_request(index) for index in local_indexes]
        if tags:
            options["Tags"] = _tag_list(tags)
        with self._gateway.errors():
            self._gateway.client("dynamodb").create_table(
                TableName=name,
                KeySchema=cast(Any, key_schema(keys)),
                AttributeDefinitions=cast(Any, attribute_definitions(attribute_types)),
                BillingMode="PAY_PER_REQUEST",
                **options,
            )

    def delete(self, name: str) -> None:
        """Delete the table, its items and its stream."""
        with self._gateway.errors():
            self._gateway.client("dynamodb").delete_table(TableName=name)

    def switch_stream(self, name: str, view: str | None) -> None:
        """Turn the stream on with ``view``, or off; a stream turned on again is a new one."""
        spec: dict[str, Any] = {"StreamEnabled": view is not None}
        if view is not None:
            spec["StreamViewType"] = view
        with self._gateway.errors():
            self._gateway.client("dynamodb").update_table(
                TableName=name, StreamSpecification=cast(Any, spec)
            )

    def create_index(self, name: str, index: Index, attribute_types: Mapping[str, str]) -> None:
        """Add a global secondary index (AWS: one at a time)."""
        types = {key: attribute_types[key] for key in index.keys}
        self._update_index(name, {"Create": index_request(index)}, attribute_definitions(types))

    def delete_index(self, name: str, index: str) -> None:
        """Remove a global secondary index."""
        self._update_index(name, {"Delete": {"IndexName": index}}, [])

    def _update_index(
        self, name: str, change: dict[str, Any], definitions: list[dict[str, str]]
    ) -> None:
        options: dict[str, Any] = {"AttributeDefinitions": definitions} if definitions else {}
        with self._gateway.errors():
            self._gateway.client("dynamodb").update_table(
                TableName=name, GlobalSecondaryIndexUpdates=cast(Any, [change]), **options
            )

    def ttl(self, name: str) -> str | None:
        """The attribute that items expire by, or ``None`` where time to live is off."""
        with self._gateway.errors():
            response = self._gateway.client("dynamodb").describe_time_to_live(TableName=name)
        description = response["TimeToLiveDescription"]
        if description.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"):
            return description.get("AttributeName")
        return None

    def switch_ttl(self, name: str, attribute: str, *, enabled: bool) -> None:
        """Turn time to live by ``attribute`` on or off."""
        with self._gateway.errors():
            self._gateway.client("dynamodb").update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute},
            )

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of the table with this ARN."""
        with self._gateway.errors():
            response = self._gateway.client("dynamodb").list_tags_of_resource(ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for tag in response.get("Tags", ())}


def _state(table: TableDescriptionTypeDef) -> TableState:
    stream = table.get("StreamSpecification", {})
    return TableState(
        name=table["TableName"],
        arn=table["TableArn"],
        status=table["TableStatus"],
        keys=_keys(table["KeySchema"]),
        attribute_types={
            item["AttributeName"]: item["AttributeType"] for item in table["AttributeDefinitions"]
        },
        stream_arn=table.get("LatestStreamArn") if stream.get("StreamEnabled") else None,
        stream_view=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        indexes=_indexes(table.get("GlobalSecondaryIndexes", ())),
        local_indexes=_indexes(table.get("LocalSecondaryIndexes", ())),
        item_count=table.get("ItemCount", 0),
    )


def _indexes(described: Sequence[Any]) -> dict[str, Index]:
    return {
        index["IndexName"]: Index(
            name=index["IndexName"],
            keys=_keys(index["KeySchema"]),
            projection=index["Projection"]["ProjectionType"],
            non_key_attributes=tuple(sorted(index["Projection"].get("NonKeyAttributes", ()))),
            status=index.get("IndexStatus", "ACTIVE"),
        )
        for index in described
    }


def _keys(schema: Sequence[Any]) -> tuple[str, ...]:
    """The key's attribute names; AWS lists the partition key (``HASH``) first."""
    return tuple(element["AttributeName"] for element in schema)


def key_schema(keys: Sequence[str]) -> list[dict[str, str]]:
    """A ``KeySchema``: the partition key, and the sort key if there is one."""
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(keys, ("HASH", "RANGE"), strict=False)
    ]


def attribute_definitions(types: Mapping[str, str]) -> list[dict[str, str]]:
    """``AttributeDefinitions`` of the attributes that are keys, by name."""
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


def index_request(index: Index) -> dict[str, Any]:
    """A secondary index as CreateTable and CloudFormation take it."""
    projection: dict[str, Any] = {"ProjectionType": index.projection}
    if index.non_key_attributes:
        projection["NonKeyAttributes"] = list(index.non_key_attributes)
    return {
        "IndexName": index.name,
        "KeySchema": key_schema(index.keys),
        "Projection": projection,
    }


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
