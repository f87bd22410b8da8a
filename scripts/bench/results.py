"""What one run has found, kept as JSON: on which machine, the figures, what went wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil
from botocore.exceptions import BotoCoreError, ClientError

from scripts.bench.report import Report
from streamdev.errors import StreamdevError

# What a subject that does not start, answer or do its work raises here.
FAILURES = (
    click.ClickException,
    StreamdevError,
    BotoCoreError,
    ClientError,
    OSError,
    psutil.Error,
)


@dataclass
class Results:
    """The outcome of ``make bench`` or ``make growth``.

    Attributes:
        machine: What it ran on and with which versions, by name.
        work: What was done, in a line.
        reports: The tables, by title.
        failures: Each a line: which subject, in which round, and why.
    """

    machine: dict[str, str]
    work: str
    reports: dict[str, Report] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def attempt(self, what: str, measure: Callable[[], None]) -> None:
        """Measure something; what fails is told at once and kept, and the rest goes on."""
        try:
            measure()
        except FAILURES as error:
            reason = error.message if isinstance(error, click.ClickException) else str(error)
            self.failures.append(f"{what}: {reason or type(error).__name__}")
            click.echo(f"FAILED {self.failures[-1]}", err=True)

    def save(self, path: Path) -> None:
        """Keep it."""
        data = {
            "machine": self.machine,
            "work": self.work,
            "failures": self.failures,
            "reports": {title: report.to_json() for title, report in self.reports.items()},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        """What ``save`` kept."""
        data = json.loads(path.read_text())
        reports = {title: Report.from_json(found) for title, found in data["reports"].items()}
        return cls(data["machine"], data["work"], reports, data["failures"])
