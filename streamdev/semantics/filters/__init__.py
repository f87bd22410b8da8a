"""Event filtering of a Lambda event source mapping: which records reach the function.

Follows AWS's pages "Control which events Lambda sends to your function" and "Using event filtering
with a DynamoDB event source". A record is handed over when any filter matches it; a filter matches
when every one of its fields does. A filter sees the whole record: ``eventName``, ``userIdentity``
and so on besides ``dynamodb``, whose attributes are DynamoDB JSON. Numbers there are strings
(``{"N": "42"}``), so ``numeric`` never matches them, as on AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamdev.semantics.filters.condition import PatternError
from streamdev.semantics.filters.explain import Clause, Explanation, clauses_of
from streamdev.semantics.filters.match import matches
from streamdev.semantics.filters.pattern import Alternative, parse_pattern

# The default quota; AWS raises it to 10 on request.
DEFAULT_QUOTA = 5
MAX_QUOTA = 10

__all__ = [
    "DEFAULT_QUOTA",
    "MAX_QUOTA",
    "Clause",
    "Explanation",
    "Filters",
    "InvalidFilterError",
    "compile_filters",
]


class InvalidFilterError(ValueError):
    """Filter criteria that AWS refuses.

    Attributes:
        message: What AWS's API answers (``InvalidParameterValueException``).
        reason: What is wrong, for people, with the number of the filter.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(f"{message} {reason}")
        self.message = message
        self.reason = reason


class Filters:
    """Compiled filter criteria."""

    def __init__(self, filters: tuple[tuple[Alternative, ...], ...]) -> None:
        self._filters = filters

    def __bool__(self) -> bool:
        """Whether there is any filter at all."""
        return bool(self._filters)

    def match(self, event: Mapping[str, Any]) -> bool:
        """Whether ``event`` (one stream record as the function would get it) passes.

        Without filters every record does.
        """
        if not self._filters:
            return True
        return any(matches(item, event) for filter_ in self._filters for item in filter_)

    def explain(self, event: Mapping[str, Any]) -> Explanation:
        """What each filter makes of ``event``, field by field."""
        clauses: list[Clause] = []
        matching: list[int] = []
        for number, alternatives in enumerate(self._filters, 1):
            candidates = [clauses_of(number, item, event) for item in alternatives]
            clauses += min(candidates, key=lambda own: sum(not clause.matched for clause in own))
            if any(matches(item, event) for item in alternatives):
                matching.append(number)
        passes = bool(matching) or not self._filters
        return Explanation(passes, tuple(clauses), tuple(matching))


def compile_filters(
    filter_criteria: Mapping[str, Any] | None, *, quota: int = DEFAULT_QUOTA
) -> Filters:
    """Check and compile filter criteria.

    Args:
        filter_criteria: ``{"Filters": [{"Pattern": "<JSON>"}, ...]}`` as in AWS's API; ``None``,
            ``{}`` and an empty list let every record through.
        quota: How many filters are allowed.

    Raises:
        InvalidFilterError: AWS would refuse them.
    """
    filters = (filter_criteria or {}).get("Filters") or []
    if len(filters) > quota:
        raise InvalidFilterError(
            "Invalid filter criteria.",
            f"There are {len(filters)} filters; {quota} are allowed for an event source mapping.",
        )
    return Filters(tuple(_compile(number, entry) for number, entry in enumerate(filters, 1)))


def _compile(number: int, entry: Any) -> tuple[Alternative, ...]:
    try:
        return parse_pattern(entry.get("Pattern") if isinstance(entry, Mapping) else None)
    except PatternError as error:
        raise InvalidFilterError(
            "Invalid filter pattern definition.", f"Filter {number}: {error}"
        ) from error
