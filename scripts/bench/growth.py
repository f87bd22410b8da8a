"""``make growth``: how the cost of a record grows with batches, functions, pipelines and time.

A table for each: batch sizes; functions on one stream; pipelines; and the records that an engine
has handled, with its latency, memory and log after each step. Where it can be, all columns are
measured in each of several rounds; a cell is the median, with its ratio to the first column.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from scripts.bench import figures, machine, page, resources
from scripts.bench.report import Report, percentile
from scripts.bench.results import Results
from scripts.bench.subjects import ENGINES, Streamdev, running
from scripts.bench.work import Pipeline, bulk, clear
from streamdev.cli.progress import TerminalProgress

_CONSOLE = Console(stderr=True, highlight=False)
_PROGRESS = TerminalProgress(_CONSOLE)

KINDS = {
    "batches": "Batch size",
    "functions": "Functions on one stream",
    "pipelines": "Pipelines",
    "records": "Records that an engine has handled",
}


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(KINDS)), help="Only these tables.")
@click.option("--batch-size", "sizes", multiple=True, type=int, default=[1, 10, 100, 1_000])
@click.option("--functions", "functions", multiple=True, type=int, default=[1, 5, 20])
@click.option("--pipelines", "pipelines", multiple=True, type=int, default=[1, 10, 50, 100])
@click.option("--records", default=1_000, show_default=True, help="Records for each figure.")
@click.option("--total", default=100_000, show_default=True, help="Records one engine handles.")
@click.option("--steps", default=5, show_default=True, help="Steps that the total is measured in.")
@click.option("--rounds", default=3, show_default=True, help="Rounds of each figure.")
@click.option("--engine", default="host", show_default=True, type=click.Choice(ENGINES))
@click.option("--port", default=0, help="Where the engine listens; default: a free port.")
@page.output_options
def main(
    only: tuple[str, ...],
    sizes: tuple[int, ...],
    functions: tuple[int, ...],
    pipelines: tuple[int, ...],
    records: int,
    total: int,
    steps: int,
    rounds: int,
    engine: str,
    port: int,
    output: Path | None,
) -> None:
    """Measure growth and print a table for each kind."""
    if only and output == page.DOCS:
        raise click.UsageError("--docs publishes all tables: leave --only out.")
    work = f"engine {engine}; rounds: {rounds}, of {records:,} records; {total:,} records in all"
    results = Results(machine.describe(_PROGRESS), work)
    measures: dict[str, Callable[[Streamdev, Report], None]] = {
        "batches": lambda subject, report: _batch_sizes(subject, report, sizes, records, rounds),
        "functions": lambda subject, report: _functions(
            subject, report, functions, records, rounds
        ),
        "pipelines": lambda subject, report: _pipelines(
            subject, report, pipelines, records, rounds
        ),
        "records": lambda subject, report: _records(subject, report, total, steps),
    }
    subject = Streamdev(engine, port=port)
    for kind in only or KINDS:
        report = results.reports[KINDS[kind]] = Report()

        def measure(kind: str = kind, report: Report = report) -> None:
            with running(subject):
                measures[kind](subject, report)

        results.attempt(KINDS[kind], measure)
        click.echo(f"{KINDS[kind]}\n\n{report.markdown()}")
        if output:
            results.save(page.kept(output, page.GROWTH))
    if output:
        page.write(output, _PROGRESS)
    sys.exit(1 if results.failures else 0)


def _batch_sizes(
    subject: Streamdev, report: Report, sizes: tuple[int, ...], records: int, rounds: int
) -> None:
    """Cost of a record by batch size: written by batch, until the last one is handled."""
    made = {size: Pipeline(subject.endpoint, batch_size=size) for size in sizes}
    for report.round in range(rounds):
        for size, pipeline in made.items():
            _note(f"batch size {size}, round {report.round + 1}")
            cost = bulk([pipeline], records) * 1000 / records
            report.add("a record", "ms", f"batch size {size:,}", [cost])
    clear(made.values())


def _functions(
    subject: Streamdev, report: Report, counts: tuple[int, ...], records: int, rounds: int
) -> None:
    """Cost of a record, and of handing it to one function, by functions on the stream."""
    made = {count: Pipeline(subject.endpoint, batch_size=100, functions=count) for count in counts}
    for report.round in range(rounds):
        for count, pipeline in made.items():
            _note(f"{count} functions, round {report.round + 1}")
            name = f"{count} functions" if count > 1 else "1 function"
            cost = bulk([pipeline], records) * 1000 / records
            report.add("a record", "ms", name, [cost])
            report.add("a record, for each function", "ms", name, [cost / count])
    clear(made.values())


def _pipelines(
    subject: Streamdev, report: Report, counts: tuple[int, ...], records: int, rounds: int
) -> None:
    """Cost of a record, latency and memory by pipelines that all work.

    Pipelines are added, not taken away, so the columns' rounds come one column after the other.
    """
    made: list[Pipeline] = []
    for count in sorted(counts):
        _note(f"{count} pipelines")
        name = f"{count} pipelines" if count > 1 else "1 pipeline"
        made += [Pipeline(subject.endpoint, batch_size=100) for _ in range(count - len(made))]
        share = max(1, records // count)
        for report.round in range(rounds):
            cost = bulk(made, share) * 1000 / (share * count)
            report.add("a record", "ms", name, [cost])
            latencies = [one.handled for one in made[0].single_puts(50)]
            report.add("write to handler, the others idle", "ms", name, latencies)
            _add_memory(subject, report, name)
    clear(made)


def _records(subject: Streamdev, report: Report, total: int, steps: int) -> None:
    """Latency, throughput, memory and log of an engine after so many records."""
    pipeline = Pipeline(subject.endpoint, batch_size=100)
    pipeline.single_puts(50)
    step = max(1, total // steps)
    for done in range(0, total + 1, step):
        name = f"{done:,} records"
        _note(name)
        if done:
            seconds = bulk([pipeline], step)
            report.add("a record", "ms", name, [seconds * 1000 / step])
        clear([pipeline])
        handled = [one.handled for one in pipeline.single_puts(100)]
        report.add(figures.HANDLED, "ms", name, handled)
        report.add(figures.HANDLED_P99, "ms", name, [percentile(handled, 99)])
        _add_memory(subject, report, name)
        logs = list((subject.folder / ".streamdev").glob("engine.log*"))
        if logs:  # with Compose it is the container's
            size = sum(log.stat().st_size for log in logs) / 2**20
            report.add("log, all files", "MiB", name, [size])
    clear([pipeline])


def _add_memory(subject: Streamdev, report: Report, name: str) -> None:
    for part, mebibytes in resources.memory(subject).items():
        report.add(figures.memory_of(part), "MiB", name, [mebibytes])


def _note(text: str) -> None:
    _CONSOLE.print(text, style="dim")


if __name__ == "__main__":
    main()
