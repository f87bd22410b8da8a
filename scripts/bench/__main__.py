"""``make bench``: start, redeploy, latency and throughput, beside peers in the same run.

Everything is measured on this machine, now: medians of several runs, with their spread, and as
ratios to the first subject. ``--short`` is what continuous integration runs.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import click
import psutil
from rich.console import Console

from scripts.bench import requests
from scripts.bench.report import Report
from scripts.bench.subjects import (
    ENGINES,
    DynamoDBLocalAlone,
    MiniStack,
    Streamdev,
    Subject,
    running,
)
from scripts.bench.work import Pipeline, client, make_table, write_batches
from streamdev.cli.progress import TerminalProgress
from streamdev.engine.environment import tool_environment

_PLOT = Path(__file__).with_name("plot.py")
_CONSOLE = Console(stderr=True, highlight=False)
_PROGRESS = TerminalProgress(_CONSOLE)


@click.command()
@click.option(
    "--engine",
    "engines",
    multiple=True,
    type=click.Choice(ENGINES),
    help="Measure this one as well; host always is, since ratios are to it.",
)
@click.option("--peers/--no-peers", default=True, help="Measure MiniStack and LocalStack as well.")
@click.option("--runs", default=5, show_default=True, help="Runs of each start and each redeploy.")
@click.option("--puts", default=200, show_default=True, help="Single puts.")
@click.option("--bulk", "bulks", multiple=True, type=int, default=[1_000, 20_000])
@click.option("--idle", default=60, show_default=True, help="Seconds of idling that are watched.")
@click.option("--requests", "count", default=0, help="Only requests through an API, so many.")
@click.option("--short", is_flag=True, help="A few runs of each, for continuous integration.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for JSON and plot.")
def main(
    engines: tuple[str, ...],
    peers: bool,
    runs: int,
    puts: int,
    bulks: tuple[int, ...],
    idle: int,
    count: int,
    short: bool,
    output: Path | None,
) -> None:
    """Measure streamdev's engines beside its peers and print a table."""
    if short:
        runs, puts, bulks, idle = 1, 50, (1_000,), 10
    report = Report()
    ours = dict.fromkeys(("host", *engines))
    if not count:
        for engine in ours:
            _measure_streamdev(Streamdev(engine), report, runs, puts, bulks, idle)
    if peers and not count:
        _measure(Streamdev(stock_mapping=True), report, min(puts, 30), bulks[:1], idle)
        _measure(MiniStack(_PROGRESS), report, puts, bulks, idle)
        _measure_ceiling(report, bulks)
    for engine in ours:
        subject = Streamdev(engine)
        _note(f"{subject.name}: requests through an API")
        requests.measure(subject, report, count or (100 if short else 500))
    click.echo(report.markdown())
    if output:
        output.mkdir(parents=True, exist_ok=True)
        report.save(output / "bench.json")
        python = tool_environment("matplotlib", _PROGRESS) / "bin" / "python"
        plot = [str(python), str(_PLOT), str(output / "bench.json")]
        subprocess.run([*plot, str(output / "bench.png")], check=True)


def _measure_streamdev(
    subject: Streamdev, report: Report, runs: int, puts: int, bulks: tuple[int, ...], idle: int
) -> None:
    subject.start()  # fetches what is missing, so that what follows runs prepared
    subject.stop()
    for _ in range(runs):
        _note(f"{subject.name}: up")
        report.add("up until the pipeline is ready", "s", subject.name, [subject.start()])
        again = [subject.run("up") for _ in range(3)]
        report.add("up when all runs already", "s", subject.name, again)
        report.add("up to first record handled", "s", subject.name, [_first_record(subject)])
        subject.stop()
    subject.start()
    for number in range(runs):
        subject.edit_handler(number)
        report.add("redeploy after a handler edit", "s", subject.name, [subject.run("deploy")])
    subject.stop()
    _measure(subject, report, puts, bulks, idle)


def _first_record(subject: Streamdev) -> float:
    """Seconds from a cold ``up`` to the first record handled."""
    subject.stop()
    return subject.run("up") + subject.run("put-item", "id=first", "name=first", "--wait")


def _measure(
    subject: Subject, report: Report, puts: int, bulks: tuple[int, ...], idle: int
) -> None:
    """The work every subject does."""
    _note(subject.name)
    with running(subject):
        single = Pipeline(subject.endpoint, batch_size=100)
        single.single_puts(max(puts // 4, 20))  # warms what is warmed by use
        latencies = single.single_puts(puts)
        name = subject.name
        report.add("put", "ms", name, [one.put for one in latencies])
        handled = sorted(one.handled for one in latencies)
        report.add("write to handler", "ms", name, handled)
        report.add("write to handler, p99", "ms", name, [handled[int(len(handled) * 0.99) - 1]])
        after = [one.handled - one.put for one in latencies]
        report.add("write to handler less the put", "ms", name, after)
        for count in bulks:
            pipeline = Pipeline(subject.endpoint, batch_size=100)
            _, seconds = pipeline.bulk(count)
            report.add(_handled(count), "records/s", name, [count / seconds], "higher")
        _idle(subject, report, idle)


def _measure_ceiling(report: Report, bulks: tuple[int, ...]) -> None:
    """What DynamoDB Local alone accepts, written to directly."""
    subject = DynamoDBLocalAlone(_PROGRESS)
    _note(subject.name)
    with running(subject):
        dynamodb = client("dynamodb", subject.endpoint)
        make_table(dynamodb, "warm")
        write_batches(dynamodb, "warm", 2_000)
        for count in bulks:
            make_table(dynamodb, f"bulk-{count}")
            start = time.monotonic()
            write_batches(dynamodb, f"bulk-{count}", count)
            rate = count / (time.monotonic() - start)
            report.add(_handled(count), "records/s", subject.name, [rate], "higher")


def _idle(subject: Subject, report: Report, seconds: int) -> None:
    """CPU over a while without work, and the memory held."""
    time.sleep(5)  # let what the work left behind settle
    processes = subject.processes()
    if not processes:
        return  # Docker in a virtual machine: they are not this machine's
    before = _cpu_seconds(processes)
    time.sleep(seconds)
    used = (_cpu_seconds(processes) - before) / seconds * 100
    report.add("CPU of an idle engine", "% of a core", subject.name, [used])
    memory = sum(process.memory_info().rss for process in processes if process.is_running())
    report.add("memory of an idle engine", "MiB", subject.name, [memory / 2**20])


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes if process.is_running()]
    return sum(time.user + time.system for time in times)


def _handled(count: int) -> str:
    return f"{count:,} items written by batch and handled"


def _note(text: str) -> None:
    _CONSOLE.print(f"measuring {text}")


if __name__ == "__main__":
    main()
