"""Operators that look at numbers: plain numbers and ``numeric``."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from streamdev.semantics.filters.condition import Condition, Number, PatternError, Scalar

# "Numeric matching is limited to values between -5.0e9 and +5.0e9 inclusive."
NUMERIC_LIMIT = Decimal(5_000_000_000)

RANGE_OPERATORS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def plain(number: Number) -> Condition:
    """A number by itself: Lambda compares the text."""
    text = number.text
    return Condition(text, lambda value: _text(value) == text, numeric=True)


def numeric(operand: Any) -> Condition:
    """``["=", 5]``, ``[">", 0]``, or a range of two: ``[">=", 0, "<", 10]``.

    Raises:
        PatternError: It is neither of these.
    """
    if not isinstance(operand, list):
        raise PatternError("Value of numeric must be an array.")
    if not operand or not isinstance(operand[0], str):
        raise PatternError(f"Invalid member in numeric match: {_first(operand)}")
    if operand[0] not in RANGE_OPERATORS:
        raise PatternError(f"Unrecognized numeric range operator: {operand[0]}")
    bounds = [(operand[0], _bound(operand, 1))]
    if len(operand) > 2:
        bounds.append(_upper_bound(operand))
        if bounds[0][1] >= bounds[1][1]:
            raise PatternError("Bottom must be less than top")
    words = " and ".join(f"{operator} {bound}" for operator, bound in bounds)

    def test(value: Scalar) -> bool:
        number = exact(value)
        return number is not None and all(
            RANGE_OPERATORS[operator](number, bound) for operator, bound in bounds
        )

    return Condition(f"a number {words}", test, numeric=True)


def _upper_bound(operand: list[Any]) -> tuple[str, Decimal]:
    if operand[0] not in (">", ">="):
        raise PatternError("Too many elements in numeric expression")
    if not isinstance(operand[2], str):
        raise PatternError(f"Bad value in numeric range: {operand[2]}")
    if operand[2] not in ("<", "<="):
        raise PatternError(f"Bad numeric range operator: {operand[2]}")
    if len(operand) > 4:
        raise PatternError("Too many terms in numeric range expression")
    return operand[2], _bound(operand, 3)


def _bound(operand: list[Any], index: int) -> Decimal:
    name = "equals" if operand[index - 1] == "=" else operand[index - 1]
    value = operand[index] if index < len(operand) else None
    if not isinstance(value, Number):
        raise PatternError(f"Value of {name} must be numeric")
    return limited(value)


def limited(number: Number) -> Decimal:
    """The number's value.

    Raises:
        PatternError: It is beyond AWS's limits.
    """
    if abs(number.value) > NUMERIC_LIMIT:
        raise PatternError("Value must be between -5.0E9 and 5.0E9, inclusive")
    return number.value


def exact(value: Scalar) -> Decimal | None:
    """The value as an exact number within AWS's limits, or ``None`` where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() and abs(number) <= NUMERIC_LIMIT else None


def _text(value: Scalar) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return str(value)


def _first(operand: list[Any]) -> Any:
    return operand[0] if operand else "]"
