"""The published table: every behaviour, where AWS documents it, its test, and who has it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEGIN = "<!-- conformance: written by make conformance from here on -->"
END = "<!-- conformance: up to here -->"
GROUPS = (
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "StartingPosition",
    "Enabled",
    "ParallelizationFactor",
    "TumblingWindowInSeconds",
    "FilterCriteria",
    "Failures",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "FunctionResponseTypes",
    "DestinationConfig",
    "Provisioned concurrency",
    "Create, update, delete",
    "State and results",
    "Records",
)
_SHOWN = {"pass": "yes", "fail": "**no**", "not supported": "refused"}


@dataclass(frozen=True)
class Outcome:
    """How one subject met the behaviours.

    Attributes:
        title: The subject with its version.
        behaviours: By id: ``group``, ``says``, ``page`` (``title``, ``url``), ``test``,
            ``status`` (``pass``, ``fail``, ``not supported``) and ``detail``.
    """

    title: str
    behaviours: dict[str, dict[str, Any]]

    @property
    def all_passed(self) -> bool:
        """Whether every behaviour is as documented."""
        return all(found["status"] == "pass" for found in self.behaviours.values())

    def counts(self) -> Counter[str]:
        """How many behaviours of each status."""
        return Counter(found["status"] for found in self.behaviours.values())

    def summary(self) -> str:
        """One line."""
        counts = self.counts()
        return (
            f"{self.title}: {counts['pass']} of {counts.total()} behaviours as documented, "
            f"{counts['fail']} not, {counts['not supported']} refused by its API"
        )

    def with_news(self, news: Outcome) -> Outcome:
        """This outcome, brought up to date by a run of some of the tests."""
        return Outcome(news.title, self.behaviours | news.behaviours)

    def save(self, path: Path) -> None:
        """Keep it."""
        data = {"title": self.title, "behaviours": self.behaviours}
        path.write_text(json.dumps(data, indent=1) + "\n")


def read_outcome(path: Path) -> Outcome:
    """What ``Outcome.save`` kept."""
    data = json.loads(path.read_text())
    return Outcome(data["title"], data["behaviours"])


def write_table(document: Path, outcomes: list[Outcome]) -> None:
    """Put the table between the document's two markers.

    Raises:
        ValueError: A marker is missing.
    """
    head, begin, rest = document.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} has no place for the table: {BEGIN} ... {END}")
    document.write_text(f"{head}{begin}\n\n{render(outcomes)}\n{end}{tail}")


def render(outcomes: list[Outcome]) -> str:
    """The table in Markdown: a summary, then one table a group."""
    titles = [outcome.title for outcome in outcomes]
    lines = _row("", *titles) + _rule(1 + len(titles))
    for status, word in (("pass", "as documented"), ("fail", "not"), ("not supported", "refused")):
        counts = [outcome.counts()[status] for outcome in outcomes]
        if any(counts):
            lines += _row(word, *map(str, counts))
    known: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        known = outcome.behaviours | known
    named = {found["group"] for found in known.values()}
    for group in (*GROUPS, *sorted(named - set(GROUPS))):
        of_group = {id_: found for id_, found in known.items() if found["group"] == group}
        if of_group:
            lines += f"\n### {group}\n\n" + _group(of_group, outcomes)
    pages = {_reference(found): found["page"]["url"] for found in known.values()}
    return lines + "\n" + "".join(f"[{name}]: {pages[name]}\n" for name in sorted(pages))


def _group(behaviours: dict[str, dict[str, Any]], outcomes: list[Outcome]) -> str:
    titles = [outcome.title for outcome in outcomes]
    lines = _row("What AWS documents", "Page", "Test", *titles) + _rule(3 + len(titles))
    for id_, found in behaviours.items():
        page = f"[{found['page']['title']}][{_reference(found)}]"
        file, _, _ = found["test"].partition("::")
        cells = [
            _SHOWN[outcome.behaviours[id_]["status"]] if id_ in outcome.behaviours else "–"
            for outcome in outcomes
        ]
        lines += _row(_text(found["says"]), page, f"[`{id_}`](../{file})", *cells)
    return lines


def _reference(found: dict[str, Any]) -> str:
    """A short name for a behaviour's page: the last part of its address."""
    return str(found["page"]["url"]).rpartition("/")[2].removesuffix(".html")


def _text(sentence: str) -> str:
    """A sentence as a cell: nothing in it means something to Markdown."""
    for mark in ("|", "<", "*", "_", "$"):
        sentence = sentence.replace(mark, f"\\{mark}")
    return sentence


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _rule(count: int) -> str:
    return "|" + "---|" * count + "\n"
