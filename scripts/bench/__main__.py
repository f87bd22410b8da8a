"""``make bench``: start, redeploy, latency and throughput, beside peers in the same run.

All subjects are measured in each of several rounds, forwards and backwards in turn, so that a
machine that gets slower or faster meanwhile does so for all of them: see ``scripts.bench.report``.
``--short`` is what continuous integration runs.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from scripts.bench import aims, machine, page, requests
from scripts.bench.measure import Plan, measure
from scripts.bench.peers import DynamoDBLocalAlone, MiniStack
from scripts.bench.report import Report
from scripts.bench.results import Results
from scripts.bench.subjects import ENGINES, Streamdev, Subject, running
from streamdev.cli.progress import TerminalProgress

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
@click.option(
    "--peers/--no-peers",
    default=True,
    help="Measure MiniStack, LocalStack and DynamoDB Local as well.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How often all are measured.",
)
@click.option(
    "--puts",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Single puts in a round.",
)
@click.option(
    "--bulk",
    "bulks",
    multiple=True,
    type=click.IntRange(min=1),
    default=[aims.SMALL, aims.LARGE],
    show_default=True,
    help="So many items written by batch; may be given more than once.",
)
@click.option("--idle", default=aims.IDLE, show_default=True, help="Seconds of idling watched.")
@click.option("--requests", "count", default=0, help="Only requests through an API, so many.")
@click.option("--short", is_flag=True, help="One small round, for continuous integration.")
@page.output_options
def main(
    engines: tuple[str, ...],
    peers: bool,
    rounds: int,
    puts: int,
    bulks: tuple[int, ...],
    idle: int,
    count: int,
    short: bool,
    output: Path | None,
) -> None:
    """Measure streamdev's engines beside its peers; print the figures and the aims."""
    plan = Plan(puts, bulks, edits=3, idle=idle, requests=count or 500)
    if short:
        rounds = 1
        plan = Plan(puts=50, bulks=(aims.SMALL,), edits=1, idle=10, requests=count or 100)
    ours = [Streamdev(engine) for engine in dict.fromkeys(("host", *engines))]
    subjects: list[Subject] = [*ours]
    if peers and not count:
        subjects += [DynamoDBLocalAlone(_PROGRESS), MiniStack(_PROGRESS)]
        subjects.append(Streamdev(stock_mapping=True))
    work = f"rounds: {rounds}; in each {plan.puts} single puts, {plan.idle} s of idling"
    results = Results(machine.describe(_PROGRESS), work)
    if count:
        _requests_only(ours, results, rounds, count)
    else:
        _all(subjects, results, rounds, plan, output)
    for title, report in results.reports.items():
        click.echo(f"{title}\n\n{report.markdown()}")
    if not count:
        click.echo(f"{page.AIMS}\n\n{aims.markdown(results.reports[page.FIGURES])}")
    if output and not count:
        page.write(output, _PROGRESS)
    if results.failures:
        click.echo("\n".join(["Could not be measured:", *results.failures]), err=True)
        sys.exit(1)


def _all(
    subjects: list[Subject], results: Results, rounds: int, plan: Plan, output: Path | None
) -> None:
    """Measure each subject in each round; what was found is kept after each round."""
    report, of_requests = Report(), Report()
    results.reports = {page.FIGURES: report, page.REQUESTS: of_requests}
    for subject in subjects:
        results.attempt(f"{subject.name}, first start", partial(_prepare, subject))
    for number in range(rounds):
        report.round = of_requests.round = number
        # Forwards and backwards in turn: what drifts hits the first and the last alike.
        for subject in subjects if number % 2 == 0 else reversed(subjects):
            what = f"{subject.name}, round {number + 1} of {rounds}"
            _CONSOLE.print(f"measuring {what}")
            results.attempt(what, partial(measure, subject, plan, report, of_requests))
        if output:
            results.save(page.kept(output, page.BENCH))


def _prepare(subject: Subject) -> None:
    """Fetch what is missing, so that what follows runs prepared."""
    _CONSOLE.print(f"preparing {subject.name}")
    with running(subject):
        pass


def _requests_only(engines: list[Streamdev], results: Results, rounds: int, count: int) -> None:
    report = results.reports[page.REQUESTS] = Report()
    for number in range(rounds):
        report.round = number
        for engine in engines:

            def measure_requests(engine: Streamdev = engine) -> None:
                with running(engine):
                    requests.measure(engine, report, count)

            _CONSOLE.print(f"measuring requests on {engine.name}, round {number + 1} of {rounds}")
            results.attempt(f"{engine.name}, round {number + 1}", measure_requests)


if __name__ == "__main__":
    main()
