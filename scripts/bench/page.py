"""The published page: docs/performance.md and its picture, made from what the runs have kept.

``make bench``, ``make growth`` and ``make profile`` each keep their results as JSON beside the
page, so that any can be run again alone. ``python -m scripts.bench.page`` makes the page from
what is kept.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from scripts.bench import aims
from scripts.bench.results import Results
from streamdev.cli.progress import TerminalProgress
from streamdev.engine.base import Progress
from streamdev.engine.environment import tool_environment

DOCS = Path(__file__).resolve().parents[2] / "docs"
NAME = "performance"
BENCH, GROWTH, PROFILE = "bench", "growth", "profile"
# Titles of tables.
FIGURES, REQUESTS, AIMS = "Figures", "Requests through an API", "Aims"
_TEMPLATE = Path(__file__).with_name("performance.md")
_PLOT = Path(__file__).with_name("plot.py")
_COMMANDS = {name: f"make {name} ARGS=--docs" for name in (BENCH, GROWTH, PROFILE)}


def output_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--docs`` and ``--output``, which both set ``output``."""
    docs = click.option(
        "--docs",
        "output",
        flag_value=DOCS,
        type=click.Path(path_type=Path),
        help="Write docs/performance.md, its picture and its samples anew.",
    )
    output = click.option(
        "-o",
        "--output",
        "output",
        type=click.Path(path_type=Path, file_okay=False),
        help="The same in another folder.",
    )
    return docs(output(function))


def kept(folder: Path, name: str) -> Path:
    """Where the samples of ``make bench``, ``make growth`` or ``make profile`` are kept."""
    return folder / NAME / f"{name}.json"


def write(folder: Path, progress: Progress) -> None:
    """Make the page and its picture from what is kept in ``folder``."""
    found = {
        name: Results.load(kept(folder, name)) for name in _COMMANDS if kept(folder, name).is_file()
    }
    (folder / f"{NAME}.md").write_text(render(found))
    python = tool_environment("matplotlib", progress) / "bin" / "python"
    command = [str(python), str(_PLOT), str(folder / NAME), str(folder / f"{NAME}.png")]
    subprocess.run(command, check=True)


def render(found: dict[str, Results]) -> str:
    """The page's text.

    Args:
        found: What ``BENCH``, ``GROWTH`` and ``PROFILE`` have kept; any may be missing.
    """
    text = _TEMPLATE.read_text()
    for marker, content in _sections(found).items():
        text = text.replace(f"<!-- {marker} -->", content.strip())
    return text


def _sections(found: dict[str, Results]) -> dict[str, str]:
    """Marker in the template → what takes its place."""
    sections = {f"{name} machine": _missing(name) for name in _COMMANDS}
    sections |= dict.fromkeys(("figures", "aims", "requests", *_COMMANDS), "")
    if bench := found.get(BENCH):
        figures = bench.reports[FIGURES]
        sections |= {
            "bench machine": _machine(BENCH, bench),
            "figures": figures.markdown(),
            "aims": aims.markdown(figures),
            "requests": bench.reports[REQUESTS].markdown(),
        }
    for name in (GROWTH, PROFILE):
        if results := found.get(name):
            tables = [
                f"### {title}\n\n{report.markdown()}" for title, report in results.reports.items()
            ]
            sections |= {f"{name} machine": _machine(name, results), name: "\n".join(tables)}
    return sections


def _machine(name: str, results: Results) -> str:
    lines = ["| | |", "|---|---|"]
    lines += [f"| {what} | {value} |" for what, value in results.machine.items()]
    lines.append(f"| work | {results.work} |")
    lines.append(f"| every sample | [{name}.json]({NAME}/{name}.json) |")
    failures = [f"- {line.splitlines()[0]}" for line in results.failures]
    told = ["", "Could not be measured:", "", *failures] if failures else []
    return "\n".join([*lines, *told])


def _missing(name: str) -> str:
    return f"Not measured yet: `{_COMMANDS[name]}`."


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), default=DOCS)
def main(output: Path) -> None:
    """Make the page from what is kept."""
    write(output, TerminalProgress(Console(stderr=True)))


if __name__ == "__main__":
    main()
