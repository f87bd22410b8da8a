"""Generated events as people ask for them: a kind, and an item typed or taken from the table."""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, cast

from streamdev.cli import item_input
from streamdev.cli.context import Context
from streamdev.cli.item_input import REFUSED
from streamdev.cli.item_target import Target, find_target, table_errors
from streamdev.errors import InvalidInputError, NotFoundError
from streamdev.observe.render import key_text
from streamdev.semantics import generated, items, values
from streamdev.semantics.generated import Kind, as_stored, generated_event
from streamdev.semantics.items import Item, KeySchema, same_item
from streamdev.semantics.values import ValueRefusedError

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline

KINDS = tuple(kind.lower() for kind in generated.KINDS)


@dataclass(frozen=True)
class Given:
    """What was typed of an item; false if nothing was.

    Attributes:
        attributes: ``NAME=VALUE`` arguments.
        document: The item as JSON.
        key: The key of an item in the table.
        old: ``NAME=VALUE`` of the old image alone.
    """

    attributes: tuple[str, ...]
    document: str | None
    key: tuple[str, ...]
    old: tuple[str, ...]

    def __bool__(self) -> bool:
        return any(astuple(self))


def generate(
    ctx: Context, pipeline: Pipeline, kind: str, given: Given, *, has_plugins: bool
) -> dict[str, Any]:
    """The event of one change of one item.

    Raises:
        InvalidInputError: There is no item, or not one that the table takes, or no change.
        NotFoundError: The table, its stream or the item in it does not exist.
    """
    target = find_target(ctx, pipeline.name, None)
    old, new = _images(ctx, target, kind, given)
    stream = ctx.gateway.tables.find(target.table)
    if stream is None or stream.stream_arn is None:
        what = f"table {target.table!r}" if stream is None else f"stream of {target.table!r}"
        raise NotFoundError(f"There is no {what} in the engine.", hint="Make it: ./dev.py deploy")
    return generated_event(
        cast(Kind, kind.upper()),
        key=target.schema.key_of(new or old or {}),
        old=old,
        new=new,
        view=stream.stream_view or pipeline.table.stream,
        stream_arn=stream.stream_arn,
        region=ctx.gateway.region,
        sequence=_sequence(ctx, stream.stream_arn, has_plugins=has_plugins),
        created=time.time(),
    )


def _images(
    ctx: Context, target: Target, kind: str, given: Given
) -> tuple[Item | None, Item | None]:
    """The item before and after, ``None`` where there is none."""
    if given.old and kind != "modify":
        raise InvalidInputError("--old goes with modify.")
    schema = target.schema
    typed = item_input.parse_attributes(given.attributes, schema)
    base = _base(ctx, target, kind, given)
    new = {**base, **typed}
    try:
        if kind != "modify":
            item = _checked(new, schema)
            return (None, item) if kind == "insert" else (item, None)
        before = base if given.key else new
        old = {**before, **item_input.parse_attributes(given.old, schema)}
        old, new = _checked(old, schema), _checked(new, schema)
    except ValueRefusedError as error:
        raise InvalidInputError(f"The item is refused: {error}.") from error
    if schema.key_of(old) != schema.key_of(new):
        raise InvalidInputError("The key of an item can't change, so --old can't name it.")
    if same_item(old, new):
        raise InvalidInputError(
            "Old and new item are the same, and a write that changes nothing makes no record.",
            hint="Say what changes: --key 123 NAME=VALUE, or what it was: --old NAME=VALUE",
        )
    return old, new


def _checked(item: Item, schema: KeySchema) -> Item:
    """The item as the table would have it."""
    return as_stored(items.check_item(item, schema))


def _base(ctx: Context, target: Target, kind: str, given: Given) -> Item:
    """The item of the table, or of the JSON document; empty if neither is asked for."""
    if sum((bool(given.key), given.document is not None)) == 2:
        raise InvalidInputError("--key and --item both name an item.", hint="Give one of them.")
    if given.document is not None:
        try:
            return item_input.parse_item(given.document, target.schema)
        except REFUSED as error:
            raise InvalidInputError(f"--item is refused: {error}.") from error
    if given.key:
        return _stored(ctx, target, item_input.parse_key(given.key, target.schema))
    if not given.attributes:
        raise InvalidInputError(
            f"{kind} needs an item.",
            hint="Give it as NAME=VALUE arguments or --item, or take it from the table: --key",
        )
    return {}


def _stored(ctx: Context, target: Target, key: Item) -> Item:
    boto_key = {name: values.to_boto(value) for name, value in key.items()}
    with table_errors(target):
        found = ctx.gateway.items.get(target.table, boto_key)
    if found is None:
        raise NotFoundError(
            f"There is no item {key_text(key)} in {target.table}.",
            hint="Give it as NAME=VALUE arguments instead of --key.",
        )
    return {name: values.from_boto(value) for name, value in found.items()}


def _sequence(ctx: Context, stream_arn: str, *, has_plugins: bool) -> int:
    """A sequence number later than all that the stream's mappings have handled.

    A handler may remember the number and take lower ones for old news. So it is no higher than it
    has to be: the next real record, later by any write in the engine, must not be lower.
    """
    if not has_plugins:
        return time.time_ns()
    done = [
        int(position)
        for mapping in ctx.gateway.control.mappings()
        if mapping["stream_arn"] == stream_arn
        for position in mapping["position"].values()
        if position is not None
    ]
    return max(done, default=0) + 1
