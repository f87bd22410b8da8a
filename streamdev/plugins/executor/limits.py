"""What bounds a handler's processes: their memory, and how they are ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

MIB = 1024 * 1024

_FIRST_LOOK = 0.02
_USUAL = 0.1
_NEAR_LIMIT = 0.02
_CHILDREN_EVERY = 0.5


class MemoryGauge:
    """The resident memory of a process and its descendants, watched at little cost.

    The process itself is looked at every 0.1 s while it works, every 0.02 s above three quarters
    of the limit. Finding its descendants means reading the whole process table, so that
    is done twice a second at most, and less often where it is slow.

    Args:
        pid: The process.
        limit: Bytes of resident memory it may have together with its descendants; ``None``
            where any will do.
    """

    def __init__(self, pid: int, limit: int | None) -> None:
        self._limit = sys.maxsize if limit is None else limit
        self._status = Path(f"/proc/{pid}/status")
        self._descendants: list[psutil.Process] = []
        self._look_again = 0.0
        self.peak = 0
        try:
            self._process: psutil.Process | None = psutil.Process(pid)
        except psutil.NoSuchProcess:
            self._process = None

    @property
    def exceeded(self) -> bool:
        """Whether the limit was passed at any look."""
        return self.peak > self._limit

    def rest(self, working_for: float) -> float:
        """Seconds until the next look is due in an invocation that takes this long already."""
        if working_for < _FIRST_LOOK:
            return _FIRST_LOOK - working_for
        return _NEAR_LIMIT if self.peak * 4 > self._limit * 3 else _USUAL

    def look(self) -> None:
        """Measure now, descendants included when that is due."""
        if self._process is None:
            return
        now = time.monotonic()
        total = self._own()
        if now >= self._look_again:
            try:
                self._descendants = self._process.children(recursive=True)
            except psutil.Error:
                self._descendants = []
            took = time.monotonic() - now
            self._look_again = now + max(_CHILDREN_EVERY, 50 * took)
        for descendant in self._descendants:
            with contextlib.suppress(psutil.Error):
                total += descendant.memory_info().rss
        self.peak = max(self.peak, total)

    def look_back(self) -> None:
        """Take the process's own peak into account, where the system keeps it (Linux).

        Needs no look while it works, so a short invocation costs one look at its end.
        """
        try:
            status = self._status.read_bytes()
        except OSError:
            self.peak = max(self.peak, self._own())
            return
        _, found, rest = status.partition(b"VmHWM:")
        if found:
            self.peak = max(self.peak, int(rest.split(None, 1)[0]) * 1024)

    def _own(self) -> int:
        if self._process is None:
            return 0
        try:
            return int(self._process.memory_info().rss)
        except psutil.Error:
            return 0


def has_exited(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process ended; where possible it is left for ``end_tree`` to wait for.

    Until then its number can't be given to another process, so its group can be ended safely.
    """
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    try:
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, process.pid, flags) is not None
    except ChildProcessError:
        return True


def end_tree(process: subprocess.Popen[bytes], grace: float = 0.0) -> int:
    """End a process that leads a session, with all its descendants; return its exit code.

    Args:
        process: The process.
        grace: Seconds it has to end by itself after SIGTERM; 0 kills at once.
    """
    if process.returncode is not None:
        return process.returncode
    descendants: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        descendants = psutil.Process(process.pid).children(recursive=True)
    if grace > 0:
        _signal_group(process, signal.SIGTERM)
        end = time.monotonic() + grace
        while not has_exited(process) and time.monotonic() < end:
            time.sleep(0.005)
    _signal_group(process, signal.SIGKILL)
    for descendant in descendants:
        with contextlib.suppress(psutil.Error):
            descendant.kill()
    return process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
