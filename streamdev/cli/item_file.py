"""``put-item --file`` and ``-``: JSON lines into a table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from streamdev.cli.context import Context
from streamdev.cli.item_bulk import BulkInput
from streamdev.cli.item_input import read_lines
from streamdev.cli.item_output import print_document
from streamdev.cli.item_target import Target, table_errors
from streamdev.errors import InvalidInputError

STDIN = Path("-")
SHOW_EVERY = 100


def put_file(ctx: Context, target: Target, path: Path) -> int:
    """Write every line of the file (``-``: standard input) as an item; the exit code.

    A line that can't be written is told by its number and reason, and the rest is written.

    Raises:
        InvalidInputError: The file can't be read, or is a JSON array.
    """
    bulk = BulkInput(ctx, target, name_of(path))
    number = 0
    try:
        with opened(ctx, path) as stream, table_errors(target), _progress(ctx, stream) as show:
            for line in read_lines(stream):
                number = line.number
                bulk.add_line(line)
                if number % SHOW_EVERY == 0:
                    show(bulk.written)
            bulk.flush()
    except KeyboardInterrupt:
        ctx.err.print(f"Interrupted at line {number:,}: {bulk.written:,} items are written.")
        raise
    if ctx.settings.json:
        print_document(ctx, bulk.result())
    else:
        ctx.err.print(bulk.sentence())
    return bulk.exit_code


@contextmanager
def opened(ctx: Context, path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, ``-`` being standard input.

    Raises:
        InvalidInputError: It can't be read.
    """
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
    total = size_of(stream)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=ctx.err, transient=True) as progress:
        task = progress.add_task("0 items", total=total)

        def show(written: int) -> None:
            done = stream.tell() if total is not None else 0
            progress.update(task, description=f"{written:,} items", completed=done)

        yield show


def size_of(stream: BinaryIO) -> int | None:
    """The bytes of a file; ``None`` for what has no end yet, such as a pipe."""
    return os.fstat(stream.fileno()).st_size if stream.seekable() else None


def name_of(path: Path) -> str:
    """What errors call the file."""
    return "Standard input" if path == STDIN else str(path)
