"""snapshot: tables and queues to a file and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.table import Table
from rich.text import Text

from streamdev.cli import snapshot_files
from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.fixture_files import shown
from streamdev.cli.options import common_options
from streamdev.errors import InvalidInputError
from streamdev.snapshot.save import Selection

F = TypeVar("F", bound=Callable[..., Any])


def _selection(function: F) -> F:
    """Give a command ``--table`` and ``--queue``."""
    tables = click.option(
        "--table", "tables", multiple=True, metavar="NAME", help="Only this table (repeatable)."
    )
    queues = click.option(
        "--queue", "queues", multiple=True, metavar="NAME", help="Only this queue (repeatable)."
    )
    return tables(queues(function))


@click.group()
def snapshot() -> None:
    """Save what tables and queues hold to a file, and load it again.

    Example:
      ./dev.py snapshot save
    """


@snapshot.command()
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--force", is_flag=True, help="Replace a snapshot of that name.")
@_selection
@common_options
@pass_context
def save(
    ctx: Context,
    name: str | None,
    force: bool,
    tables: tuple[str, ...],
    queues: tuple[str, ...],
) -> int:
    """Save what all tables and queues of the engine hold to a file.

    The file is snapshots/NAME.snapshot.zip beside pipelines.toml; without a NAME it is called by
    the time. A NAME with a slash, or that ends in .zip, is a path. The file is readable by its
    owner alone, as it may hold secrets, and fits any engine. Records that no function has handled
    yet are not in it, and of what is written while it is saved, there may be a part.

    Examples:
      ./dev.py snapshot save
      ./dev.py snapshot save before-cleanup
      ./dev.py snapshot save /tmp/profiles.zip --table UserProfileTable
    """
    path = snapshot_files.path_of(ctx, name)
    if path.exists() and not force:
        raise InvalidInputError(
            f"There is a file {shown(ctx, path)} already.",
            hint="Replace it: add --force. Or give another name.",
        )
    document = snapshot_files.save_snapshot(ctx, path, Selection(tables, queues))
    if ctx.settings.json:
        ctx.print_json(document)
    return ExitCode.OK


@snapshot.command()
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--replace", is_flag=True, help="Delete first what tables and queues hold.")
@click.option(
    "--fire-streams", "fire", is_flag=True, help="Have the functions handle what is loaded."
)
@_selection
@common_options
@pass_context
def load(
    ctx: Context,
    name: str | None,
    replace: bool,
    fire: bool,
    tables: tuple[str, ...],
    queues: tuple[str, ...],
) -> int:
    """Put what a snapshot holds into the engine's tables and queues.

    NAME is a snapshot's name or a path; without it, it is the newest snapshot. The tables and
    queues have to be there, and empty; with --replace they are emptied first. No function is told
    of what is loaded or deleted, unless --fire-streams asks for it, while what others write at the
    same time is handled as ever.

    Examples:
      ./dev.py snapshot load
      ./dev.py snapshot load before-cleanup --replace
      ./dev.py snapshot load /tmp/profiles.zip --table UserProfileTable --fire-streams
    """
    path = snapshot_files.find(ctx, name)
    document = snapshot_files.load_snapshot(
        ctx, path, Selection(tables, queues), replace=replace, fire=fire
    )
    if ctx.settings.json:
        ctx.print_json(document)
    return ExitCode.OK


@snapshot.command()
@common_options
@pass_context
def ls(ctx: Context) -> int:
    """List the project's snapshots, oldest first.

    Examples:
      ./dev.py snapshot ls
      ./dev.py snapshot ls --json
    """
    found = snapshot_files.found(ctx)
    if ctx.settings.json:
        ctx.print_json(
            [
                {
                    "name": snapshot_files.name_of(one.path),
                    "file": shown(ctx, one.path),
                    "bytes": one.path.stat().st_size,
                    **one.manifest.document(),
                }
                for one in found
            ]
        )
        return ExitCode.OK
    if not found:
        folder = shown(ctx, snapshot_files.folder_of(ctx))
        ctx.err.print(Text(f"There is no snapshot in {folder}. Save one: ./dev.py snapshot save"))
        return ExitCode.OK
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "saved", "size", "holds"):
        table.add_column(heading)
    for one in found:
        table.add_row(
            snapshot_files.name_of(one.path),
            f"{one.manifest.saved.astimezone():%Y-%m-%d %H:%M:%S}",
            f"{max(1, one.path.stat().st_size // 1024):,} KB",
            snapshot_files.contents(one.manifest),
        )
    ctx.out.print(table)
    return ExitCode.OK


COMMANDS: list[click.Command] = [snapshot]
