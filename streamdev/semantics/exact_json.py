"""JSON whose numbers keep every digit: read as `Decimal`, written as they are."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any


class InvalidJsonError(ValueError):
    """Text that is no JSON, or not JSON an item can be made of."""


def read(text: str) -> Any:
    """A JSON document with its numbers as `Decimal`.

    Raises:
        InvalidJsonError: It is no JSON, has NaN or Infinity, or one name twice in an object.
    """
    try:
        return json.loads(
            text,
            parse_int=Decimal,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_names,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, " if error.lineno > 1 else ""
        raise InvalidJsonError(
            f"no valid JSON: {error.msg} at {where}character {error.colno}"
        ) from None
    except RecursionError:
        raise InvalidJsonError("no valid JSON: nested too deeply") from None


def _refuse_constant(text: str) -> None:
    raise InvalidJsonError(f"{text} is no number that DynamoDB keeps")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        raise InvalidJsonError(f"{counted.most_common(1)[0][0]!r} is there twice")
    return names


def write(value: Any) -> str:
    """Plain JSON on one line, numbers digit for digit."""
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        members = (f"{encode_basestring(key)}: {write(inner)}" for key, inner in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(write, value)) + "]"
    return json.dumps(value)
