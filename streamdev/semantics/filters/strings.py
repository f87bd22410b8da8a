"""Operators that look at strings: prefix, suffix, equals-ignore-case, wildcard and cidr."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from streamdev.semantics.filters.condition import (
    Condition,
    PatternError,
    Scalar,
    quoted,
    required_string,
)


def equals_ignore_case(operand: Any) -> Condition:
    """The same text, whatever its case.

    Raises:
        PatternError: The operand is no string.
    """
    text = required_string(operand, "equals-ignore-case").lower()
    return Condition(
        f"{quoted(operand)} in any case",
        lambda value: isinstance(value, str) and value.lower() == text,
    )


def prefix(operand: Any) -> Condition:
    """``"a"``, or ``{"equals-ignore-case": "a"}``.

    Raises:
        PatternError: The operand is neither.
    """
    if isinstance(operand, dict):
        text = _ignoring_case("prefix", operand)
        return Condition(
            f"starts with {quoted(text)} in any case",
            lambda value: isinstance(value, str) and value.lower().startswith(text.lower()),
        )
    text = required_string(operand, "prefix")
    return Condition(
        f"starts with {quoted(text)}",
        lambda value: isinstance(value, str) and value.startswith(text),
    )


def suffix(operand: Any) -> Condition:
    """``".png"``, or ``{"equals-ignore-case": ".png"}``.

    Raises:
        PatternError: The operand is neither.
    """
    if isinstance(operand, dict):
        text = _ignoring_case("suffix", operand)
        return Condition(
            f"ends with {quoted(text)} in any case",
            lambda value: isinstance(value, str) and value.lower().endswith(text.lower()),
        )
    text = required_string(operand, "suffix")
    return Condition(
        f"ends with {quoted(text)}",
        lambda value: isinstance(value, str) and value.endswith(text),
    )


def _ignoring_case(operator: str, operand: dict[str, Any]) -> str:
    for inner in operand:
        if inner != "equals-ignore-case":
            raise PatternError(f"Unsupported {operator} pattern: {inner}")
    if not operand:
        raise PatternError(f"{operator.capitalize()} expression name not found")
    return required_string(operand["equals-ignore-case"], "equals-ignore-case")


def wildcard(operand: Any) -> Condition:
    """Text with ``*`` for any run of characters (see `wildcard_test`).

    Raises:
        PatternError: The operand is no such text.
    """
    test = wildcard_test(required_string(operand, "wildcard"))
    return Condition(f"matches {quoted(operand)}", test)


def wildcard_test(pattern: str) -> Callable[[Scalar], bool]:
    r"""A test for strings that ``pattern`` matches: ``*`` is any run of characters, even none.

    ``\*`` is an asterisk and ``\\`` a backslash. The time is linear in the value's length, however
    many wildcards there are.

    Raises:
        PatternError: ``**``, or a backslash before anything else.
    """
    parts = [""]
    position = 0
    while position < len(pattern):
        char, following = pattern[position], pattern[position + 1 : position + 2]
        if char == "*":
            if following == "*":
                raise PatternError(f"Consecutive wildcard characters at pos {position + 1}")
            parts.append("")
        elif char == "\\":
            if following not in ("*", "\\"):
                raise PatternError(f"Invalid escape character at pos {position + 1}")
            parts[-1] += following
            position += 1
        else:
            parts[-1] += char
        position += 1

    if len(parts) == 1:
        return lambda value: isinstance(value, str) and value == parts[0]
    first, *middle, last = parts

    def test(value: Scalar) -> bool:
        if not isinstance(value, str) or len(value) < len(first) + len(last):
            return False
        if not (value.startswith(first) and value.endswith(last)):
            return False
        at, end = len(first), len(value) - len(last)
        for part in middle:
            found = value.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return test


def cidr(operand: Any) -> Condition:
    """An IP address within ``10.0.0.0/24``, or of IPv6.

    Raises:
        PatternError: The operand is no address with a mask.
    """
    if not isinstance(operand, str):
        raise PatternError("prefix match pattern must be a string")
    address, slash, mask = operand.partition("/")
    if not slash or "/" in mask:
        raise PatternError("Malformed CIDR, one '/' required")
    try:
        bits = int(mask)
    except ValueError:
        raise PatternError("Malformed CIDR, mask bits must be an integer") from None
    if bits < 0:
        raise PatternError("Malformed CIDR, mask bits must not be negative")
    try:
        lowest = ipaddress.ip_address(address)
        network = ipaddress.ip_network((address, bits), strict=False)
    except ValueError:
        raise PatternError(f"Nonstandard IP address: {address}") from None

    def test(value: Scalar) -> bool:
        if not isinstance(value, str):
            return False
        try:
            found = ipaddress.ip_address(value)
        except ValueError:
            return False
        # event-ruler's range begins at the address as written, not at the network's first one.
        return found in network and int(found) >= int(lowest)

    return Condition(f"an IP address in {operand}", test)
