"""Items: what a table's key asks of them, and the limits every item has.

An item is a map of attribute values in DynamoDB JSON (see ``streamdev.semantics.values``). The
rules are those AWS is clear about, so that a wrong item is refused before it is sent; the rest is
left to DynamoDB itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from streamdev.semantics import exact_json, values
from streamdev.semantics.values import AttributeValue, ValueRefusedError

Item: TypeAlias = dict[str, AttributeValue]

MAX_ITEM_SIZE = 400 * 1024
# "1 to 2048 bytes" for a partition key's value, "1 to 1024" for a sort key's.
MAX_KEY_SIZES = (2048, 1024)

_TYPE_WORDS = {"S": "a string", "N": "a number", "B": "binary"}


@dataclass(frozen=True)
class KeySchema:
    """What a table asks of its items.

    Attributes:
        keys: Name and type (``S``, ``N``, ``B``) of the partition key and, if any, the sort key.
        index_types: The types of the key attributes of the table's indexes, by name.
    """

    keys: tuple[tuple[str, str], ...]
    index_types: Mapping[str, str] = field(default_factory=dict)

    def type_of(self, name: str) -> str | None:
        """The type that attribute ``name`` must have, or ``None`` where any will do."""
        return dict(self.keys).get(name) or self.index_types.get(name)

    def key_of(self, item: Mapping[str, AttributeValue]) -> Item:
        """The key of ``item``.

        Raises:
            ValueRefusedError: A key attribute is missing.
        """
        for name, kind in self.keys:
            if name not in item:
                raise ValueRefusedError(f"the key {name!r} ({_TYPE_WORDS[kind]}) is missing")
        return {name: item[name] for name, _ in self.keys}

    def is_key(self, name: str) -> bool:
        """Whether attribute ``name`` is part of the table's key."""
        return any(name == key for key, _ in self.keys)


def key_value(text: str, kind: str, name: str) -> AttributeValue:
    """A key attribute's value typed at the command line, in the type of the table's key.

    Raises:
        ValueRefusedError: ``text`` is no number, or no base64, where the key is one.
    """
    return values.check({kind: text}, name)


def check_item(item: Mapping[str, Any], schema: KeySchema) -> Item:
    """The item, if a table with this key takes it.

    Raises:
        ValueRefusedError: Something is wrong; the message names the attribute.
    """
    if "" in item:
        raise ValueRefusedError("an attribute has an empty name")
    checked = {name: values.check(value, name) for name, value in item.items()}
    check_key(schema.key_of(checked), schema)
    for name, kind in schema.index_types.items():
        if name in checked and not schema.is_key(name):
            _check_key_value(name, kind, checked[name], "the index key")
    size = item_size(checked)
    if size > MAX_ITEM_SIZE:
        raise ValueRefusedError(
            f"the item has {size:,} bytes; DynamoDB takes up to {MAX_ITEM_SIZE:,} (400 KB)"
        )
    return checked


def check_key(key: Mapping[str, AttributeValue], schema: KeySchema) -> None:
    """Refuse a key that is incomplete, of another type, empty, or too long.

    Raises:
        ValueRefusedError: It is one of these.
    """
    schema.key_of(key)
    for name in key:
        if not schema.is_key(name):
            raise ValueRefusedError(f"{name!r} is no key attribute of the table")
    for (name, kind), limit in zip(schema.keys, MAX_KEY_SIZES, strict=False):
        _check_key_value(name, kind, key[name], "the key")
        if kind != "N" and (size := values.size(key[name])) > limit:
            raise ValueRefusedError(f"the key {name!r} has {size:,} bytes; {limit:,} are allowed")


def _check_key_value(name: str, kind: str, value: AttributeValue, what: str) -> None:
    ((found, content),) = value.items()
    if found != kind:
        raise ValueRefusedError(
            f"{what} {name!r} is {_TYPE_WORDS[kind]} ({kind}) in this table, not {found}"
        )
    if content == "":
        raise ValueRefusedError(f"{what} {name!r} is empty; DynamoDB takes no empty key")


def from_document(document: Any, schema: KeySchema) -> Item:
    """A JSON document, plain or in DynamoDB JSON, as an item (not yet checked).

    The two are told apart by the partition key, which is a bare value in plain JSON and an object
    in DynamoDB JSON. A plain key attribute takes the type the table gives it, so binary keys are
    base64 text. A line of DynamoDB's own export (``{"Item": {...}}``) is taken as well.

    Raises:
        ValueRefusedError: It is no object, or has no partition key.
    """
    if not isinstance(document, dict):
        raise ValueRefusedError("an item is a JSON object")
    partition_key = schema.keys[0][0]
    if document.keys() == {"Item"} and isinstance(document["Item"], dict):
        document = document["Item"]
    if isinstance(document.get(partition_key), dict):
        return dict(document)
    return {name: plain_attribute(name, value, schema) for name, value in document.items()}


def plain_attribute(name: str, value: Any, schema: KeySchema) -> AttributeValue:
    """One attribute's plain value; binary key attributes are base64 text.

    Raises:
        ValueRefusedError: DynamoDB has no such value.
    """
    if isinstance(value, str) and schema.type_of(name) == "B":
        return key_value(value, "B", name)
    return values.from_plain(value, name)


def item_size(item: Mapping[str, AttributeValue]) -> int:
    """The bytes an item counts for: its attributes' names and values."""
    return sum(len(name.encode()) + values.size(value) for name, value in item.items())


def same_item(one: Mapping[str, AttributeValue], other: Mapping[str, AttributeValue]) -> bool:
    """Whether two items are equal to DynamoDB: writing one over the other changes nothing."""
    return values.same({"M": dict(one)}, {"M": dict(other)})


def shorthand(item: Mapping[str, AttributeValue]) -> list[str]:
    """An item as the arguments of ``put-item`` that would make it, unquoted.

    Numbers, booleans and nulls are ``name:=42``, sets and binary ``name:SS=["a"]``.
    """
    return [_argument(name, value) for name, value in item.items()]


def _argument(name: str, value: AttributeValue) -> str:
    ((kind, content),) = value.items()
    if kind == "S":
        return f"{name}={content}"
    if kind == "B":
        return f"{name}:B={content}"
    if kind in values.SET_TYPES:
        return f"{name}:{kind}={exact_json.write(content)}"
    return f"{name}:={exact_json.write(values.to_plain(value))}"
