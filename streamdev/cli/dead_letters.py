"""dlq: the batches a pipeline's mapping gave up, and what to do with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich import box
from rich.table import Table
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.dead_letter_queue import Queue, open_queue
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_output import print_document
from streamdev.cli.options import common_options, pipeline_option
from streamdev.errors import InvalidInputError
from streamdev.observe.dead_letters import DeadLetter, processed
from streamdev.observe.documents import document, stamp
from streamdev.observe.render import Renderer, escaped, key_text

F = TypeVar("F", bound=Callable[..., Any])

PIPE_WIDTH = 160
ID_LENGTH = 8


def _ids(function: F) -> F:
    return click.argument("ids", nargs=-1, metavar="[ID]...")(function)


def _all(help_text: str) -> Callable[[F], F]:
    return click.option("--all", "everything", is_flag=True, help=help_text)


@click.group()
@common_options
def dlq() -> None:
    """Show, replay and remove the batches that a mapping gave up.

    Examples:
      ./dev.py dlq ls
      ./dev.py dlq redrive --all
    """


@dlq.command()
@pipeline_option
@common_options
@pass_context
def ls(ctx: Context, pipeline: str | None) -> None:
    """List the dead letters of a pipeline, oldest first.

    Each is one batch that was given up, told to the queue that on-failure names. Its id can be
    shortened as long as it names one alone.

    Examples:
      ./dev.py dlq ls
      ./dev.py dlq ls -p user-profile --json
    """
    with _queue(ctx, pipeline) as queue:
        letters = queue.letters()
        if ctx.settings.json:
            ctx.print_json([_document(letter) for letter in letters])
        elif letters:
            _table(ctx, queue, letters)
        else:
            ctx.err.print(Text(f"{queue.name} is empty.", "dim"))


@dlq.command()
@_ids
@pipeline_option
@common_options
@pass_context
def show(ctx: Context, ids: tuple[str, ...], pipeline: str | None) -> None:
    """Show dead letters with their records and the error, all of them without ids.

    Examples:
      ./dev.py dlq show
      ./dev.py dlq show 3f2a --json
    """
    with _queue(ctx, pipeline) as queue:
        for letter in queue.select(ids) if ids else queue.letters():
            event = queue.dead_letters.event(letter)
            records = processed(letter, event) if event else []
            if ctx.settings.json:
                told = [document(record, queue.names) for record in records]
                print_document(ctx, {**_document(letter), "records": told if event else None})
                continue
            _head(ctx, letter)
            renderer = Renderer(queue.names)
            for record in records:
                for line in renderer.lines(record):
                    ctx.out.print(line)
            if event is None:
                ctx.out.print(Text(f"  {queue.gone(letter)}", "yellow"))


@dlq.command()
@_ids
@_all("All of them, oldest first.")
@pipeline_option
@common_options
@pass_context
def redrive(ctx: Context, ids: tuple[str, ...], everything: bool, pipeline: str | None) -> int:
    """Give dead letters to the function again; remove each that it handles.

    They go one after the other, oldest first. A letter stays until the function has handled all
    of its records, so nothing is lost when the command is interrupted: what was not removed can
    be replayed again. Where a later change of the same item was already handled, a warning says
    so. Exit code 1 if a letter stays.

    Examples:
      ./dev.py dlq redrive 3f2a
      ./dev.py dlq redrive --all
    """
    failed = 0
    with _queue(ctx, pipeline) as queue:
        chosen = _chosen(queue, ids, everything)
        queue.keep_only(chosen)
        for letter in chosen:
            done = queue.redrive(letter)
            failed += not done.ok
            for warning in done.warnings:
                ctx.err.print(Text.assemble(("Warning: ", "yellow"), escaped(warning)))
            if ctx.settings.json:
                ctx.print_json({"id": letter.message.id, "ok": done.ok, **done.as_json()})
            else:
                word, style = ("handled", "green") if done.ok else ("stays", "bold red")
                line = Text.assemble(f"{_short(letter)}  ", (word, style), f"  {done.words}")
                ctx.out.print(line)
        if not chosen:
            ctx.err.print(Text(f"{queue.name} is empty.", "dim"))
    return ExitCode.FAILED if failed else ExitCode.OK


@dlq.command()
@_ids
@_all("All of them.")
@pipeline_option
@common_options
@pass_context
def purge(ctx: Context, ids: tuple[str, ...], everything: bool, pipeline: str | None) -> None:
    """Remove dead letters and their stored records for good, without replaying them.

    Examples:
      ./dev.py dlq purge 3f2a
      ./dev.py dlq purge --all
    """
    with _queue(ctx, pipeline) as queue:
        chosen = _chosen(queue, ids, everything)
        for letter in chosen:
            queue.remove(letter)
        records = sum(letter.size for letter in chosen)
        if ctx.settings.json:
            ctx.print_json({"removed": [letter.message.id for letter in chosen]})
        else:
            ctx.out.print(f"Removed {len(chosen)} dead letter(s) with {records} record(s).")


@contextmanager
def _queue(ctx: Context, pipeline: str | None) -> Iterator[Queue]:
    with open_queue(ctx, pipeline) as queue:
        yield queue
        for note in queue.notes():
            ctx.err.print(Text(note, "dim"))


def _chosen(queue: Queue, ids: Sequence[str], everything: bool) -> list[DeadLetter]:
    if bool(ids) == everything:
        raise InvalidInputError(
            "Name dead letters by their ids, or say --all.", hint="See them: ./dev.py dlq ls"
        )
    return queue.letters() if everything else queue.select(ids)


def _short(letter: DeadLetter) -> str:
    return letter.message.id[:ID_LENGTH]


def _table(ctx: Context, queue: Queue, letters: Sequence[DeadLetter]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("id", "given up", "function", "records", "key", "reason", "attempts", "error"):
        table.add_column(heading, overflow="fold")
    for letter in letters:
        keys = [key_text(key) for key in queue.keys(letter)]
        shown = f"{keys[0]}{', ...' if len(keys) > 1 else ''}" if keys else ""
        error = f"{letter.error.type}: {letter.error.message}" if letter.error else ""
        table.add_row(
            _short(letter),
            f"{letter.at.astimezone():%Y-%m-%d %H:%M:%S}",
            Text(escaped(letter.function)),
            str(letter.size),
            Text(shown, "bold"),
            letter.condition,
            str(letter.attempts),
            Text(escaped(error[:80]), "red"),
        )
    width = None if ctx.out.is_terminal else PIPE_WIDTH
    ctx.out.print(table, soft_wrap=False, width=width)


def _head(ctx: Context, letter: DeadLetter) -> None:
    ctx.out.print(
        Text.assemble(
            (letter.message.id, "bold"),
            f"  {letter.condition} after {letter.attempts} attempt(s), {letter.size} record(s), "
            f"sequence numbers {letter.first} to {letter.last}",
        )
    )


def _document(letter: DeadLetter) -> dict[str, Any]:
    error = letter.error
    return {
        "id": letter.message.id,
        "at": stamp(letter.at),
        "function": letter.function,
        "table": letter.table,
        "condition": letter.condition,
        "attempts": letter.attempts,
        "size": letter.size,
        "stream_arn": letter.stream_arn,
        "shard": letter.shard,
        "first": letter.first,
        "last": letter.last,
        "request_id": letter.request_id,
        "batch": letter.batch,
        "error": None
        if error is None
        else {"type": error.type, "message": error.message, "trace": list(error.trace)},
    }


COMMANDS: list[click.Command] = [dlq]
