"""Which table an item command works on, and what its key is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from streamdev.aws.errors import AwsNotFoundError
from streamdev.cli.context import Context
from streamdev.cli.options import pipeline_option
from streamdev.errors import InvalidInputError, NotFoundError
from streamdev.semantics.items import KeySchema

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline, Table

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Target:
    """A table.

    Attributes:
        table: Its name.
        schema: Its key.
        pipeline: The pipeline it was found by; ``None`` when it was named itself.
    """

    table: str
    schema: KeySchema
    pipeline: Pipeline | None


def target_options(function: F) -> F:
    """Give a command ``-p/--pipeline`` and ``--table``."""
    decorate = click.option(
        "--table",
        metavar="NAME",
        envvar="STREAMDEV_TABLE",
        help="A table by its own name, instead of a pipeline's.",
    )
    return pipeline_option(decorate(function))


def find_target(ctx: Context, pipeline: str | None, table: str | None) -> Target:
    """The table that the options name.

    Raises:
        InvalidInputError: Both are given, or the pipeline is unknown.
        NotFoundError: There is no such table in the engine.
    """
    if table is None:
        found = ctx.project.pipeline(pipeline)
        return Target(found.table.name, _schema(found.table), found)
    if pipeline is not None:
        raise InvalidInputError(
            "--pipeline and --table both name a table.", hint="Give one of them."
        )
    return Target(table, _live_schema(ctx, table), None)


def _schema(table: Table) -> KeySchema:
    keys = tuple((key.name, key.type) for key in table.keys)
    return KeySchema(keys, table.attribute_types)


def _live_schema(ctx: Context, name: str) -> KeySchema:
    state = ctx.gateway.tables.find(name)
    if state is None:
        from streamdev.config.models import nearest

        known = ctx.gateway.tables.names()
        close = nearest(name, known)
        raise NotFoundError(
            f"There is no table {name!r} in the engine.",
            hint=f"Did you mean {close!r}?" if close else f"It has: {', '.join(known) or 'none'}.",
        )
    types = dict(state.attribute_types)
    return KeySchema(tuple((key, types[key]) for key in state.keys), types)


@contextmanager
def table_errors(target: Target) -> Iterator[None]:
    """A block in which a missing table is told with what to do about it.

    Raises:
        NotFoundError: The table does not exist.
    """
    try:
        yield
    except AwsNotFoundError as error:
        raise NotFoundError(
            f"There is no table {target.table!r} in the engine.",
            hint="Make it: ./dev.py deploy" if target.pipeline else None,
        ) from error
