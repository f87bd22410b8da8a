"""status: what runs, what it holds, and where each mapping stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from rich.text import Text

from streamdev.aws import names
from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.options import common_options
from streamdev.engine.base import EngineInfo
from streamdev.semantics.chaos import ChaosSettings


@click.command()
@common_options
@pass_context
def status(ctx: Context) -> int:
    """Show engine, tables, functions and mappings: counts, backlog, last result.

    Where chaos is on for a function, that is said.

    Ends with exit code 3 when the engine is not running, or has died: then with the last
    lines of its log.

    Examples:
      ./dev.py status
      ./dev.py status --json
    """
    info = ctx.engine.running()
    if info is None:
        if ctx.settings.json:
            ctx.print_json({"engine": {"running": False}})
        else:
            ctx.out.print(ctx.named("The engine is not running. Start it: ./dev.py up"))
        return ExitCode.ENGINE_NOT_RUNNING
    gathered = gather(ctx, info)
    if ctx.settings.json:
        ctx.print_json(gathered)
    else:
        show(ctx, gathered)
    return ExitCode.OK


def gather(ctx: Context, info: EngineInfo) -> dict[str, Any]:
    """Everything ``status`` shows, as the JSON document it prints.

    ``engine``, ``tables`` (``name``, ``items``, ``state``, ``stream_arn``), ``functions``
    (``name``, ``runtime``, ``state``, ``update``, ``reason``) and ``mappings`` (as the
    plugins tell them, with the settings of ``chaos`` while it lasts; with the external engine as
    AWS's API does: no position or backlog).
    The three are empty while ``engine.ready`` is false.
    """
    engine: dict[str, Any] = {
        "running": True,
        "name": info.name,
        "endpoint_url": info.endpoint_url,
        "version": info.version,
        "started_at": info.started_at.isoformat() if info.started_at else None,
        "uptime_s": round((datetime.now(UTC) - info.started_at).total_seconds())
        if info.started_at
        else None,
        "detail": info.detail,
    }
    if info.has_plugins:
        from streamdev.engine.readiness import probe

        health = probe(info.endpoint_url)
        engine |= {"ready": health.ready, "health": health.status}
        if not health.ready:
            # Asking on would only wait for timeouts.
            return {"engine": engine, "tables": [], "functions": [], "mappings": []}
    else:
        engine |= {"ready": True, "health": "not known: an external engine"}
    return {
        "engine": engine,
        "tables": _tables(ctx),
        "functions": _functions(ctx),
        "mappings": _mappings(ctx, info),
    }


def _tables(ctx: Context) -> list[dict[str, Any]]:
    found = (ctx.gateway.tables.find(name) for name in ctx.gateway.tables.names())
    return [
        {
            "name": table.name,
            "items": table.item_count,
            "state": table.status,
            "stream_arn": table.stream_arn,
        }
        for table in found
        if table is not None
    ]


def _functions(ctx: Context) -> list[dict[str, Any]]:
    found = (ctx.gateway.functions.find(name) for name in ctx.gateway.functions.names())
    return [
        {
            "name": function.name,
            "runtime": function.settings.runtime,
            "state": function.state,
            "update": function.update,
            "reason": function.reason,
        }
        for function in found
        if function is not None
    ]


def _mappings(ctx: Context, info: EngineInfo) -> list[dict[str, Any]]:
    if info.has_plugins:
        return ctx.gateway.control.mappings()
    return [
        {
            "uuid": mapping.uuid,
            "function": mapping.function,
            "table": names.table_of_stream(mapping.source_arn),
            "stream_arn": mapping.source_arn,
            "state": mapping.state,
            "last_result": mapping.last_result,
        }
        for mapping in ctx.gateway.mappings.all()
    ]


def show(ctx: Context, gathered: dict[str, Any]) -> None:
    """Print what ``gather`` found, for people."""
    engine = gathered["engine"]
    line = Text.assemble("Engine ", (engine["name"], "bold"), f" at {engine['endpoint_url']}")
    if engine["version"]:
        line.append(f", LocalStack {engine['version']}")
    if engine["uptime_s"] is not None:
        line.append(f", up for {duration(engine['uptime_s'])}")
    ctx.out.print(line)
    style = "green" if engine["ready"] else "bold red"
    ctx.out.print(Text(f"Health {engine['health']}", style=style))
    for name, value in engine["detail"].items():
        ctx.out.print(Text(f"  {name}: {value}", style="dim"))
    if not engine["ready"]:
        ctx.out.print("What it holds is shown when it is ready. If that takes long: ./dev.py up")
        return
    _show_table(
        ctx,
        "Tables",
        ("name", "items", "state", "stream"),
        [
            (t["name"], f"{t['items']:,}", t["state"], "on" if t["stream_arn"] else "off")
            for t in gathered["tables"]
        ],
    )
    _show_table(
        ctx,
        "Functions",
        ("name", "runtime", "state", "last update"),
        [(f["name"], f["runtime"], f["state"], f["update"]) for f in gathered["functions"]],
    )
    _show_table(
        ctx,
        "Mappings",
        (
            "table → function",
            "state",
            "handled",
            "failed",
            "backlog",
            "last invocation",
            "last result",
        ),
        [_mapping_row(mapping) for mapping in gathered["mappings"]],
    )
    for mapping in gathered["mappings"]:
        if mapping.get("chaos"):
            words = ChaosSettings.from_json(mapping["chaos"]).words
            told = f"Chaos for {mapping['function']}: {words}. It ends with ./dev.py chaos."
            ctx.out.print(Text(told, style="bold yellow"))


def _mapping_row(mapping: dict[str, Any]) -> tuple[str, ...]:
    def number(name: str) -> str:
        value = mapping.get(name)
        return "?" if value is None else f"{value:,}"

    return (
        f"{mapping.get('table')} → {mapping.get('function')}",
        str(mapping.get("state")),
        number("handled"),
        number("failed"),
        number("backlog"),
        local_time(mapping.get("last_invocation")),
        str(mapping.get("last_result") or "none yet"),
    )


def _show_table(
    ctx: Context, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]
) -> None:
    if not rows:
        ctx.out.print(Text(f"{title}: none", style="dim"))
        return
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        numbers = column in ("items", "handled", "failed", "backlog")
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    ctx.out.print(table)


def duration(seconds: int) -> str:
    """``45 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``."""
    if seconds < 120:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60:02} min"
    return f"{days} d {hours % 24} h"


def local_time(iso: str | None) -> str:
    """An ISO time as a person's clock shows it: the date only when it is not today."""
    if not iso:
        return "never"
    moment = datetime.fromisoformat(iso).astimezone()
    today = datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if moment.date() == today else "%Y-%m-%d %H:%M:%S")


COMMANDS: list[click.Command] = [status]
