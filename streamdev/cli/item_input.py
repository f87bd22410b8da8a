"""Items as people type them: arguments, DynamoDB JSON, JSON lines.

The arguments of the item commands:

=================  ==========================================================
``name=John``      a string; a key attribute takes the type of the table's key
``age:=42``        a plain JSON value: number, boolean, null, list, map
``tags:SS=a,b``    a value of the named type: ``S N B BOOL NULL SS NS BS L M``
=================  ==========================================================

Binary is base64. The elements of a set are separated by commas, or are a JSON array.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from streamdev.errors import InvalidInputError
from streamdev.semantics import exact_json, items, values
from streamdev.semantics.exact_json import InvalidJsonError
from streamdev.semantics.items import Item, KeySchema
from streamdev.semantics.values import AttributeValue, ValueRefusedError

#: What stands for an item can be far longer than the 400 KB it may have, with escapes and spaces.
MAX_LINE = 16 * 1024 * 1024

#: Anything wrong with what stands for an item.
REFUSED = (ValueRefusedError, InvalidJsonError)

_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class Line:
    """A line of JSON lines: its number from 1, and its text or why it can't be read."""

    number: int
    text: str
    error: str | None = None


def parse_attributes(arguments: Sequence[str], schema: KeySchema) -> Item:
    """The attributes that arguments like ``name=John`` stand for.

    Raises:
        InvalidInputError: One is not of that form, its value is none, or a name is there twice.
    """
    item: Item = {}
    for argument in arguments:
        try:
            name, value = _attribute(argument, schema)
        except InvalidJsonError as error:
            raise InvalidInputError(f"{_beginning(argument)}: {error}.") from error
        except ValueRefusedError as error:
            raise InvalidInputError(_sentence(error)) from error
        if name in item:
            raise InvalidInputError(f"The attribute {name!r} is given twice.")
        item[name] = value
    return item


def _attribute(argument: str, schema: KeySchema) -> tuple[str, AttributeValue]:
    left, sign, text = argument.partition("=")
    if not sign or left in ("", ":"):
        raise InvalidInputError(
            f"{_beginning(argument)!r} is no attribute.",
            hint="Write NAME=TEXT, NAME:=JSON or NAME:TYPE=VALUE: id=123 age:=42 tags:SS=a,b",
        )
    if left.endswith(":"):
        return left[:-1], items.plain_attribute(left[:-1], exact_json.read(text), schema)
    name, colon, kind = left.rpartition(":")
    if colon and name and kind in values.TYPES:
        return name, values.check({kind: _typed(kind, text)}, name)
    return left, items.key_value(text, schema.type_of(left) or "S", left)


def _typed(kind: str, text: str) -> Any:
    match kind:
        case "S" | "N" | "B":
            return text
        case "BOOL":
            return _BOOLEANS.get(text.lower(), text)
        case "NULL":
            return True if text in ("", "true") else text
        case "L" | "M":
            # Plain JSON inside; DynamoDB JSON goes with --item.
            content = values.from_plain(exact_json.read(text))
            return content.get(kind, text)
    if text.lstrip().startswith("["):
        return [str(element) for element in exact_json.read(text)]
    return text.split(",") if text else []


def parse_key(arguments: Sequence[str], schema: KeySchema) -> Item:
    """The key that arguments stand for: bare values in the key's order, or ``NAME=VALUE``.

    A value that has an equals sign itself is written with its name: ``id=a=b``.

    Raises:
        InvalidInputError: They are no key of this table.
    """
    if any("=" in argument for argument in arguments):
        key = parse_attributes(arguments, schema)
    elif len(arguments) > len(schema.keys):
        raise InvalidInputError(f"The key is {_key_form(schema)}, not {len(arguments)} values.")
    else:
        pairs = zip(arguments, schema.keys, strict=False)
        try:
            key = {name: items.key_value(text, kind, name) for text, (name, kind) in pairs}
        except ValueRefusedError as error:
            raise InvalidInputError(_sentence(error)) from error
    return checked_key(key, schema)


def split_key(arguments: Sequence[str], schema: KeySchema) -> tuple[Item, list[str]]:
    """The key among the arguments of ``update-item``, and the arguments that are not part of it.

    Raises:
        InvalidInputError: The key is incomplete or wrong.
    """
    if any(_names_key(argument, schema) for argument in arguments):
        of_key = [argument for argument in arguments if _names_key(argument, schema)]
        return parse_key(of_key, schema), [arg for arg in arguments if arg not in of_key]
    count = len(schema.keys)
    return parse_key(arguments[:count], schema), list(arguments[count:])


def _names_key(argument: str, schema: KeySchema) -> bool:
    left, sign, _ = argument.partition("=")
    name = left.rstrip(":")
    base, _, kind = left.rpartition(":")
    return bool(sign) and (schema.is_key(name) or (kind in values.TYPES and schema.is_key(base)))


def checked_key(key: Item, schema: KeySchema) -> Item:
    """The key, if the table can have it.

    Raises:
        InvalidInputError: It is incomplete, of another type, empty or too long.
    """
    try:
        items.check_key(key, schema)
    except ValueRefusedError as error:
        raise InvalidInputError(
            _sentence(error), hint=f"The table's key is {_key_form(schema)}."
        ) from error
    return key


def parse_item(text: str, schema: KeySchema) -> Item:
    """The item that a JSON document stands for, plain or in DynamoDB JSON, checked.

    Raises:
        ValueRefusedError: DynamoDB would not take it.
        InvalidJsonError: It is no JSON.
    """
    return items.check_item(items.from_document(exact_json.read(text), schema), schema)


def _key_form(schema: KeySchema) -> str:
    return " and ".join(f"{name} ({kind})" for name, kind in schema.keys)


def _beginning(argument: str) -> str:
    return argument if len(argument) <= 60 else f"{argument[:59]}…"


def _sentence(error: Exception) -> str:
    text = str(error)
    # An attribute's name in front keeps its case.
    return f"{text[:1].upper()}{text[1:]}." if text.startswith(("the ", "no ")) else f"{text}."


def read_lines(stream: BinaryIO) -> Iterator[Line]:
    """The lines that are not blank, one at a time, however many there are.

    A line that is too long or no UTF-8 comes with the reason instead of its text.
    """
    number = 0
    while raw := stream.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE:
            while not raw.endswith(b"\n") and (raw := stream.readline(MAX_LINE)):
                pass
            yield Line(number, "", f"the line is longer than {MAX_LINE >> 20} MiB")
            continue
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            yield Line(number, "", f"no UTF-8: {error.reason} at byte {error.start + 1}")
            continue
        if text:
            yield Line(number, text)
