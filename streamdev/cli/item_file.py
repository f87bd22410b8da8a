"""``put-item --file`` and ``-``: JSON lines into a table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from streamdev.aws.bulk import BulkWriter
from streamdev.cli.context import Context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_input import REFUSED, Line, parse_item, read_lines
from streamdev.cli.item_output import print_document
from streamdev.cli.item_target import Target, table_errors
from streamdev.errors import InvalidInputError
from streamdev.observe.render import escaped
from streamdev.semantics.items import item_size

STDIN = Path("-")
SHOW_EVERY = 100

Refuse: TypeAlias = Callable[[int, str], None]


def put_file(ctx: Context, target: Target, path: Path) -> int:
    """Write every line of the file (``-``: standard input) as an item; the exit code.

    A line that can't be written is told by its number and reason, and the rest is written.

    Raises:
        InvalidInputError: The file can't be read, or is a JSON array.
    """
    refused: list[tuple[int, str]] = []

    def refuse(number: int, reason: str) -> None:
        refused.append((number, reason))
        ctx.err.print(Text.assemble((f"line {number}: ", "bold"), (escaped(reason), "red")))

    writer = BulkWriter(ctx.gateway.items, target.table, target.schema.key_of, refuse)
    number = 0
    try:
        with _opened(ctx, path) as stream, table_errors(target), _progress(ctx, stream) as show:
            for line in read_lines(stream):
                number = line.number
                _add(line, target, writer, refuse, _name(path))
                if number % SHOW_EVERY == 0:
                    show(writer.written)
            writer.flush()
    except KeyboardInterrupt:
        ctx.err.print(f"Interrupted at line {number:,}: {writer.written:,} items are written.")
        raise
    refused.sort()
    if ctx.settings.json:
        lines = [{"line": number, "reason": reason} for number, reason in refused]
        print_document(ctx, {"table": target.table, "written": writer.written, "refused": lines})
    else:
        count = f"{len(refused):,} refused" if refused else "none refused"
        ctx.err.print(f"{writer.written:,} items written to {target.table}, {count}.")
    return ExitCode.FAILED if refused else ExitCode.OK


def _add(line: Line, target: Target, writer: BulkWriter, refuse: Refuse, name: str) -> None:
    if line.error is not None:
        refuse(line.number, line.error)
        return
    if line.number == 1 and line.text.startswith("["):
        raise InvalidInputError(
            f"{name} is a JSON array; JSON lines are wanted, one object a line.",
            hint="Turn it into lines: jq -c '.[]'",
        )
    try:
        item = parse_item(line.text, target.schema)
    except REFUSED as error:
        refuse(line.number, str(error))
    else:
        writer.add(line.number, item, item_size(item))


@contextmanager
def _opened(ctx: Context, path: Path) -> Iterator[BinaryIO]:
    if path == STDIN:
        if ctx.stdin.isatty():
            ctx.err.print("Reading JSON lines from the terminal; end with Ctrl-D.")
        yield ctx.stdin.buffer
        return
    try:
        stream = (ctx.cwd / path).open("rb")
    except OSError as error:
        raise InvalidInputError(f"{path} can't be read: {error.strerror}.") from error
    with stream:
        yield stream


@contextmanager
def _progress(ctx: Context, stream: BinaryIO) -> Iterator[Callable[[int], None]]:
    """Draws a bar on a terminal; what it gives is told how many items are written."""
    if not ctx.err.is_terminal or ctx.settings.json:
        yield lambda _written: None
        return
    total = os.fstat(stream.fileno()).st_size if stream.seekable() else None
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=ctx.err, transient=True) as progress:
        task = progress.add_task("0 items", total=total)

        def show(written: int) -> None:
            done = stream.tell() if total is not None else 0
            progress.update(task, description=f"{written:,} items", completed=done)

        yield show


def _name(path: Path) -> str:
    return "Standard input" if path == STDIN else str(path)
