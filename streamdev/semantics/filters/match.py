"""Holding a rule against a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streamdev.semantics.filters.condition import Condition, Scalar
from streamdev.semantics.filters.pattern import Alternative, Node, Path, Rule

_MISSING = object()


def matches(alternative: Alternative, event: Mapping[str, Any]) -> bool:
    """Whether ``event`` meets the rule."""
    absent: frozenset[Path] = frozenset()
    if alternative.wants_absent:
        absent = frozenset(_absent(alternative.rule, event))
    return _node_matches(alternative.tree, (), event, absent)


def _absent(rule: Rule, event: Mapping[str, Any]) -> Iterator[Path]:
    """The paths of the rule that hold no value anywhere in the event, in no array element."""
    for path in rule:
        if next(values_at(event, path), _MISSING) is _MISSING:
            yield path


def _node_matches(node: Node, path: Path, value: Any, absent: frozenset[Path]) -> bool:
    """Whether a part of the event meets a part of the rule.

    An array matches when one of its elements meets the whole node: fields of different elements
    don't add up to a match.
    """
    if isinstance(value, list) and value:
        return any(_node_matches(node, path, element, absent) for element in value)
    fields = value if isinstance(value, Mapping) else {}
    if node.conditions and not _leaf_matches(node.conditions, path, value, absent):
        return False
    return all(
        _node_matches(child, (*path, name), fields.get(name, _MISSING), absent)
        for name, child in node.children.items()
    )


def _leaf_matches(
    conditions: tuple[Condition, ...], path: Path, value: Any, absent: frozenset[Path]
) -> bool:
    if value is _MISSING or isinstance(value, Mapping | list):
        # An object or an empty array is no value: operators work on leaves only.
        return path in absent and any(condition.absent for condition in conditions)
    return any(condition.test(value) for condition in conditions)


def values_at(value: Any, path: Path) -> Iterator[Scalar]:
    """The values at ``path``, through arrays on the way."""
    if isinstance(value, list):
        for element in value:
            yield from values_at(element, path)
    elif path:
        if isinstance(value, Mapping) and path[0] in value:
            yield from values_at(value[path[0]], path[1:])
    elif not isinstance(value, Mapping):
        yield value
