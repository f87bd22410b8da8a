"""Why a record passes a filter or not, field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamdev.semantics.filters.condition import Condition, Scalar
from streamdev.semantics.filters.match import values_at
from streamdev.semantics.filters.pattern import Alternative, Path

_TYPES = ("S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS")


@dataclass(frozen=True)
class Clause:
    """One field of one filter, held against a record.

    Attributes:
        filter: The filter's number, from 1.
        path: The field's names joined with dots, e.g. ``dynamodb.NewImage.status.S``.
        expected: What the filter asks for, in words.
        actual: The values found there, as JSON; empty when there is none.
        matched: Whether the field meets the filter.
        note: Why it can't ever match as written, where that is known; else empty.
    """

    filter: int
    path: str
    expected: str
    actual: tuple[str, ...]
    matched: bool
    note: str = ""

    def __str__(self) -> str:
        found = " and ".join(self.actual) or "missing"
        note = f" ({self.note})" if self.note else ""
        return f"{self.path} is {found}, filter {self.filter} wants {self.expected}{note}"


@dataclass(frozen=True)
class Explanation:
    """Whether a record passes and why.

    Attributes:
        matched: Whether any filter matches, or there is none.
        clauses: Every field of every filter (of its nearest alternative).
        matching: The numbers of the filters that match.
    """

    matched: bool
    clauses: tuple[Clause, ...]
    matching: tuple[int, ...] = ()

    @property
    def reason(self) -> str:
        """One sentence: per filter, the first field that keeps the record out; empty if none."""
        if self.matched:
            return ""
        numbers = sorted({clause.filter for clause in self.clauses})
        return "; ".join(self.obstacle(number) for number in numbers)

    def obstacle(self, number: int) -> str:
        """The first field of a filter that keeps the record out; empty where it matches."""
        if number in self.matching:
            return ""
        own = (clause for clause in self.clauses if clause.filter == number)
        failed = next((clause for clause in own if not clause.matched), None)
        return str(failed) if failed else f"filter {number} wants its fields in one array element"


def clauses_of(number: int, alternative: Alternative, event: Mapping[str, Any]) -> list[Clause]:
    """Each field of the rule, in the pattern's order."""
    clauses = []
    for path, conditions in alternative.rule.items():
        found = list(values_at(event, path))
        matched = any(condition.test(value) for value in found for condition in conditions)
        matched = matched or (not found and any(condition.absent for condition in conditions))
        clauses.append(
            Clause(
                filter=number,
                path=".".join(path),
                expected=" or ".join(condition.words for condition in conditions),
                actual=tuple(json.dumps(value, ensure_ascii=False, default=str) for value in found),
                matched=matched,
                note="" if matched else _note(conditions, found, event, path),
            )
        )
    return clauses


def _note(
    conditions: tuple[Condition, ...], found: list[Scalar], event: Mapping[str, Any], path: Path
) -> str:
    if path[-1] == "N" and any(condition.numeric for condition in conditions):
        return "numbers in DynamoDB JSON are strings, so only strings match them"
    if not found:
        for name in _TYPES:
            if any(True for _ in values_at(event, (*path, name))):
                return f'the value is DynamoDB JSON: the pattern must name its type, "{name}"'
    return ""
