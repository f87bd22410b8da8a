"""Snapshots of a project: where they are, saving one, loading one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from streamdev.cli.context import Context
from streamdev.cli.fixture_files import shown
from streamdev.cli.load_meter import Meter, duration
from streamdev.engine.base import require
from streamdev.engine.stored import plural
from streamdev.errors import InvalidInputError, NotFoundError
from streamdev.snapshot.file import SUFFIX, opened
from streamdev.snapshot.load import Loader
from streamdev.snapshot.manifest import Manifest
from streamdev.snapshot.save import Selection, save, selected

FOLDER = "snapshots"
EVERYTHING = Selection()
_NAMED = 3


def folder_of(ctx: Context) -> Path:
    """Where snapshots are if nothing else is said: beside pipelines.toml."""
    return ctx.config_path.parent / FOLDER


def path_of(ctx: Context, name: str | None) -> Path:
    """The file that a name means: a path, or a snapshot in the project's folder.

    Args:
        ctx: The project.
        name: A path is what has a slash or ends in ``.zip``; ``None``: a new name, by the time.
    """
    if name is None:
        name = f"{datetime.now(UTC).astimezone():%Y-%m-%d-%H%M%S}"
    if "/" in name or name.endswith(".zip"):
        return ctx.cwd / name
    return folder_of(ctx) / f"{name}{SUFFIX}"


def name_of(path: Path) -> str:
    """A snapshot's name."""
    return path.name.removesuffix(SUFFIX)


@dataclass(frozen=True)
class Found:
    """A snapshot in the project's folder."""

    path: Path
    manifest: Manifest


def found(ctx: Context) -> list[Found]:
    """The project's snapshots, oldest first; a file that is none is told of."""
    snapshots = []
    for path in sorted(folder_of(ctx).glob(f"*{SUFFIX}")):
        try:
            with opened(path) as snapshot:
                snapshots.append(Found(path, snapshot.manifest))
        except InvalidInputError as error:
            ctx.err.print(Text.assemble(("Warning: ", "yellow"), error.message))
    return sorted(snapshots, key=lambda one: one.manifest.saved)


def find(ctx: Context, name: str | None) -> Path:
    """The snapshot that someone names, by default the newest.

    Raises:
        NotFoundError: There is none.
    """
    if name is not None:
        for path in (path_of(ctx, name), ctx.cwd / name):
            if path.is_file():
                return path
    known = found(ctx)
    if name is None and known:
        return known[-1].path
    what = "There is no snapshot" if name is None else f"There is no snapshot {name!r}"
    has = f"It has: {', '.join(name_of(one.path) for one in known)}."
    raise NotFoundError(
        f"{what} in {shown(ctx, folder_of(ctx))}.",
        hint=has if known else "Save one: ./dev.py snapshot save",
    )


def save_snapshot(ctx: Context, path: Path, selection: Selection = EVERYTHING) -> dict[str, Any]:
    """Save a snapshot and say so; the same as a document.

    Raises:
        StreamdevError: That can't be done; nothing is left of the file.
    """
    info = require(ctx.engine)
    tables, queues = selected(ctx.gateway, selection)
    names = {table.name for table in tables}
    total = sum(table.item_count for table in tables)
    with Meter(ctx, total) as meter:
        manifest = save(
            path,
            ctx.gateway,
            tables,
            queues,
            has_plugins=info.has_plugins,
            show=lambda done: meter.show(done, done),
        )
        took = duration(meter.seconds)
    where = shown(ctx, path)
    ctx.err.print(Text(f"Saved {contents(manifest)} in {where} ({took})."))
    for status in ctx.gateway.control.mappings() if info.has_plugins else ():
        if status["table"] in names and status["backlog"]:
            waiting = plural(status["backlog"], "record")
            words = f"{status['function']} has not handled {waiting} yet; no snapshot holds those."
            ctx.err.print(Text.assemble(("Warning: ", "yellow"), words))
    return {"file": where, **manifest.document()}


def contents(manifest: Manifest) -> str:
    """What a snapshot holds, in words."""
    parts = [f"{plural(manifest.items, 'item')} of {plural(len(manifest.tables), 'table')}"]
    if manifest.queues:
        queues = plural(len(manifest.queues), "queue")
        parts.append(f"{plural(manifest.messages, 'message')} of {queues}")
    if manifest.batches:
        parts.append(plural(manifest.batches, "failed batch", "failed batches"))
    return ", ".join(parts)


def check(path: Path) -> None:
    """Read a snapshot to its end.

    Raises:
        InvalidInputError: It is none, or damaged.
    """
    with opened(path) as snapshot:
        snapshot.check()


def load_snapshot(
    ctx: Context,
    path: Path,
    selection: Selection = EVERYTHING,
    *,
    replace: bool = False,
    fire: bool = False,
) -> dict[str, Any]:
    """Load a snapshot and say so; the same as a document.

    Raises:
        StreamdevError: That can't be done; if anything was written by then, it is told.
    """
    with opened(path) as snapshot:
        snapshot.check()
        info = require(ctx.engine)
        loader = Loader(snapshot, ctx.gateway, selection, fire=fire, has_plugins=info.has_plugins)
        if not replace and (occupied := loader.occupied()):
            raise _occupied(ctx, path, occupied)
        total = loader.total + (loader.present if replace else 0)
        with Meter(ctx, total) as meter, _interruptions(ctx, path, loader):
            if replace:
                loader.empty(lambda done: meter.show(done, done))
            loader.load(lambda done: meter.show(done, done))
            took = duration(meter.seconds)
    loaded = loader.loaded
    silent = "" if fire else " No function is told of it."
    deleted = f" in place of {loaded.deleted:,}" if loaded.deleted else ""
    words = f"Loaded {_loaded(loaded.items, loaded.messages)}{deleted} from {shown(ctx, path)}"
    ctx.err.print(Text(f"{words} ({took}).{silent}"))
    return {
        "file": shown(ctx, path),
        "tables": loaded.items,
        "queues": loaded.messages,
        "batches": loaded.batches,
        "deleted": loaded.deleted,
        "fired": fire,
    }


def _loaded(items: Mapping[str, int], messages: Mapping[str, int]) -> str:
    words = plural(sum(items.values()), "item")
    sent = sum(messages.values())
    return f"{words} and {plural(sent, 'message')}" if sent else words


def _occupied(ctx: Context, path: Path, occupied: list[str]) -> InvalidInputError:
    more = f" and {len(occupied) - _NAMED} more" if len(occupied) > _NAMED else ""
    replace = f"./dev.py snapshot load {_argument(ctx, path)} --replace"
    return InvalidInputError(
        f"Nothing was loaded, as there is something in {', '.join(occupied[:_NAMED])}{more}.",
        hint=f"Have the snapshot take the place of what is there: {replace}",
    )


def _argument(ctx: Context, path: Path) -> str:
    own = path.parent == folder_of(ctx) and path.name.endswith(SUFFIX)
    return name_of(path) if own else shown(ctx, path)


@contextmanager
def _interruptions(ctx: Context, path: Path, loader: Loader) -> Iterator[None]:
    """A block that says how far it came if it does not come to its end."""
    try:
        yield
    except BaseException:
        loaded = loader.loaded
        if loaded.deleted or loaded.items or loaded.messages:
            done = f"{loaded.item_count:,} of {plural(loader.total, 'item')} are loaded"
            before = f", {loaded.deleted:,} of before are deleted" if loaded.deleted else ""
            again = f"./dev.py snapshot load {_argument(ctx, path)} --replace"
            ctx.err.print(Text(f"Not done: at least {done}{before}. Again, whole: {again}"))
        raise
