"""logs: every processed record, or what the handlers printed."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import click
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.engines import was_stopped
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_output import print_document
from streamdev.cli.options import common_options, pipeline_option
from streamdev.engine.base import EngineInfo, require
from streamdev.errors import InvalidInputError
from streamdev.observe import follow as reading
from streamdev.observe.cloudwatch import follow_functions
from streamdev.observe.documents import document, stamp
from streamdev.observe.follow import OutputLine
from streamdev.observe.names import Names
from streamdev.observe.notices import Notice
from streamdev.observe.records import OUTCOMES, Entry
from streamdev.observe.render import Renderer

_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """The time that ``5m`` (ago) or an ISO time (without a zone: local) means.

    Raises:
        click.BadParameter: It is neither.
    """
    if value is None:
        return None
    try:
        if match := _AGO.fullmatch(value.strip()):
            return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: float(match[1])})
        return datetime.fromisoformat(value.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is no time. Write 30s, 5m, 2h, 1d or 2026-11-20T12:00."
        ) from None


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens next.")
@click.option(
    "--since",
    callback=moment,
    metavar="TIME",
    help="Only since then: 30s, 5m, 2h, 1d ago, or 2026-11-20T12:00 (default: engine's start).",
)
@click.option("--raw", is_flag=True, help="What the handlers printed, as they printed it.")
@click.option(
    "--outcome",
    type=click.Choice((*OUTCOMES, "failed")),
    multiple=True,
    help="Only records with this outcome (failed: error, timeout, crash). Repeatable.",
)
@click.option("--all", "everything", is_flag=True, help="Retries, splits and states as well.")
@pipeline_option
@common_options
@pass_context
def logs(
    ctx: Context,
    follow: bool,
    since: datetime | None,
    raw: bool,
    outcome: tuple[str, ...],
    everything: bool,
    pipeline: str | None,
) -> int:
    """Show every processed record since the engine started.

    For each record: the time its invocation ended, the pipeline, INSERT, MODIFY or REMOVE, the
    key, the outcome and the duration, then what changed, attribute by attribute. Records that a
    filter kept from the function are dimmed and say which clause did it. Records of all
    pipelines come in the order in which they were done; -p shows one pipeline's.

    With --json there is one document a line, following or not.

    Examples:
      ./dev.py logs
      ./dev.py logs -f -p user-profile
      ./dev.py logs --since 5m --outcome failed
      ./dev.py logs --raw -f
    """
    info = require(ctx.engine)
    names = _names(ctx, pipeline)
    functions = {_function(ctx, pipeline)} if pipeline else None
    since = since or info.started_at
    stop = threading.Event()
    try:
        if not info.has_plugins:
            _external(ctx, names, functions, since, follow, stop)
        elif raw:
            lines = ctx.engine.read_log(since=since, follow=follow, stop=stop)
            _print_output(ctx, reading.output(lines, functions=functions), names)
        else:
            lines = ctx.engine.read_log(since=reading.read_from(since), follow=follow, stop=stop)
            found = reading.entries(lines, since=since, functions=functions)
            _print_entries(ctx, found, names, _Chosen(outcome, everything))
    finally:
        stop.set()
    if follow:
        _after(ctx, info)
    return ExitCode.OK


def _names(ctx: Context, pipeline: str | None) -> Names:
    """What the project calls things; the log can be read without a pipelines.toml as well."""
    if pipeline is None and not ctx.config_path.is_file():
        return Names()
    return Names.of_project(ctx.project)


def _function(ctx: Context, pipeline: str) -> str:
    return ctx.project.pipeline(pipeline).function.name


class _Chosen:
    """Which entries are shown."""

    def __init__(self, outcomes: Collection[str], everything: bool) -> None:
        self._outcomes = set(outcomes)
        self._everything = everything

    def __contains__(self, entry: Entry) -> bool:
        if isinstance(entry, Notice):
            return self._everything or (entry.told and not self._outcomes)
        wanted = self._outcomes
        return not wanted or entry.outcome in wanted or ("failed" in wanted and entry.failed)


def _print_entries(ctx: Context, found: Iterable[Entry], names: Names, chosen: _Chosen) -> None:
    renderer = Renderer(names)
    for entry in found:
        if entry not in chosen:
            continue
        if ctx.settings.json:
            print_document(ctx, document(entry, names))
            continue
        text = Text("\n").join(renderer.lines(entry))
        if ctx.out.is_terminal:
            ctx.out.print(text)
        else:
            # Many times faster, which counts for a long log in a pipe.
            click.echo(text.plain, file=ctx.stdout)


def _print_output(ctx: Context, found: Iterable[OutputLine], names: Names) -> None:
    for line in found:
        if ctx.settings.json:
            told = {
                "at": stamp(line.at) if line.at else None,
                "pipeline": names.pipeline(line.function),
                "function": line.function,
                "request_id": line.request_id,
                "line": line.text,
            }
            print_document(ctx, told)
        else:
            click.echo(line.text, file=ctx.stdout)
            ctx.stdout.flush()


def _external(
    ctx: Context,
    names: Names,
    functions: set[str] | None,
    since: datetime | None,
    follow: bool,
    stop: threading.Event,
) -> None:
    ctx.err.print(
        Text(
            "An external engine tells nothing of single records; this is what the handlers "
            "printed, from CloudWatch Logs.",
            "dim",
        )
    )
    if not names.pipelines:
        raise InvalidInputError("Without a pipelines.toml there is no function to look for.")
    found = follow_functions(
        ctx.gateway,
        [name for name in names.pipelines if functions is None or name in functions],
        since=since,
        follow=follow,
        stop=stop,
    )
    _print_output(ctx, found, names)


def _after(ctx: Context, info: EngineInfo) -> None:
    """Say why following ended by itself: the engine was stopped, or died (an error)."""
    if info.has_plugins and was_stopped(ctx):
        ctx.err.print(Text("The engine was stopped.", "dim"))


COMMANDS: list[click.Command] = [logs]
