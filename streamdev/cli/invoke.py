"""invoke: run a function once, with an event of one's choice."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from streamdev.cli import fixture_files
from streamdev.cli.calls import Called, call, printed, to_payload
from streamdev.cli.context import Context, pass_context
from streamdev.cli.event_input import KINDS, Given, generate
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_output import print_document
from streamdev.cli.options import common_options
from streamdev.engine.base import require
from streamdev.errors import InvalidInputError, NotFoundError
from streamdev.observe import fixtures
from streamdev.observe.batches import GoneError, WholeBatches, last_batch
from streamdev.observe.names import Names
from streamdev.observe.render import escaped
from streamdev.semantics.filters import compile_filters
from streamdev.semantics.generated import with_new_ids

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline

LAST = "last"
STDIN = "-"


@click.command()
@click.argument("name", metavar="NAME")
@click.argument("event", default=LAST, metavar="[EVENT]")
@click.argument("attributes", nargs=-1, metavar="[ATTRIBUTE]...")
@click.option(
    "--item",
    "document",
    metavar="JSON",
    help="The item of a generated event, as plain JSON or DynamoDB JSON.",
)
@click.option(
    "--key",
    multiple=True,
    metavar="VALUE",
    help="Take the item from the table: its key's value, or NAME=VALUE (with a sort key: twice).",
)
@click.option(
    "--old",
    multiple=True,
    metavar="ATTRIBUTE",
    help="With modify: what the item had before, as NAME=VALUE. Repeatable.",
)
@click.option(
    "--new-ids",
    is_flag=True,
    help="Give each record another eventID, so that a handler that remembers ids handles it again.",
)
@common_options
@pass_context
def invoke(
    ctx: Context,
    name: str,
    event: str,
    attributes: tuple[str, ...],
    document: str | None,
    key: tuple[str, ...],
    old: tuple[str, ...],
    new_ids: bool,
) -> int:
    """Run the function of a pipeline once, and show what it printed, its result and its duration.

    NAME is the pipeline. EVENT is "last", the last batch that the mapping handed over (the
    default); insert, modify, remove or ttl: a generated event, as the table's stream would make it
    (ttl: a removal by time to live); a file with any JSON, or - for standard input; or a recorded
    batch, by its name in fixtures/NAME or the name's beginning.

    The item of a generated event is given as put-item takes it, or taken from the table by --key;
    with both, the ATTRIBUTEs are what changes. No mapping is involved: nothing is filtered,
    retried or given up. Exit code 1 if the function fails, or reports records as failed.

    Examples:
      ./dev.py invoke user-profile
      ./dev.py invoke user-profile insert id=123 name="John Doe" age:=42
      ./dev.py invoke user-profile modify --key 123 age:=43
      ./dev.py invoke user-profile ttl --key 123
      ./dev.py invoke user-profile 20261120T120000-insert
      ./dev.py invoke user-profile - < event.json
    """
    info = require(ctx.engine)
    pipeline = ctx.project.pipeline(name)
    given = Given(attributes, document, key, old)
    chosen: Any
    if event.lower() in KINDS:
        chosen = generate(ctx, pipeline, event.lower(), given, has_plugins=info.has_plugins)
    elif given:
        raise InvalidInputError(
            f"An item goes with a generated event, not with {event!r}.",
            hint=f"For instance: ./dev.py invoke {name} insert id=123",
        )
    elif event == LAST:
        chosen = _last(ctx, pipeline, has_plugins=info.has_plugins)
    else:
        chosen = _of_file(ctx, pipeline, event)
    if new_ids and _records(chosen):
        chosen = with_new_ids(chosen)
    _note_filtered(ctx, pipeline, chosen)
    called = call(ctx, pipeline, to_payload(chosen))
    _tell(ctx, pipeline, chosen, called)
    return ExitCode.OK if called.outcome.kind == "ok" else ExitCode.FAILED


def _last(ctx: Context, pipeline: Pipeline, *, has_plugins: bool) -> dict[str, Any]:
    instead = f"Make an event: ./dev.py invoke {pipeline.name} insert ..."
    if not has_plugins:
        raise InvalidInputError(
            "The last batch is known of streamdev's own engines only.", hint=instead
        )
    function = pipeline.function.name
    lines = ctx.engine.read_log(since=None, follow=False, stop=threading.Event())
    batch = last_batch(lines, function)
    if batch is None:
        raise NotFoundError(f"{function} has had no batch yet.", hint=instead)
    try:
        return WholeBatches(ctx.gateway).event(batch)
    except GoneError as error:
        raise NotFoundError(
            f"The last batch of {function} can't be had any more: {error}.", hint=instead
        ) from error


def _of_file(ctx: Context, pipeline: Pipeline, name: str) -> Any:
    """The event in a file, or on standard input."""
    if name == STDIN:
        try:
            document = json.loads(ctx.stdin.buffer.read())
        except (ValueError, RecursionError) as error:
            raise InvalidInputError(f"Standard input is no JSON: {error}.") from error
    else:
        document = fixtures.read_json(fixture_files.find(ctx, pipeline, name))
    fixture = fixtures.parse(document)
    return document if fixture is None else fixture.event


def _records(event: Any) -> list[Mapping[str, Any]]:
    """The stream records of an event, none where it is another kind."""
    records = event.get("Records") if isinstance(event, dict) else None
    found = records if isinstance(records, list) else []
    return [one for one in found if isinstance(one, dict) and isinstance(one.get("dynamodb"), dict)]


def _note_filtered(ctx: Context, pipeline: Pipeline, event: Any) -> None:
    """Say so if the mapping would have kept a record of the event from the function."""
    patterns = [{"Pattern": pattern} for pattern in pipeline.mapping.filter_criteria]
    filters = compile_filters({"Filters": patterns})
    for record in _records(event):
        if not filters.match(record):
            reason = filters.explain(record).reason
            note = f"The mapping's filter would have kept this from the function: {reason}"
            ctx.err.print(Text(escaped(note), "dim"))
            return


def _tell(ctx: Context, pipeline: Pipeline, event: Any, called: Called) -> None:
    outcome, lines = called.outcome, printed(ctx, called)
    failed = outcome.failure is not None
    if ctx.settings.json:
        told = {
            "pipeline": pipeline.name,
            "function": pipeline.function.name,
            "request_id": called.request_id,
            "outcome": outcome.kind,
            "result": None if failed else called.result,
            "error": called.result if failed else None,
            "failures": list(outcome.failures),
            "duration_ms": outcome.duration_ms,
            "init_ms": outcome.init_ms,
            "memory_mib": outcome.memory_mib,
            "event": event,
            "logs": lines,
        }
        print_document(ctx, told)
        return
    for line in lines:
        click.echo(line, file=ctx.stdout)
    if not failed:
        text = called.answer.decode("utf-8", "replace")
        ctx.out.print(Text.assemble(("result  ", "bold"), escaped(text)))
    what = fixtures.subject(_records(event), Names.of_project(ctx.project))
    head = Text(f"{what} by {pipeline.name}  " if what else f"{pipeline.name}  ")
    head.append(escaped(fixtures.words(outcome)), "green" if outcome.kind == "ok" else "bold red")
    figures = (
        ("", outcome.duration_ms, "ms"),
        ("cold start ", outcome.init_ms, "ms"),
        ("", outcome.memory_mib, "MB"),
    )
    known = [f"{word}{figure:,.0f} {unit}" for word, figure, unit in figures if figure is not None]
    ctx.out.print(head.append(f"  {', '.join(known)}", "dim"))


COMMANDS: list[click.Command] = [invoke]
