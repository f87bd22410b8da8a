"""filter test: whether a filter lets a record through, and which clause decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from streamdev.cli import item_input
from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_file import STDIN
from streamdev.cli.item_output import print_document
from streamdev.cli.item_target import Target, find_target, target_options
from streamdev.cli.options import common_options
from streamdev.errors import InvalidInputError, NotFoundError
from streamdev.observe.documents import plain_item
from streamdev.observe.filtering import Trial, events_in, made_event, newest_event, trial
from streamdev.observe.render import escaped, key_text
from streamdev.semantics import items, values
from streamdev.semantics.filters import Filters, InvalidFilterError, compile_filters
from streamdev.semantics.items import Item

EVENTS = ("INSERT", "MODIFY", "REMOVE")


@click.group("filter")
@common_options
def filter_group() -> None:
    """Try filters of an event source mapping on records.

    Examples:
      ./dev.py filter test 123
    """


@filter_group.command()
@click.argument("arguments", nargs=-1, metavar="[KEY | NAME=VALUE]...")
@click.option(
    "--pattern",
    "patterns",
    multiple=True,
    metavar="JSON",
    help="A filter pattern instead of the pipeline's filter-criteria. Repeatable.",
)
@click.option(
    "--pattern-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file with a pattern, or with filter criteria as AWS's CLI takes them.",
)
@click.option(
    "--record",
    "record_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file with records, or an event, as a function gets them; - is standard input.",
)
@click.option(
    "--event",
    "event_name",
    type=click.Choice(EVENTS),
    help="Take NAME=VALUE... for an item with which this happens.",
)
@click.option("--old", metavar="JSON", help="With --event MODIFY: the item as it was before.")
@target_options
@common_options
@pass_context
def test(
    ctx: Context,
    arguments: tuple[str, ...],
    patterns: tuple[str, ...],
    pattern_file: Path | None,
    record_file: Path | None,
    event_name: str | None,
    old: str | None,
    pipeline: str | None,
    table: str | None,
) -> int:
    """Tell whether a filter lets a record through, and which clause decides.

    The record is the newest one that the table's stream has of KEY; or with --record those of a
    file; or with --event the one that an item, given as for put-item, would make. Only the first
    needs a running engine. The filter is the pipeline's filter-criteria as pipelines.toml has
    them now, or --pattern.

    Exit code 0: all records match. 1: one does not. 2: AWS would refuse the pattern.

    Examples:
      ./dev.py filter test 123
      ./dev.py filter test id=123 status=paid --event INSERT
      ./dev.py filter test 123 --pattern '{"eventName": ["INSERT"]}'
      ./dev.py filter test --record record.json --pattern-file pattern.json
    """
    if bool(arguments) == (record_file is not None):
        raise InvalidInputError(
            "Give one thing to test: KEY, NAME=VALUE... with --event, or --record FILE.",
            hint="For instance: ./dev.py filter test 123",
        )
    if old is not None and event_name != "MODIFY":
        raise InvalidInputError("--old goes with --event MODIFY.")
    given = _given_patterns(ctx, patterns, pattern_file)
    filters = _compiled(given if given is not None else _own_patterns(ctx, pipeline, table))
    if record_file is not None:
        if event_name is not None:
            raise InvalidInputError("--event makes a record; --record has its own.")
        where = "Standard input" if record_file == STDIN else str(record_file)
        events = events_in(_json(_read(ctx, record_file), where), where)
    else:
        target = find_target(ctx, pipeline, table)
        if event_name is not None:
            events = [_made(ctx, target, event_name, arguments, old)]
        else:
            events = [_live(ctx, target, arguments)]
    return _show(ctx, filters, [trial(filters, event) for event in events])


def _given_patterns(
    ctx: Context, patterns: tuple[str, ...], pattern_file: Path | None
) -> list[str] | None:
    if patterns and pattern_file is not None:
        raise InvalidInputError("--pattern and --pattern-file both give filters; use one.")
    if pattern_file is None:
        return list(patterns) or None
    text = _read(ctx, pattern_file)
    document = _json(text, str(pattern_file))
    if not isinstance(document, dict) or not isinstance(document.get("Filters"), list):
        return [text]
    return [str(one.get("Pattern") or "") for one in document["Filters"] if isinstance(one, dict)]


def _own_patterns(ctx: Context, pipeline: str | None, table: str | None) -> list[str]:
    if table is not None:
        raise InvalidInputError(
            "A table by itself has no filter.", hint="Give one: --pattern or --pattern-file"
        )
    return list(ctx.project.pipeline(pipeline).mapping.filter_criteria)


def _compiled(patterns: list[str]) -> Filters:
    try:
        return compile_filters({"Filters": [{"Pattern": pattern} for pattern in patterns]})
    except InvalidFilterError as error:
        raise InvalidInputError(error.message, hint=error.reason) from error


def _read(ctx: Context, path: Path) -> str:
    try:
        if path == STDIN:
            return ctx.stdin.read()
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise InvalidInputError(f"{path} can't be read: {reason}.") from error


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{where} is no JSON: {error}.") from error


def _made(
    ctx: Context, target: Target, event_name: str, arguments: tuple[str, ...], old: str | None
) -> dict[str, Any]:
    """The record that the item on the command line would make."""
    try:
        item = items.check_item(
            item_input.parse_attributes(arguments, target.schema), target.schema
        )
        key = target.schema.key_of(item)
        before: Item | None = item if event_name == "REMOVE" else None
        if event_name == "MODIFY":
            before = item_input.parse_item(old, target.schema) if old is not None else item
    except item_input.REFUSED as error:
        raise InvalidInputError(f"The item is refused: {error}.") from error
    if before is not None and target.schema.key_of(before) != key:
        raise InvalidInputError("--old is another item: its key differs.")
    after = None if event_name == "REMOVE" else item
    return made_event(target.table, _view(ctx, target), event_name, key, before, after)


def _view(ctx: Context, target: Target) -> str:
    if target.pipeline is not None:
        return target.pipeline.table.stream
    state = ctx.gateway.tables.find(target.table)
    return (state.stream_view if state else None) or "NEW_AND_OLD_IMAGES"


def _live(ctx: Context, target: Target, arguments: tuple[str, ...]) -> dict[str, Any]:
    """The newest record of the item in the table's stream."""
    key = item_input.parse_key(arguments, target.schema)
    state = ctx.gateway.tables.find(target.table)
    if state is None or state.stream_arn is None:
        what = "no table" if state is None else "no stream of table"
        raise NotFoundError(f"There is {what} {target.table!r}.", hint="Make it: ./dev.py deploy")
    event = newest_event(ctx.gateway, state.stream_arn, key)
    if event is not None:
        return event
    stored = ctx.gateway.items.get(target.table, {n: values.to_boto(v) for n, v in key.items()})
    if stored is None:
        raise NotFoundError(
            f"There is no item {key_text(key)} in {target.table}, and no record of it in the "
            "stream.",
            hint="Try an item that is not there: NAME=VALUE... with --event INSERT",
        )
    ctx.err.print(
        Text("The stream has no record of it; tested is an INSERT of the item as it is.", "dim")
    )
    item = {name: values.from_boto(value) for name, value in stored.items()}
    return made_event(target.table, state.stream_view or "KEYS_ONLY", "INSERT", key, None, item)


def _show(ctx: Context, filters: Filters, trials: list[Trial]) -> int:
    matched = all(one.explanation.matched for one in trials)
    if ctx.settings.json:
        told = {"matched": matched, "records": [_document(one) for one in trials]}
        print_document(ctx, told)
    else:
        for one in trials:
            _print(ctx, filters, one)
    return ExitCode.OK if matched else ExitCode.FAILED


def _print(ctx: Context, filters: Filters, one: Trial) -> None:
    told = one.explanation
    head = Text.assemble((one.event_name, "bold"), f" {key_text(one.keys)}: ")
    if not filters:
        head.append("matches, as there is no filter", "green")
    elif told.matched:
        head.append(f"matches filter {' and '.join(map(str, told.matching))}", "green")
    else:
        head.append("does not match: ", "bold red").append(escaped(told.reason))
    ctx.out.print(head)
    for clause in told.clauses:
        mark, style = ("yes", "green") if clause.matched else ("no ", "red")
        ctx.out.print(Text.assemble("  ", (mark, style), f"  {escaped(str(clause))}"))


def _document(one: Trial) -> dict[str, Any]:
    told = one.explanation
    return {
        "event_name": one.event_name,
        "keys": plain_item(one.keys),
        "matched": told.matched,
        "matching": list(told.matching),
        "reason": told.reason or None,
        "clauses": [
            {**vars(clause), "actual": [json.loads(value) for value in clause.actual]}
            for clause in told.clauses
        ],
    }


COMMANDS: list[click.Command] = [filter_group]
