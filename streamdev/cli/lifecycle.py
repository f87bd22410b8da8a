"""up, down, reset: the engine's life."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.engines import choose
from streamdev.cli.options import common_options
from streamdev.cli.progress import TerminalProgress
from streamdev.engine.base import EngineInfo, require
from streamdev.errors import EngineNotRunningError, InvalidInputError, TimedOutError

if TYPE_CHECKING:
    from streamdev.cli.deploy import DeployResult
    from streamdev.config.table import Table

RESET_TIMEOUT_S = 60.0


@click.command()
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, do nothing.")
@click.option("--restore", is_flag=True, help="Load the newest snapshot when all is deployed.")
@common_options
@pass_context
def up(ctx: Context, plan_only: bool, restore: bool) -> None:
    """Start the engine if it does not run, deploy all pipelines, show what is where.

    Safe to repeat and to interrupt: what is there stays, what is missing is added. After a
    crash, or down --keep, it goes on with the data; after down --save, --restore brings it back.

    Examples:
      ./dev.py up
      ./dev.py up --restore
      ./dev.py up --plan
      ./dev.py up --port 4567
    """
    from streamdev.cli.deploy import deploy_project
    from streamdev.cli.deploy_steps import packaged_meanwhile

    _ = ctx.project  # what is wrong in it stops here, before anything is started
    saved = _newest_snapshot(ctx) if restore else None
    choice = choose(ctx)
    starts = _running(ctx) is None
    if starts:
        _check_sources(ctx)
        if plan_only:
            ctx.err.print(Text(f"The {choice.name} engine would be started ({choice.why})."))
    if plan_only:
        result = deploy_project(ctx, (), plan_only=True)
        if ctx.settings.json:
            ctx.print_json(result.as_json())
        elif saved:
            ctx.err.print(Text(f"The snapshot {saved.name} would be loaded."))
        return
    with TerminalProgress(ctx.err) as progress:
        if choice.by_machine:
            progress.note(f"Engine: {choice.name} ({choice.why}).")
        with packaged_meanwhile(ctx) if starts else nullcontext():
            info = ctx.engine.start(progress)
    try:
        result = deploy_project(ctx, ())
    except KeyboardInterrupt:
        ctx.err.print("The engine runs, but not everything is deployed. Go on: ./dev.py up")
        raise
    restored = _restore(ctx, saved) if saved else None
    _show_up(ctx, info, result, restored)


def _newest_snapshot(ctx: Context) -> Path:
    """The snapshot to restore; one that can't be loaded stops here, before anything is started."""
    from streamdev.cli import snapshot_files

    path = snapshot_files.find(ctx, None)
    snapshot_files.check(path)
    return path


def _restore(ctx: Context, path: Path) -> dict[str, Any]:
    from streamdev.cli import snapshot_files

    return snapshot_files.load_snapshot(ctx, path)


def _check_sources(ctx: Context) -> None:
    """Find missing handlers and syntax errors before the engine is started for nothing."""
    from streamdev.deploy.sources import check_syntax, source_files

    for pipeline in ctx.project.pipelines.values():
        check_syntax(source_files(pipeline.function.source))


def _running(ctx: Context) -> EngineInfo | None:
    try:
        return ctx.engine.running()
    except EngineNotRunningError:
        return None


def _show_up(
    ctx: Context, info: EngineInfo, result: DeployResult, restored: dict[str, Any] | None
) -> None:
    pipelines = ctx.project.pipelines.values()
    if ctx.settings.json:
        ctx.print_json(
            {
                "engine": {
                    "name": info.name,
                    "endpoint_url": info.endpoint_url,
                    "version": info.version,
                    "started_at": info.started_at.isoformat() if info.started_at else None,
                },
                "pipelines": [
                    {"name": p.name, "table": p.table.name, "function": p.function.name}
                    for p in pipelines
                ],
                "deploy": result.as_json(),
                "restored": restored,
            }
        )
        return
    version = f", LocalStack {info.version}" if info.version else ""
    ctx.out.print(
        Text.assemble(
            ("Ready", "bold green"), f" at {info.endpoint_url} (engine {info.name}{version})"
        )
    )
    for pipeline in pipelines:
        ctx.out.print(
            Text.assemble(
                "  ",
                (pipeline.name, "bold"),
                f": table {pipeline.table.name} → function {pipeline.function.name}",
            )
        )
    first = next(iter(pipelines))
    write = "./dev.py seed" if first.seed else put_example(first.table)
    ctx.out.print(Text(ctx.named(f"Next: {write}    ./dev.py logs -f"), style="dim"))


def put_example(table: Table) -> str:
    """A ``put-item`` that the table takes, to copy."""
    item = {key.name: "MTIz" if key.type == "B" else "123" for key in table.keys}  # B is base64
    if "name" not in table.attribute_types:
        item["name"] = "John Doe"
    words = (f"{shlex.quote(name)}={shlex.quote(value)}" for name, value in item.items())
    return " ".join(["./dev.py put-item", *words])


@click.command()
@click.option("--keep", is_flag=True, help="Keep tables, items and positions for the next up.")
@click.option("--save", is_flag=True, help="Save a snapshot first; up --restore loads it.")
@common_options
@pass_context
def down(ctx: Context, keep: bool, save: bool) -> None:
    """Stop the engine and everything it started, and wipe its data.

    What is lost is said first. With --keep tables are not lost: the next up goes on with them,
    and functions with what they have not handled. With --save tables and queues are saved as a
    snapshot, which can be loaded by up --restore or snapshot load, here or elsewhere.

    Examples:
      ./dev.py down
      ./dev.py down --keep
      ./dev.py down --save
    """
    if keep and save:
        raise InvalidInputError("--keep leaves the data here, --save wipes it: give one of them.")
    if save:
        from streamdev.cli import snapshot_files

        snapshot_files.save_snapshot(ctx, snapshot_files.path_of(ctx, None))
    with TerminalProgress(ctx.err) as progress:
        if not keep and not save and (held := data_held(ctx)):
            progress.note(
                f"Wiping {held}. To keep data: ./dev.py down --keep, or --save for a snapshot"
            )
        progress.step("Stopping the engine")
        ran = ctx.engine.stop(keep=keep)
    back = " Bring its data back: ./dev.py up --restore" if save else ""
    ctx.err.print(f"The engine is down.{back}" if ran else "No engine was running.")


def data_held(ctx: Context) -> str:
    """What a wipe would lose, in words; empty when there is nothing (or no one to ask)."""
    from streamdev.engine.compose import ComposeEngine
    from streamdev.engine.readiness import probe
    from streamdev.engine.stored import StoredData, stored_data

    if ctx.engine.name == "host":
        return str(stored_data(ctx.state) or "")
    if not isinstance(ctx.engine, ComposeEngine):
        return ""
    info = _running(ctx)
    if info and probe(info.endpoint_url).ready:
        tables = ctx.gateway.tables
        found = [state for name in tables.names() if (state := tables.find(name))]
        return str(StoredData({table.name: table.item_count for table in found}))
    volume = ctx.engine.volume()
    return f"the volume {volume}, whose items can't be counted now" if volume else ""


@click.command()
@common_options
@pass_context
def reset(ctx: Context) -> None:
    """Empty the pipelines' tables, all queues and the mappings' positions; nothing restarts.

    Tables and their mappings are deleted and deployed again, so streams begin anew and no
    function is told of deletions. Tables that are not in pipelines.toml are left alone.

    Examples:
      ./dev.py reset
    """
    from streamdev.cli.deploy import deploy_project

    _ = ctx.project
    info = require(ctx.engine)
    tables = ctx.project.table_names
    with TerminalProgress(ctx.err) as progress:
        progress.step("Deleting mappings")
        _delete_mappings(ctx, tables)
        progress.step("Deleting tables")
        present = [name for name in ctx.gateway.tables.names() if name in tables]
        for name in present:
            ctx.gateway.tables.delete(name)
        for name in present:
            _wait_gone(ctx.gateway.tables.find, name, f"table {name}")
        progress.step("Emptying queues")
        queues = _purge_queues(ctx)
        if info.has_plugins:
            for batch in ctx.gateway.control.batches():
                ctx.gateway.control.delete_batch(batch["name"])
    deploy_project(ctx, ())
    ctx.err.print(f"Emptied: {len(present)} table(s), {queues} queue(s), all positions.")


def _delete_mappings(ctx: Context, tables: frozenset[str]) -> None:
    from streamdev.aws.names import table_of_stream

    mappings = [m for m in ctx.gateway.mappings.all() if table_of_stream(m.source_arn) in tables]
    for mapping in mappings:
        ctx.gateway.mappings.delete(mapping.uuid)
    for mapping in mappings:
        _wait_gone(ctx.gateway.mappings.find, mapping.uuid, f"the mapping of {mapping.function}")


def _purge_queues(ctx: Context) -> int:
    queues = ctx.gateway.queues
    urls = queues.urls()
    for url in urls:
        queues.purge(url)
    return len(urls)


def _wait_gone(find: Callable[[str], object], name: str, what: str) -> None:
    deadline = time.monotonic() + RESET_TIMEOUT_S
    while find(name) is not None:
        if time.monotonic() > deadline:
            raise TimedOutError(
                f"After {RESET_TIMEOUT_S:.0f} s {what} is still not gone.",
                hint="See what goes on: ./dev.py status",
            )
        time.sleep(0.05)


COMMANDS: list[click.Command] = [up, down, reset]
