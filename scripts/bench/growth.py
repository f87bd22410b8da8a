"""``make growth``: how the cost of a record grows with batches, functions, pipelines and time.

A table for each: batch sizes; functions on one stream; pipelines; and the records that an engine
has handled, with its latency, memory and log after each step. Every cell is the median, and the
ratio to the first column.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import click
import psutil
from rich.console import Console

from scripts.bench.report import Report
from scripts.bench.subjects import Streamdev, running
from scripts.bench.work import Pipeline

_CONSOLE = Console(stderr=True, highlight=False)


KINDS = ("batches", "functions", "pipelines", "records")


@click.command()
@click.option("--only", multiple=True, type=click.Choice(KINDS), help="Only these tables.")
@click.option("--batch-size", "sizes", multiple=True, type=int, default=[1, 10, 100, 1_000])
@click.option("--functions", "functions", multiple=True, type=int, default=[1, 5, 20])
@click.option("--pipelines", "pipelines", multiple=True, type=int, default=[1, 10, 50, 100])
@click.option("--records", default=1_000, show_default=True, help="Records for each figure.")
@click.option("--total", default=100_000, show_default=True, help="Records one engine handles.")
@click.option("--steps", default=5, show_default=True, help="Steps that the total is measured in.")
@click.option("--runs", default=3, show_default=True, help="Runs of each figure.")
@click.option("--engine", default="host", show_default=True)
@click.option("--port", default=0, help="Where the engine listens; default: a free port.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the tables here too.")
def main(
    only: tuple[str, ...],
    sizes: tuple[int, ...],
    functions: tuple[int, ...],
    pipelines: tuple[int, ...],
    records: int,
    total: int,
    steps: int,
    runs: int,
    engine: str,
    port: int,
    output: Path | None,
) -> None:
    """Measure growth and print a table for each kind."""
    tables: list[str] = []
    measures: dict[str, Callable[[Streamdev], Report]] = {
        "batches": lambda subject: _batch_sizes(subject, sizes, records, runs),
        "functions": lambda subject: _functions(subject, functions, records, runs),
        "pipelines": lambda subject: _pipelines(subject, pipelines, records, runs),
        "records": lambda subject: _records(subject, total, steps),
    }
    for name in only or KINDS:
        subject = Streamdev(engine, port=port)
        with running(subject):
            tables.append(measures[name](subject).markdown())
        Console().print(tables[-1], soft_wrap=True)
    if output:
        output.write_text("\n".join(tables))


def _batch_sizes(subject: Streamdev, sizes: tuple[int, ...], records: int, runs: int) -> Report:
    """Cost of a record by batch size: written by batch, until the last one is handled."""
    report = Report()
    for size in sizes:
        _note(f"batch size {size}")
        pipeline = Pipeline(subject.endpoint, batch_size=size)
        for _ in range(runs):
            _, seconds = pipeline.bulk(records)
            report.add("a record", "ms", f"batch size {size:,}", [seconds * 1000 / records])
    return report


def _functions(subject: Streamdev, counts: tuple[int, ...], records: int, runs: int) -> Report:
    """Cost of a record, and of handing it to one function, by functions on the stream."""
    report = Report()
    for count in counts:
        _note(f"{count} functions")
        name = f"{count} functions" if count > 1 else "1 function"
        pipeline = Pipeline(subject.endpoint, batch_size=100, functions=count)
        for _ in range(runs):
            _, seconds = pipeline.bulk(records)
            cost = seconds * 1000 / records
            report.add("a record", "ms", name, [cost])
            report.add("a record, for each function", "ms", name, [cost / count])
    return report


def _pipelines(subject: Streamdev, counts: tuple[int, ...], records: int, runs: int) -> Report:
    """Cost of a record, latency and memory by pipelines that all work."""
    report = Report()
    made: list[Pipeline] = []
    for count in sorted(counts):
        _note(f"{count} pipelines")
        name = f"{count} pipelines" if count > 1 else "1 pipeline"
        made += [Pipeline(subject.endpoint, batch_size=100) for _ in range(count - len(made))]
        share = max(1, records // count)
        for _ in range(runs):
            with ThreadPoolExecutor(min(count, 8)) as pool:
                began = time.monotonic()
                list(pool.map(Pipeline.bulk, made, repeat(share)))
                seconds = time.monotonic() - began
            report.add("a record", "ms", name, [seconds * 1000 / (share * count)])
        latencies = [one.handled for one in made[0].single_puts(50)]
        report.add("write to handler, the others idle", "ms", name, latencies)
        for part, mebibytes in _memory(subject).items():
            report.add(f"memory: {part}", "MiB", name, [mebibytes])
    return report


def _records(subject: Streamdev, total: int, steps: int) -> Report:
    """Latency, throughput, memory and log of an engine after so many records."""
    report = Report()
    pipeline = Pipeline(subject.endpoint, batch_size=100)
    pipeline.single_puts(50)
    done = 0
    while True:
        name = f"{done:,} records"
        _note(name)
        pipeline.clear()
        latencies = sorted(one.handled for one in pipeline.single_puts(100))
        report.add("write to handler", "ms", name, latencies)
        report.add("write to handler, p99", "ms", name, [latencies[-2]])
        for part, mebibytes in _memory(subject).items():
            report.add(f"memory: {part}", "MiB", name, [mebibytes])
        logs = (subject.folder / ".streamdev").glob("engine.log*")
        size = sum(log.stat().st_size for log in logs) / 2**20
        report.add("log, all files", "MiB", name, [size])
        if done >= total:
            return report
        pipeline.clear()
        step = total // steps
        _, seconds = pipeline.bulk(step)
        done += step
        report.add("a record", "ms", f"{done:,} records", [seconds * 1000 / step])


def _memory(subject: Streamdev) -> dict[str, float]:
    """Resident memory in MiB: LocalStack, DynamoDB Local, and the handlers together."""
    found = {"LocalStack": 0.0, "DynamoDB Local": 0.0, "handlers": 0.0}
    main, *children = subject.processes()
    found["LocalStack"] = main.memory_info().rss / 2**20
    for process in children:
        try:
            part = "DynamoDB Local" if "java" in process.name() else "handlers"
            found[part] += process.memory_info().rss / 2**20
        except psutil.NoSuchProcess:
            continue
    return found


def _note(text: str) -> None:
    _CONSOLE.print(text, style="dim")


if __name__ == "__main__":
    main()
