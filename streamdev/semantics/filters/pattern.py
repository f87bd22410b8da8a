"""From a filter's pattern to rules: per rule, the conditions of each field."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from streamdev.semantics.filters.condition import Condition, Number, PatternError
from streamdev.semantics.filters.operators import RESERVED_IN_OR, parse_condition

MAX_PATTERN_LENGTH = 4096
# "The number of combinations must be less than 1,000", for patterns with "$or".
MAX_COMBINATIONS = 1_000

Path: TypeAlias = tuple[str, ...]
Rule: TypeAlias = dict[Path, tuple[Condition, ...]]


@dataclass
class Node:
    """A rule as a tree of field names."""

    conditions: tuple[Condition, ...] = ()
    children: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Alternative:
    """One rule of a filter; a filter without ``$or`` has just one.

    Attributes:
        rule: Per field, its conditions; one of them must hold.
        tree: The same, as a tree.
        wants_absent: Whether any condition is ``exists: false``.
    """

    rule: Rule
    tree: Node
    wants_absent: bool


def parse_pattern(pattern: Any) -> tuple[Alternative, ...]:
    """The rules that a filter's pattern stands for: it matches when one of them does.

    Args:
        pattern: The ``Pattern`` of a filter, a JSON object as a string.

    Raises:
        PatternError: AWS would refuse it.
    """
    return tuple(
        Alternative(
            rule,
            _tree(rule),
            any(condition.absent for conditions in rule.values() for condition in conditions),
        )
        for rule in _rules(pattern)
    )


def _rules(pattern: Any) -> list[Rule]:
    """The pattern with ``$or`` multiplied out."""
    if not isinstance(pattern, str) or not pattern:
        raise PatternError("Filter is not an object")
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise PatternError(f"Filter is longer than {MAX_PATTERN_LENGTH} characters")
    try:
        document = json.loads(
            pattern, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
        )
    except (json.JSONDecodeError, RecursionError) as error:
        raise PatternError(f"Filter is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise PatternError("Filter is not an object")
    return _expand(document, (), [{}], inside_or=False)


def _refuse_constant(text: str) -> None:
    raise PatternError(f"Filter is not valid JSON: {text}")


def _expand(
    document: dict[str, Any], path: Path, rules: list[Rule], *, inside_or: bool
) -> list[Rule]:
    if not document:
        raise PatternError("Empty objects are not allowed")
    for key, value in document.items():
        if key == "$or":
            rules = _expand_or(value, path, rules)
            continue
        if inside_or and key in RESERVED_IN_OR:
            raise PatternError(
                f"{key} is Ruler reserved fieldName which cannot be used inside $or."
            )
        if isinstance(value, dict):
            rules = _expand(value, (*path, key), rules, inside_or=inside_or)
        elif isinstance(value, list):
            if not value:
                raise PatternError("Empty arrays are not allowed")
            conditions = tuple(parse_condition(item) for item in value)
            rules = [{**rule, (*path, key): conditions} for rule in rules]
        else:
            raise PatternError(f'"{key}" must be an object or an array')
    return rules


def _expand_or(choices: Any, path: Path, rules: list[Rule]) -> list[Rule]:
    if not isinstance(choices, list):
        raise PatternError("It must be an Array followed with $or.")
    if not all(isinstance(choice, dict) for choice in choices):
        raise PatternError("Only JSON object is allowed in array of $or relationship.")
    if len(choices) < 2:
        raise PatternError("There must have at least 2 Objects in $or relationship.")
    expanded: list[Rule] = []
    for choice in choices:
        expanded += _expand(choice, path, rules, inside_or=True)
        if len(expanded) >= MAX_COMBINATIONS:
            raise PatternError(f"$or makes {MAX_COMBINATIONS} or more combinations")
    return expanded


def _tree(rule: Rule) -> Node:
    root = Node()
    for path, conditions in rule.items():
        node = root
        for name in path:
            node = node.children.setdefault(name, Node())
        node.conditions = conditions
    return root
