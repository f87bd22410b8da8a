"""The one place that runs other programs to their end: uv, npm, java, docker compose.

The quoted command is logged, so that a person can repeat it; what it printed is kept for the
error; and it never outlives us: it is ended in escalating steps. (The engine itself, which is
to live on, is ``streamdev.engine.processes``.)
"""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from streamdev.errors import StreamdevError

logger = logging.getLogger(__name__)

WATCH_INTERVAL_S = 0.1
PATIENCE_S = 5.0
LINES_IN_ERROR = 12


class CommandFailedError(StreamdevError):
    """A program could not be started, ended with an error or took too long.

    Attributes:
        command: What was run.
        exit_code: Its exit code; negative the signal that ended it; ``None`` where it was not
            found or was ended for taking too long.
        output: All it printed, standard output and error in order.
    """

    def __init__(
        self, message: str, *, command: Sequence[str], exit_code: int | None, output: str
    ) -> None:
        super().__init__(message)
        self.command = tuple(command)
        self.exit_code = exit_code
        self.output = output


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float | None = None,
    watch: Callable[[], None] | None = None,
) -> str:
    """Run ``command`` to its end and return what it printed (standard output and error).

    Args:
        command: The program and its arguments.
        environ: Its whole environment; default: ours.
        cwd: The folder it runs in; default: ours.
        timeout_s: End it after so many seconds.
        watch: Called about ten times a second while it runs, e.g. to report progress.

    Raises:
        CommandFailedError: See there.
    """
    words = [os.fspath(word) for word in command]
    quoted = shlex.join(words)
    logger.debug("Run: %s", quoted)
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                words,
                env=None if environ is None else dict(environ),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise CommandFailedError(
                f"{words[0]} could not be started: {error.strerror or error}",
                command=words,
                exit_code=None,
                output="",
            ) from error
        try:
            in_time = _wait(process, timeout_s, watch)
        finally:
            stop(process)
        text = _read(output)
    logger.debug("Ended with exit code %s: %s", process.returncode, quoted)
    if not in_time:
        raise CommandFailedError(
            f"{Path(words[0]).name} took longer than {timeout_s:g} s and was ended: {quoted}",
            command=words,
            exit_code=None,
            output=text,
        )
    if process.returncode != 0:
        raise CommandFailedError(
            f"{Path(words[0]).name} failed with exit code {process.returncode}: {quoted}"
            + _tail(text),
            command=words,
            exit_code=process.returncode,
            output=text,
        )
    return text


def stop(process: subprocess.Popen[bytes], *, patience_s: float = PATIENCE_S) -> None:
    """End ``process`` and its descendants: ask, wait ``patience_s`` seconds, kill.

    Does nothing when it has ended already.
    """
    if process.poll() is not None:
        return
    try:
        main = psutil.Process(process.pid)
        family = [*main.children(recursive=True), main]
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        _signal(member.terminate)
    _, living = psutil.wait_procs(family, timeout=patience_s)
    for member in living:
        logger.debug("Kill: %s", member)
        _signal(member.kill)
    process.wait()


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except (psutil.NoSuchProcess, psutil.AccessDenied) as error:
        logger.debug("Not signalled: %s", error)


def _wait(
    process: subprocess.Popen[bytes], timeout_s: float | None, watch: Callable[[], None] | None
) -> bool:
    """Whether ``process`` ended within ``timeout_s``."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        pause = left if watch is None else min(WATCH_INTERVAL_S, left or WATCH_INTERVAL_S)
        try:
            process.wait(pause)
            return True
        except subprocess.TimeoutExpired:
            if deadline is not None and time.monotonic() >= deadline:
                return False
        if watch:
            watch()


def _read(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode(errors="replace")


def _tail(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()][-LINES_IN_ERROR:]
    return "".join(f"\n  {line}" for line in lines)
