"""ttl: what expires, and when."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click

from streamdev.aws.errors import AwsError
from streamdev.cli.context import Context, pass_context
from streamdev.cli.item_target import find_target, table_errors, target_options
from streamdev.cli.options import common_options
from streamdev.engine.base import require
from streamdev.errors import InvalidInputError, TimedOutError

PAUSE_S = 0.25
#: What expired more than five years ago stays (AWS: "Using time to live (TTL) in DynamoDB").
#: A little less, so that none is waited for that the service already leaves alone.
OLDEST_S = 5 * 365 * 86_400


@click.group()
def ttl() -> None:
    """Have items expire by their table's time to live.

    Example:
      ./dev.py ttl expire -p async-request
    """


@ttl.command()
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also what expires later: its time is set to now first, which is a change of its own.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the deletions.",
)
@target_options
@common_options
@pass_context
def expire(
    ctx: Context, everything: bool, timeout: float, pipeline: str | None, table: str | None
) -> None:
    """Have a table's expired items deleted now, and wait until they are.

    DynamoDB Local looks for them every ten seconds or so; AWS takes up to some days. Their
    stream records are TTL's: REMOVE, by the service dynamodb.amazonaws.com.

    Examples:
      ./dev.py ttl expire -p async-request
      ./dev.py ttl expire --table Restaurant --all
    """
    require(ctx.engine)
    target = find_target(ctx, pipeline, table)
    attribute = ctx.gateway.tables.ttl(target.table)
    if attribute is None:
        raise InvalidInputError(
            f"The table {target.table} has no time to live.",
            hint="Name its attribute: ttl in pipelines.toml.",
        )
    names = tuple(name for name, _ in target.schema.keys)
    with table_errors(target):
        wanted = {_text(key) for key in _expired(ctx, target.table, attribute, names)}
        if everything:
            # The service may delete them before another look at the table finds them expired.
            wanted |= {_text(key) for key in _set_to_now(ctx, target.table, attribute, names)}
        end = time.monotonic() + timeout
        left = wanted
        while left:
            if time.monotonic() > end:
                raise TimedOutError(
                    f"{len(left)} of {len(wanted)} expired item(s) are still in {target.table}.",
                    hint="See what the engine says: ./dev.py logs --raw",
                )
            time.sleep(PAUSE_S)
            left = wanted & {_text(key) for key in _expired(ctx, target.table, attribute, names)}
    if ctx.settings.json:
        ctx.print_json({"table": target.table, "expired": len(wanted)})
    else:
        ctx.err.print(f"{len(wanted)} item(s) of {target.table} expired.")


def _scan(ctx: Context, table: str, **options: Any) -> Iterator[dict[str, Any]]:
    client = ctx.gateway.client("dynamodb")
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, **options)
    for page in pages:
        yield from page["Items"]


def _expired(
    ctx: Context, table: str, attribute: str, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The keys of the items that the service deletes: their time has come, and is a number."""
    aliases = {f"#k{number}": name for number, name in enumerate(names)}
    now = int(time.time())
    found = _scan(
        ctx,
        table,
        ProjectionExpression=", ".join(aliases),
        FilterExpression="attribute_type(#ttl, :n) AND #ttl BETWEEN :oldest AND :now",
        ExpressionAttributeNames={**aliases, "#ttl": attribute},
        ExpressionAttributeValues={
            ":n": {"S": "N"},
            ":oldest": {"N": str(now - OLDEST_S)},
            ":now": {"N": str(now)},
        },
    )
    return list(found)


def _set_to_now(
    ctx: Context, table: str, attribute: str, names: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Have the items that would expire later expire now; yields their keys."""
    now = str(int(time.time()))
    aliases = {f"#k{number}": name for number, name in enumerate(names)}
    later = _scan(
        ctx,
        table,
        ProjectionExpression=", ".join(aliases),
        FilterExpression="attribute_type(#ttl, :n) AND #ttl > :now",
        ExpressionAttributeNames={**aliases, "#ttl": attribute},
        ExpressionAttributeValues={":n": {"S": "N"}, ":now": {"N": now}},
    )
    for key in list(later):
        try:
            with ctx.gateway.errors():
                ctx.gateway.client("dynamodb").update_item(
                    TableName=table,
                    Key=key,
                    UpdateExpression="SET #ttl = :now",
                    ConditionExpression="attribute_type(#ttl, :n)",
                    ExpressionAttributeNames={"#ttl": attribute},
                    ExpressionAttributeValues={":now": {"N": now}, ":n": {"S": "N"}},
                )
        except AwsError as error:
            # It is gone, or does not expire any more, since the scan.
            if error.code != "ConditionalCheckFailedException":
                raise
        else:
            yield key


def _text(key: dict[str, Any]) -> str:
    return repr(sorted(key.items()))


COMMANDS: list[click.Command] = [ttl]
