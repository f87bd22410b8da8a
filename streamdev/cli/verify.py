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

from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_output import print_document
from streamdev.cli.options import common_options, complete_pipelines
from streamdev.cli.progress import TerminalProgress
from streamdev.cli.verify_events import events_of
from streamdev.engine.base import require
from streamdev.errors import InvalidInputError, StreamdevError
from streamdev.locks import HeldError, file_lock
from streamdev.observe.render import escaped
from streamdev.semantics.deliveries import PLAIN, WORDS, Handing, deliveries
from streamdev.semantics.end_state import Difference, Volatile, differences, volatile

if TYPE_CHECKING:
    from streamdev.cli.verify_copy import Copy, End
    from streamdev.config.models import Pipeline

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
    events, source = events_of(ctx, info, pipeline, files, last)
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
        plain = _deliver(copy, ways, PLAIN, progress)
        if len(plain.failures) == records:
            raise StreamdevError(
                f"{pipeline.function.name} handled none of the records: {plain.failures[0]}.",
                hint=f"See why: ./dev.py invoke {pipeline.name}",
            )
        ends, apart_from = _other_ends(copy, ways, plain, progress)
    found = {
        way: list(differences(plain.state, end.state, apart_from)) for way, end in ends.items()
    }
    _tell(ctx, pipeline, plain, found, apart_from)
    return ExitCode.FAILED if any(found.values()) else ExitCode.OK


@contextmanager
def _copied(
    ctx: Context,
    pipeline: Pipeline,
    events: Sequence[Mapping[str, Any]],
    progress: TerminalProgress,
) -> Iterator[Copy]:
    """A copy of the pipeline that is removed afterwards, also after Ctrl-C."""
    from streamdev.cli.verify_copy import MARK, Copy

    with _alone(ctx, pipeline):
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


@contextmanager
def _alone(ctx: Context, pipeline: Pipeline) -> Iterator[None]:
    """One verify of a pipeline at a time: copies of it have the same names."""
    ctx.state.root.mkdir(parents=True, exist_ok=True)
    try:
        with file_lock(ctx.state.root / f"verify-{pipeline.name}.lock", 0):
            yield
    except HeldError as error:
        raise InvalidInputError(
            f"Another verify of {pipeline.name} is running.", hint="Wait for its end."
        ) from error


def _other_ends(
    copy: Copy, ways: Mapping[str, Sequence[Handing]], plain: End, progress: TerminalProgress
) -> tuple[dict[str, End], Volatile]:
    """The end of each way to deliver but the plain one, and what is never the same."""
    again = _deliver(copy, ways, PLAIN, progress, "plain-2")
    apart_from = volatile(plain.state, again.state)
    ends = {way: _deliver(copy, ways, way, progress) for way in ways if way != PLAIN}
    if any(any(differences(plain.state, end.state, apart_from)) for end in ends.values()):
        # What changes but now and then, such as a date, must not be taken for a difference.
        again = _deliver(copy, ways, PLAIN, progress, "plain-3")
        apart_from |= volatile(plain.state, again.state)
    return ends, apart_from


def _deliver(
    copy: Copy,
    ways: Mapping[str, Sequence[Handing]],
    way: str,
    progress: TerminalProgress,
    name: str | None = None,
) -> End:
    progress.step(f"Delivering: {WORDS[way]}")
    return copy.deliver(name or way, ways[way])


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
