"""deploy: bring what runs in line with pipelines.toml."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.deploy_steps import deploy_lock, package_of, start_warm, target_of
from streamdev.cli.options import common_options, complete_pipelines
from streamdev.cli.progress import TerminalProgress

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline
    from streamdev.deploy.changes import Change
    from streamdev.deploy.package import Package
    from streamdev.deploy.plan import Plan
    from streamdev.engine.base import EngineInfo


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
    ctx: Context,
    names: Sequence[str],
    *,
    plan_only: bool = False,
    replace: bool = False,
    watching: bool = False,
) -> DeployResult:
    """Deploy the pipelines called ``names``, or all; tell of each resource on ``ctx.err``.

    With ``plan_only`` nothing is touched; where no engine runs, the plan is made as for an
    empty one. With ``watching`` updated functions start warm, and only changes are told.

    Raises:
        InvalidInputError: pipelines.toml is wrong, or has no pipeline of such a name.
        EngineNotRunningError: There is no engine (and more than a plan is asked for).
        DeployError: What the pipelines ask for could not be brought about.
    """
    started = time.monotonic()
    pipelines = ctx.project.select(names)
    info = _engine(ctx, may_be_down=plan_only)
    with TerminalProgress(ctx.err) as progress, nullcontext() if plan_only else deploy_lock(ctx):
        packages = _packages(ctx, info, pipelines, progress)
        notes = [note for package in packages.values() for note in package.notes]
        notes += _other_runtimes(info, pipelines)
        notes += _without_plugins(info, pipelines)
        if plan_only:
            plan = _plan(ctx, info, pipelines, packages, replace=replace)
            progress.clear()
            for change in plan.changes:
                _tell(ctx, change, planned=True)
        else:
            plan = _deploy(
                ctx, info, pipelines, packages, progress, replace=replace, watching=watching
            )
    for note in notes:
        ctx.err.print(Text.assemble(("Note: ", "yellow"), note))
    if info is None:
        ctx.err.print("No engine runs: planned as for an empty one.")
    seconds = time.monotonic() - started
    result = DeployResult(plan.changes, tuple(notes), plan_only, seconds)
    if watching:
        return result
    if not result.changed:
        ctx.err.print(f"Nothing to change ({seconds:.1f} s).")
    elif not plan_only:
        ctx.err.print(f"Deployed {len(plan.effective)} change(s) in {seconds:.1f} s.")
    return result


def _engine(ctx: Context, *, may_be_down: bool) -> EngineInfo | None:
    from streamdev.engine.base import require

    return ctx.engine.running() if may_be_down else require(ctx.engine)


def _other_runtimes(info: EngineInfo | None, pipelines: Sequence[Pipeline]) -> Iterator[str]:
    """A note for each runtime that the engine runs on another Python than it names."""
    asking: dict[tuple[str, str], list[str]] = {}
    for function in (pipeline.function for pipeline in pipelines):
        runs = f"python{target_of(info, function).python}"
        if info is not None and runs != function.runtime:
            asking.setdefault((function.runtime, runs), []).append(function.name)
    for (runtime, runs), names in asking.items():
        yield f"runs on {runs}, the engine's, not on {runtime}: {', '.join(names)}"


def _packages(
    ctx: Context,
    info: EngineInfo | None,
    pipelines: Sequence[Pipeline],
    progress: TerminalProgress,
) -> dict[str, Package]:
    packages = {}
    for function in (pipeline.function for pipeline in pipelines):
        if ctx.err.is_terminal:
            progress.step(f"Packaging {function.name}")
        packages[function.name] = package_of(ctx, info, function)
    return packages


def _without_plugins(info: EngineInfo | None, pipelines: Sequence[Pipeline]) -> Iterator[str]:
    """A note for each table whose attributes would have to be masked by the plugins."""
    if info is not None and not info.has_plugins:
        log = f"the {info.name} engine's log is not streamdev's"
        for name in sorted({one.table.name for one in pipelines if one.table.redact}):
            yield f"redact of {name} masks nothing: {log}."


def _deploy(
    ctx: Context,
    info: EngineInfo | None,
    pipelines: Sequence[Pipeline],
    packages: dict[str, Package],
    progress: TerminalProgress,
    *,
    replace: bool,
    watching: bool,
) -> Plan:
    """Plan and apply; what nobody has changed since the last deploy is not looked at again."""
    from streamdev.deploy.changes import Action
    from streamdev.deploy.memory import Memory, known_plans, merged, plan_from_nothing
    from streamdev.deploy.plan import Plan
    from streamdev.deploy.resources import project_id

    owner = project_id(ctx.project.path)
    whole = len(pipelines) == len(ctx.project.pipelines)
    wanted = {
        one.name: plan_from_nothing(ctx.project, one, packages, ctx.gateway.region)
        for one in pipelines
    }
    memory, untouched, known = None, False, dict[str, Plan]()
    if info is not None and info.has_plugins:
        # Before any record can pass, the engine has to know what its log masks.
        redact = {pipeline.table.name: pipeline.table.redact for pipeline in pipelines}
        generation = ctx.gateway.control.configure(redact=redact, owner=owner)
        untouched = generation.untouched
        memory = Memory(ctx.state.deployed, generation.name)
        known = known_plans(memory, wanted, ctx.gateway, whole=whole)
    looked_at = Plan(())
    if unknown := [one for one in pipelines if one.name not in known]:
        looked_at = _plan(ctx, info, unknown, packages, replace=replace, untouched=untouched)
    plan = merged(known.values(), looked_at)
    if memory and plan.effective:
        memory.forget()
    with ctx.gateway.deploying(owner):
        _apply(ctx, info, plan, progress, watching=watching)
    if memory and all(change.action is not Action.LEAVE for change in plan.changes):
        memory.keep(wanted, whole=whole)
    return plan


def _plan(
    ctx: Context,
    info: EngineInfo | None,
    pipelines: Sequence[Pipeline],
    packages: dict[str, Package],
    *,
    replace: bool,
    untouched: bool = False,
) -> Plan:
    from streamdev.deploy.existing import Existing, read_existing
    from streamdev.deploy.plan import make_plan

    if info is None:
        return make_plan(ctx.project, pipelines, packages, Existing(), may_replace=replace)
    existing = read_existing(ctx.project, pipelines, ctx.gateway, tables_only=untouched)
    return make_plan(
        ctx.project,
        pipelines,
        packages,
        existing,
        region=ctx.gateway.region,
        may_replace=replace,
    )


def _apply(
    ctx: Context,
    info: EngineInfo | None,
    plan: Plan,
    progress: TerminalProgress,
    *,
    watching: bool,
) -> None:
    from streamdev.deploy.apply import apply_plan

    def watch(change: Change, done: bool) -> None:
        if done:
            progress.clear()
            if change.effective or not watching:
                _tell(ctx, change, planned=False)
            return
        if watching and info is not None:
            start_warm(ctx, info, change)
        if change.effective and ctx.err.is_terminal:
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
