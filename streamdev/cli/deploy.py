"""deploy: bring what runs in line with pipelines.toml."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.options import common_options, complete_pipelines
from streamdev.cli.progress import TerminalProgress
from streamdev.errors import TimedOutError
from streamdev.paths import user_cache

if TYPE_CHECKING:
    from streamdev.config.models import Function, Pipeline
    from streamdev.deploy.changes import Change
    from streamdev.deploy.package import Package
    from streamdev.deploy.plan import Plan
    from streamdev.deploy.requirements import Target
    from streamdev.engine.base import EngineInfo

LOCK_TIMEOUT_S = 600


@dataclass(frozen=True)
class DeployResult:
    """What a deploy did, or with ``planned`` would do.

    Attributes:
        changes: One for each resource, in the order they were made.
        notes: What else to tell.
        seconds: How long it took.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    planned: bool
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether anything was (or would be) touched."""
        return any(change.effective for change in self.changes)

    def as_json(self) -> dict[str, Any]:
        """The result as one JSON document."""
        return {
            "planned": self.planned,
            "changed": self.changed,
            "changes": [
                {
                    "kind": change.resource.kind,
                    "name": change.resource.name,
                    "action": str(change.action),
                    "reasons": list(change.reasons),
                    "obstacle": change.obstacle,
                }
                for change in self.changes
            ],
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_pipelines)
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, do nothing.")
@click.option(
    "--replace",
    is_flag=True,
    help="Drop a table and its items where it can't be changed in place.",
)
@common_options
@pass_context
def deploy(ctx: Context, names: tuple[str, ...], plan_only: bool, replace: bool) -> None:
    """Bring what runs in line with pipelines.toml and the handlers' folders.

    Without names all pipelines are deployed, and functions, roles and mappings that streamdev
    made for pipelines which are gone from the file are removed. Tables and queues are never
    removed. What is as it should be is not touched.

    Examples:
      ./dev.py deploy
      ./dev.py deploy --plan
      ./dev.py deploy user-profile
    """
    result = deploy_project(ctx, names, plan_only=plan_only, replace=replace)
    if ctx.settings.json:
        ctx.print_json(result.as_json())


def deploy_project(
    ctx: Context, names: Sequence[str], *, plan_only: bool = False, replace: bool = False
) -> DeployResult:
    """Deploy the pipelines called ``names``, or all; tell of each resource on ``ctx.err``.

    With ``plan_only`` nothing is touched; where no engine runs, the plan is made as for an
    empty one.

    Raises:
        InvalidInputError: pipelines.toml is wrong, or has no pipeline of such a name.
        EngineNotRunningError: There is no engine (and more than a plan is asked for).
        DeployError: What the pipelines ask for could not be brought about.
    """
    started = time.monotonic()
    pipelines = ctx.project.select(names)
    info = _engine(ctx, may_be_down=plan_only)
    with TerminalProgress(ctx.err) as progress, nullcontext() if plan_only else _lock(ctx):
        packages = _packages(ctx, info, pipelines, progress)
        notes = [note for package in packages.values() for note in package.notes]
        notes += _redact(ctx, info, pipelines, plan_only=plan_only)
        plan = _plan(ctx, info, pipelines, packages, replace=replace)
        if plan_only:
            progress.clear()
            for change in plan.changes:
                _tell(ctx, change, planned=True)
        else:
            _apply(ctx, plan, progress)
    for note in notes:
        ctx.err.print(Text.assemble(("Note: ", "yellow"), note))
    if info is None:
        ctx.err.print("No engine runs: planned as for an empty one.")
    seconds = time.monotonic() - started
    result = DeployResult(plan.changes, tuple(notes), plan_only, seconds)
    if not result.changed:
        ctx.err.print(f"Nothing to change ({seconds:.1f} s).")
    elif not plan_only:
        ctx.err.print(f"Deployed {len(plan.effective)} change(s) in {seconds:.1f} s.")
    return result


def _engine(ctx: Context, *, may_be_down: bool) -> EngineInfo | None:
    from streamdev.engine.base import require

    return ctx.engine.running() if may_be_down else require(ctx.engine)


@contextmanager
def _lock(ctx: Context) -> Iterator[None]:
    """One deploy of a checkout at a time."""
    from filelock import FileLock, Timeout

    ctx.state.root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(ctx.state.root / "deploy.lock")
    try:
        lock.acquire(timeout=LOCK_TIMEOUT_S)
    except Timeout as error:
        raise TimedOutError(
            f"Another deploy of this project has not ended for {LOCK_TIMEOUT_S} s.",
            hint="See what it waits for, or end it (Ctrl-C), and deploy again.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _target(info: EngineInfo | None, function: Function) -> Target:
    """Where the function will run: the engine says so, else it is this interpreter.

    An ``external`` engine is taken to run it as AWS does: in the runtime it names, on Linux.
    """
    from streamdev.deploy.requirements import Target

    here = Target.of_this_process()
    if info is None:
        return here
    if info.name == "external":
        on_linux = sys.platform.startswith("linux")
        return Target(function.runtime.removeprefix("python"), None if on_linux else "linux")
    said = re.match(r"\d+\.\d+", info.detail.get("python", ""))
    return Target(said[0] if said else here.python, info.detail.get("platform"))


def _packages(
    ctx: Context,
    info: EngineInfo | None,
    pipelines: Sequence[Pipeline],
    progress: TerminalProgress,
) -> dict[str, Package]:
    from streamdev.deploy.package import build_package

    packages = {}
    for function in (pipeline.function for pipeline in pipelines):
        if ctx.err.is_terminal:
            progress.step(f"Packaging {function.name}")
        target = _target(info, function)
        cache = user_cache(ctx.environ)
        packages[function.name] = build_package(function, target, ctx.state.packages, cache)
    return packages


def _redact(
    ctx: Context, info: EngineInfo | None, pipelines: Sequence[Pipeline], *, plan_only: bool
) -> list[str]:
    """Tell the engine which attributes its log masks, before any record can pass."""
    if info is None:
        return []
    redacted = {pipeline.table.name: list(pipeline.table.redact) for pipeline in pipelines}
    if not info.has_plugins:
        named = sorted(name for name, attributes in redacted.items() if attributes)
        return [
            f"redact of {name} masks nothing: the {info.name} engine's log is not streamdev's."
            for name in named
        ]
    if not plan_only:
        ctx.gateway.control.configure(redact=redacted)
    return []


def _plan(
    ctx: Context,
    info: EngineInfo | None,
    pipelines: Sequence[Pipeline],
    packages: dict[str, Package],
    *,
    replace: bool,
) -> Plan:
    from streamdev.deploy.existing import Existing, read_existing
    from streamdev.deploy.plan import make_plan

    if info is None:
        return make_plan(ctx.project, pipelines, packages, Existing(), may_replace=replace)
    existing = read_existing(ctx.project, pipelines, ctx.gateway)
    return make_plan(
        ctx.project,
        pipelines,
        packages,
        existing,
        region=ctx.gateway.region,
        may_replace=replace,
    )


def _apply(ctx: Context, plan: Plan, progress: TerminalProgress) -> None:
    from streamdev.deploy.apply import apply_plan

    def watch(change: Change, done: bool) -> None:
        if done:
            progress.clear()
            _tell(ctx, change, planned=False)
        elif change.effective and ctx.err.is_terminal:
            progress.step(f"{change.resource.kind} {change.resource.name}: {change.action}")

    apply_plan(plan, ctx.gateway, watch)


_STYLES = {"create": "green", "update": "yellow", "replace": "red", "delete": "red"}


def _tell(ctx: Context, change: Change, *, planned: bool) -> None:
    word = str(change.action) if planned and change.effective else change.action.done
    line = Text.assemble(
        (f"{word:<10}", _STYLES.get(change.action, "dim")),
        f" {change.resource.kind:<8} {change.resource.name}",
    )
    if change.reasons:
        line.append(f"  ({'; '.join(change.reasons)})", style="dim")
    ctx.err.print(line)
    if planned and change.obstacle:
        ctx.err.print(Text(f"           {change.obstacle}", style="red"))


COMMANDS: list[click.Command] = [deploy]
