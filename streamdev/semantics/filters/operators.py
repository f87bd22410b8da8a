"""The comparison operators of a filter pattern, by name.

The operators and their limits are those of two AWS pages, "Control which events Lambda sends to
your function" (Lambda) and "Comparison operators for use in event patterns" (EventBridge); where
both are silent, AWS's open-source matcher (event-ruler) decides. The words of the errors are
event-ruler's, as EventBridge returns them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from streamdev.semantics.filters import numbers, strings
from streamdev.semantics.filters.condition import (
    Condition,
    Number,
    PatternError,
    Scalar,
    listed,
    quoted,
)


def parse_condition(rule: Any) -> Condition:
    """The condition that ``rule`` (an element of a leaf's array, numbers as `Number`) stands for.

    Raises:
        PatternError: AWS would refuse it.
    """
    if isinstance(rule, dict):
        return _operator(rule)
    if isinstance(rule, Number):
        return numbers.plain(rule)
    if isinstance(rule, str):
        return Condition(quoted(rule), lambda value: value == rule and isinstance(value, str))
    if rule is None or isinstance(rule, bool):
        return Condition(json.dumps(rule), lambda value: value is rule)
    raise PatternError("Match value must be String, number, true, false, or null")


def _operator(rule: dict[str, Any]) -> Condition:
    if not rule:
        raise PatternError("Match expression name not found")
    if len(rule) > 1:
        raise PatternError("Only one key allowed in match expression")
    name, operand = next(iter(rule.items()))
    if name not in _OPERATORS:
        raise PatternError(f"Unrecognized match type {name}")
    return _OPERATORS[name](operand)


def _exists(operand: Any) -> Condition:
    if operand is True:
        return Condition("any value", lambda _: True)
    if operand is False:
        return Condition("no value", lambda _: False, absent=True)
    raise PatternError("exists match pattern must be either true or false.")


def _anything_but(operand: Any) -> Condition:
    if isinstance(operand, dict):
        return _anything_but_operator(operand)
    values = operand if isinstance(operand, list) else [operand]
    if not isinstance(operand, list | str | Number):
        raise PatternError("Value of anything-but must be an array or single string/number value.")
    if not all(isinstance(value, str | Number) for value in values):
        raise PatternError("Inside anything but list, start|null|boolean is not supported.")
    texts = frozenset(value for value in values if isinstance(value, str))
    excluded = frozenset(numbers.limited(value) for value in values if isinstance(value, Number))
    if bool(texts) == bool(excluded):
        raise PatternError(
            "Inside anything but list, either all values are number or string, "
            "mixed type is not supported"
        )

    def test(value: Scalar) -> bool:
        if isinstance(value, str):
            return value not in texts
        return numbers.exact(value) not in excluded

    return Condition(f"anything but {listed(values)}", test)


def _anything_but_operator(operand: dict[str, Any]) -> Condition:
    if len(operand) != 1:
        raise PatternError("Only one key allowed in match expression")
    name, inner = next(iter(operand.items()))
    if name not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
        raise PatternError(f"Unsupported anything-but pattern: {name}")
    values = inner if isinstance(inner, list) else [inner]
    if not values:
        raise PatternError("Empty arrays are not allowed")
    for value in values:
        if not isinstance(value, str):
            raise PatternError(_NOT_A_STRING[name])
        if name in ("prefix", "suffix") and not value:
            raise PatternError("Null prefix/suffix not allowed")
    conditions = [_OPERATORS[name](value) for value in values]
    words = " or ".join(condition.words for condition in conditions)
    if name != "equals-ignore-case":
        words = f"what {words}"

    def test(value: Scalar) -> bool:
        return not any(condition.test(value) for condition in conditions)

    return Condition(f"anything but {words}", test)


_NOT_A_STRING = {
    "prefix": "prefix/suffix match pattern must be a string",
    "suffix": "prefix/suffix match pattern must be a string",
    "wildcard": "wildcard match pattern must be a string",
    "equals-ignore-case": (
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
    ),
}

_OPERATORS: dict[str, Callable[[Any], Condition]] = {
    "exists": _exists,
    "equals-ignore-case": strings.equals_ignore_case,
    "prefix": strings.prefix,
    "suffix": strings.suffix,
    "wildcard": strings.wildcard,
    "numeric": numbers.numeric,
    "cidr": strings.cidr,
    "anything-but": _anything_but,
}

# Names that can't be fields inside "$or" (event-ruler keeps them for operators).
RESERVED_IN_OR = frozenset(
    {
        *_OPERATORS,
        *numbers.RANGE_OPERATORS,
        *("exactly", "regex", "not-wildcard", "not-equals-ignore-case"),
        *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
        *("ip-address-in-range", "ip-address-not-in-range"),
    }
)
