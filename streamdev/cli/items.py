"""put-item, get-item, update-item, delete-item, scan: the items of a pipeline's table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click
from rich.text import Text

from streamdev.cli import item_input, item_output
from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_file import STDIN, put_file
from streamdev.cli.item_target import Target, find_target, table_errors, target_options
from streamdev.cli.item_wait import Report, wait_options
from streamdev.cli.options import common_options
from streamdev.errors import InvalidInputError, NotFoundError
from streamdev.observe.render import key_text
from streamdev.observe.waiting import Write
from streamdev.semantics import items, values
from streamdev.semantics.items import Item
from streamdev.semantics.values import ValueRefusedError

SCAN_PAGE = 1_000


@click.command("put-item")
@click.argument("attributes", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--item", "document", metavar="JSON", help="The item as JSON or DynamoDB JSON.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    help="JSON lines, an item a line; - is standard input.",
)
@wait_options
@target_options
@common_options
@pass_context
def put_item(
    ctx: Context,
    attributes: tuple[str, ...],
    document: str | None,
    path: Path | None,
    wait: bool,
    timeout: float,
    pipeline: str | None,
    table: str | None,
) -> int:
    """Write an item, or every line of a file.

    NAME=VALUE is a string (a key attribute takes the type of the table's key), NAME:=JSON a
    plain JSON value, NAME:TYPE=VALUE a value of a DynamoDB type, such as tags:SS=a,b or
    picture:B=BASE64. JSON lines of a file or of standard input (-) are plain JSON or DynamoDB
    JSON; a line that can't be written is told by its number, and the rest is written.

    Examples:
      ./dev.py put-item id=123 name="John Doe" age:=42
      ./dev.py put-item --item '{"id": {"S": "123"}, "tags": {"SS": ["a", "b"]}}'
      ./dev.py put-item --file items.jsonl
      ./dev.py put-item id=123 name=Jane --wait
    """
    if attributes == ("-",):
        attributes, path = (), path or STDIN
    if sum((bool(attributes), document is not None, path is not None)) != 1:
        raise InvalidInputError(
            "Give one item as NAME=VALUE arguments or --item, or many by --file or -.",
            hint='For instance: ./dev.py put-item id=123 name="John Doe"',
        )
    target = find_target(ctx, pipeline, table)
    if path is not None:
        if wait:
            raise InvalidInputError(
                "--wait goes with a single item.", hint="Follow many with ./dev.py logs -f"
            )
        return put_file(ctx, target, path)
    item = _item(attributes, document, target)
    report = Report(ctx, target, wait, timeout)
    at = datetime.now(UTC)
    with table_errors(target):
        response = ctx.gateway.items.put(target.table, _boto(item), ReturnValues="ALL_OLD")
    old = _text_form(response["Attributes"]) if "Attributes" in response else None
    write = Write(target.table, target.schema.key_of(item), old, item, at)
    return report.finish(write, "created" if old is None else "replaced")


@click.command("get-item")
@click.argument("key", nargs=-1, required=True, metavar="KEY...")
@click.option("--dynamodb-json", is_flag=True, help="Show DynamoDB JSON, with every type.")
@target_options
@common_options
@pass_context
def get_item(
    ctx: Context,
    key: tuple[str, ...],
    dynamodb_json: bool,
    pipeline: str | None,
    table: str | None,
) -> int:
    """Show one item. Ends with exit code 6 if there is none.

    KEY is the key's value (with a sort key: both values, in that order), or NAME=VALUE.

    Examples:
      ./dev.py get-item 123
      ./dev.py get-item id=123 --json
    """
    target = find_target(ctx, pipeline, table)
    wanted = item_input.parse_key(key, target.schema)
    with table_errors(target):
        found = ctx.gateway.items.get(target.table, _boto(wanted))
    if found is None:
        raise NotFoundError(f"There is no item {key_text(wanted)} in {target.table}.")
    item = _text_form(found)
    if dynamodb_json:
        item_output.print_document(ctx, item)
    elif ctx.settings.json:
        item_output.print_document(ctx, item_output.plain(item))
    else:
        item_output.show_item(ctx, item, target.schema)
    return ExitCode.OK


@click.command("update-item")
@click.argument("arguments", nargs=-1, required=True, metavar="KEY... [NAME=VALUE]...")
@click.option("--remove", multiple=True, metavar="NAME", help="Take this attribute away.")
@wait_options
@target_options
@common_options
@pass_context
def update_item(
    ctx: Context,
    arguments: tuple[str, ...],
    remove: tuple[str, ...],
    wait: bool,
    timeout: float,
    pipeline: str | None,
    table: str | None,
) -> int:
    """Set attributes of an item, or remove them; the others stay.

    The key attributes among the arguments name the item, which is made if there is none, as
    DynamoDB does. Values are written as for put-item.

    Examples:
      ./dev.py update-item id=123 name="Jane Doe" age:=43
      ./dev.py update-item 123 --remove age --wait
    """
    target = find_target(ctx, pipeline, table)
    key, rest = item_input.split_key(arguments, target.schema)
    changed = item_input.parse_attributes(rest, target.schema)
    _check_update(key, changed, remove, target)
    report = Report(ctx, target, wait, timeout)
    at = datetime.now(UTC)
    with table_errors(target):
        response = ctx.gateway.items.update(
            target.table, _boto(key), ReturnValues="ALL_OLD", **_expression(changed, remove)
        )
    old = _text_form(response["Attributes"]) if "Attributes" in response else None
    kept = {name: value for name, value in (old or key).items() if name not in remove}
    write = Write(target.table, key, old, {**kept, **changed}, at)
    return report.finish(write, "created" if old is None else "updated")


@click.command("delete-item")
@click.argument("key", nargs=-1, required=True, metavar="KEY...")
@wait_options
@target_options
@common_options
@pass_context
def delete_item(
    ctx: Context,
    key: tuple[str, ...],
    wait: bool,
    timeout: float,
    pipeline: str | None,
    table: str | None,
) -> int:
    """Delete one item. Deleting what is not there changes nothing and is no error.

    KEY is the key's value (with a sort key: both values, in that order), or NAME=VALUE.

    Examples:
      ./dev.py delete-item 123
      ./dev.py delete-item id=123 --wait
    """
    target = find_target(ctx, pipeline, table)
    wanted = item_input.parse_key(key, target.schema)
    report = Report(ctx, target, wait, timeout)
    at = datetime.now(UTC)
    with table_errors(target):
        found = ctx.gateway.items.delete(target.table, _boto(wanted))
    old = None if found is None else _text_form(found)
    return report.finish(Write(target.table, wanted, old, None, at), "deleted")


@click.command()
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N items.")
@click.option("--lines", is_flag=True, help="JSON lines, as put-item --file takes them.")
@click.option("--dynamodb-json", is_flag=True, help="Show DynamoDB JSON, with every type.")
@target_options
@common_options
@pass_context
def scan(
    ctx: Context,
    limit: int | None,
    lines: bool,
    dynamodb_json: bool,
    pipeline: str | None,
    table: str | None,
) -> int:
    """Show all items of the table, as they are read.

    With --json they are one array. DynamoDB JSON keeps sets and binary apart from lists and
    text, which plain JSON does not.

    Examples:
      ./dev.py scan
      ./dev.py scan --limit 10 --json
      ./dev.py scan --lines --dynamodb-json > items.jsonl
    """
    target = find_target(ctx, pipeline, table)
    page = {"Limit": min(limit, SCAN_PAGE)} if limit else {}
    with table_errors(target):
        pages = ctx.gateway.items.scan(target.table, **page)
        found = map(_text_form, islice(pages, limit))
        if lines or dynamodb_json or ctx.settings.json:
            documents = found if dynamodb_json else map(item_output.plain, found)
            write = item_output.print_lines if lines else item_output.print_array
            write(ctx, documents)
            return ExitCode.OK
        count = item_output.show_items(ctx, found, target.schema)
    some = "The first " if count == limit else ""
    ctx.err.print(Text(f"{some}{count:,} {'item' if count == 1 else 'items'} of {target.table}."))
    return ExitCode.OK


def _item(attributes: Sequence[str], document: str | None, target: Target) -> Item:
    """The one item that arguments or ``--item`` stand for, checked."""
    try:
        if document is not None:
            return item_input.parse_item(document, target.schema)
        item = item_input.parse_attributes(attributes, target.schema)
        return items.check_item(item, target.schema)
    except item_input.REFUSED as error:
        raise InvalidInputError(f"The item is refused: {error}.") from error


def _check_update(key: Item, changed: Item, remove: Sequence[str], target: Target) -> None:
    if not changed and not remove:
        raise InvalidInputError(
            "There is nothing to change.", hint="Give NAME=VALUE to set, or --remove NAME."
        )
    for name in remove:
        if target.schema.is_key(name):
            raise InvalidInputError(f"{name!r} is part of the key, which stays as it is.")
        if name in changed:
            raise InvalidInputError(f"{name!r} is to be set and to be removed.")
    try:
        items.check_item({**key, **changed}, target.schema)
    except ValueRefusedError as error:
        raise InvalidInputError(f"The change is refused: {error}.") from error


def _expression(changed: Item, remove: Sequence[str]) -> dict[str, object]:
    """UpdateItem's parameters that set and remove the attributes."""
    names = {f"#n{number}": name for number, name in enumerate([*changed, *remove])}
    placeholders = list(names)
    sets, removes = placeholders[: len(changed)], placeholders[len(changed) :]
    parts = []
    if sets:
        parts.append("SET " + ", ".join(f"{name} = :v{i}" for i, name in enumerate(sets)))
    if removes:
        parts.append("REMOVE " + ", ".join(removes))
    options: dict[str, object] = {
        "UpdateExpression": " ".join(parts),
        "ExpressionAttributeNames": names,
    }
    if changed:
        given = enumerate(changed.values())
        options["ExpressionAttributeValues"] = {f":v{i}": values.to_boto(v) for i, v in given}
    return options


def _boto(item: Item) -> Item:
    return {name: values.to_boto(value) for name, value in item.items()}


def _text_form(item: Item) -> Item:
    return {name: values.from_boto(value) for name, value in item.items()}


COMMANDS: list[click.Command] = [put_item, get_item, update_item, delete_item, scan]
