"""verify: whether a function comes to the same end however its records are delivered."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from streamdev.cli import fixture_files
from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_output import print_document
from streamdev.cli.options import common_options, complete_pipelines
from streamdev.cli.progress import TerminalProgress
from streamdev.cli.record import batches_of
from streamdev.engine.base import require
from streamdev.errors import InvalidInputError, NotFoundError, StreamdevError
from streamdev.observe import fixtures
from streamdev.observe.batches import GoneError, WholeBatches
from streamdev.observe.render import escaped
from streamdev.semantics.deliveries import PLAIN, WORDS, Handing, deliveries, once_each
from streamdev.semantics.end_state import Difference, Volatile, differences, volatile
from streamdev.semantics.records import item_text

if TYPE_CHECKING:
    from streamdev.cli.verify_copy import Copy, End
    from streamdev.config.models import Pipeline
    from streamdev.engine.base import EngineInfo

_MAX_SHOWN = 300


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_pipelines)
@click.argument(
    "files", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path(path_type=Path), required=False
)
@click.option(
    "-n",
    "--last",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="COUNT",
    help="Where nothing is recorded: the last so many batches that the function has had.",
)
@click.option(
    "--within-keys",
    is_flag=True,
    help="Deliver an item's records out of order as well, which AWS never does.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="NUMBER",
    help="Decides which items come before others.",
)
@common_options
@pass_context
def verify(
    ctx: Context, name: str, files: tuple[Path, ...], last: int, within_keys: bool, seed: int
) -> int:
    """Show whether a function is idempotent: the same end, however its records are delivered.

    NAME is the pipeline. A copy of it is made under names of its own, and recorded batches are
    delivered to that: once as a plain delivery; then each batch twice, all of them again, split
    into single records, and items before others. Each time the copy starts empty, with a new
    process. What its tables hold in the end, what was published to its topics, and which records
    were given up, is compared. The copy is removed afterwards; the pipeline itself is not touched.

    The batches are those of the files, else of fixtures/NAME (see record), else the last ones
    that the function has had. Exit code 1 if one delivery leads to another end.

    Examples:
      ./dev.py verify user-profile
      ./dev.py verify user-profile fixtures/user-profile --within-keys
    """
    info = require(ctx.engine)
    pipeline = ctx.project.pipeline(name)
    events, source = _events(ctx, info, pipeline, files, last)
    ways = deliveries(events, seed=seed, within_keys=within_keys)
    records = sum(len(event["Records"]) for event in events)
    ctx.err.print(
        Text(
            f"{_count(len(events), 'batch', 'batches')} with "
            f"{_count(records, 'record', 'records')}, from {source}.",
            "dim",
        )
    )
    with TerminalProgress(ctx.err) as progress, _copied(ctx, pipeline, events, progress) as copy:
        ends, apart_from = _ends(copy, ways, progress)
    plain = ends.pop(PLAIN)
    if len(plain.failures) == records:
        raise StreamdevError(
            f"{pipeline.function.name} handled none of the records: {plain.failures[0]}.",
            hint=f"See why: ./dev.py invoke {pipeline.name}",
        )
    found = {
        way: list(differences(plain.state, end.state, apart_from)) for way, end in ends.items()
    }
    _tell(ctx, pipeline, plain, found, apart_from)
    return ExitCode.FAILED if any(found.values()) else ExitCode.OK


def _events(
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


@contextmanager
def _copied(
    ctx: Context,
    pipeline: Pipeline,
    events: Sequence[Mapping[str, Any]],
    progress: TerminalProgress,
) -> Iterator[Copy]:
    """A copy of the pipeline that is removed afterwards, also after Ctrl-C."""
    from filelock import FileLock, Timeout

    from streamdev.cli.verify_copy import MARK, Copy

    ctx.state.root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(ctx.state.root / f"verify-{pipeline.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InvalidInputError(
            f"Another verify of {pipeline.name} is running.", hint="Wait for its end."
        ) from error
    try:
        copy = Copy(ctx, pipeline, events)
        progress.step(f"Making a copy of {pipeline.name} ({pipeline.function.name}-{MARK})")
        # One that was killed left its own, under the same names.
        copy.remove()
        try:
            yield copy
        finally:
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                progress.step("Removing the copy")
                copy.remove()
            finally:
                signal.signal(signal.SIGINT, before)
    finally:
        lock.release()


def _ends(
    copy: Copy, ways: Mapping[str, Sequence[Handing]], progress: TerminalProgress
) -> tuple[dict[str, End], Volatile]:
    """The end of each way to deliver, and what is never the same."""

    def deliver(way: str, name: str) -> End:
        progress.step(f"Delivering: {WORDS[way]}")
        return copy.deliver(name, ways[way])

    ends = {PLAIN: deliver(PLAIN, PLAIN)}
    plain = ends[PLAIN].state
    apart_from = volatile(plain, deliver(PLAIN, "plain-2").state)
    ends |= {way: deliver(way, way) for way in ways if way != PLAIN}
    if any(any(differences(plain, end.state, apart_from)) for end in ends.values()):
        # What changes but now and then, such as a date, must not be taken for a difference.
        apart_from |= volatile(plain, deliver(PLAIN, "plain-3").state)
    return ends, apart_from


def _tell(
    ctx: Context,
    pipeline: Pipeline,
    plain: End,
    found: Mapping[str, list[Difference]],
    apart_from: Volatile,
) -> None:
    if ctx.settings.json:
        print_document(ctx, _document(pipeline, plain, found, apart_from))
        return
    for way, own in found.items():
        word, style = ("differs", "bold red") if own else ("same   ", "green")
        ctx.out.print(Text.assemble((word, style), f"  {way:<10}", (f"  {WORDS[way]}", "dim")))
        if own:
            more = f" (and {len(own) - 1} more)" if len(own) > 1 else ""
            first = textwrap.shorten(escaped(str(own[0])), _MAX_SHOWN, placeholder="…")
            ctx.out.print(Text(f"         {first}{more}"))
    if not found:
        ctx.out.print("There is no other way to deliver one batch of one record.")
    if plain.failures:
        note = f"given up in the plain delivery too: {len(plain.failures)}, {plain.failures[0]}"
        ctx.err.print(Text.assemble(("Note: ", "yellow"), escaped(note)))
    if words := apart_from.words():
        ctx.err.print(Text(f"Not compared, another one each time: {', '.join(words)}.", "dim"))
    if not pipeline.tables and not pipeline.topics:
        note = f"Only {pipeline.table.name} was looked at: what is done elsewhere is not seen."
        ctx.err.print(Text(note, "dim"))
    if differing := [way for way, own in found.items() if own]:
        end = f"{pipeline.name} is not idempotent: {', '.join(differing)}."
        ctx.out.print(Text(end, "bold red"))
    else:
        ctx.out.print(
            Text(f"{pipeline.name} is idempotent: it comes to the same end.", "bold green")
        )


def _document(
    pipeline: Pipeline,
    plain: End,
    found: Mapping[str, list[Difference]],
    apart_from: Volatile,
) -> dict[str, Any]:
    return {
        "pipeline": pipeline.name,
        "idempotent": not any(found.values()),
        "plain": {
            "given_up": list(plain.failures),
            "places": {name: place.count for name, place in plain.state.items()},
        },
        "deliveries": [
            {
                "delivery": way,
                "words": WORDS[way],
                "same": not own,
                "differences": [{**vars(one), "text": str(one)} for one in own],
            }
            for way, own in found.items()
        ],
        "not_compared": apart_from.words(),
    }


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


COMMANDS: list[click.Command] = [verify]
