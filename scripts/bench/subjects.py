"""What is measured: streamdev's engines. Peers (``scripts.bench.peers``) are subjects as well."""

from __future__ import annotations

import contextlib
import json
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

from scripts.bench import figures
from streamdev.aws.control import Control
from streamdev.engine.compose_files import project_name
from streamdev.engine.container import find_container
from streamdev.engine.docker_client import connected
from streamdev.paths import StateDir

_ROOT = Path(__file__).resolve().parents[2]
_LAST_LINES = 15
_COMMAND = [sys.executable, "-m", "streamdev.cli"]
_SPARE_WITHIN = 60.0
_LOOK = 0.1

ENGINES = ("host", "compose")


class SubjectError(click.ClickException):
    """A subject does not do what it should; the message says which one, what, and its output."""


class Subject(Protocol):
    """Something that runs tables, streams and functions on this machine.

    It can be started again after it was stopped, and begins from nothing then.
    """

    name: str
    endpoint: str

    def start(self) -> float:
        """Start it; seconds until it answers."""

    def stop(self) -> None:
        """Stop it and remove what it kept on disk."""

    def processes(self) -> list[psutil.Process]:
        """Its processes, its own first, then what it started."""


@dataclass
class Streamdev:
    """The project's own command line, in a folder of its own, as a user has it.

    With ``stock_mapping``, LocalStack's own mapping and poll settings take the place of
    streamdev's; handlers, database and start stay as they are.
    """

    engine: str = "host"
    stock_mapping: bool = False
    port: int = 0
    name: str = ""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="bench-")))

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        own = figures.LOCALSTACK if self.stock_mapping else f"streamdev {self.engine}"
        self.name = self.name or own
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def _fill_folder(self) -> None:
        self.folder.mkdir(exist_ok=True)
        for part in ("pipelines.toml", "lambda_src", "docker-compose.yml"):
            source = _ROOT / part
            if source.is_dir():
                shutil.copytree(source, self.folder / part, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy2(source, self.folder / part)

    @property
    def _environ(self) -> dict[str, str]:
        environ = os.environ | {"STREAMDEV_ENGINE": self.engine, "STREAMDEV_PORT": str(self.port)}
        if self.stock_mapping:
            environ["STREAMDEV_MAPPING"] = "localstack"
        return environ

    def run(self, *words: str) -> float:
        """Run a command of the command line; seconds it took."""
        start = time.monotonic()
        done = subprocess.run(
            [*_COMMAND, *words],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.monotonic() - start
        if done.returncode:
            raise SubjectError(
                f"{self.name}: {' '.join(words)} ended with {done.returncode}:\n"
                f"{last_lines(done.stderr)}"
            )
        return took

    def start(self) -> float:
        """``up``: engine and pipelines."""
        self._fill_folder()
        return self.run("up")

    def stop(self) -> None:
        """``down``, and the folder goes."""
        try:
            self.run("down")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def edit_handler(self, number: int) -> None:
        """Change the handler, as an editor would."""
        path = self.folder / "lambda_src" / "user_profile" / "handler.py"
        path.write_text(path.read_text() + f"\n# edit {number}\n")

    def reloads(self, edits: int) -> list[float]:
        """Seconds from the save of an edit until it runs, as `watch` tells them."""
        told = []
        watching = subprocess.Popen(
            [*_COMMAND, "watch", "user-profile", "--json"],
            cwd=self.folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert watching.stdout is not None
        try:
            for number in range(edits):
                self._wait_for_spare()
                self.edit_handler(number)
                reloads = (json.loads(line) for line in watching.stdout)
                told.append(next(one["seconds"] for one in reloads if one["kind"] == "reload"))
        finally:
            watching.terminate()
            watching.communicate()
        return told

    def _wait_for_spare(self) -> None:
        """Until a process waits for the edit, as it does a moment after the one before."""
        deadline = time.monotonic() + _SPARE_WITHIN
        while not any(one["state"] == "ready" for one in Control(self.endpoint).spares()):
            if time.monotonic() > deadline:
                raise SubjectError(f"{self.name}: no process waits for an edit under watch")
            time.sleep(_LOOK)

    def processes(self) -> list[psutil.Process]:
        """LocalStack, DynamoDB Local and the handlers, LocalStack first."""
        return _in_container(self.folder) if self.engine == "compose" else _tree(self.port)


@contextlib.contextmanager
def running(subject: Subject) -> Iterator[float]:
    """The subject, started (seconds it took), and stopped at the end, which SIGTERM may bring."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield subject.start()
    except BaseException:
        with contextlib.suppress(SubjectError):  # what went wrong first is what is told
            subject.stop()
        raise
    else:
        subject.stop()
    finally:
        signal.signal(signal.SIGTERM, before)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def last_lines(text: str) -> str:
    """The end of a program's output."""
    return "\n".join(text.strip().splitlines()[-_LAST_LINES:])


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
