"""A temporary project with an engine of its own, driven through the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import psutil

from streamdev.aws.gateway import Gateway
from streamdev.engine.base import Engine
from streamdev.paths import StateDir
from streamdev.semantics import log
from tests.support.forking import forker

T = TypeVar("T")
COMMAND = [sys.executable, "-P", "-m", "streamdev.cli"]


@dataclass(frozen=True)
class Result:
    """How a command ended and what it printed."""

    command: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.stdout)

    def json_lines(self) -> list[Any]:
        """The JSON documents on standard output, one a line."""
        # Other line separators (U+2028) may stand within a document.
        return [json.loads(line) for line in self.stdout.split("\n") if line.strip()]

    def __str__(self) -> str:
        return (
            f"$ {' '.join(self.command)}\nexit code {self.exit_code}\n"
            f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
        )


@dataclass
class Project:
    """A project folder, the port of its engine, and the environment its commands run with."""

    root: Path
    port: int
    engine: str = "host"
    environ: dict[str, str] = field(default_factory=dict)

    def run(
        self,
        *args: str,
        stdin: str | bytes | None = None,
        timeout: float = 180,
        check: bool = True,
        environ: dict[str, str] | None = None,
    ) -> Result:
        """Run a command to its end; with ``check`` it must end with 0."""
        ended = forker().run(
            args,
            cwd=self.root,
            environ=self.environ | (environ or {}),
            stdin=stdin.encode() if isinstance(stdin, str) else stdin or b"",
            timeout=timeout,
        )
        result = Result(
            args,
            ended.exit_code,
            ended.stdout.decode("utf-8", "replace"),
            ended.stderr.decode("utf-8", "replace"),
        )
        if check:
            assert result.exit_code == 0, f"{result}\n--- engine.log\n{self.log_tail()}"
        return result

    @contextmanager
    def running(self, *args: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on (``logs -f``); it is ended on the way out."""
        process = subprocess.Popen(
            [*COMMAND, *args],
            cwd=self.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=30)

    @property
    def state(self) -> StateDir:
        """Its ``.streamdev`` folder."""
        return StateDir.of_project(self.root)

    @property
    def record(self) -> dict[str, Any]:
        """engine.json as it is."""
        loaded: dict[str, Any] = json.loads(self.state.engine_record.read_text())
        return loaded

    @property
    def endpoint(self) -> str:
        """Where its engine answers."""
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def gateway(self) -> Gateway:
        """AWS's API of its engine."""
        return Gateway(self.endpoint)

    def client(self, service: Any) -> Any:
        """A boto3 client of its engine."""
        return self.gateway.client(service)

    def write_handler(self, name: str, code: str, file: str = "handler.py") -> Path:
        """Write ``lambda_src/NAME/handler.py``; return the folder."""
        folder = self.root / "lambda_src" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(code, encoding="utf-8")
        return folder

    def write_pipelines(self, text: str, name: str = "pipelines.toml") -> Path:
        """Write a pipelines.toml (or, with another name, one for ``--config``)."""
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return path

    def processes(self) -> list[psutil.Process]:
        """Every living process that belongs to its engine, by the mark in the environment."""
        found = []
        for process in psutil.process_iter():
            try:
                state_dir = process.environ().get("STREAMDEV_STATE_DIR", "")
                mark = process.environ().get("STREAMDEV_ENGINE_ID", "")
                dead = process.status() == psutil.STATUS_ZOMBIE
            except psutil.Error:
                continue
            ours = state_dir.startswith(str(self.root)) or mark in self._marks()
            if ours and mark and not dead:
                found.append(process)
        return found

    def kill(self) -> None:
        """End the engine as a crash would: all its processes, or its container, at once."""
        if self.engine == "compose":
            from streamdev.engine.docker_client import connected
            from tests.support.containers import container_of

            with connected(self.environ) as client:
                container_of(client, self).kill()
            return
        processes = self.processes()
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=30)

    def _marks(self) -> set[str]:
        with suppress(FileNotFoundError, ValueError):
            self._seen.add(self.record["engine_id"])
        return self._seen

    @cached_property
    def _seen(self) -> set[str]:
        return set()

    def engine_log(self, since: datetime | None = None) -> list[str]:
        """The lines of its engine's log, a file or a container's."""
        from streamdev.engine.compose import ComposeEngine
        from streamdev.engine.host import HostEngine

        engine: Engine = HostEngine(self.state, environ=self.environ)
        if self.engine == "compose":
            engine = ComposeEngine(self.state, environ=self.environ)
        return list(engine.read_log(since=since, follow=False, stop=threading.Event()))

    def events(self, since: datetime | None = None) -> list[dict[str, Any]]:
        """The events of its engine's log."""
        return [event for event in map(log.parse, self.engine_log(since)) if event]

    def log_tail(self, lines: int = 30) -> str:
        """The last lines of the engine's log, for a failing test's message."""
        return "\n".join(self.engine_log()[-lines:]) or "(no log)"


def create_project(root: Path, port: int, engine: str = "host") -> Project:
    """A project folder without pipelines; its commands see nothing of the user's settings.

    The per-user cache is the one thing shared, so that engines are not installed anew.
    """
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STREAMDEV_", "AWS_")) or name == "STREAMDEV_CACHE"
    }
    environ |= {"STREAMDEV_PORT": str(port), "STREAMDEV_ENGINE": engine, "NO_COLOR": "1"}
    root.mkdir(parents=True, exist_ok=True)
    return Project(root.resolve(), port, engine, environ)


def pipeline(
    name: str,
    *,
    table: str,
    source: str,
    key: str = "id:S",
    runtime: str = "python3.13",
    function: str = "",
    mapping: str = "batch-size = 1, starting-position = 'TRIM_HORIZON'",
    table_extra: str = "",
) -> str:
    """A pipeline in TOML; ``function`` and ``table_extra`` are further keys, as TOML."""
    more_function = f", {function}" if function else ""
    more_table = f", {table_extra}" if table_extra else ""
    return (
        f"[pipelines.{name}]\n"
        f"table = {{ name = '{table}', key = '{key}', stream = 'NEW_AND_OLD_IMAGES'"
        f"{more_table} }}\n"
        f"function = {{ source = 'lambda_src/{source}', handler = 'handler.lambda_handler', "
        f"runtime = '{runtime}'"
        f"{more_function} }}\n"
        f"mapping = {{ {mapping} }}\n\n"
    )


def eventually(
    condition: Callable[[], T], *, timeout: float = 60, interval: float = 0.05, what: str = ""
) -> T:
    """Wait until ``condition`` returns something true, and return that."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}; last: {value!r}")
        time.sleep(interval)


def unique(prefix: str) -> str:
    """A name no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"
