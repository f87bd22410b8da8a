"""Starting handler processes, all from one thread that lasts as long as LocalStack.

On Linux a handler asks the kernel to be killed when its parent ends, and there the parent is the
*thread* that made it. LocalStack's threads come and go, so this one makes them all.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict
from functools import cache
from pathlib import Path
from queue import SimpleQueue

from streamdev.plugins.executor.errors import ProcessStartError
from streamdev.plugins.executor.function import Ahead, Function, Host

_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
_OWN_CLIENT = Path(__file__).with_name("runtime_client.py")


class _Spawner:
    """The thread and the queue it works from."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Future[subprocess.Popen[bytes]], Command]] = SimpleQueue()
        threading.Thread(target=self._run, name="handler-spawner", daemon=True).start()

    def spawn(self, command: Command) -> subprocess.Popen[bytes]:
        future: Future[subprocess.Popen[bytes]] = Future()
        self._queue.put((future, command))
        return future.result()

    def _run(self) -> None:
        while True:
            future, command = self._queue.get()
            try:
                future.set_result(command.start())
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                future.set_exception(error)


@cache
def _spawner() -> _Spawner:
    return _Spawner()


def search_path(function: Function, host: Host) -> list[str]:
    """The folders that a handler imports from, first to last, before the standard library."""
    layers = [
        path
        for layer in reversed(function.layers)
        for path in (layer / "python", *layer.glob("python/lib/python3*/site-packages"))
    ]
    runtime = [host.runtime_dir] if host.runtime_dir else []
    return [str(path) for path in (function.task_root, *layers, *runtime)]


class Command:
    """One handler process to be started."""

    def __init__(
        self,
        function: Function,
        host: Host,
        variables: Mapping[str, str],
        output: int,
        ahead: tuple[Ahead, socket.socket] | None,
    ) -> None:
        self._arguments = [
            host.python,
            # No site-packages of any environment, no folder of the script itself; UTF-8 as
            # under AWS's locale, whether the machine has that locale or not.
            *("-S", "-P", "-s", "-X", "utf8"),
            str(_BOOTSTRAP),
            str(os.getpid()),
            str(_OWN_CLIENT) if host.own_client else f"?{_OWN_CLIENT}",
            ":".join(search_path(function, host)),
        ]
        self._stdin = subprocess.DEVNULL
        if ahead:
            self._arguments += ["ahead", json.dumps(asdict(ahead[0]))]
            self._stdin = ahead[1].fileno()
        elif function.debugger:
            self._arguments += ["debugger", json.dumps(asdict(function.debugger))]
        self._variables = dict(variables)
        self._folder = function.task_root
        self._output = output

    def start(self) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, with ``output`` as stdout and stderr."""
        return subprocess.Popen(
            self._arguments,
            env=self._variables,
            cwd=self._folder,
            stdin=self._stdin,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )


def start_handler(
    function: Function,
    host: Host,
    variables: Mapping[str, str],
    output: int,
    ahead: tuple[Ahead, socket.socket] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a handler's process.

    Args:
        function: What it runs.
        host: The interpreter and where its libraries are.
        variables: All its environment variables.
        output: The descriptor that becomes its standard output and standard error.
        ahead: What it does before it has its code, and the socket it is given that by.

    Raises:
        ProcessStartError: The interpreter or the package's folder is missing.
    """
    try:
        return _spawner().spawn(Command(function, host, variables, output, ahead))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        message = f"The process of function {function.name} can't be started: {error}"
        raise ProcessStartError(message) from error


def interpreter_version(python: str) -> tuple[int, int]:
    """Major and minor version of an interpreter.

    Raises:
        ProcessStartError: It can't be run.
    """
    if python == sys.executable:
        return sys.version_info[:2]
    return _ask_version(python)


@cache
def _ask_version(python: str) -> tuple[int, int]:
    script = "import sys; print(*sys.version_info[:2])"
    try:
        told = subprocess.run(
            [python, "-S", "-c", script], capture_output=True, check=True, timeout=20, text=True
        )
        major, minor = told.stdout.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ProcessStartError(f"The interpreter {python} can't be run: {error}") from error
