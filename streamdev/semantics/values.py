"""Attribute values: DynamoDB JSON, plain JSON, and the way between them, exactly.

Three forms are told apart:

* DynamoDB JSON names each value's type: ``{"N": "42"}``; binary is base64 text.
* Plain JSON is ``42``, with numbers as `Decimal`: no float is ever made of one.
* boto3's form is DynamoDB JSON with binary as ``bytes``.

Limits are those of AWS's pages "Data types and naming rules in Amazon DynamoDB" and "Service,
account, and table quotas in Amazon DynamoDB".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

AttributeValue: TypeAlias = dict[str, Any]
"""One value in DynamoDB JSON: a single type with its content."""

SCALAR_TYPES = ("S", "N", "B", "BOOL", "NULL")
SET_TYPES = {"SS": "S", "NS": "N", "BS": "B"}
TYPES = (*SCALAR_TYPES, *SET_TYPES, "L", "M")

MAX_DIGITS = 38
MAX_DEPTH = 32
_LARGEST_EXPONENT = 125
_SMALLEST_EXPONENT = -130


class ValueRefusedError(ValueError):
    """A value that DynamoDB does not take; the message says which attribute and why."""


def from_plain(value: Any, name: str = "value") -> AttributeValue:
    """A plain JSON value as DynamoDB JSON: strings, numbers, booleans, null, lists and maps.

    Args:
        value: As `exact_json.read` gives it.
        name: The attribute, for errors.

    Raises:
        ValueRefusedError: A number has too many digits, or it is nested too deeply.
    """
    return _from_plain(value, name, 0)


def _from_plain(value: Any, name: str, depth: int) -> AttributeValue:
    _check_depth(depth, name)
    if isinstance(value, str):
        return {"S": _string(value, name)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, Decimal | int):
        return {"N": number(str(value), name)}
    if isinstance(value, list):
        elements = enumerate(value)
        return {"L": [_from_plain(inner, f"{name}[{i}]", depth + 1) for i, inner in elements]}
    if isinstance(value, dict):
        return {
            "M": {
                key: _from_plain(inner, f"{name}.{key}", depth + 1) for key, inner in value.items()
            }
        }
    raise ValueRefusedError(f"{name}: DynamoDB has no type for {type(value).__name__}")


def to_plain(value: AttributeValue) -> Any:
    """A value in DynamoDB JSON as plain JSON: sets become lists, binary its base64 text."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return Decimal(content)
        case "NS":
            return [Decimal(element) for element in content]
        case "NULL":
            return None
        case "L":
            return [to_plain(element) for element in content]
        case "M":
            return {name: to_plain(inner) for name, inner in content.items()}
    return list(content) if kind in SET_TYPES else content


def is_attribute_value(value: Any) -> bool:
    """Whether ``value`` has the shape of DynamoDB JSON: an object of one type's name."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in TYPES


def check(value: Any, name: str) -> AttributeValue:
    """The value in DynamoDB JSON, if DynamoDB would take it.

    Raises:
        ValueRefusedError: It has no such type, its content is of another kind, a number is out of
            range, a set is empty or has an element twice, or it is nested too deeply.
    """
    return _check(value, name, 0)


def _check(value: Any, name: str, depth: int) -> AttributeValue:
    _check_depth(depth, name)
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueRefusedError(f'{name}: a value in DynamoDB JSON is one type, as in {{"S": "x"}}')
    ((kind, content),) = value.items()
    if kind not in TYPES:
        raise ValueRefusedError(f"{name}: {kind!r} is no type; DynamoDB has {', '.join(TYPES)}")
    if kind == "M":
        members = _content(content, dict, name, kind).items()
        return {"M": {key: _check(inner, f"{name}.{key}", depth + 1) for key, inner in members}}
    if kind == "L":
        elements = enumerate(_content(content, list, name, kind))
        return {"L": [_check(inner, f"{name}[{i}]", depth + 1) for i, inner in elements]}
    if kind in SET_TYPES:
        return {kind: _check_set(_content(content, list, name, kind), kind, name)}
    return {kind: _SCALARS[kind](content, name)}


def _check_depth(depth: int, name: str) -> None:
    if depth >= MAX_DEPTH:
        raise ValueRefusedError(f"{name}: nested more than {MAX_DEPTH} levels deep")


def _check_set(elements: list[Any], kind: str, name: str) -> list[str]:
    if not elements:
        raise ValueRefusedError(f"{name}: a set can't be empty")
    checked: list[str] = [_SCALARS[SET_TYPES[kind]](element, name) for element in elements]
    distinct = {Decimal(element) if kind == "NS" else element for element in checked}
    if len(distinct) < len(checked):
        raise ValueRefusedError(f"{name}: a set has each element once")
    return checked


def _content(content: Any, wanted: type[Any], name: str, kind: str) -> Any:
    if not isinstance(content, wanted) or (wanted is not bool and isinstance(content, bool)):
        word = {str: "a string", bool: "true or false", list: "an array", dict: "an object"}[wanted]
        raise ValueRefusedError(f"{name}: the content of {kind} is {word}")
    return content


def number(text: str, name: str = "value") -> str:
    """A number's text, if DynamoDB keeps it exactly.

    Raises:
        ValueRefusedError: It is no number, has more than 38 significant digits, or its size is
            out of range.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueRefusedError(f"{name}: {text!r} is no number") from None
    if not value.is_finite() or text != text.strip() or "_" in text:
        raise ValueRefusedError(f"{name}: {text!r} is no number")
    digits = len("".join(map(str, value.as_tuple().digits)).strip("0"))
    if digits > MAX_DIGITS:
        raise ValueRefusedError(
            f"{name}: the number has {digits} significant digits; DynamoDB keeps {MAX_DIGITS}"
        )
    if value and value.adjusted() > _LARGEST_EXPONENT:
        raise ValueRefusedError(f"{name}: the number is larger than DynamoDB keeps (to 9.9E+125)")
    if value and value.adjusted() < _SMALLEST_EXPONENT:
        raise ValueRefusedError(f"{name}: the number is smaller than DynamoDB keeps (from 1E-130)")
    return text


def _string(content: Any, name: str) -> str:
    text = str(_content(content, str, name, "S"))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueRefusedError(f"{name}: the text has half of a surrogate pair") from None
    return text


def _number(content: Any, name: str) -> str:
    if not isinstance(content, str):
        raise ValueRefusedError(f'{name}: the content of N is a string, as in {{"N": "42"}}')
    return number(content, name)


def _binary(content: Any, name: str) -> str:
    text = str(_content(content, str, name, "B"))
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueRefusedError(f"{name}: binary is written as base64") from None
    return text


def _null(content: Any, name: str) -> bool:
    if content is not True:
        raise ValueRefusedError(f'{name}: null is {{"NULL": true}}')
    return True


_SCALARS: dict[str, Callable[[Any, str], Any]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": lambda content, name: _content(content, bool, name, "BOOL"),
    "NULL": _null,
}


def to_boto(value: AttributeValue) -> AttributeValue:
    """DynamoDB JSON as boto3 takes it: binary as ``bytes``."""
    return _convert_binary(value, base64.b64decode)


def from_boto(value: AttributeValue) -> AttributeValue:
    """What boto3 gives as DynamoDB JSON: binary as base64 text."""
    return _convert_binary(value, lambda raw: base64.b64encode(bytes(raw)).decode("ascii"))


def _convert_binary(value: AttributeValue, convert: Callable[[Any], Any]) -> AttributeValue:
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {"B": convert(content)}
        case "BS":
            return {"BS": [convert(element) for element in content]}
        case "L":
            return {"L": [_convert_binary(element, convert) for element in content]}
        case "M":
            return {"M": {key: _convert_binary(inner, convert) for key, inner in content.items()}}
    return value


def same(one: AttributeValue | None, other: AttributeValue | None) -> bool:
    """Whether DynamoDB takes two values for equal: ``1.0`` is ``1``, sets have no order."""
    if one is None or other is None or one.keys() != other.keys():
        return one is other
    ((kind, mine),) = one.items()
    theirs = other[kind]
    match kind:
        case "N":
            return Decimal(mine) == Decimal(theirs)
        case "NS":
            return {Decimal(element) for element in mine} == {Decimal(e) for e in theirs}
        case "SS" | "BS":
            return set(mine) == set(theirs)
        case "L":
            return len(mine) == len(theirs) and all(map(same, mine, theirs))
        case "M":
            return mine.keys() == theirs.keys() and all(same(mine[k], theirs[k]) for k in mine)
    return bool(mine == theirs)


def size(value: AttributeValue) -> int:
    """The bytes a value counts for (AWS's page "DynamoDB item sizes and formats")."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_size(content)
        case "B":
            return len(base64.b64decode(content))
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + size(element) for element in content)
        case "M":
            return 3 + sum(1 + len(key.encode()) + size(inner) for key, inner in content.items())
    return sum(size({SET_TYPES[kind]: element}) for element in content)


def _number_size(text: str) -> int:
    """One byte per two significant digits, and one more; negative ones take another.

    The pairs begin at the decimal point, so 7.5 has two of them (as DynamoDB Local counts).
    """
    sign, digits, exponent = Decimal(text).as_tuple()
    shown = "".join(map(str, digits)).lstrip("0")
    significant = shown.rstrip("0")
    if not significant:
        return 1
    odd = (int(exponent) + len(shown) - len(significant)) % 2
    return (len(significant) + odd + 1) // 2 + 1 + sign
