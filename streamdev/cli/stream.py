"""stream: the raw stream of a table, beside the functions that read it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from streamdev.aws.errors import AwsNotFoundError
from streamdev.cli.context import Context, pass_context
from streamdev.cli.engines import was_stopped
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_output import print_document
from streamdev.cli.item_target import Target, find_target, target_options
from streamdev.cli.logs import moment
from streamdev.cli.options import common_options
from streamdev.errors import InvalidInputError, NotFoundError, StreamdevError
from streamdev.observe.names import Names
from streamdev.observe.raw import raw_lines

if TYPE_CHECKING:
    from streamdev.aws.stream_tail import Start, Tail

PAUSE_S = 0.25
# DynamoDB Local stamps records with the minute they were written in.
STAMP_S = 60


@click.group()
def stream() -> None:
    """Look at a table's stream itself.

    Example:
      ./dev.py stream tail -f
    """


@stream.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written next.")
@click.option(
    "--from",
    "start",
    type=click.Choice(("LATEST", "TRIM_HORIZON")),
    help="Begin with what comes next, or with the oldest record (default: LATEST with -f).",
)
@click.option(
    "--since",
    callback=moment,
    metavar="TIME",
    help="Only records since then: 30s, 5m, 2h, 1d ago, or 2026-11-20T12:00.",
)
@target_options
@common_options
@pass_context
def tail(
    ctx: Context,
    follow: bool,
    start: Start | None,
    since: datetime | None,
    pipeline: str | None,
    table: str | None,
) -> int:
    """Show the records of a table's stream as they are in it, whatever functions do with them.

    Without -f these are all that the stream still has (24 hours), and the command ends. With -f
    it begins with what is written from now on; --from TRIM_HORIZON or --since shows older ones
    first. The stream is read by DynamoDB Streams' API, across shards, beside the functions: it
    takes nothing away from them, and works with any engine.

    With --json a line is one record, just as a function gets it.

    Examples:
      ./dev.py stream tail -f
      ./dev.py stream tail --since 5m --json
      ./dev.py stream tail -f --from TRIM_HORIZON -p async-request
    """
    if start == "LATEST" and (since is not None or not follow):
        raise InvalidInputError(
            "--from LATEST shows what is yet to come: it goes with -f, and not with --since.",
            hint="For instance: ./dev.py stream tail -f",
        )
    if start is None:
        start = "LATEST" if follow and since is None else "TRIM_HORIZON"
    target = find_target(ctx, pipeline, table)
    reader = _reader(ctx, target, start)
    names = Names(keys={target.table: tuple(name for name, _ in target.schema.keys)})
    after = since.timestamp() // STAMP_S * STAMP_S if since else 0.0
    if follow:
        ctx.err.print(Text(f"Reading the stream of {target.table}; end with Ctrl-C.", "dim"))
    for shard, event in _records(ctx, reader, target, follow):
        if event["dynamodb"]["ApproximateCreationDateTime"] < after:
            continue
        if ctx.settings.json:
            print_document(ctx, event)
            continue
        text = Text("\n").join(raw_lines(event, shard, names))
        if ctx.out.is_terminal:
            ctx.out.print(text)
        else:
            click.echo(text.plain, file=ctx.stdout)
            ctx.stdout.flush()
    return ExitCode.OK


def _reader(ctx: Context, target: Target, start: Start) -> Tail:
    state = ctx.gateway.tables.find(target.table)
    if state is None:
        raise NotFoundError(
            f"There is no table {target.table!r} in the engine.", hint="Make it: ./dev.py deploy"
        )
    if state.stream_arn is None:
        raise NotFoundError(
            f"The table {target.table} has no stream.",
            hint='Turn it on: stream = "NEW_AND_OLD_IMAGES" in pipelines.toml, ./dev.py deploy',
        )
    return ctx.gateway.streams.tail(state.stream_arn, start)


def _records(
    ctx: Context, reader: Tail, target: Target, follow: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records, until the stream is read to its end or, when following, is no more."""
    while not reader.ended:
        try:
            found, more = reader.read()
        except AwsNotFoundError as error:
            raise NotFoundError(
                f"The stream of {target.table} is gone: its table was deleted, or has a new one."
            ) from error
        except StreamdevError:
            # While it is being stopped, calls fail in many ways; that is no error.
            if not was_stopped(ctx):
                raise
            ctx.err.print(Text("The engine was stopped.", "dim"))
            return
        yield from found
        if more:
            continue
        if not follow:
            return
        time.sleep(PAUSE_S)
    ctx.err.print(
        Text(f"The stream of {target.table} was turned off, or its table deleted.", "dim")
    )


COMMANDS: list[click.Command] = [stream]
