"""``make profile``: where the time of a single put and of an engine's start goes.

It shows what bounds the figures of ``make bench``: each layer that a put goes through by itself,
what computes meanwhile, and what an engine's start consists of. py-spy needs to be allowed to
look into processes: run it as root, or with ``kernel.yama.ptrace_scope=0``.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
import psutil
from rich.console import Console

from scripts.bench import figures, machine, page
from scripts.bench.peers import DynamoDBLocalAlone, MiniStack
from scripts.bench.report import Report
from scripts.bench.results import Results
from scripts.bench.sampling import sampled
from scripts.bench.subjects import Streamdev, Subject, SubjectError, running
from scripts.bench.work import SPACE, Pipeline, client, make_table, timed_puts
from streamdev.cli.progress import TerminalProgress
from streamdev.engine.record import read_record
from streamdev.paths import StateDir
from streamdev.plugins.dynamodb.client import DynamoDbClient, namespace_of
from streamdev.plugins.dynamodb.wire import TARGET

_CONSOLE = Console(stderr=True, highlight=False)
_PROGRESS = TerminalProgress(_CONSOLE)

LAYERS = "The way of a put"
COMPUTING = "Processor time of a put"
START = "Processor time of a start"

_STRAIGHT = "put as bytes, straight to DynamoDB Local"
_BYTES = "put as bytes, to the endpoint"
_BOTO3 = "put by boto3, to the endpoint"
_TABLE = "profile"
_TOLD = 0.03
_ENGINE_WITHIN = 60.0


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--puts", type=click.IntRange(min=10), default=200, show_default=True)
@page.output_options
def main(rounds: int, puts: int, output: Path | None) -> None:
    """Measure and sample; print the tables."""
    work = f"rounds: {rounds}; in each {puts} puts, {SPACE * 1000:.0f} ms apart"
    results = Results(machine.describe(_PROGRESS), work)
    layers, computing, start = Report(), Report(), Report()
    results.reports = {LAYERS: layers, COMPUTING: computing, START: start}
    host = Streamdev()
    subjects: list[Subject] = [host, DynamoDBLocalAlone(_PROGRESS), MiniStack(_PROGRESS)]
    for subject in subjects:
        with running(subject):  # so that what follows runs prepared
            pass
    for number in range(rounds):
        layers.round = computing.round = start.round = number
        for subject in subjects if number % 2 == 0 else reversed(subjects):
            what = f"{subject.name}, round {number + 1} of {rounds}"
            _CONSOLE.print(f"measuring {what}")
            results.attempt(what, partial(_layers, subject, puts, layers))
        results.attempt("a put", lambda: _computing(host, puts, computing))
        results.attempt("a start", lambda: _start(host, start))
    if output:
        folder = page.kept(output, page.PROFILE).parent
        results.attempt("picture of puts", lambda: _draw_puts(host, puts, folder / "put.svg"))
        results.attempt("picture of a start", lambda: _draw_start(host, folder / "start.svg"))
        results.save(page.kept(output, page.PROFILE))
        page.write(output, _PROGRESS)
    for title, report in results.reports.items():
        click.echo(f"{title}\n\n{report.markdown()}")
    sys.exit(1 if results.failures else 0)


def _layers(subject: Subject, puts: int, report: Report) -> None:
    """The same put by each layer alone, one after the other in a table of their own."""
    with running(subject):
        dynamodb = client("dynamodb", subject.endpoint)
        make_table(dynamodb, _TABLE)
        # Each with where it goes to, and the access key that the table is found by there.
        here = _address(subject.endpoint)
        ways = {_BYTES: (here, "test")}
        if isinstance(subject, DynamoDBLocalAlone):
            ways = {_STRAIGHT: (here, "test")}
        elif isinstance(subject, Streamdev):
            database = ("127.0.0.1", _database_port(subject))
            ways[_STRAIGHT] = (database, namespace_of("0" * 12, "us-east-1"))
        for what, (address, key) in ways.items():
            took = _puts_as_bytes(DynamoDbClient(*address), key, puts)
            report.add(what, "ms", subject.name, took)
        sent = timed_puts(dynamodb, _TABLE, puts).values()
        report.add(_BOTO3, "ms", subject.name, [(end - begun) / 1e6 for begun, end in sent])


def _puts_as_bytes(dynamodb: DynamoDbClient, namespace: str, puts: int) -> list[float]:
    """Milliseconds of each put of a request that is made up beforehand."""
    took = []
    for number in range(puts):
        item = {"id": {"S": f"bytes-{time.time_ns()}-{number}"}, "name": {"S": "John Doe"}}
        body = json.dumps({"TableName": _TABLE, "Item": item}).encode()
        start = time.perf_counter()
        reply = dynamodb.exchange(f"{TARGET}PutItem", body, namespace, "us-east-1")
        took.append((time.perf_counter() - start) * 1000)
        if reply.status != 200:
            raise SubjectError(f"PutItem was answered with {reply.status}: {reply.body!r}")
        time.sleep(SPACE)
    dynamodb.close()
    return took


def _computing(host: Streamdev, puts: int, report: Report) -> None:
    """Milliseconds of processor time by who computes, for a put that a function handles."""
    with _put_to(host, puts) as put, sampled(host.processes()[0].pid, _PROGRESS) as samples:
        before = _java_seconds(host)
        put()
        java = _java_seconds(host) - before
    _add_shares(report, samples.by_package(), 1000 / puts, "ms")
    report.add("DynamoDB Local (Java)", "ms", host.name, [java * 1000 / puts])


def _start(host: Streamdev, report: Report) -> None:
    """Seconds of processor time of the engine, until its pipelines are ready."""
    with _starting(host) as (pid, wait), sampled(pid, _PROGRESS) as samples:
        wait()
    imports = samples.by_import()
    ready = imports.pop("", 0.0)
    named = {f"importing {package}": seconds for package, seconds in imports.items()}
    _add_shares(report, named | {"all else": ready}, 1, "s")


def _draw_puts(host: Streamdev, puts: int, picture: Path) -> None:
    with _put_to(host, puts) as put, sampled(host.processes()[0].pid, _PROGRESS, picture):
        put()


def _draw_start(host: Streamdev, picture: Path) -> None:
    with _starting(host) as (pid, wait), sampled(pid, _PROGRESS, picture):
        wait()


@contextmanager
def _put_to(host: Streamdev, puts: int) -> Iterator[Callable[[], object]]:
    """A running engine with a function, warm; what is given puts items, one by one."""
    with running(host):
        pipeline = Pipeline(host.endpoint, batch_size=100)
        pipeline.single_puts(max(puts // 4, 20))
        yield lambda: timed_puts(pipeline.dynamodb, pipeline.table, puts)


@contextmanager
def _starting(host: Streamdev) -> Iterator[tuple[int, Callable[[], object]]]:
    """``up`` in the background: the engine's process, and what waits until all is ready."""
    up = threading.Thread(target=host.start)
    up.start()
    try:
        yield _engine_of(host), up.join
    finally:
        up.join()
        host.stop()


def _engine_of(host: Streamdev) -> int:
    """The process of LocalStack, as soon as it is there."""
    record = StateDir.of_project(host.folder).engine_record
    deadline = time.monotonic() + _ENGINE_WITHIN
    while time.monotonic() < deadline:
        if (found := read_record(record)) and found.pid:
            return found.pid
        time.sleep(0.01)
    raise SubjectError(f"{host.name}: no engine was started within {_ENGINE_WITHIN:.0f} s")


def _java_seconds(host: Streamdev) -> float:
    """Processor seconds that Java has taken so far."""
    times = _java_of(host).cpu_times()
    return float(times.user + times.system)


def _java_of(host: Streamdev) -> psutil.Process:
    return next(one for one in host.processes() if "java" in one.name())


def _database_port(host: Streamdev) -> int:
    listening = _java_of(host).net_connections("tcp")
    return next(int(one.laddr[1]) for one in listening if one.status == psutil.CONN_LISTEN)


def _address(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.removeprefix("http://").partition(":")
    return host, int(port)


def _add_shares(report: Report, shares: Mapping[str, float], factor: float, unit: str) -> None:
    """Add all of them together, those that matter by name, and the others as one."""
    whole = sum(shares.values())
    report.add("together", unit, figures.HOST, [whole * factor])
    told = {name: value for name, value in shares.items() if value > _TOLD * whole}
    for name, value in sorted(told.items(), key=lambda one: one[1], reverse=True):
        report.add(name, unit, figures.HOST, [value * factor])
    report.add("others", unit, figures.HOST, [(whole - sum(told.values())) * factor])


if __name__ == "__main__":
    main()
