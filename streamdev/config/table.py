"""A DynamoDB table with its stream, as pipelines.toml declares it.

Limits: AWS's *Naming rules* and *Quotas* pages of the DynamoDB developer guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from streamdev.config.base import Model

StreamViewType = Literal["NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY"]

TableName = Annotated[
    str,
    Field(min_length=3, max_length=255, pattern=r"^[a-zA-Z0-9_.-]+$"),
]
AttributeName = Annotated[str, Field(min_length=1, max_length=255)]

_KEY_PATTERN = re.compile(r"^(?P<name>.+):(?P<type>[SNB])$", re.DOTALL)


class KeyAttribute(Model):
    """A key attribute, written ``NAME:TYPE`` in pipelines.toml (``"id:S"``).

    Attributes:
        name: The attribute's name, up to 255 characters.
        type: ``S`` string, ``N`` number or ``B`` binary.
    """

    name: AttributeName
    type: Literal["S", "N", "B"]

    def __str__(self) -> str:
        return f"{self.name}:{self.type}"


def _parse_key(value: Any) -> Any:
    if isinstance(value, KeyAttribute):
        return value
    match = _KEY_PATTERN.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f'{value!r} is no key; write "NAME:TYPE", TYPE being S (string), N (number) '
            'or B (binary), as in "id:S"'
        )
    return match.groupdict()


KeySpec = Annotated[
    KeyAttribute,
    BeforeValidator(_parse_key),
    WithJsonSchema({"type": "string", "pattern": r"^.+:[SNB]$", "examples": ["id:S", "at:N"]}),
]


class SecondaryIndex(Model):
    """What both kinds of index have."""

    name: TableName
    projection: Literal["ALL", "KEYS_ONLY", "INCLUDE"] = Field(
        default="ALL", description="Which attributes the index holds."
    )
    non_key_attributes: tuple[AttributeName, ...] = Field(
        default=(), strict=False, max_length=100, description="With projection INCLUDE."
    )

    @model_validator(mode="after")
    def _included_attributes(self) -> Self:
        if (self.projection == "INCLUDE") != bool(self.non_key_attributes):
            raise ValueError("non-key-attributes go with projection INCLUDE, and only with it")
        return self


class GlobalSecondaryIndex(SecondaryIndex):
    """A global secondary index of the table."""

    key: KeySpec = Field(description="The index's partition key, NAME:TYPE.")
    sort_key: KeySpec | None = Field(default=None, description="Its sort key, NAME:TYPE.")

    @property
    def keys(self) -> tuple[KeyAttribute, ...]:
        """The partition key and, where there is one, the sort key."""
        return (self.key,) if self.sort_key is None else (self.key, self.sort_key)


class LocalSecondaryIndex(SecondaryIndex):
    """Another order of the items below one partition key; fixed when the table is created."""

    sort_key: KeySpec = Field(description="The index's sort key, NAME:TYPE.")


class Table(Model):
    """The table whose changes start the pipeline."""

    name: TableName = Field(description="The table's name.")
    key: KeySpec = Field(description="The partition key, NAME:TYPE.")
    sort_key: KeySpec | None = Field(default=None, description="The sort key, NAME:TYPE.")
    stream: StreamViewType = Field(description="What a stream record shows of the item.")
    ttl: AttributeName | None = Field(
        default=None, description="The attribute that says when an item expires (epoch seconds)."
    )
    global_secondary_indexes: tuple[GlobalSecondaryIndex, ...] = Field(
        default=(), strict=False, max_length=20, description="Indexes with keys of their own."
    )
    local_secondary_indexes: tuple[LocalSecondaryIndex, ...] = Field(
        default=(), strict=False, max_length=5, description="Indexes with another sort key."
    )
    actions: tuple[Annotated[str, Field(pattern=r"^dynamodb:[A-Z][A-Za-z]+$")], ...] = Field(
        default=(), strict=False, description="What the function's role allows on the table."
    )
    redact: tuple[AttributeName, ...] = Field(
        default=(), strict=False, description="Attributes whose values the engine's log masks."
    )

    @property
    def keys(self) -> tuple[KeyAttribute, ...]:
        """The partition key and, where there is one, the sort key."""
        return (self.key,) if self.sort_key is None else (self.key, self.sort_key)

    @property
    def indexes(self) -> tuple[GlobalSecondaryIndex | LocalSecondaryIndex, ...]:
        """All indexes, global ones first."""
        return (*self.global_secondary_indexes, *self.local_secondary_indexes)

    @property
    def attribute_types(self) -> dict[str, str]:
        """Every key attribute of the table and its indexes, and its type."""
        types: dict[str, str] = {}
        for key in self._all_keys():
            types.setdefault(key.name, key.type)
        return types

    def _all_keys(self) -> Iterator[KeyAttribute]:
        yield from self.keys
        for index in self.global_secondary_indexes:
            yield from index.keys
        for local in self.local_secondary_indexes:
            yield local.sort_key

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        if self.sort_key is not None and self.sort_key.name == self.key.name:
            raise ValueError(f"key and sort-key are the same attribute {self.key.name!r}")
        types = self.attribute_types
        for key in self._all_keys():
            if types[key.name] != key.type:
                raise ValueError(
                    f"attribute {key.name!r} is {types[key.name]} in one key "
                    f"and {key.type} in another"
                )
        return self

    @model_validator(mode="after")
    def _indexes_allowed(self) -> Self:
        names = [index.name for index in self.indexes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two secondary indexes are named {name!r}")
        if self.local_secondary_indexes and self.sort_key is None:
            raise ValueError("local-secondary-indexes need a table with a sort-key")
        return self
