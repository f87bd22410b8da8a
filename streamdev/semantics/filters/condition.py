"""A condition: one alternative in the array of a filter pattern's leaf, and its vocabulary."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

# A value that a condition can look at: what JSON has besides objects and arrays.
Scalar: TypeAlias = str | int | float | Decimal | bool | None


class PatternError(ValueError):
    """A pattern is not one AWS accepts; the message says why, in event-ruler's words."""


class Number:
    """A number in a pattern, with the text it was written as.

    Lambda compares plain numbers by that text: "300, 300.0, and 3.0e2 are not considered equal".
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.value = Decimal(text)

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Condition:
    """One alternative of a leaf.

    Attributes:
        words: The condition for people, e.g. ``"paid"`` or ``starts with "a"``.
        test: Whether a value that is there meets it.
        absent: The condition is ``exists: false``; it holds where there is no value, and
            ``test`` is always false.
        numeric: The condition can only be met by a JSON number.
    """

    words: str
    test: Callable[[Scalar], bool]
    absent: bool = False
    numeric: bool = False


def required_string(operand: Any, operator: str) -> str:
    """The operand of an operator that takes a string.

    Raises:
        PatternError: It is something else.
    """
    if not isinstance(operand, str):
        raise PatternError(f"{operator} match pattern must be a string")
    return operand


def quoted(text: str) -> str:
    """A string as a pattern writes it."""
    return json.dumps(text, ensure_ascii=False)


def listed(values: Iterable[Any]) -> str:
    """Strings and numbers, for people."""
    return " or ".join(quoted(value) if isinstance(value, str) else str(value) for value in values)
