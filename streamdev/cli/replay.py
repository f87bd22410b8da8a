"""replay: recorded batches through the function as it is now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from streamdev.cli import fixture_files
from streamdev.cli.calls import Called, call, to_payload
from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_output import print_document
from streamdev.cli.options import common_options, pipeline_option
from streamdev.engine.base import require
from streamdev.errors import InvalidInputError, StreamdevError
from streamdev.observe import fixtures
from streamdev.observe.fixtures import Fixture
from streamdev.observe.render import escaped
from streamdev.semantics.generated import with_new_ids

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline


@dataclass(frozen=True)
class _Case:
    """A recorded batch and the pipeline whose function gets it."""

    path: Path
    fixture: Fixture
    pipeline: Pipeline


@click.command()
@click.argument(
    "files", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path(path_type=Path), required=False
)
@click.option(
    "--new-ids",
    is_flag=True,
    help="Give each record another eventID, so that a handler that remembers ids handles it again.",
)
@pipeline_option
@common_options
@pass_context
def replay(ctx: Context, files: tuple[Path, ...], new_ids: bool, pipeline: str | None) -> int:
    """Send recorded batches through the function as it is deployed, and compare the outcomes.

    Without files all that is recorded is sent, of every pipeline, one after the other in the order
    of the files' names. The outcome is the same if the function ends as it did (ok, partial, error,
    timeout, crash), with the same error and the same failed records. What the function writes, it
    writes again. Exit code 1 if an outcome differs.

    Examples:
      ./dev.py replay
      ./dev.py replay -p user-profile --new-ids
      ./dev.py replay fixtures/user-profile/20261120T120000-insert-1f0c9a7e.json
    """
    require(ctx.engine)
    cases = _cases(ctx, files, pipeline)
    same = 0
    for case in cases:
        event = case.fixture.event
        called = call(ctx, case.pipeline, to_payload(with_new_ids(event) if new_ids else event))
        found = list(fixtures.differences(case.fixture.outcome, called.outcome))
        same += not found
        _tell(ctx, case, called, found)
    summary = f"{same} of {len(cases)} the same" if same < len(cases) else f"{same} the same"
    ctx.err.print(Text(f"{summary}.", "dim"))
    return ExitCode.OK if same == len(cases) else ExitCode.FAILED


def _cases(ctx: Context, files: Iterable[Path], pipeline: str | None) -> list[_Case]:
    """All batches to send; whatever is wrong with one is told before the first is sent.

    Raises:
        InvalidInputError: A file is no recorded batch, or its pipeline is unknown.
    """
    pipelines = ctx.project.select([pipeline] if pipeline else [])
    cases = []
    for path in fixture_files.all_of(ctx, pipelines, files):
        fixture = fixtures.read(path)
        try:
            found = ctx.project.pipeline(pipeline or fixture.pipeline)
        except StreamdevError as error:
            raise InvalidInputError(
                f"{fixture_files.shown(ctx, path)}: {error.message}",
                hint="Name the pipeline that is to get it: -p NAME",
            ) from error
        cases.append(_Case(path, fixture, found))
    return cases


def _tell(ctx: Context, case: _Case, called: Called, differences: list[str]) -> None:
    name = fixture_files.shown(ctx, case.path)
    if ctx.settings.json:
        told = {
            "file": name,
            "pipeline": case.pipeline.name,
            "same": not differences,
            "differences": differences,
            "recorded": fixtures.outcome_document(case.fixture.outcome),
            "now": fixtures.outcome_document(called.outcome),
            "request_id": called.request_id,
        }
        print_document(ctx, told)
        return
    word, style = ("differs", "bold red") if differences else ("same   ", "green")
    line = Text.assemble((word, style), f"  {escaped(name)}")
    if not differences:
        line.append(f"  {escaped(fixtures.words(called.outcome))}")
    if called.outcome.duration_ms is not None:
        line.append(f"  {called.outcome.duration_ms:,.0f} ms", "dim")
    ctx.out.print(line)
    for difference in differences:
        ctx.out.print(Text(f"         {escaped(difference)}"))


COMMANDS: list[click.Command] = [replay]
