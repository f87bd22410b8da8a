"""metrics: what handlers measured, read back from their output."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.logs import moment
from streamdev.cli.options import common_options, pipeline_option
from streamdev.engine.base import require
from streamdev.observe import follow as reading
from streamdev.observe.cloudwatch import follow_functions
from streamdev.observe.follow import OutputLine
from streamdev.observe.metrics import Metric, read, summarize

PIPE_WIDTH = 160


@click.command()
@click.option(
    "--since",
    callback=moment,
    metavar="TIME",
    help="Only since then: 30s, 5m, 2h, 1d ago, or 2026-11-20T12:00 (default: engine's start).",
)
@pipeline_option
@common_options
@pass_context
def metrics(ctx: Context, since: datetime | None, pipeline: str | None) -> None:
    """Show the metrics that handlers printed in CloudWatch's embedded metric format.

    On AWS CloudWatch makes metrics of these lines; here they are read from the engine's log, or
    with an external engine from CloudWatch Logs. For each metric of a function: how many values
    there are, their sum, average, least and greatest, and the last.

    Examples:
      ./dev.py metrics
      ./dev.py metrics -p user-profile --since 1h
      ./dev.py metrics --json
    """
    info = require(ctx.engine)
    since = since or info.started_at
    found = summarize(read(_output(ctx, pipeline, since, info.has_plugins), since=since))
    if ctx.settings.json:
        ctx.print_json([_document(metric) for metric in found])
    elif found:
        _show(ctx, found)
    else:
        ctx.err.print(Text("No handler has printed a metric yet.", "dim"))


def _output(
    ctx: Context, pipeline: str | None, since: datetime | None, has_plugins: bool
) -> Iterator[OutputLine]:
    pipelines = [ctx.project.pipeline(pipeline)] if pipeline else ctx.project.pipelines.values()
    functions = [one.function.name for one in pipelines]
    stop = threading.Event()
    if has_plugins:
        lines = ctx.engine.read_log(since=reading.read_from(since), follow=False, stop=stop)
        return reading.output(lines, functions=set(functions))
    return follow_functions(ctx.gateway, functions, since=since, follow=False, stop=stop)


def _document(metric: Metric) -> dict[str, Any]:
    return {
        "function": metric.function,
        "namespace": metric.namespace,
        "dimensions": dict(metric.dimensions),
        "name": metric.name,
        "unit": metric.unit,
        "count": len(metric.values),
        "sum": metric.total,
        "average": metric.average,
        "minimum": min(metric.values),
        "maximum": max(metric.values),
        "last": metric.last,
        "last_at": metric.last_at.isoformat() if metric.last_at else None,
    }


def _show(ctx: Context, found: list[Metric]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("function", "metric", "unit"):
        table.add_column(heading)
    for heading in ("values", "sum", "average", "min", "max", "last"):
        table.add_column(heading, justify="right")
    for metric in found:
        counted = (metric.total, metric.average, min(metric.values), max(metric.values))
        numbers = [f"{number:,.5g}" if number % 1 else f"{number:,.0f}" for number in counted]
        last = f"{metric.last:,.6g}"
        cells = (metric.function, f"{metric.namespace}/{metric.name}", metric.unit)
        table.add_row(*(Text(cell) for cell in cells), str(len(metric.values)), *numbers, last)
    width = None if ctx.out.is_terminal else PIPE_WIDTH
    ctx.out.print(table, soft_wrap=False, width=width)


COMMANDS: list[click.Command] = [metrics]
