"""One function that is being debugged: its process, and whose turn it is to use it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
from localstack import config
from localstack.services.lambda_.invocation.assignment import AssignmentException
from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment

from streamdev.plugins.executor.function import NO_TIMEOUT, Debugger
from streamdev.plugins.executor.port import is_listening
from streamdev.plugins.settings import PluginSettings

LEASE = 15.0
"""Seconds after which a session ends that was not renewed."""

_ADAPTER_GRACE = 2.0
_PAUSE = 0.02


@dataclass(frozen=True)
class Request:
    """What a session is asked for.

    Attributes:
        owner: Who asks; a session is renewed and ended by its owner alone.
        qualifier: The version that is started at once, e.g. ``$LATEST``.
        folder: Where ``debugpy`` can be imported from.
        source: The handler's folder as the debugger knows it.
        wait: Whether the handler is loaded only when a debugger is there.
    """

    owner: str
    function: str
    qualifier: str
    account: str
    region: str
    port: int
    folder: str
    source: str
    wait: bool


class Session:
    """One function that is being debugged."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.renew()
        self.ending = False
        self.error: str | None = None
        # Held by whoever uses the process.
        self._turn = threading.Lock()
        self._environment: Any = None
        self._revision: str | None = None

    def renew(self) -> None:
        """Go on for the length of a lease."""
        self.until = time.monotonic() + LEASE

    @property
    def state(self) -> str:
        """``starting``, ``ready`` (a debugger can attach) or ``ending``."""
        if self.ending:
            return "ending"
        return "ready" if is_listening(self.request.port) else "starting"

    @contextlib.contextmanager
    def turn(self) -> Iterator[bool]:
        """Wait until nobody else uses the process; false where the session ended meanwhile."""
        with self._turn:
            yield not self.ending

    def start(self, version: Any) -> None:
        """Have the process of ``version`` run, in place of that of another one."""
        with self.turn() as lasts:
            if lasts and version is not None:
                with contextlib.suppress(AssignmentException):
                    self.environment(version)

    def environment(self, version: Any) -> Any:
        """The environment that runs ``version``; only for whose turn it is.

        Raises:
            AssignmentException: It can't be started.
        """
        revision = version.config.internal_revision
        if self._environment is not None and self._revision == revision:
            return self._environment
        self.drop()
        self.error = None
        # With its process the debugger's adapter ends as well, when it has told its client.
        deadline = time.monotonic() + _ADAPTER_GRACE
        while is_listening(self.request.port) and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        _end_adapter(self.request.port)
        environment = ExecutionEnvironment(
            function_version=version,
            initialization_type="on-demand",
            on_timeout=lambda *_: None,
            version_manager_id=f"debug-{self.request.function}",
        )
        environment._get_startup_timeout_seconds = lambda: NO_TIMEOUT
        environment.runtime_executor.debugger = Debugger(
            host=config.GATEWAY_LISTEN[0].host,
            port=self.request.port,
            folder=self.request.folder,
            source=self.request.source,
            wait=self.request.wait,
        )
        self._environment, self._revision = environment, revision
        try:
            environment.start()
        except Exception as error:
            self._environment = self._revision = None
            self.error = f"{type(error).__name__}: {error}"
            raise AssignmentException(f"Could not start the debugger: {self.error}") from error
        failure = environment.runtime_executor.init_failure
        self.error = failure.words if failure else None
        return environment

    def drop(self) -> None:
        """End the process, if there is one; only for whose turn it is."""
        environment, self._environment = self._environment, None
        if environment is not None:
            with contextlib.suppress(Exception):
                environment.stop()

    def end(self, grace: float) -> None:
        """Let a paused invocation go on and finish, then end the process.

        Args:
            grace: Seconds the invocation may take; after that it is cut.
        """
        self.ending = True
        environment = self._environment
        # Without its adapter the debugger lets the handler run.
        _end_adapter(self.request.port)
        if environment is not None and environment.status.name == "STARTING":
            # It may wait for a debugger that will not come.
            grace = 0.0
        if not self._turn.acquire(timeout=grace):
            if environment is not None:
                environment.runtime_executor.kill()
            self._turn.acquire()
        self.drop()
        self._turn.release()


def _end_adapter(port: int) -> None:
    """End debugpy's own process, which is a daemon and listens on the port."""
    if not is_listening(port):
        return
    ours = PluginSettings.from_environ().engine_id
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if "--for-server" not in words or str(port) not in words:
                continue
            if process.environ().get("STREAMDEV_ENGINE_ID") == ours:
                process.kill()
                process.wait(_ADAPTER_GRACE)
