"""record: real batches, whole, as files."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from streamdev.cli import fixture_files, item_input
from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_output import plain, print_document
from streamdev.cli.item_target import find_target
from streamdev.cli.logs import moment
from streamdev.cli.options import common_options, pipeline_option
from streamdev.engine.base import EngineInfo, require
from streamdev.errors import InvalidInputError, NotFoundError
from streamdev.observe import fixtures
from streamdev.observe import follow as reading
from streamdev.observe.batches import Batch, GoneError, WholeBatches, batches, latest
from streamdev.observe.names import Names
from streamdev.observe.render import escaped
from streamdev.observe.waiting import agrees
from streamdev.semantics.items import Item, same_item
from streamdev.semantics.masking import Masks

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline

DEFAULT_LAST = 10


@click.command()
@click.option(
    "-n",
    "--last",
    type=click.IntRange(min=1),
    default=DEFAULT_LAST,
    show_default=True,
    metavar="COUNT",
    help="The last so many batches.",
)
@click.option("--failed", is_flag=True, help="Only batches that the function did not handle.")
@click.option(
    "--key",
    multiple=True,
    metavar="VALUE",
    help="Only batches with this item: its key's value, or NAME=VALUE (with a sort key: twice).",
)
@click.option(
    "--since",
    callback=moment,
    metavar="TIME",
    help="Only since then: 30s, 5m, 2h, 1d ago, or 2026-11-20T12:00 (default: engine's start).",
)
@click.option("-f", "--follow", is_flag=True, help="Record what happens from now on, until Ctrl-C.")
@click.option(
    "--mask",
    multiple=True,
    metavar="ATTRIBUTE",
    help="Replace this attribute's values. Those of redact in pipelines.toml are anyway.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where to (default: fixtures/PIPELINE beside pipelines.toml).",
)
@pipeline_option
@common_options
@pass_context
def record(
    ctx: Context,
    last: int,
    failed: bool,
    key: tuple[str, ...],
    since: datetime | None,
    follow: bool,
    mask: tuple[str, ...],
    output: Path | None,
    pipeline: str | None,
) -> int:
    """Save real batches, whole, as JSON files that replay, invoke and unit tests use.

    A file holds the event exactly as the function got it, and the outcome. A batch that was
    tried more than once is there once, as it ended last. The same batch gets the same file name
    each time. Exit code 1 if one can't be put together any more, 6 if there is none.

    Examples:
      ./dev.py record
      ./dev.py record -n 1 --failed -p user-profile
      ./dev.py record --key 123 --mask email --mask name
      ./dev.py record -f -o tests/fixtures
    """
    info = require(ctx.engine)
    if not info.has_plugins:
        raise InvalidInputError(
            "record reads the log of streamdev's own engines; an external one has none.",
            hint="Use the host or the compose engine.",
        )
    if follow and since:
        raise InvalidInputError(
            "--follow begins now; --since looks back.", hint="Give one of them."
        )
    found = ctx.project.pipeline(pipeline)
    item = _key(ctx, found, key)
    wanted = _Wanted(failed, item)
    recorder = _Recorder(ctx, found, output, item, frozenset((*mask, *found.table.redact)))
    if follow:
        return _follow(ctx, recorder, wanted, mask)
    chosen = [batch for batch in batches_of(ctx, info, found, since) if batch in wanted][-last:]
    if not chosen:
        raise NotFoundError(
            f"{found.function.name} has had no such batch.",
            hint="See what it has had: ./dev.py logs",
        )
    for batch in chosen:
        recorder.take(batch)
    recorder.finish(mask)
    return ExitCode.FAILED if recorder.gone else ExitCode.OK


def _key(ctx: Context, pipeline: Pipeline, key: tuple[str, ...]) -> Item | None:
    schema = find_target(ctx, pipeline.name, None).schema
    return item_input.parse_key(key, schema) if key else None


@dataclass(frozen=True)
class _Wanted:
    """Which batches are recorded."""

    failed: bool
    key: Item | None

    def __contains__(self, batch: Batch) -> bool:
        if self.failed and batch.outcome.kind == "ok":
            return False
        key = self.key
        return key is None or any(agrees(record.keys, key) for record in batch.records)


def batches_of(
    ctx: Context, info: EngineInfo, pipeline: Pipeline, since: datetime | None
) -> list[Batch]:
    """The batches that the pipeline's function has had, each as its last attempt ended."""
    since = since or info.started_at
    lines = ctx.engine.read_log(
        since=reading.read_from(since), follow=False, stop=threading.Event()
    )
    return latest(batches(lines, since=since, functions={pipeline.function.name}))


def _follow(ctx: Context, recorder: _Recorder, wanted: _Wanted, mask: Iterable[str]) -> int:
    now = datetime.now(UTC)
    stop = threading.Event()
    ctx.err.print(Text("Recording what happens from now on; end with Ctrl-C.", "dim"))
    try:
        lines = ctx.engine.read_log(since=reading.read_from(now), follow=True, stop=stop)
        for batch in batches(lines, since=now, functions={recorder.pipeline.function.name}):
            if batch in wanted:
                recorder.take(batch)
    finally:
        stop.set()
        recorder.finish(mask)
    return ExitCode.FAILED if recorder.gone else ExitCode.OK


@dataclass
class _Recorder:
    """Writes batches as files and tells of each."""

    ctx: Context
    pipeline: Pipeline
    output: Path | None
    key: Item | None
    masked: frozenset[str]
    gone: int = 0
    _used: set[str] = field(default_factory=set)
    _files: set[Path] = field(default_factory=set)

    @property
    def folder(self) -> Path:
        """Where the files go."""
        if self.output is not None:
            return self.ctx.cwd / self.output
        return fixture_files.folder_of(self.ctx, self.pipeline)

    def take(self, batch: Batch) -> None:
        """Write one batch; tell if that can't be done any more."""
        try:
            event = WholeBatches(self.ctx.gateway).event(batch)
        except GoneError as error:
            self.gone += 1
            self.ctx.err.print(
                Text.assemble(
                    ("Warning: ", "yellow"),
                    f"the batch of {batch.at.astimezone():%H:%M:%S} can't be recorded: {error}.",
                )
            )
            return
        if self.key is not None and not _holds(event, self.key):
            return  # the log has the key cut or masked
        masks = Masks(self.masked)
        fixture = fixtures.fixture_of(batch, event, self.pipeline.name, masks)
        self._used |= masks.used
        path = self.folder / fixtures.file_name(batch)
        fixtures.write(fixture, path)
        self._files.add(path)
        self._tell(batch, fixture, path)

    def _tell(self, batch: Batch, fixture: fixtures.Fixture, path: Path) -> None:
        ctx = self.ctx
        name = fixture_files.shown(ctx, path)
        if ctx.settings.json:
            told = {
                "file": name,
                "pipeline": fixture.pipeline,
                "records": len(batch.records),
                "keys": [plain(r["dynamodb"]["Keys"]) for r in fixture.event["Records"]],
                "request_id": batch.request_id,
                "attempt": batch.attempt,
                "masked": list(fixture.masked),
                "outcome": fixtures.outcome_document(fixture.outcome),
            }
            print_document(ctx, told)
            return
        what = fixtures.subject(fixture.event["Records"], Names.of_project(ctx.project))
        style = "green" if batch.outcome.kind == "ok" else "bold red"
        line = Text.assemble(f"{escaped(name)}  ", (f"{what or 'window end'}  ", "bold"))
        ctx.out.print(line.append(escaped(fixtures.words(fixture.outcome)), style))

    def finish(self, asked: Iterable[str]) -> None:
        """Say how many there are, and which attributes were to be masked and never came."""
        for name in asked:
            if self._files and name not in self._used:
                warning = f"no recorded item has an attribute {name!r}, so nothing of it is masked."
                self.ctx.err.print(Text.assemble(("Warning: ", "yellow"), escaped(warning)))
        batches_ = "1 batch" if len(self._files) == 1 else f"{len(self._files)} batches"
        masked = f", masked: {', '.join(sorted(self._used))}" if self._used else ""
        folder = fixture_files.shown(self.ctx, self.folder)
        self.ctx.err.print(Text(f"Recorded {batches_} in {escaped(folder + masked)}.", "dim"))


def _holds(event: Mapping[str, Any], key: Item) -> bool:
    return any(same_item(record["dynamodb"]["Keys"], key) for record in event["Records"])


COMMANDS: list[click.Command] = [record]
