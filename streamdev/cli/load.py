"""load, seed: many items at a rate of one's own, and a pipeline's sample data."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.item_bulk import BulkInput
from streamdev.cli.item_file import name_of, opened, put_file, size_of
from streamdev.cli.item_input import REFUSED, Line, parse_item, read_lines
from streamdev.cli.item_output import print_document
from streamdev.cli.item_target import Target, find_target, table_errors, target_options
from streamdev.cli.load_meter import Meter, duration
from streamdev.cli.options import common_options, pipeline_option
from streamdev.errors import InvalidInputError
from streamdev.semantics.generate import SEEDS, generate
from streamdev.semantics.items import Item
from streamdev.semantics.pace import Pace

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline

SAMPLES = 1_000
SHOW_EVERY = 100


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@click.option("--generate", "count", type=click.IntRange(min=1), metavar="N", help="Make up N.")
@click.option(
    "--seed",
    type=click.IntRange(0, SEEDS - 1),
    metavar="NUMBER",
    help="With --generate: the same items as before with this seed (default: new ones).",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Hold N items a second (default: as fast as it goes).",
)
@target_options
@common_options
@pass_context
def load(
    ctx: Context,
    path: Path | None,
    count: int | None,
    seed: int | None,
    rate: float | None,
    pipeline: str | None,
    table: str | None,
) -> int:
    """Write many items, from a file or made up, and show how fast it goes.

    put-item --file writes a file as well, and that is all. load is for putting load on a
    pipeline: it shows items a second and the time left, holds a rate with --rate, and makes items
    up with --generate. Those have unique keys of the table's types. Their other attributes are
    mixed from the pipeline's sample data (seed in pipelines.toml); without any, they are people.

    FILE holds JSON lines as for put-item --file; - is standard input.

    Examples:
      ./dev.py load items.jsonl
      ./dev.py load --generate 10000
      ./dev.py load --generate 600 --rate 10 --seed 7 -p async-request
    """
    if (path is None) == (count is None):
        raise InvalidInputError(
            "Give a file, or --generate N.", hint="For instance: ./dev.py load --generate 1000"
        )
    if seed is not None and count is None:
        raise InvalidInputError("--seed goes with --generate.")
    target = find_target(ctx, pipeline, table)
    bulk = BulkInput(ctx, target, name_of(path) if path else "")
    pace = Pace(rate, time.monotonic, time.sleep) if rate else None
    if count is not None and seed is None:
        seed = random.randrange(SEEDS)
    with ExitStack() as stack:
        if path is not None:
            stream = stack.enter_context(opened(ctx, path))
            total, steps = size_of(stream), _lines(stream, bulk)
        else:
            total, steps = count, _made_up(target, bulk, count or 0, seed or 0)
        stack.enter_context(table_errors(target))
        meter = stack.enter_context(Meter(ctx, total))
        try:
            _run(steps, bulk, meter, pace)
        except KeyboardInterrupt:
            ctx.err.print(f"Interrupted: {bulk.written:,} items are written.")
            raise
    _tell(ctx, bulk, meter.seconds, seed)
    return bulk.exit_code


def _lines(stream: BinaryIO, bulk: BulkInput) -> Iterator[float]:
    """Add each line's item; the bytes read so far."""
    seekable = stream.seekable()
    for line in read_lines(stream):
        bulk.add_line(line)
        yield stream.tell() if seekable else 0


def _made_up(target: Target, bulk: BulkInput, count: int, seed: int) -> Iterator[float]:
    """Add so many items; the number of those added so far."""
    samples = _samples(target.pipeline, target) if target.pipeline else []
    items = islice(generate(target.schema, samples, seed), count)
    for number, item in enumerate(items, 1):
        bulk.add_item(number, item)
        yield number


def _samples(pipeline: Pipeline, target: Target) -> list[Item]:
    """The pipeline's sample data, if it has any."""
    if pipeline.seed is None:
        return []
    samples = []
    for line in islice(_sample_lines(pipeline.seed), SAMPLES):
        try:
            samples.append(parse_item(line.text, target.schema))
        except REFUSED as error:
            raise InvalidInputError(f"{pipeline.seed}:{line.number}: {error}.") from error
    return samples


def _sample_lines(path: Path) -> Iterator[Line]:
    try:
        with path.open("rb") as stream:
            yield from read_lines(stream)
    except OSError as error:
        raise InvalidInputError(
            f"The sample data {path} can't be read: {error.strerror}.",
            hint="Correct the pipeline's key seed in pipelines.toml.",
        ) from error


def _run(steps: Iterator[float], bulk: BulkInput, meter: Meter, pace: Pace | None) -> None:
    for number, done in enumerate(steps, 1):
        if pace is not None and number % pace.together == 0:
            pace.wait(pace.together)
            bulk.flush()
        if pace is not None or number % SHOW_EVERY == 0:
            meter.show(done, bulk.written)
    bulk.flush()


def _tell(ctx: Context, bulk: BulkInput, seconds: float, seed: int | None) -> None:
    rate = bulk.written / seconds if seconds else 0.0
    if ctx.settings.json:
        more = {"seconds": round(seconds, 3), "rate": round(rate, 1), "seed": seed}
        print_document(ctx, {**bulk.result(), **more})
        return
    ctx.err.print(bulk.sentence(f" in {duration(seconds)}, {rate:,.0f} a second"))
    if seed is not None:
        ctx.err.print(Text(f"The same items again: --seed {seed}", "dim"))


@click.command()
@pipeline_option
@common_options
@pass_context
def seed(ctx: Context, pipeline: str | None) -> int:
    """Write a pipeline's sample data into its table.

    The data is the JSON lines that the pipeline's key seed in pipelines.toml names. Writing them
    again changes nothing where the items are still as they were, so no function is called then.

    Examples:
      ./dev.py seed
      ./dev.py seed -p async-request
    """
    target = find_target(ctx, pipeline, None)
    found = ctx.project.pipeline(pipeline)
    if found.seed is None:
        raise InvalidInputError(
            f"The pipeline {found.name!r} has no sample data.",
            hint='Name a file of JSON lines in pipelines.toml: seed = "samples.jsonl"',
        )
    return put_file(ctx, target, found.seed)


COMMANDS: list[click.Command] = [load, seed]
