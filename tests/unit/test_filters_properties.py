"""Event filtering against its formal definition: fields, flattened, consistent over arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamdev.semantics.filters import InvalidFilterError, compile_filters
from streamdev.semantics.filters.strings import wildcard_test

_NAMES = st.sampled_from(["a", "b", "c"])
_TEXTS = st.text(alphabet="xyX*", max_size=3)
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), _TEXTS)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=3)
    ),
    max_leaves=12,
)
_EVENTS = st.dictionaries(_NAMES, _VALUES, max_size=3)

# Rules whose test the model below repeats in its own way.
_RULES = st.one_of(
    _SCALARS,
    st.booleans().map(lambda wanted: {"exists": wanted}),
    _TEXTS.map(lambda text: {"prefix": text}),
    _TEXTS.map(lambda text: {"equals-ignore-case": text}),
    st.integers(-2, 2).map(lambda bound: {"numeric": [">=", bound]}),
    st.lists(_TEXTS, min_size=1, max_size=2).map(lambda texts: {"anything-but": texts}),
)
_LEAVES = st.lists(_RULES, min_size=1, max_size=2)
_PATTERNS = st.recursive(
    st.dictionaries(_NAMES, _LEAVES, min_size=1, max_size=2),
    lambda inner: st.dictionaries(_NAMES, st.one_of(_LEAVES, inner), min_size=1, max_size=3),
    max_leaves=5,
)

Place = tuple[tuple[str, int], ...]


def flatten(value: Any, path: str = "", place: Place = ()) -> Iterator[tuple[str, Any, Place]]:
    """The event's leaves: path, value, and which element of which array they are in."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flatten(inner, f"{path}.{name}", place)
    elif isinstance(value, list):
        for index, element in enumerate(value):
            array = f"{path}{list(place)}"
            yield from flatten(element, path, (*place, (array, index)))
    else:
        yield path, value, place


def meets(rule: Any, value: Any) -> bool:
    if not isinstance(rule, dict):
        return type(rule) is type(value) and rule == value
    operator, operand = next(iter(rule.items()))
    match operator:
        case "exists":
            return bool(operand)
        case "prefix":
            return isinstance(value, str) and value[: len(operand)] == operand
        case "equals-ignore-case":
            return isinstance(value, str) and value.upper() == operand.upper()
        case "numeric":
            return type(value) is int and value >= operand[1]
        case _:
            return value not in operand


def model(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """event-ruler's definition: one leaf per field, no two in different elements of one array."""
    fields = list(flatten(event))
    wanted = [(path, rules) for path, rules in leaves_of(pattern)]

    def search(index: int, chosen: dict[str, int]) -> bool:
        if index == len(wanted):
            return True
        path, rules = wanted[index]
        if {"exists": False} in rules and all(found != path for found, _, _ in fields):
            return search(index + 1, chosen)
        for found, value, place in fields:
            if found != path or not any(meets(rule, value) for rule in rules):
                continue
            if any(chosen.get(array, element) != element for array, element in place):
                continue
            if search(index + 1, chosen | dict(place)):
                return True
        return False

    return search(0, {})


def leaves_of(pattern: dict[str, Any], path: str = "") -> Iterator[tuple[str, list[Any]]]:
    for name, value in pattern.items():
        if isinstance(value, dict):
            yield from leaves_of(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}", value


def compiled(*patterns: Any) -> Any:
    return compile_filters({"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]})


@given(_PATTERNS, _EVENTS)
def test_matches_as_defined(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    assert compiled(pattern).match(event) is model(pattern, event)


@given(st.lists(_PATTERNS, min_size=1, max_size=5), _EVENTS)
def test_filters_are_alternatives(patterns: list[Any], event: dict[str, Any]) -> None:
    assert compiled(*patterns).match(event) is any(model(pattern, event) for pattern in patterns)


@given(st.lists(_PATTERNS, min_size=2, max_size=3), _EVENTS)
def test_or_equals_several_filters(patterns: list[Any], event: dict[str, Any]) -> None:
    assert compiled({"$or": patterns}).match(event) is compiled(*patterns).match(event)


@given(st.lists(_PATTERNS, min_size=1, max_size=3), _EVENTS)
def test_explanations_agree_with_matching(patterns: list[Any], event: dict[str, Any]) -> None:
    criteria = compiled(*patterns)
    told = criteria.explain(event)
    assert told.matched is criteria.match(event)
    assert (told.reason == "") is told.matched
    assert {clause.filter for clause in told.clauses} == set(range(1, len(patterns) + 1))


def wildcard_model(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(wildcard_model(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return text[:1] == pattern[0] and wildcard_model(pattern[1:], text[1:])


@given(
    st.text(alphabet="ab*", max_size=8).filter(lambda text: "**" not in text),
    st.text(alphabet="ab", max_size=8),
)
def test_wildcards(pattern: str, text: str) -> None:
    assert wildcard_test(pattern)(text) is wildcard_model(pattern, text)


@given(st.text(alphabet='{}[]":,$or1 aexistsprefix', max_size=60))
def test_any_text_is_compiled_or_refused(text: str) -> None:
    with suppress(InvalidFilterError):
        compile_filters({"Filters": [{"Pattern": text}]})
