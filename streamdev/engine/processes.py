"""The processes of an engine: started detached, found by their mark, ended in steps."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from streamdev.engine.base import MARK

# A clock that was set meanwhile moves the creation time that the system reports a little.
CREATED_TOLERANCE_S = 2.0


def launch(
    command: Sequence[str], *, environ: Mapping[str, str], cwd: Path, log: Path
) -> subprocess.Popen[bytes]:
    """Start ``command`` in the background, in a session of its own.

    A session of its own keeps the terminal's Ctrl-C and hang-up away from it. Standard output
    and error are appended to ``log``.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            env=dict(environ),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def is_alive(process: psutil.Process) -> bool:
    """Whether ``process`` still runs; one that ended and was not collected does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def find_process(pid: int, created: float | None, engine_id: str) -> psutil.Process | None:
    """The living process ``pid`` if it is the engine's.

    The number alone may have gone to another process, after a reboot for instance: the time
    of its creation and the mark in its environment must fit as well.
    """
    try:
        process = psutil.Process(pid)
        if created is not None and abs(process.create_time() - created) > CREATED_TOLERANCE_S:
            return None
        if process.environ().get(MARK) != engine_id:
            return None
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return None
    return process if is_alive(process) else None


def marked(prefix: str) -> list[psutil.Process]:
    """All living processes whose mark begins with ``prefix``, this process left out."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            mark = process.environ().get(MARK, "")
        except (psutil.Error, OSError):
            continue  # another user's, or gone meanwhile
        if mark.startswith(prefix) and is_alive(process):
            found.append(process)
    return found


def wait_gone(processes: Iterable[psutil.Process], deadline: float) -> list[psutil.Process]:
    """Wait until all ``processes`` ended; return those that live on at ``deadline``.

    Args:
        processes: What to wait for.
        deadline: A time of ``time.monotonic()``, in seconds.
    """
    living = [process for process in processes if is_alive(process)]
    while living and time.monotonic() < deadline:
        time.sleep(0.02)
        living = [process for process in living if is_alive(process)]
    return living


def end(main: psutil.Process | None, prefix: str, *, patience: float) -> list[psutil.Process]:
    """End an engine: its main process first, then whatever else carries its mark.

    The main process is asked (SIGTERM) and has ``patience`` seconds, so that a batch in
    flight can finish and the database closes its files. What is left then is asked, and
    killed after 3 s. New processes may appear while others end, so the search is repeated.

    Returns:
        What could not be ended (nothing, unless the system itself is stuck).
    """
    if main is not None and patience > 0:
        _signal(main, kill=False)
        wait_gone([main], time.monotonic() + patience)
    rest = marked(prefix)
    for process in rest:
        _signal(process, kill=False)
    wait_gone(rest, time.monotonic() + 3)
    deadline = time.monotonic() + 5
    while (rest := marked(prefix)) and time.monotonic() < deadline:
        for process in rest:
            _signal(process, kill=True)
        wait_gone(rest, min(deadline, time.monotonic() + 1))
    return rest


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return


@contextlib.contextmanager
def no_interrupts() -> Iterator[None]:
    """Leave Ctrl-C and SIGTERM aside while cleaning up (in the main thread)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def describe(process: psutil.Process) -> str:
    """``java (pid 4711)``, for people."""
    try:
        return f"{process.name()} (pid {process.pid})"
    except psutil.Error:
        return f"pid {process.pid}"
