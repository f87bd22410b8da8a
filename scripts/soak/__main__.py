"""``make soak``: write, fail, kill and update for a while, and then account for every record.

Several clients write to two tables. Each table has three functions with mappings of different
kinds, whose handlers raise, time out, crash and report failed records at random; meanwhile
handler processes are killed, mappings and functions changed, functions throttled. At the end
every record must have been handled at least once, in order per key, or be in the failure
destination. Two minutes by default; ``ARGS='--minutes 60'`` for an hour.
"""

from __future__ import annotations

import random
import secrets
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from scripts.bench.subjects import Streamdev, running
from scripts.soak.accounts import Account
from scripts.soak.pipeline import Pipeline
from scripts.soak.trouble import Trouble

SETTLE_S = 300.0
_CONSOLE = Console(stderr=True, highlight=False)


@click.command()
@click.option("--minutes", default=2.0, show_default=True, help="How long to write.")
@click.option("--writers", default=3, show_default=True, help="Clients that write to each table.")
@click.option("--pause", default=0.05, show_default=True, help="Mean seconds between writes.")
@click.option("--seed", type=int, help="Of all chance; default: another one each time.")
@click.option("--engine", default="host", show_default=True, help="The engine to soak.")
@click.option("--port", default=0, help="Where the engine listens; default: a free port.")
def main(
    minutes: float, writers: int, pause: float, seed: int | None, engine: str, port: int
) -> None:
    """Soak the mapping, and end with 1 and the first violation if there is one."""
    seed = secrets.randbelow(2**32) if seed is None else seed
    _CONSOLE.print(f"seed {seed}, {minutes:g} minutes (again: --seed {seed})")
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        subject = Streamdev(engine, port=port)
        with running(subject):
            accounts = _soak(subject.endpoint, folder, minutes, writers, pause, seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    violations = [f"{name}: {a.violation}" for name, a in accounts.items() if a.violation]
    for violation in violations:
        _CONSOLE.print(f"Violation in {violation}", style="red")
    if violations:
        _CONSOLE.print(f"Again: make soak ARGS='--seed {seed} --minutes {minutes:g}'")
    sys.exit(1 if violations else 0)


def _soak(
    endpoint: str, folder: Path, minutes: float, writers: int, pause: float, seed: int
) -> dict[str, Account]:
    pipelines = [Pipeline(endpoint, folder, seed) for _ in range(2)]
    stop = threading.Event()
    trouble = Trouble(pipelines, seed, stop)
    with ThreadPoolExecutor(len(pipelines) * writers + 1) as pool:
        clients = [
            pool.submit(_write, pipeline, random.Random(f"{seed}/{number}/{n}"), pause, stop)
            for number, pipeline in enumerate(pipelines)
            for n in range(writers)
        ]
        troubled = pool.submit(trouble.run)
        tasks: list[Future[Any]] = [*clients, troubled]
        try:
            # One that ends by itself has failed.
            wait(tasks, timeout=minutes * 60, return_when=FIRST_COMPLETED)
        finally:
            stop.set()
        troubled.result()
        written = sum(client.result() for client in clients)
    (folder / "calm").touch()
    deadline = time.monotonic() + SETTLE_S
    accounts: dict[str, Account] = {}
    for pipeline in pipelines:
        records = pipeline.records()
        for function in pipeline.functions:
            accounts[function.name] = pipeline.settle(function, records, deadline)
    _show(accounts, written, trouble)
    return accounts


def _write(pipeline: Pipeline, chance: random.Random, pause: float, stop: threading.Event) -> int:
    """Be a client that changes items until it is told to stop; how often it did."""
    written = 0
    while not stop.wait(chance.uniform(0, 2 * pause)):
        pipeline.write(chance, written)
        written += 1
    return written


def _show(accounts: dict[str, Account], written: int, trouble: Trouble) -> None:
    table = Table("function", "records", "calls", "handled", "repeated", "given up", "")
    for name, account in accounts.items():
        numbers = (account.records, account.calls, account.handled, account.repeated)
        row = [f"{number:,}" for number in (*numbers, account.given_up)]
        table.add_row(name, *row, account.violation or "ok")
    console = Console()
    console.print(table)
    console.print(f"{written:,} writes; " + ", ".join(f"{n} {w}" for w, n in _sorted(trouble)))


def _sorted(trouble: Trouble) -> list[tuple[str, int]]:
    return sorted(trouble.counts.items())


if __name__ == "__main__":
    main()
