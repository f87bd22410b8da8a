"""Commands as processes that are forked instead of started.

Most of a short command's time is Python's start and its imports. So a process loads the command
line once and forks for each command: the command runs in a process of its own as always, with its
own environment, folder, streams and exit code. What is about the start itself, a terminal or a
signal starts a process (``Project.running``, ``tests.support.terminal``, the unit tests).
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple, NoReturn

# What the command line is made of. (LocalStack's plugins and pytest's are not.)
ROOMS = ("cli", "config", "aws", "engine", "deploy", "export", "observe", "snapshot", "semantics")
_WIDTH = 12


class Ended(NamedTuple):
    """How a command ended: its exit code, negative for a signal, and what it printed."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Forker:
    """The process that forks, and this process's end of the line to it."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        atexit.register(self.close)

    def close(self) -> None:
        """End the process."""
        self._channel.close()
        self._process.wait(30)

    def run(
        self,
        args: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        stdin: bytes,
        timeout: float,
    ) -> Ended:
        """Run a command to its end.

        Raises:
            subprocess.TimeoutExpired: It took longer than ``timeout`` seconds, and was killed.
        """
        request = {"args": list(args), "cwd": str(cwd), "environ": dict(environ)}
        reading, writing = os.pipe()
        with (
            os.fdopen(reading, "rb", buffering=0) as status,
            TemporaryFile() as told,
            TemporaryFile() as given,
            TemporaryFile() as out,
            TemporaryFile() as err,
        ):
            told.write(json.dumps(request).encode())
            given.write(stdin)
            for file in (told, given):
                file.seek(0)
            files = [file.fileno() for file in (told, given, out, err)]
            socket.send_fds(self._channel, [b"."], [*files, writing])
            os.close(writing)
            exit_code = _wait(status.fileno(), args, timeout)
            for file in (out, err):
                file.seek(0)
            return Ended(exit_code, out.read(), err.read())


@cache
def forker() -> Forker:
    """This process's forker, started when it is first needed."""
    return Forker()


def _wait(status: int, args: Sequence[str], timeout: float) -> int:
    """Wait for the command's process id, then, as long as it may take, for its exit code."""
    process = _read_number(status)
    try:
        if not select.select([status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(list(args), timeout)
        return _read_number(status)
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        raise


def _read_number(status: int) -> int:
    """One number; each is written at once and has the same length."""
    text = os.read(status, _WIDTH)
    assert text, "the process that forks, or watches the command, has ended"
    return int(text)


# -- In the process that forks ----------------------------------------------------------------


def serve(channel: socket.socket) -> None:
    """Fork for each request until the other end is closed."""
    for room in ROOMS:
        package = import_module(f"streamdev.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    gc.freeze()
    # Ctrl-C is for pytest, which ends this process by closing the channel.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Who watches a command is collected by the system.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    assert threading.active_count() == 1, "what is forked has this thread alone"
    while True:
        message, files, _, _ = socket.recv_fds(channel, 1, 5)
        if not message:
            return
        if os.fork() == 0:
            channel.close()
            watch(*files)
        for file in files:
            os.close(file)


def watch(told: int, stdin: int, stdout: int, stderr: int, status: int) -> NoReturn:
    """Fork once more: the new process becomes the command, this one waits for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if command == 0:
        os.close(status)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, file in enumerate((stdin, stdout, stderr)):
            os.dup2(file, number)
            os.close(file)
        run_command(told)
    os.write(status, b"%*d" % (_WIDTH, command))
    _, ended = os.waitpid(command, 0)
    with suppress(BrokenPipeError):  # nobody waits any more
        os.write(status, b"%*d" % (_WIDTH, os.waitstatus_to_exitcode(ended)))
    os._exit(0)


def run_command(told: int) -> NoReturn:
    """Be the command."""
    with os.fdopen(told, "rb") as file:
        request = json.load(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    from streamdev.cli import __main__ as entry

    sys.argv = [entry.__file__, *request["args"]]
    entry.main()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
