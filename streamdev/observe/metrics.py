"""Metrics that handlers print in CloudWatch's embedded metric format, put together.

The format is that of AWS's page "Specification: Embedded metric format".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from streamdev.observe.follow import OutputLine


@dataclass(frozen=True)
class Value:
    """One value of one metric.

    Attributes:
        at: What the metric's own timestamp says (aware, UTC).
        dimensions: Names and values, sorted by name.
    """

    at: datetime
    function: str
    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    name: str
    unit: str
    value: float


@dataclass
class Metric:
    """All values of a metric of one function with the same dimensions.

    Attributes:
        last: The newest value.
        last_at: When it was measured.
    """

    function: str
    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    name: str
    unit: str
    values: list[float] = field(default_factory=list)
    last: float = 0.0
    last_at: datetime | None = None

    @property
    def total(self) -> float:
        """The sum of all values (CloudWatch's ``Sum``)."""
        return sum(self.values)

    @property
    def average(self) -> float:
        """The mean (CloudWatch's ``Average``)."""
        return self.total / len(self.values)

    def add(self, value: Value) -> None:
        """Count a value in."""
        self.values.append(value.value)
        if self.last_at is None or value.at >= self.last_at:
            self.last, self.last_at = value.value, value.at


def read(lines: Iterable[OutputLine], *, since: datetime | None = None) -> Iterator[Value]:
    """Every value in what handlers printed; lines that are no metrics are passed over."""
    for line in lines:
        # Nearly all lines end here.
        if '"_aws"' not in line.text:
            continue
        start = line.text.find("{")
        try:
            document = json.loads(line.text[start:])
        except ValueError:
            continue
        for value in _values(document, line):
            if since is None or value.at >= since:
                yield value


def summarize(values: Iterable[Value]) -> list[Metric]:
    """The metrics in order of function, namespace and name."""
    found: dict[tuple[Any, ...], Metric] = {}
    for value in values:
        key = (value.function, value.namespace, value.dimensions, value.name, value.unit)
        found.setdefault(key, Metric(*key)).add(value)
    return [found[key] for key in sorted(found)]


def _values(document: Any, line: OutputLine) -> Iterator[Value]:
    aws = document.get("_aws") if isinstance(document, Mapping) else None
    if not isinstance(aws, Mapping) or not isinstance(aws.get("CloudWatchMetrics"), list):
        return
    try:
        at = datetime.fromtimestamp(float(aws["Timestamp"]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        return
    for directive in aws["CloudWatchMetrics"]:
        if not isinstance(directive, Mapping):
            continue
        # The first set is shown; CloudWatch makes a metric of each.
        sets = directive.get("Dimensions") or [[]]
        dimensions = tuple(sorted((str(name), str(document.get(name))) for name in sets[0]))
        for metric in directive.get("Metrics", ()):
            told = document.get(metric.get("Name"))
            for number in told if isinstance(told, list) else [told]:
                if isinstance(number, int | float) and not isinstance(number, bool):
                    yield Value(
                        at=at,
                        function=line.function,
                        namespace=str(directive.get("Namespace", "")),
                        dimensions=dimensions,
                        name=str(metric["Name"]),
                        unit=str(metric.get("Unit", "None")),
                        value=float(number),
                    )
