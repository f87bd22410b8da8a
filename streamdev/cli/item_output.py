"""Items as people and scripts get to see them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text

from streamdev.cli.context import Context
from streamdev.observe.render import escaped, key_text, value_text
from streamdev.semantics import exact_json, values
from streamdev.semantics.items import Item, KeySchema, shorthand

# A scan's table is drawn in parts, so that a long one is seen while it is read.
ROWS = 200
PIPE_WIDTH = 160


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as plain JSON, numbers as `Decimal`."""
    return {name: values.to_plain(value) for name, value in item.items()}


def print_document(ctx: Context, document: Any) -> None:
    """One JSON document on one line, numbers digit for digit."""
    click.echo(exact_json.write(document), file=ctx.stdout)
    ctx.stdout.flush()


def show_item(ctx: Context, item: Item, schema: KeySchema) -> None:
    """One item, an attribute a line, the key first."""
    table = _table("attribute", "type", "value")
    keys = [name for name, _ in schema.keys if name in item]
    for name in (*keys, *(name for name in item if name not in keys)):
        value = item[name]
        table.add_row(Text(escaped(name), "bold"), Text(next(iter(value)), "dim"), _value(value))
    _print(ctx, table)


def show_items(ctx: Context, found: Iterable[Item], schema: KeySchema) -> int:
    """Items, one a row: the key, then the other attributes as ``put-item`` takes them."""
    count = 0
    remaining = iter(found)
    while rows := list(islice(remaining, ROWS)):
        table = _table(*(name for name, _ in schema.keys), "other attributes")
        for item in rows:
            others = {n: value for n, value in item.items() if not schema.is_key(n)}
            arguments = " ".join(shlex.quote(argument) for argument in shorthand(others))
            cells = (key_text({name: item[name]}) for name, _ in schema.keys)
            table.add_row(*(Text(cell, "bold") for cell in cells), Text(escaped(arguments)))
        _print(ctx, table)
        count += len(rows)
    return count


def print_array(ctx: Context, documents: Iterable[Any]) -> int:
    """One JSON array, written element by element."""
    count = 0
    for document in documents:
        click.echo(
            ("," if count else "[") + "\n" + exact_json.write(document), ctx.stdout, nl=False
        )
        count += 1
    click.echo("\n]" if count else "[]", file=ctx.stdout)
    ctx.stdout.flush()
    return count


def print_lines(ctx: Context, documents: Iterable[Any]) -> int:
    """JSON lines."""
    count = 0
    for document in documents:
        click.echo(exact_json.write(document), file=ctx.stdout)
        count += 1
    ctx.stdout.flush()
    return count


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in headings:
        table.add_column(Text(escaped(heading)), overflow="fold")
    return table


def _print(ctx: Context, table: Table) -> None:
    width = None if ctx.out.is_terminal else PIPE_WIDTH
    ctx.out.print(table, soft_wrap=False, width=width)


def _value(value: dict[str, Any]) -> Text:
    return Text(value_text(value, limit=None))
