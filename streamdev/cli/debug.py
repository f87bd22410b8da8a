"""debug: a debugger attaches to handlers while they handle records."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from streamdev.aws.errors import AwsError
from streamdev.aws.names import ACCOUNT_ID
from streamdev.cli.context import Context, pass_context
from streamdev.cli.deploy import deploy_project
from streamdev.cli.following import Following, ended_by_ctrl_c, how_it_ended
from streamdev.cli.options import common_options
from streamdev.cli.progress import TerminalProgress
from streamdev.engine import ports
from streamdev.engine.base import HOST, EngineInfo, require
from streamdev.errors import (
    EngineNotRunningError,
    InvalidInputError,
    StreamdevError,
    TimedOutError,
)

if TYPE_CHECKING:
    from streamdev.config.models import Pipeline

#: How often the engine is told that the command still runs; it gives up after 15 s.
_RENEW_S = 3.0
_LOOK_S = 0.1
_READY_WITHIN_S = 60.0
# As AWS has it, and as debuggers may call the handler's folder in their path mappings.
_TASK_ROOT = "/var/task"


@dataclass(frozen=True)
class Debugged:
    """A function that is to be debugged.

    Attributes:
        port: On 127.0.0.1.
        version: What of the function is started at once.
    """

    pipeline: Pipeline
    port: int
    version: str

    @property
    def function(self) -> str:
        """The function's name."""
        return self.pipeline.function.name

    def launch(self, workspace: Path) -> dict[str, Any]:
        """The configuration that Visual Studio Code attaches with (``.vscode/launch.json``)."""
        source = self.pipeline.function.source
        local = str(source)
        if source.is_relative_to(workspace):
            local = f"${{workspaceFolder}}/{source.relative_to(workspace).as_posix()}"
        return {
            "name": f"streamdev: {self.pipeline.name}",
            "type": "debugpy",
            "request": "attach",
            "connect": {"host": HOST, "port": self.port},
            "pathMappings": [{"localRoot": local, "remoteRoot": _TASK_ROOT}],
        }


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--wait-for-client", is_flag=True, help="Load the handler when a debugger is there.")
@click.option(
    "--debug-port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="The first one's port, the next ones' follow (default: one of ten for each pipeline).",
)
@common_options
@pass_context
def debug(
    ctx: Context, names: tuple[str, ...], wait_for_client: bool, debug_port: int | None
) -> int:
    """Let a debugger attach to the handlers of pipelines, until Ctrl-C.

    Each has a port of its own on 127.0.0.1: the first pipeline of pipelines.toml 4550, the next
    one 4551, up to 4559. They move with --port, as far as that is from 4566. A configuration
    for Visual Studio Code is printed; docs/watch-and-debug.md tells how PyCharm attaches.

    While it runs, each of the handlers runs in one process, without a timeout or a limit of
    memory, and records wait for each other. Processed records are shown, as by logs -f. When it
    ends everything is as before, and an invocation that stands at a breakpoint goes on.

    Examples:
      ./dev.py debug user-profile
      ./dev.py debug user-profile async-request --wait-for-client
    """
    info = require(ctx.engine)
    pipelines = ctx.project.select(names)
    with TerminalProgress(ctx.err) as progress:
        folder = ctx.engine.debugger(progress)
    stop = threading.Event()
    following = Following(ctx, [pipeline.function.name for pipeline in pipelines], stop)
    with ended_by_ctrl_c(stop):
        # Lines of the files here and of the code there have to agree.
        deploy_project(ctx, names, watching=True)
        debugged = [
            Debugged(pipeline, port, _version(ctx, pipeline))
            for pipeline, port in zip(
                pipelines, _ports(ctx, info, pipelines, debug_port), strict=True
            )
        ]
        sessions = _Sessions(ctx, debugged, folder, wait=wait_for_client)
        try:
            sessions.open(stop)
            if not stop.is_set():
                _tell(ctx, following, debugged)
                following.start()
            while not stop.wait(_RENEW_S):
                sessions.renew()
        finally:
            sessions.close()
            following.close()
    return how_it_ended(ctx)


def _ports(
    ctx: Context, info: EngineInfo, pipelines: Sequence[Pipeline], first: int | None
) -> list[int]:
    if first is None:
        base = info.debug_port or ports.FIRST_DEBUG_PORT
        places = list(ctx.project.pipelines)
        chosen = [base + places.index(one.name) % ports.DEBUG_PORTS for one in pipelines]
    else:
        chosen = list(range(first, first + len(pipelines)))
    if len(set(chosen)) < len(chosen) or chosen[-1] > 65535:
        raise InvalidInputError(
            f"{len(chosen)} functions can't have a port each from {chosen[0]} on.",
            hint=f"Debug at most {ports.DEBUG_PORTS} at once, or say --debug-port.",
        )
    if info.name == "compose":
        base = info.debug_port or ports.FIRST_DEBUG_PORT
        if not set(chosen) <= set(range(base, base + ports.DEBUG_PORTS)):
            raise InvalidInputError(
                f"The container publishes {base} to {base + ports.DEBUG_PORTS - 1} for debuggers.",
                hint=f"Say --debug-port {base}, or leave it out.",
            )
        return chosen
    for port in chosen:
        if not ports.is_free(port):
            raise InvalidInputError(
                f"Port {port} is taken by {ports.holder_of(port)}.",
                hint=f"Choose another: --debug-port {ports.free_port()}",
            )
    return chosen


def _version(ctx: Context, pipeline: Pipeline) -> str:
    from streamdev.deploy.resources import ALIAS

    name = pipeline.function.name
    if pipeline.function.provisioned_concurrency:
        alias = ctx.gateway.versions.find(name, ALIAS)
        if alias is not None:
            return alias.version
    return "$LATEST"


def _tell(ctx: Context, following: Following, debugged: Sequence[Debugged]) -> None:
    workspace = ctx.config_path.parent
    for one in debugged:
        following.document(
            "debugger",
            pipeline=one.pipeline.name,
            function=one.function,
            host=HOST,
            port=one.port,
            launch=one.launch(workspace),
        )
    if ctx.settings.json:
        return
    for one in debugged:
        ctx.out.print(
            Text.assemble(
                (one.pipeline.name, "bold"), f" waits for a debugger at {HOST}:{one.port}"
            )
        )
    launch = {
        "version": "0.2.0",
        "configurations": [one.launch(workspace) for one in debugged],
    }
    ctx.out.print(Text("For Visual Studio Code, in .vscode/launch.json:", "dim"))
    ctx.out.print(Text(json.dumps(launch, indent=2)))
    ctx.out.print(Text("Ctrl-C ends it and puts everything back.", "dim"))


class _Sessions:
    """The sessions in the engine, this command being their owner."""

    def __init__(
        self, ctx: Context, debugged: Sequence[Debugged], folder: str, *, wait: bool
    ) -> None:
        self._ctx = ctx
        self._debugged = debugged
        self._owner = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
        self._settings = {
            "owner": self._owner,
            "account": ACCOUNT_ID,
            "region": ctx.gateway.region,
            "folder": folder,
            "wait": wait,
        }

    def open(self, stop: threading.Event) -> None:
        """Begin them, and wait until a debugger can attach to each.

        Raises:
            InvalidInputError: A function is being debugged already, or its port is taken.
            TimedOutError: The debugger did not start.
        """
        self.renew()
        deadline = time.monotonic() + _READY_WITHIN_S
        while not stop.wait(_LOOK_S):
            states = {state["function"]: state for state in self._states()}
            waiting = [one for one in self._debugged if not _is_ready(states, one)]
            if not waiting:
                return
            for one in waiting:
                if error := states.get(one.function, {}).get("error"):
                    raise StreamdevError(
                        f"{one.pipeline.name} can't be debugged: {error}",
                        hint="See what it printed: ./dev.py logs --raw",
                    )
            if time.monotonic() > deadline:
                raise TimedOutError(
                    f"The debugger of {waiting[0].pipeline.name} has not started for "
                    f"{_READY_WITHIN_S:.0f} s.",
                    hint="See what it printed: ./dev.py logs --raw",
                )
            self.renew()

    def renew(self) -> None:
        """Go on with them."""
        for one in self._debugged:
            try:
                self._ctx.gateway.control.debug(
                    one.function,
                    qualifier=one.version,
                    port=one.port,
                    source=str(one.pipeline.function.source),
                    **self._settings,
                )
            except AwsError as error:
                raise InvalidInputError(
                    error.message, hint="Is another ./dev.py debug running? Or say --debug-port."
                ) from error

    def close(self) -> None:
        """End them; what is under way may finish."""
        control = self._ctx.gateway.control
        try:
            for one in self._debugged:
                control.end_debugging(one.function, self._owner)
            patience = max(one.pipeline.function.timeout for one in self._debugged) + 10.0
            deadline = time.monotonic() + patience
            with TerminalProgress(self._ctx.err) as progress:
                while self._states() and time.monotonic() < deadline:
                    if self._ctx.err.is_terminal:
                        progress.step("Finishing what is under way")
                    time.sleep(_LOOK_S)
        except EngineNotRunningError:
            return  # They ended with it.

    def _states(self) -> list[dict[str, Any]]:
        states = self._ctx.gateway.control.debugged()
        return [state for state in states if state["owner"] == self._owner]


def _is_ready(states: dict[str, dict[str, Any]], one: Debugged) -> bool:
    return bool(states.get(one.function, {}).get("state") == "ready")


COMMANDS: list[click.Command] = [debug]
