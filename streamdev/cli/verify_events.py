"""The batches that verify delivers: recorded ones, or those that the function has had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from streamdev.cli import fixture_files
from streamdev.cli.context import Context
from streamdev.cli.record import batches_of
from streamdev.errors import InvalidInputError, NotFoundError
from streamdev.observe import fixtures
from streamdev.observe.batches import GoneError, WholeBatches
from streamdev.semantics.deliveries import once_each
from streamdev.semantics.records import item_text

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline
    from streamdev.engine.base import EngineInfo


def events_of(
    ctx: Context, info: EngineInfo, pipeline: Pipeline, files: Sequence[Path], last: int
) -> tuple[list[Mapping[str, Any]], str]:
    """The batches, each record in one of them, and where they are from, in words.

    Raises:
        NotFoundError: There is none.
        InvalidInputError: A file is no recorded batch.
    """
    folder = fixture_files.folder_of(ctx, pipeline)
    if files or (folder.is_dir() and fixture_files.in_folder(folder)):
        paths = fixture_files.all_of(ctx, [pipeline], files)
        found: list[Mapping[str, Any]] = [_recorded(ctx, path) for path in paths]
        source = ", ".join(fixture_files.shown(ctx, path) for path in files or [folder])
    else:
        found, source = list(_had(ctx, info, pipeline, last)), "the engine's log"
    events = once_each(found)
    if not any(event["Records"] for event in events):
        raise NotFoundError(
            f"{pipeline.function.name} has had no batch, and none is recorded in "
            f"{fixture_files.shown(ctx, folder)}.",
            hint="Write something first: ./dev.py seed, or ./dev.py put-item ... --wait",
        )
    return events, source


def _recorded(ctx: Context, path: Path) -> Mapping[str, Any]:
    """The event of a recorded batch.

    Raises:
        InvalidInputError: It is no recorded batch, or not one of a stream.
    """
    event = fixtures.read(path).event
    try:
        for record in event["Records"]:
            _ = record["eventID"], record["eventName"], item_text(record["dynamodb"]["Keys"])
            int(record["dynamodb"]["SequenceNumber"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{fixture_files.shown(ctx, path)}: the event holds no records of a table's stream.",
            hint="Record some: ./dev.py record",
        ) from error
    return event


def _had(
    ctx: Context, info: EngineInfo, pipeline: Pipeline, last: int
) -> Iterator[Mapping[str, Any]]:
    """The last batches that the function has had, whole."""
    if not info.has_plugins:
        raise InvalidInputError(
            f"The {info.name} engine's log does not tell of batches.",
            hint="Name recorded ones: ./dev.py verify NAME FILE...",
        )
    for batch in batches_of(ctx, info, pipeline, None)[-last:]:
        try:
            yield WholeBatches(ctx.gateway).event(batch)
        except GoneError as error:
            note = f"the batch of {batch.at.astimezone():%H:%M:%S} is left out: {error}."
            ctx.err.print(Text.assemble(("Note: ", "yellow"), note))
