"""Peers that do the same work in the same run, each as a process of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from scripts.bench import figures
from scripts.bench.subjects import SubjectError, free_port, last_lines
from scripts.bench.work import client
from streamdev.engine.base import Progress
from streamdev.engine.dynamodb_local import fetch_dynamodb_local, find_java
from streamdev.engine.environment import tool_environment

_DEADLINE = 180.0


@dataclass
class MiniStack:
    """MiniStack from PyPI, in an environment of its own, with its own settings."""

    progress: Progress
    name: str = figures.MINISTACK
    port: int = field(default_factory=lambda: free_port())

    def __post_init__(self) -> None:
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._server: Server | None = None

    def start(self) -> float:
        """Until it answers a request."""
        command = [str(tool_environment("ministack", self.progress) / "bin" / "ministack")]
        start = time.monotonic()
        self._server = server = Server(self.name, command, {"GATEWAY_PORT": str(self.port)})
        server.wait_until(lambda: _answers(f"{self.endpoint}/_localstack/health"))
        return time.monotonic() - start

    def stop(self) -> None:
        """End it and its handlers."""
        if self._server:
            self._server.stop()

    def processes(self) -> list[psutil.Process]:
        """The server and its handlers."""
        return self._server.processes() if self._server else []


@dataclass
class DynamoDBLocalAlone:
    """The same DynamoDB Local with nothing before it: the ceiling of what can be written."""

    progress: Progress
    name: str = figures.ALONE
    port: int = field(default_factory=lambda: free_port())

    def __post_init__(self) -> None:
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._data = Path(tempfile.mkdtemp(prefix="bench-"))
        self._server: Server | None = None

    def start(self) -> float:
        """Until it answers a request; its data is on disk, as the engine has it."""
        folder = fetch_dynamodb_local(self.progress).jar_dir
        home = find_java(self.progress)
        java = str(home / "bin" / "java") if home else "java"
        self._data.mkdir(exist_ok=True)
        command = [java, f"-Djava.library.path={folder}/DynamoDBLocal_lib", "-jar"]
        command += [str(folder / "DynamoDBLocal.jar"), "-port", str(self.port)]
        command += ["-dbPath", str(self._data)]
        start = time.monotonic()
        self._server = server = Server(self.name, command, {"DDB_LOCAL_TELEMETRY": "0"})
        server.wait_until(lambda: _answers(self.endpoint))
        client("dynamodb", self.endpoint, attempts=3).list_tables()
        return time.monotonic() - start

    def stop(self) -> None:
        """End it and remove its data."""
        if self._server:
            self._server.stop()
        shutil.rmtree(self._data, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        """The Java process."""
        return self._server.processes() if self._server else []


class Server:
    """A process and its children; its output is kept to be told when it fails."""

    def __init__(self, name: str, command: list[str], environ: dict[str, str]) -> None:
        self._name = name
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (``stop`` closes it)
        self._process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], "HOME": str(Path.home())} | environ,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait for ``ready``.

        Raises:
            SubjectError: The process ended, or took too long.
        """
        deadline = time.monotonic() + _DEADLINE
        while not ready():
            if self._process.poll() is not None:
                raise self._error(f"ended with {self._process.returncode}")
            if time.monotonic() > deadline:
                raise self._error(f"did not answer within {_DEADLINE:.0f} s")
            time.sleep(0.02)

    def _error(self, what: str) -> SubjectError:
        self._output.seek(0)
        said = self._output.read().decode("utf-8", "replace")
        return SubjectError(f"{self._name} {what}:\n{last_lines(said)}")

    def processes(self) -> list[psutil.Process]:
        """None once it has ended."""
        try:
            main = psutil.Process(self._process.pid)
            return [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def stop(self) -> None:
        """End the process and its children, children first."""
        for process in reversed(self.processes()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()


def _answers(url: str) -> bool:
    """Whether a server answers, with success or with a refusal of what was asked."""
    try:
        return requests.get(url, timeout=5).status_code < 500
    except requests.RequestException:
        return False
