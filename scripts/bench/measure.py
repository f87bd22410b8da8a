"""What is done with each subject in a round: the same work for all, as far as they can do it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from scripts.bench import figures, requests, resources
from scripts.bench.peers import DynamoDBLocalAlone
from scripts.bench.report import Report, percentile
from scripts.bench.subjects import Streamdev, Subject, running
from scripts.bench.work import Pipeline, bulk, clear, client, make_table, timed_puts, write_batches

BATCH_SIZE = 100
WARM_UP = 1_000
# What a small bulk is repeated to, since it is over within a second.
AT_LEAST = 3_000
AGAIN = 3
SETTLE = 5.0


@dataclass(frozen=True)
class Plan:
    """How much is done in a round.

    Attributes:
        puts: Single puts.
        bulks: Items written by batch, each number by itself.
        edits: Edits of a handler, each deployed.
        idle: Seconds of idling that are watched.
        requests: Requests through an API each way.
    """

    puts: int
    bulks: tuple[int, ...]
    edits: int
    idle: int
    requests: int

    def of_localstack(self) -> Plan:
        """What LocalStack's own polling is given: it takes a second a put, and longer by batch."""
        return replace(self, puts=min(self.puts, 30), bulks=self.bulks[:1])


def measure(subject: Subject, plan: Plan, report: Report, of_requests: Report) -> None:
    """Start the subject, measure it, stop it.

    Args:
        subject: Whom to measure; it does not run yet.
        plan: How much is done.
        report: Takes the figures.
        of_requests: Takes those of requests through an API.
    """
    with running(subject) as ready:
        if isinstance(subject, DynamoDBLocalAlone):
            _ceiling(subject, plan, report)
            return
        if isinstance(subject, Streamdev):
            _life(subject, ready, plan, report)
        stock = isinstance(subject, Streamdev) and subject.stock_mapping
        work = plan.of_localstack() if stock else plan
        _single_puts(subject, work, report)
        _bulks(subject, work, report)
        _idle(subject, work, report)
        if isinstance(subject, Streamdev) and not stock:
            requests.measure(subject, of_requests, plan.requests)


def _life(subject: Streamdev, ready: float, plan: Plan, report: Report) -> None:
    """Starting, starting what runs, deploying an edit, saving one that is watched."""
    name = subject.name
    report.add(figures.READY, "s", name, [ready])
    first = subject.run("put-item", "id=first", "name=first", "--wait")
    report.add(figures.FIRST, "s", name, [ready + first])
    if subject.stock_mapping:
        return
    report.add(figures.AGAIN, "s", name, [subject.run("up") for _ in range(AGAIN)])
    for number in range(plan.edits):
        subject.edit_handler(number)
        report.add(figures.REDEPLOY, "s", name, [subject.run("deploy")])
    report.add(figures.RELOAD, "s", name, subject.reloads(plan.edits))


def _single_puts(subject: Subject, plan: Plan, report: Report) -> None:
    """One change at a time, and one more after a while without any."""
    pipeline = Pipeline(subject.endpoint, batch_size=BATCH_SIZE)
    pipeline.single_puts(_warm_up(plan.puts))
    latencies = pipeline.single_puts(plan.puts)
    clear([pipeline])
    name = subject.name
    handled = [one.handled for one in latencies]
    report.add(figures.PUT, "ms", name, [one.put for one in latencies])
    report.add(figures.HANDLED, "ms", name, handled)
    report.add(figures.HANDLED_P99, "ms", name, [percentile(handled, 99)])
    report.add(figures.AFTER_PUT, "ms", name, [one.handled - one.put for one in latencies])


def _bulks(subject: Subject, plan: Plan, report: Report) -> None:
    """Many items, written by batch: the rate until the function was handed the last."""
    if plan.bulks:
        warm = Pipeline(subject.endpoint, batch_size=BATCH_SIZE)
        bulk([warm], WARM_UP)
        clear([warm])
    for count in plan.bulks:
        pipeline = Pipeline(subject.endpoint, batch_size=BATCH_SIZE)
        rates = [count / bulk([pipeline], count) for _ in range(_times(count))]
        clear([pipeline])
        report.add(figures.bulk(count), "records/s", subject.name, rates, "higher")


def _ceiling(subject: DynamoDBLocalAlone, plan: Plan, report: Report) -> None:
    """What DynamoDB Local alone accepts of the same writes, as warm; it hands them to nobody."""
    dynamodb = client("dynamodb", subject.endpoint)
    make_table(dynamodb, "warm")
    timed_puts(dynamodb, "warm", _warm_up(plan.puts))
    sent = timed_puts(dynamodb, "warm", plan.puts).values()
    report.add(figures.PUT, "ms", subject.name, [(end - start) / 1e6 for start, end in sent])
    write_batches([(dynamodb, "warm")], WARM_UP)
    for count in plan.bulks:
        make_table(dynamodb, f"bulk-{count}")
        for _ in range(_times(count)):
            start = time.monotonic()
            write_batches([(dynamodb, f"bulk-{count}")], count)
            rate = count / (time.monotonic() - start)
            report.add(figures.bulk(count), "records/s", subject.name, [rate], "higher")


def _warm_up(puts: int) -> int:
    """How many puts come first, untimed, to warm what is warmed by use."""
    return max(puts // 4, 20)


def _times(count: int) -> int:
    return max(1, AT_LEAST // count)


def _idle(subject: Subject, plan: Plan, report: Report) -> None:
    """Processor and memory while nothing is asked for; then how long the next write takes."""
    pipeline = Pipeline(subject.endpoint, batch_size=BATCH_SIZE)
    name = subject.name
    time.sleep(SETTLE)  # what the work left behind ends
    if subject.processes():  # with Docker in a virtual machine they are not this machine's
        used = resources.idle_cpu(subject, plan.idle)
        report.add(figures.idle_cpu(plan.idle), "% of a core", name, [used])
        parts = resources.memory(subject)
        report.add(figures.MEMORY, "MiB", name, [sum(parts.values())])
        for part, mebibytes in parts.items():
            report.add(figures.memory_of(part), "MiB", name, [mebibytes])
    else:
        time.sleep(plan.idle)
    after_idling = pipeline.single_puts(1)[0].handled
    report.add(figures.AFTER_IDLING, "ms", name, [after_idling])
    clear([pipeline])
