"""``make conformance``: run the mapping's conformance tests against streamdev and its peers.

The same tests, through AWS's API alone, on this machine. For streamdev a behaviour that is not as
documented is an error; for the others it is a result. The outcome of each subject is kept in
``.streamdev/conformance``, and the table in docs/event-source-mapping.md is written anew from
what is kept there; a run of some tests brings those up to date.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import requests
from rich.console import Console

from scripts.bench.machine import ministack_version
from scripts.bench.peers import MiniStack
from scripts.bench.subjects import Streamdev, Subject, running
from scripts.conformance.table import Outcome, read_outcome, write_table
from streamdev.cli.progress import TerminalProgress
from streamdev.paths import StateDir

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = ("streamdev", "localstack", "ministack")
_CONSOLE = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Options:
    """How to run the tests.

    Attributes:
        selection: pytest's ``-k``; empty: all.
        port: Where subjects listen; 0: on a free port.
    """

    selection: str
    port: int


@click.command()
@click.argument("subjects", nargs=-1, type=click.Choice(SUBJECTS))
@click.option("-k", "selection", default="", help="Only these tests, as pytest's -k.")
@click.option("--port", default=0, help="Where subjects listen; default: a free port.")
@click.option("--table/--no-table", default=True, help="Write the table in docs anew.")
def main(subjects: tuple[str, ...], selection: str, port: int, table: bool) -> None:
    """Run the tests against SUBJECTS (default: all) and write the table.

    Example: make conformance ARGS='streamdev -k batch'
    """
    kept = StateDir.of_project(ROOT).root / "conformance"
    kept.mkdir(parents=True, exist_ok=True)
    options = Options(selection, port)
    failed = False
    for name in subjects or SUBJECTS:
        outcome = _run(name, options, kept / f"{name}.new.json")
        _CONSOLE.print(outcome.summary())
        failed |= name == "streamdev" and not outcome.all_passed
        (kept / f"{name}.new.json").unlink()
        earlier = kept / f"{name}.json"
        if selection and earlier.exists():
            outcome = read_outcome(earlier).with_news(outcome)
        outcome.save(earlier)
    if table:
        found = [kept / f"{name}.json" for name in SUBJECTS]
        outcomes = [read_outcome(path) for path in found if path.exists()]
        write_table(ROOT / "docs" / "event-source-mapping.md", outcomes)
    sys.exit(1 if failed else 0)


def _run(name: str, options: Options, results: Path) -> Outcome:
    """Start a subject, run the tests against it, stop it."""
    subject = _subject(name, options.port)
    _CONSOLE.print(f"{subject.name}: starting")
    results.unlink(missing_ok=True)
    with running(subject):
        title = _title(name, subject)
        command = [sys.executable, "-m", "pytest", "tests/conformance", "-q"]
        # A peer's deviations are told in a line each, ours in full.
        command += ["--tb=short" if name == "streamdev" else "--tb=line"]
        if options.selection:
            command += ["-k", options.selection]
        environ = os.environ | {
            "CONFORMANCE_ENDPOINT": subject.endpoint,
            "CONFORMANCE_RESULTS": str(results),
        }
        ended = subprocess.run(command, cwd=ROOT, env=environ, check=False)
    if ended.returncode not in (0, 1):
        raise click.ClickException(f"pytest ended with {ended.returncode} for {subject.name}")
    return Outcome(title, json.loads(results.read_text()))


def _subject(name: str, port: int) -> Subject:
    if name == "ministack":
        progress = TerminalProgress(_CONSOLE)
        return MiniStack(progress, port=port) if port else MiniStack(progress)
    return Streamdev(stock_mapping=name == "localstack", port=port)


def _title(name: str, subject: Subject) -> str:
    """The subject's name with its version, for the table's head."""
    if name == "streamdev":
        return "streamdev"
    if name == "localstack":
        health = requests.get(f"{subject.endpoint}/_localstack/health", timeout=10).json()
        return f"LocalStack {health['version']}"
    return f"MiniStack {ministack_version()}"


if __name__ == "__main__":
    main()
