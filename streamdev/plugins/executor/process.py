"""A handler's process with its Runtime API and its memory gauge: what it does next, or why not."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from streamdev.plugins.executor.function import Ahead, Function, Host
from streamdev.plugins.executor.limits import MIB, MemoryGauge, end_tree, has_exited
from streamdev.plugins.executor.output import Output
from streamdev.plugins.executor.runtime_api import Closed, Message, RuntimeApi
from streamdev.plugins.executor.spawn import start_handler

_EXIT_AFTER_CLOSE = 0.05
_TAKES_ITS_CODE = 5.0


class ProcessEndedError(Exception):
    """The process ended by itself or was killed from outside."""


class MemoryExceededError(Exception):
    """The process and its descendants took more memory than the function has."""


class HandlerProcess:
    """One process, from its start to its end.

    Args:
        function: What it runs.
        host: Where.
        variables: Makes its environment variables from the Runtime API's address.
        output: Takes what it prints.
        on_end: Called (from another thread) when it has closed its output.
        ahead: What it does before it has the code it is to run; `hand_over` gives it that.

    Attributes:
        api: Its Runtime API.
        memory: What it takes.
        started: When it was started, by ``time.monotonic()``.
        init_ms: How long it took to be ready, ``None`` until then.
        used: Whether it was given an invocation yet.

    Raises:
        ProcessStartError: It can't be started.
    """

    def __init__(
        self,
        function: Function,
        host: Host,
        variables: Callable[[str], Mapping[str, str]],
        output: Output,
        on_end: Callable[[HandlerProcess], object],
        ahead: Ahead | None = None,
    ) -> None:
        self.api = RuntimeApi()
        self._line: socket.socket | None = None
        its_line: socket.socket | None = None
        if ahead is not None:
            self._line, its_line = socket.socketpair()
        self.started = time.monotonic()
        self.init_ms: float | None = None
        self.used = False
        try:
            with output.pipe(lambda: on_end(self)) as write_end:
                self._process = start_handler(
                    function,
                    host,
                    variables(self.api.address),
                    write_end,
                    (ahead, its_line) if ahead and its_line else None,
                )
                limit = None if function.debugger else function.memory_mib * MIB
                self.memory = MemoryGauge(self._process.pid, limit)
        except BaseException:
            self.api.close()
            self._close_line()
            raise
        finally:
            if its_line is not None:
                its_line.close()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def is_ready_for_code(self, timeout: float = 0.0) -> bool:
        """Whether it has imported all that it can import ahead, within so many seconds."""
        if self._line is None:
            return False
        try:
            self._line.settimeout(timeout)
            return bool(self._line.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def hand_over(self, code: Mapping[str, Any]) -> bool:
        """Give it the code it is to run, as ``bootstrap`` reads it; false if it has ended."""
        assert self._line is not None
        self.started = time.monotonic()
        try:
            self._line.settimeout(_TAKES_ITS_CODE)
            self._line.sendall(json.dumps(code).encode())
            self._line.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return not self.exited

    def _close_line(self) -> None:
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.close()

    @property
    def exited(self) -> bool:
        """Whether it has ended."""
        return has_exited(self._process)

    def next_message(self, deadline: float, since: float) -> Message | None:
        """What the runtime says next, or ``None`` when the deadline passes before.

        Args:
            deadline: By ``time.monotonic()``.
            since: When the current phase began; memory is looked at only in longer ones.

        Raises:
            ProcessEndedError: The process is gone.
            MemoryExceededError: It is over its limit (and still runs).
        """
        while True:
            now = time.monotonic()
            if now >= deadline:
                return None
            message = self.api.receive(min(deadline - now, self.memory.rest(now - since)))
            if message is not None and not isinstance(message, Closed):
                return message
            closed = isinstance(message, Closed)
            if self.ends_within(_EXIT_AFTER_CLOSE if closed else 0):
                # What it said last may still be on the way through its other connection.
                message = self.api.receive(0)
                if message is not None and not isinstance(message, Closed):
                    return message
                raise ProcessEndedError
            if message is None:
                self.memory.look()
                if self.memory.exceeded:
                    raise MemoryExceededError

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends in this time; it closes what it has open a moment before."""
        until = time.monotonic() + seconds
        while not self.exited:
            if time.monotonic() >= until:
                return False
            time.sleep(0.001)
        return True

    def kill(self, grace: float = 0.0) -> int:
        """End it with all it started, from any thread; the exit code as ``subprocess`` has it.

        Args:
            grace: Seconds it has to end by itself after SIGTERM.
        """
        return end_tree(self._process, grace)

    def end(self, grace: float = 0.0) -> int:
        """``kill`` it, and close its Runtime API (from the thread that uses that)."""
        returncode = self.kill(grace)
        self.api.close()
        self._close_line()
        return returncode
