"""A command at a pseudo-terminal, where a person would watch it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from tests.support.project import COMMAND, Project

Step = tuple[str, Callable[[], object] | None]
"""What has to be shown, and what is done then; ``None`` is Ctrl-C's signal."""


def at_a_terminal(
    project: Project,
    *args: str,
    steps: Sequence[Step] = (),
    columns: int = 120,
    timeout: float = 180,
) -> tuple[int, str]:
    """Run a command at a terminal; its exit code and all that was shown."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {k: v for k, v in project.environ.items() if k != "NO_COLOR"}
    deadline = time.monotonic() + timeout
    with subprocess.Popen(
        [*COMMAND, *args],
        cwd=project.root,
        env=environ | {"TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
    ) as process:
        os.close(follower)
        shown, waiting = b"", list(steps)
        with suppress(OSError):  # how Linux tells that the other end was closed
            while time.monotonic() < deadline:
                if select.select([leader], [], [], 0.2)[0]:
                    if not (chunk := os.read(leader, 4096)):
                        break
                    shown += chunk
                if waiting and waiting[0][0].encode() in shown:
                    action = waiting.pop(0)[1]
                    if action is None:
                        process.send_signal(signal.SIGINT)
                    else:
                        action()
        text = shown.decode("utf-8", "replace")
        os.close(leader)
        if process.poll() is None:
            process.terminate()
        assert not waiting, f"{waiting[0][0]!r} was not shown:\n{text}"
        return process.wait(timeout=60), text
