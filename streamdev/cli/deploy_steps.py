"""Steps of a deploy that `deploy` and `watch` have in common."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from streamdev.cli.context import Context
from streamdev.errors import StreamdevError, TimedOutError
from streamdev.locks import HeldError, file_lock
from streamdev.paths import user_cache

if TYPE_CHECKING:
    from streamdev.config.models import Function
    from streamdev.deploy.changes import Change
    from streamdev.deploy.package import Package
    from streamdev.deploy.requirements import Target
    from streamdev.engine.base import EngineInfo

LOCK_TIMEOUT_S = 600


@contextmanager
def deploy_lock(ctx: Context) -> Iterator[None]:
    """One deploy of a checkout at a time."""
    ctx.state.root.mkdir(parents=True, exist_ok=True)
    try:
        with file_lock(ctx.state.root / "deploy.lock", LOCK_TIMEOUT_S):
            yield
    except HeldError as error:
        raise TimedOutError(
            f"Another deploy of this project has not ended for {LOCK_TIMEOUT_S} s.",
            hint="See what it waits for, or end it (Ctrl-C), and deploy again.",
        ) from error


def package_of(ctx: Context, info: EngineInfo | None, function: Function) -> Package:
    """The function's package, made anew if anything in it changed.

    Raises:
        DeployError: It can't be made; the message says where.
    """
    from streamdev.deploy.package import build_package

    target = target_of(info, function)
    return build_package(function, target, ctx.state.packages, user_cache(ctx.environ))


@contextmanager
def packaged_meanwhile(ctx: Context) -> Iterator[None]:
    """Make the packages while the host engine starts; another one says later what runs them.

    What goes wrong here is told when they are asked for (`package_of`).
    """
    if ctx.engine.name != "host":
        yield
        return
    thread = threading.Thread(target=_package_all, args=(ctx,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()  # so that Ctrl-C leaves nothing half-made either


def _package_all(ctx: Context) -> None:
    with suppress(StreamdevError), deploy_lock(ctx):
        for pipeline in ctx.project.pipelines.values():
            package_of(ctx, None, pipeline.function)


def target_of(info: EngineInfo | None, function: Function) -> Target:
    """Where the function will run: the engine says so, else it is this interpreter.

    An ``external`` engine, and Docker's executor, are taken to run it as AWS does: in the
    runtime it names, on Linux.
    """
    from streamdev.deploy.requirements import Target

    here = Target.of_this_process()
    if info is None:
        return here
    own = function.runtime.removeprefix("python")
    if info.name == "external":
        return Target(own, None if sys.platform.startswith("linux") else "linux")
    platform = info.detail.get("platform")
    if info.detail.get("executor") == "docker":
        return Target(own, platform)
    said = re.match(r"\d+\.\d+", info.detail.get("python", ""))
    return Target(said[0] if said else here.python, platform)


def start_warm(ctx: Context, info: EngineInfo, change: Change) -> None:
    """If the change is about to update a function, have that load before its old code goes.

    One with provisioned concurrency has its own way of that.
    """
    from streamdev.deploy.changes import Action
    from streamdev.deploy.resources import FunctionResource

    function = change.resource
    if (
        info.has_plugins
        and change.action is Action.UPDATE
        and isinstance(function, FunctionResource)
        and function.provisioned_concurrency is None
        and function.package is not None
    ):
        ctx.gateway.control.warm(function.name, function.package.contents)
