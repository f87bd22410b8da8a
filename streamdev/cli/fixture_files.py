"""Where recorded batches are: ``fixtures/PIPELINE`` beside pipelines.toml, or where one says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from streamdev.cli.context import Context
from streamdev.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline

FOLDER = "fixtures"


def folder_of(ctx: Context, pipeline: Pipeline) -> Path:
    """Where a pipeline's batches are recorded if nothing else is said."""
    return ctx.project.root / FOLDER / pipeline.name


def shown(ctx: Context, path: Path) -> str:
    """A path as short as it can be written here."""
    return str(path.relative_to(ctx.cwd)) if path.is_relative_to(ctx.cwd) else str(path)


def find(ctx: Context, pipeline: Pipeline, name: str) -> Path:
    """The file that someone names: by its path, or a recorded batch by (the beginning of) its name.

    Raises:
        NotFoundError: There is none.
        InvalidInputError: A beginning names several.
    """
    path = ctx.cwd / name
    if path.is_file():
        return path
    folder = folder_of(ctx, pipeline)
    if (folder / f"{name}.json").is_file():
        return folder / f"{name}.json"
    found = [path for path in in_folder(folder) if path.name.startswith(name)]
    if not found:
        raise NotFoundError(
            f"There is no event {name!r}: no file, and no recorded batch in {shown(ctx, folder)}.",
            hint=f"Record some: ./dev.py record -p {pipeline.name}",
        )
    if len(found) > 1:
        raise InvalidInputError(f"{name!r} is the beginning of {len(found)} recorded batches.")
    return found[0]


def all_of(ctx: Context, pipelines: Iterable[Pipeline], named: Iterable[Path]) -> list[Path]:
    """The files and those in the folders that are named; without any, all that were recorded.

    Raises:
        NotFoundError: One does not exist, or there is none at all.
    """
    paths: list[Path] = []
    folders = [folder_of(ctx, pipeline) for pipeline in pipelines]
    given = [ctx.cwd / path for path in named]
    for path in given or folders:
        if path.is_dir():
            paths += in_folder(path)
        elif given and not path.exists():
            raise NotFoundError(f"There is no file or folder {shown(ctx, path)}.")
        elif given:
            paths.append(path)
    if not paths:
        where = ", ".join(shown(ctx, folder) for folder in given or folders)
        raise NotFoundError(
            f"No batch is recorded in {where}.", hint="Record some: ./dev.py record"
        )
    return paths


def in_folder(folder: Path) -> list[Path]:
    """The JSON files of a folder and those below it, in the order of their names."""
    return sorted(path for path in folder.rglob("*.json") if not path.name.startswith("."))
