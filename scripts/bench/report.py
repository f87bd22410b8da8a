"""Figures as medians with their spread, and as ratios to streamdev's own host engine."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Better = Literal["lower", "higher"]


@dataclass
class Figure:
    """One figure of every subject.

    Attributes:
        name: What was measured.
        unit: ms, s, records/s, %, MiB.
        better: Whether lower or higher is better.
        samples: Subject → its samples.
    """

    name: str
    unit: str
    better: Better
    samples: dict[str, list[float]] = field(default_factory=dict)

    def add(self, subject: str, values: Iterable[float]) -> None:
        """Add samples of a subject."""
        self.samples.setdefault(subject, []).extend(values)


class Report:
    """All figures of one run, in the order they were first measured."""

    def __init__(self) -> None:
        self.figures: dict[str, Figure] = {}

    def add(
        self, name: str, unit: str, subject: str, values: Iterable[float], better: Better = "lower"
    ) -> None:
        """Add samples to a figure, which is made when it is new."""
        self.figures.setdefault(name, Figure(name, unit, better)).add(subject, values)

    def subjects(self) -> list[str]:
        """Every subject, in the order it first appeared."""
        seen: dict[str, None] = {}
        for figure in self.figures.values():
            seen.update(dict.fromkeys(figure.samples))
        return list(seen)

    def markdown(self) -> str:
        """A table: median (lowest to highest), and the ratio to the first subject."""
        subjects = self.subjects()
        lines = [
            "| figure | " + " | ".join(subjects) + " |",
            "|---|" + "---|" * len(subjects),
        ]
        for figure in self.figures.values():
            base = figure.samples.get(subjects[0])
            cells = [_cell(figure.samples.get(s), base) for s in subjects]
            lines.append(f"| {figure.name} [{figure.unit}] | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def save(self, path: Path) -> None:
        """Write every sample as JSON."""
        data = {
            figure.name: {"unit": figure.unit, "better": figure.better, "samples": figure.samples}
            for figure in self.figures.values()
        }
        path.write_text(json.dumps(data, indent=1) + "\n")


def _cell(samples: list[float] | None, base: list[float] | None) -> str:
    if not samples:
        return "–"
    middle = statistics.median(samples)
    text = _number(middle)
    if len(samples) > 1:
        text += f" ({_number(min(samples))} to {_number(max(samples))})"
    if base is not None and base is not samples and statistics.median(base):
        text += f" ×{middle / statistics.median(base):.2f}"
    return text


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
