"""What is measured: streamdev's engines, and peers that do the same work in the same run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import click
import psutil
import requests

from scripts.bench.work import client
from streamdev.engine.base import Progress
from streamdev.engine.compose_files import project_name
from streamdev.engine.container import find_container
from streamdev.engine.docker_client import connected
from streamdev.engine.dynamodb_local import fetch_dynamodb_local, find_java
from streamdev.engine.environment import tool_environment
from streamdev.paths import StateDir

_ROOT = Path(__file__).resolve().parents[2]
_DEADLINE = 180.0

ENGINES = ("host", "compose")


class Subject(Protocol):
    """Something that runs tables, streams and functions on this machine."""

    name: str
    endpoint: str

    def start(self) -> float:
        """Start it; seconds until it answers."""

    def stop(self) -> None:
        """Stop it; nothing is left."""

    def close(self) -> None:
        """Remove what it kept on disk."""

    def processes(self) -> list[psutil.Process]:
        """Its processes, for CPU and memory."""


@dataclass
class Streamdev:
    """The project's own command line, in a folder of its own, as a user has it."""

    engine: str = "host"
    stock_mapping: bool = False
    port: int = 0
    name: str = ""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="bench-")))

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        own = f"streamdev {self.engine}"
        self.name = self.name or ("LocalStack's own settings" if self.stock_mapping else own)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        for part in ("pipelines.toml", "lambda_src", "docker-compose.yml"):
            source = _ROOT / part
            if source.is_dir():
                shutil.copytree(source, self.folder / part, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy2(source, self.folder / part)

    def run(self, *words: str) -> float:
        """Run a command of the command line; seconds it took."""
        environ = os.environ | {"STREAMDEV_ENGINE": self.engine, "STREAMDEV_PORT": str(self.port)}
        if self.stock_mapping:
            environ["STREAMDEV_MAPPING"] = "localstack"
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "streamdev.cli", *words],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.monotonic() - start
        if done.returncode:
            raise click.ClickException(
                f"{self.name}: {' '.join(words)} ended with {done.returncode}:\n{done.stderr}"
            )
        return took

    def start(self) -> float:
        """``up``: engine and pipelines."""
        return self.run("up")

    def stop(self) -> None:
        """``down``, and the folder goes."""
        self.run("down")

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def edit_handler(self, number: int) -> None:
        """Change the handler, as an editor would."""
        path = self.folder / "lambda_src" / "user_profile" / "handler.py"
        path.write_text(path.read_text() + f"\n# edit {number}\n")

    def processes(self) -> list[psutil.Process]:
        """LocalStack, DynamoDB Local and the handlers, LocalStack first."""
        return _in_container(self.folder) if self.engine == "compose" else _tree(self.port)


@dataclass
class MiniStack:
    """MiniStack from PyPI, in an environment of its own, with its own settings."""

    progress: Progress
    name: str = "MiniStack"
    port: int = field(default_factory=lambda: free_port())

    def __post_init__(self) -> None:
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._root = tool_environment("ministack", self.progress)

    def start(self) -> float:
        """Until it answers a request."""
        start = time.monotonic()
        command = [str(self._root / "bin" / "ministack")]
        self._server = _Server(command, {"GATEWAY_PORT": str(self.port)})
        wait_for_answer(f"{self.endpoint}/_localstack/health")
        return time.monotonic() - start

    def stop(self) -> None:
        """End it and its handlers."""
        self._server.stop()

    def close(self) -> None:
        """Nothing is kept."""

    def processes(self) -> list[psutil.Process]:
        """The server and its handlers."""
        return self._server.processes()


@dataclass
class DynamoDBLocalAlone:
    """The same DynamoDB Local with nothing before it: the ceiling of what can be written."""

    progress: Progress
    name: str = "DynamoDB Local alone"
    port: int = field(default_factory=lambda: free_port())

    def __post_init__(self) -> None:
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._folder = fetch_dynamodb_local(self.progress).jar_dir
        self._data = Path(tempfile.mkdtemp(prefix="bench-"))
        home = find_java(self.progress)
        self._java = str(home / "bin" / "java") if home else "java"

    def start(self) -> float:
        """Until it answers a request; its data is on disk, as the engine has it."""
        start = time.monotonic()
        jar = [f"-Djava.library.path={self._folder}/DynamoDBLocal_lib", "-jar"]
        jar += [str(self._folder / "DynamoDBLocal.jar"), "-port", str(self.port)]
        command = [self._java, *jar, "-dbPath", str(self._data)]
        self._server = _Server(command, {"DDB_LOCAL_TELEMETRY": "0"})
        client("dynamodb", self.endpoint, attempts=100).list_tables()
        return time.monotonic() - start

    def stop(self) -> None:
        """End it."""
        self._server.stop()

    def close(self) -> None:
        """Remove its data."""
        shutil.rmtree(self._data, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        """The Java process."""
        return self._server.processes()


class _Server:
    """A process without output, and its children."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], "HOME": str(Path.home())} | environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def processes(self) -> list[psutil.Process]:
        main = psutil.Process(self._process.pid)
        return [*main.children(recursive=True), main]

    def stop(self) -> None:
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        self._process.wait(timeout=30)


@contextlib.contextmanager
def running(subject: Subject) -> Iterator[float]:
    """The subject, started; stopped and cleared away at the end, which SIGTERM may bring."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield subject.start()
    finally:
        signal.signal(signal.SIGTERM, before)
        try:
            subject.stop()
        finally:
            subject.close()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_answer(url: str) -> None:
    """Until ``url`` answers 200."""
    deadline = time.monotonic() + _DEADLINE
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(url, timeout=5).ok:
                return
        time.sleep(0.02)
    raise TimeoutError(f"{url} did not answer within {_DEADLINE:.0f} s")


def _tree(port: int) -> list[psutil.Process]:
    for connection in psutil.net_connections("tcp4"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,):
            main = psutil.Process(connection.pid)
            return [main, *main.children(recursive=True)]
    return []


def _in_container(folder: Path) -> list[psutil.Process]:
    """The processes below the container's first one, which only starts and collects them."""
    with connected(os.environ) as docker:
        container = find_container(docker, project_name(StateDir.of_project(folder)))
        if container is None:
            return []
        try:
            init = psutil.Process(container.attrs["State"]["Pid"])
            return init.children(recursive=True) if init.name() == "docker-init" else []
        except psutil.NoSuchProcess:
            return []
