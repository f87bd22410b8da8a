"""What an execution environment is told: the function it runs and the machine it runs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

InitializationType = Literal["on-demand", "provisioned-concurrency"]

NO_TIMEOUT = 24 * 3600
"""Seconds that a function may take while it is being debugged: as good as any time."""

WriteOutput = Callable[[str, str | None, bytes], None]
"""Takes handler output: function name, request id (``None`` during init), bytes."""


@dataclass(frozen=True)
class Debugger:
    """How a handler's process waits for a debugger.

    Attributes:
        host: Where debugpy listens.
        port: The port it listens on.
        folder: Where ``debugpy`` can be imported from; the handler may, too, after all else.
        source: The handler's folder as the debugger knows it, in place of its task root.
        wait: Whether the handler is loaded only when a debugger is there.
    """

    host: str
    port: int
    folder: str
    source: str
    wait: bool


@dataclass(frozen=True)
class Ahead:
    """What a process does before it has the code it is to run.

    Attributes:
        imports: What it imports, in order: modules, each with the names that are taken from it.
        own: The top-level names of the function's own modules, which it must not import yet.
    """

    imports: tuple[tuple[str, tuple[str, ...]], ...]
    own: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    """One version of a function, as Lambda knows it.

    Attributes:
        qualifier: Version, e.g. ``$LATEST``.
        handler: ``module.function``, with dots or slashes for packages.
        runtime: e.g. ``python3.13``.
        memory_mib: Limit of the resident memory of its processes.
        timeout: Seconds an invocation may take.
        task_root: Folder with the unzipped package.
        layers: Folders with the unzipped layers, the one that is searched first last.
        environment: The variables the function's owner set.
        debugger: Set while it is being debugged; then its memory is not limited.
    """

    name: str
    qualifier: str
    account: str
    region: str
    handler: str
    runtime: str
    memory_mib: int
    timeout: int
    task_root: Path
    layers: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    debugger: Debugger | None = None


@dataclass(frozen=True)
class Host:
    """Where execution environments run.

    Attributes:
        python: The interpreter of the handlers.
        runtime_dir: What AWS's Python runtime gives a handler (boto3, awslambdaric...).
        endpoint_url: The engine, as a handler reaches it.
        temp_root: Folder in which each environment gets its own for temporary files.
        engine_id: Marks every process of the engine.
        own_client: Use streamdev's Runtime API client even where ``awslambdaric`` is there.
        init_timeout: Seconds the init phase may take before it is tried again within the
            first invocation (AWS: 10).
    """

    python: str
    runtime_dir: Path | None
    endpoint_url: str
    temp_root: Path
    engine_id: str | None = None
    own_client: bool = False
    init_timeout: float = 10.0


@dataclass(frozen=True)
class LogSettings:
    """Where CloudWatch Logs keeps what an environment prints, and how its logger writes.

    Attributes:
        group: Log group.
        stream: Log stream.
        format: ``JSON``, or ``None`` for text.
        level: The least level that is logged, where the function sets one.
    """

    group: str
    stream: str
    format: str | None = None
    level: str | None = None


@dataclass(frozen=True)
class Request:
    """One invocation.

    Attributes:
        payload: The event, JSON.
        trace_id: The X-Ray trace header.
        client_context: What the caller says of itself, JSON.
    """

    request_id: str
    invoked_arn: str
    payload: bytes
    trace_id: str | None = None
    client_context: str | None = None


@dataclass(frozen=True)
class Result:
    """How an invocation ended.

    Attributes:
        payload: The handler's answer, or the error in AWS's shape.
        is_error: Whether ``payload`` is an error.
        logs: What the invocation printed, from START to REPORT; the middle of very long
            output is left out.
    """

    request_id: str
    payload: bytes
    is_error: bool
    logs: str
