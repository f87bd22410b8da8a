"""plan-capacity: what AWS would do with so many writes a second."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.options import common_options, pipeline_option
from streamdev.errors import EngineNotRunningError, InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline
    from streamdev.export.capacity import Capacity, Load, Prices

_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command("plan-capacity")
@click.option("--writes", type=_POSITIVE, required=True, metavar="N", help="Writes a second.")
@click.option(
    "--duration",
    type=_POSITIVE,
    metavar="MS",
    help="What the handler takes for one record (default: as the running engine's log has it).",
)
@click.option(
    "--item-size",
    type=click.FloatRange(min=0, max=400, min_open=True),
    default=1.0,
    show_default=True,
    metavar="KB",
    help="Size of an item.",
)
@click.option(
    "--shards",
    type=click.IntRange(min=1),
    metavar="N",
    help="Open shards (default: the fewest that can take the writes).",
)
@pipeline_option
@common_options
@pass_context
def plan_capacity(
    ctx: Context,
    writes: float,
    duration: float | None,
    item_size: float,
    shards: int | None,
    pipeline: str | None,
) -> None:
    """Estimate what AWS would do with so many writes a second, and what it would cost.

    Shards, invocations at a time, batches, iterator age, and whether the stream falls behind;
    for a steady load that is spread over many items. Costs are an order of magnitude, by list
    prices of one region without free tiers; they leave out what the handler itself calls.

    Examples:
      ./dev.py plan-capacity --writes 500 --duration 20
      ./dev.py plan-capacity --writes 2000 --item-size 3 --json
    """
    from streamdev.export.capacity import Load, estimate, load_prices

    chosen = ctx.project.pipeline(pipeline)
    measured = None if duration else _measured(ctx, chosen)
    load = Load(writes, item_size, duration or measured or 0.0, shards)
    prices = load_prices()
    found = estimate(chosen, load, prices)
    if ctx.settings.json:
        ctx.print_json(
            {
                "pipeline": chosen.name,
                **asdict(load),
                "measured": measured is not None,
                **asdict(found),
                "prices": {"as_of": prices.as_of, "region": prices.region},
            }
        )
        return
    _show(ctx, chosen, load, found, prices)


def _measured(ctx: Context, pipeline: Pipeline) -> float:
    """Milliseconds for a record, over all batches in the engine's log that succeeded.

    Raises:
        InvalidInputError: No engine of ours runs that could have measured it.
        NotFoundError: It has measured nothing.
    """
    from streamdev.engine.base import require
    from streamdev.observe import follow
    from streamdev.observe.records import Processed

    hint = "Give it: --duration MS"
    try:
        info = require(ctx.engine)
    except EngineNotRunningError as error:
        raise InvalidInputError(
            f"No engine runs that measured {pipeline.name}.", hint=hint
        ) from error
    if not info.has_plugins:
        raise InvalidInputError(f"The {info.name} engine's log has no durations.", hint=hint)
    lines = ctx.engine.read_log(since=None, follow=False, stop=threading.Event())
    batches = [
        (entry.duration_ms or 0.0, entry.batch_size)
        for entry in follow.entries(lines, functions={pipeline.function.name})
        if isinstance(entry, Processed)
        and entry.table is not None
        and entry.outcome == "ok"
        and entry.last_of_batch
    ]
    if not batches:
        raise NotFoundError(f"{pipeline.name} has handled nothing yet.", hint=hint)
    return sum(duration for duration, _ in batches) / sum(count for _, count in batches)


def _show(ctx: Context, pipeline: Pipeline, load: Load, found: Capacity, prices: Prices) -> None:
    from streamdev.export.capacity import ACCOUNT_CONCURRENCY

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    factor = pipeline.mapping.parallelization_factor
    rows = [
        ("writes a second", f"{load.writes:,.4g}", f"{found.write_units:,.4g} write units"),
        ("handler", f"{load.record_ms:,.4g} ms", "for one record"),
        ("shards", f"{found.shards:,}", "the fewest that take the writes; AWS may have more"),
        (
            "invocations at a time",
            f"{found.concurrency:,.3g}",
            f"on average, {found.limit:,} at most",
        ),
        ("parallelization factor", f"{factor}", "batches of a shard at a time"),
        (
            "records a batch",
            f"{found.batch:,.3g}",
            f"{found.invocations:,.3g} invocations a second",
        ),
    ]
    if load.shards is not None:
        rows[2] = ("shards", f"{found.shards:,}", "as given")
    if found.lost_after_s is None:
        age = f"{found.iterator_age_s:,.3g} s"
        rows.append(("iterator age", age, "at most, while it keeps up"))
    for row in rows:
        table.add_row(*row)
    for what, dollars in found.cost.items():
        table.add_row(what, f"${_rounded(dollars)}", "a month")
    total = sum(found.cost.values())
    note = f"a month, by list prices of {prices.region} as of {prices.as_of}"
    table.add_row("together", f"${_rounded(total)}", note)
    ctx.out.print(table)
    ctx.out.print(_verdict(found))
    if found.limit > ACCOUNT_CONCURRENCY:
        ctx.err.print(
            f"Note: an account has {ACCOUNT_CONCURRENCY:,} concurrent executions at first, for all "
            "its functions: have the quota raised."
        )


def _verdict(found: Capacity) -> Text:
    share = found.concurrency / found.limit if found.limit else float("inf")
    if found.lost_after_s is None:
        return Text(f"It keeps up: {share:.0%} of what it can do.", "green")
    return Text(
        f"The stream falls behind: {share:.1f} times what it can do. After "
        f"{found.lost_after_s / 3600:,.0f} h the first records are given up.\n"
        "Raise parallelization-factor, or make the handler quicker.",
        "red",
    )


def _rounded(dollars: float) -> str:
    """Two significant digits: it is an estimate."""
    return f"{float(f'{dollars:.2g}'):,.2f}" if dollars < 10 else f"{float(f'{dollars:.2g}'):,.0f}"


COMMANDS: list[click.Command] = [plan_capacity]
