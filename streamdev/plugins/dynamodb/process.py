"""DynamoDB Local's process: started, watched, started again when killed, ended."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future

LOG = logging.getLogger(__name__)

# Java must not outlive LocalStack, also when LocalStack is killed and can't end it. Linux sends
# the signal when the thread that started the process ends, so that thread waits for the process.
_DIE_WITH_PARENT = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 9)\n"
    "if os.getppid() != int(sys.argv[1]): sys.exit(1)\n"
    "os.execvp(sys.argv[2], sys.argv[2:])\n"
)
QUICK_EXIT = 5.0
MAX_QUICK_EXITS = 3


class DatabaseProcess:
    """Has the interface of the thread that LocalStack's ``Server`` expects of its subclasses.

    Args:
        command: The command line.
        environ: Variables beside those of this process.
    """

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self._command = command
        self._environ = {**os.environ, **environ}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streamdev-dynamodb", daemon=True)
        self.process: subprocess.Popen[bytes] | None = None
        self.auto_restart = True
        self.failed: str | None = None
        self.result_future: Future[None] = Future()

    def start(self) -> None:
        """Start the process and its watcher."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it runs or will be started again."""
        return self._thread.is_alive() and not self._stopping.is_set()

    def _run(self) -> None:
        quick_exits = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            code, last_words = self._run_once()
            if self._stopping.is_set() or not self.auto_restart:
                break
            quick_exits = quick_exits + 1 if time.monotonic() - started < QUICK_EXIT else 0
            LOG.warning("DynamoDB Local ended with code %s: %s", code, last_words)
            if quick_exits >= MAX_QUICK_EXITS:
                self.failed = f"DynamoDB Local ends at once (code {code}): {last_words}"
                break
        self.result_future.set_result(None)

    def _run_once(self) -> tuple[int | None, str]:
        command = self._command
        if sys.platform == "linux":
            guard = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid())]
            command = [*guard, *command]
        last_words: list[str] = []
        try:
            process = subprocess.Popen(
                command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            return None, str(error)
        self.process = process
        if self._stopping.is_set():
            process.kill()
        assert process.stdout is not None
        for line in process.stdout:
            text = line.decode("utf-8", "replace").rstrip()
            LOG.debug("%s", text)
            last_words = [*last_words[-4:], text]
        return process.wait(), " / ".join(last_words)

    def stop(self, quiet: bool = False) -> None:  # noqa: ARG002 (LocalStack's signature)
        """End the process: asked first, killed after five seconds."""
        self._stopping.set()
        process = self.process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
