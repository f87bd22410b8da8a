"""why: what became of one item, and if nothing happened, the reason and the cure."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime
from functools import partial

import click

from streamdev.cli import item_input
from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_output import print_document
from streamdev.cli.item_target import Target, find_target, target_options
from streamdev.cli.logs import moment
from streamdev.cli.options import common_options
from streamdev.errors import EngineNotRunningError
from streamdev.observe.names import Names
from streamdev.observe.why import Answer, Finding, Question, engine_down, investigate
from streamdev.observe.why.document import document, finding_document
from streamdev.observe.why.render import finding_lines, lines
from streamdev.semantics.items import Item

_NOT_FOUND = ("table-missing", "never-written")


@click.command()
@click.argument("key", nargs=-1, required=True, metavar="KEY...")
@click.option(
    "--since",
    callback=moment,
    metavar="TIME",
    help="Only writes since then: 30s, 5m, 2h, 1d ago, or 2026-11-20T12:00 (default: the last 10).",
)
@target_options
@common_options
@pass_context
def why(
    ctx: Context,
    key: tuple[str, ...],
    since: datetime | None,
    pipeline: str | None,
    table: str | None,
) -> int:
    """Tell the whole story of one item, and why its function was not called.

    KEY is the key's value (with a sort key: both values, in that order), or NAME=VALUE. For each
    write of the item: whether it changed anything, its stream record, and for each function that
    reads the table what became of it, in which attempts, what the function answered and wrote.
    At the end stands the reason and what to do. What counts is the item's newest write.

    Exit code 0: it was handled or filtered out, or nothing was changed. 1: something is in the
    way, or it was given up. 3: the engine is not running. 6: the item was never written, or there
    is no such table.

    Examples:
      ./dev.py why 123
      ./dev.py why customer=7 at=5 -p orders --since 10m
      ./dev.py why 123 --json
    """
    try:
        info = ctx.engine.running()
    except EngineNotRunningError as error:
        return _down(ctx, error.message)
    if info is None:
        return _down(ctx, "The engine is not running.")
    target = find_target(ctx, pipeline, table)
    question = question_of(ctx, target, item_input.parse_key(key, target.schema), since)
    answer = investigate(question, ctx.gateway, partial(_log, ctx) if info.has_plugins else None)
    if ctx.settings.json:
        print_document(ctx, document(answer))
    else:
        for line in lines(answer):
            ctx.out.print(line)
    return _exit_code(answer)


def _log(ctx: Context) -> Iterable[str]:
    return ctx.engine.read_log(since=None, follow=False, stop=threading.Event())


def question_of(ctx: Context, target: Target, key: Item, since: datetime | None = None) -> Question:
    """The question about an item of a table that options named."""
    pipeline = target.pipeline
    if pipeline is None:
        return Question(target.table, key, since=since, selector=f"--table {target.table}")
    first = ctx.project.pipeline().name == pipeline.name
    return Question(
        target.table,
        key,
        pipeline=pipeline,
        names=Names.of_project(ctx.project),
        redact=pipeline.table.redact,
        since=since,
        selector="" if first else f"-p {pipeline.name}",
    )


def _down(ctx: Context, reason: str) -> ExitCode:
    finding: Finding = engine_down(reason)
    if ctx.settings.json:
        ctx.print_json({"ok": False, "findings": [finding_document(finding)]})
    else:
        for line in finding_lines(finding):
            ctx.out.print(line)
    return ExitCode.ENGINE_NOT_RUNNING


def _exit_code(answer: Answer) -> ExitCode:
    if answer.ok:
        return ExitCode.OK
    if answer.findings[0].check in _NOT_FOUND:
        return ExitCode.NOT_FOUND
    return ExitCode.FAILED


COMMANDS: list[click.Command] = [why]
