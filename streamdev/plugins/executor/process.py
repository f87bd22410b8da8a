"""A handler's process with its Runtime API and its memory gauge: what it does next, or why not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from streamdev.plugins.executor.function import Function, Host
from streamdev.plugins.executor.limits import MIB, MemoryGauge, end_tree, has_exited
from streamdev.plugins.executor.output import Output
from streamdev.plugins.executor.runtime_api import Closed, Message, RuntimeApi
from streamdev.plugins.executor.spawn import start_handler

_EXIT_AFTER_CLOSE = 0.05


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
    ) -> None:
        self.api = RuntimeApi()
        self.started = time.monotonic()
        self.init_ms: float | None = None
        self.used = False
        try:
            with output.pipe(lambda: on_end(self)) as write_end:
                self._process = start_handler(
                    function, host, variables(self.api.address), write_end
                )
                limit = None if function.debugger else function.memory_mib * MIB
                self.memory = MemoryGauge(self._process.pid, limit)
        except BaseException:
            self.api.close()
            raise

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
        return returncode
