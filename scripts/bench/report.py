"""Figures by subject and round, told as the median of the rounds with its spread.

A machine is faster one minute than the next. So all subjects are measured in each round, a ratio
is taken within a round, and what is told of it is the median of the rounds' ratios.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Spread:
    """The middle of several rounds, the lowest and the highest of them."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread | None:
        """The spread of ``values``; ``None`` when there are none."""
        return cls(statistics.median(values), min(values), max(values)) if values else None

    def __str__(self) -> str:
        middle, low, high = (number(value) for value in (self.middle, self.low, self.high))
        return middle if low == high else f"{middle} ({low} to {high})"


@dataclass
class Figure:
    """One figure of every subject.

    Attributes:
        name: What was measured.
        unit: ms, s, records/s, % of a core, MiB.
        better: Whether lower or higher is better.
        samples: Subject → round → its samples.
    """

    name: str
    unit: str
    better: Better
    samples: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def rounds(self, subject: str) -> dict[int, float]:
        """Round → median of the subject's samples in it."""
        samples = self.samples.get(subject, {})
        return {number: statistics.median(values) for number, values in samples.items()}


class Report:
    """All figures, in the order they were first measured.

    Attributes:
        round: The round that samples are added to.
    """

    def __init__(self) -> None:
        self.round = 0
        self.figures: dict[str, Figure] = {}

    def add(
        self, name: str, unit: str, subject: str, values: Iterable[float], better: Better = "lower"
    ) -> None:
        """Add samples of this round to a figure, which is made when it is new."""
        figure = self.figures.setdefault(name, Figure(name, unit, better))
        figure.samples.setdefault(subject, {}).setdefault(self.round, []).extend(values)

    def subjects(self) -> list[str]:
        """Every subject, in the order it first appeared."""
        return list(
            dict.fromkeys(name for figure in self.figures.values() for name in figure.samples)
        )

    def spread(self, name: str, subject: str) -> Spread | None:
        """A subject's figure over the rounds; ``None`` if it was not measured."""
        figure = self.figures.get(name)
        return Spread.of(list(figure.rounds(subject).values())) if figure else None

    def ratio(
        self, name: str, subject: str, to: str, *, to_name: str | None = None
    ) -> Spread | None:
        """A subject's figure divided by another one's of the same round, over the rounds.

        Args:
            name: The figure.
            subject: Whose figure is divided.
            to: Whose figure it is divided by.
            to_name: The figure it is divided by; by default the same.
        """
        above, below = self.figures.get(name), self.figures.get(to_name or name)
        if above is None or below is None:
            return None
        divisors = below.rounds(to)
        values = above.rounds(subject)
        # A handler can be entered before the put has returned: less than nothing has no ratio.
        shared = [n for n in values if values[n] >= 0 and divisors.get(n, 0) > 0]
        return Spread.of([values[n] / divisors[n] for n in shared])

    def markdown(self) -> str:
        """A table: median (lowest to highest) of the rounds, and the ratio to the first subject."""
        subjects = self.subjects()
        if not subjects:
            return "Nothing was measured.\n"
        lines = [f"| figure | {' | '.join(subjects)} |", "|---|" + "---|" * len(subjects)]
        for figure in self.figures.values():
            cells = [self._cell(figure.name, subject, subjects[0]) for subject in subjects]
            lines.append(f"| {figure.name} [{figure.unit}] | {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def _cell(self, name: str, subject: str, base: str) -> str:
        spread = self.spread(name, subject)
        if spread is None:
            return "–"
        ratio = self.ratio(name, subject, base) if subject != base else None
        return f"{spread}, ×{ratio}" if ratio else str(spread)

    def to_json(self) -> list[dict[str, Any]]:
        """Every sample."""
        return [
            {"name": one.name, "unit": one.unit, "better": one.better, "samples": one.samples}
            for one in self.figures.values()
        ]

    @classmethod
    def from_json(cls, figures: list[dict[str, Any]]) -> Report:
        """What ``to_json`` gave, also after JSON has made texts of the rounds' numbers."""
        report = cls()
        for one in figures:
            samples = {
                subject: {int(number): values for number, values in rounds.items()}
                for subject, rounds in one["samples"].items()
            }
            report.figures[one["name"]] = Figure(one["name"], one["unit"], one["better"], samples)
        return report


def number(value: float) -> str:
    """A number with about three digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that ``percent`` of all are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
