"""Functions that are being debugged: one process each, which waits for a debugger on a port.

While a session lasts, every invocation of its function goes to that one process, one after the
other and without a timeout. The function's other environments are left as they are, so that
ending the session puts everything back. A session that its owner does not renew ends by itself.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
from localstack import config
from localstack.services.lambda_.invocation.assignment import (
    AssignmentException,
    AssignmentService,
)
from localstack.services.lambda_.invocation.execution_environment import (
    ExecutionEnvironment,
    InvalidStatusException,
)
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.invocation.runtime_executor import get_runtime_executor
from localstack.utils.patch import patch

from streamdev.plugins.executor.function import NO_TIMEOUT, Debugger
from streamdev.plugins.executor.port import is_listening

LOG = logging.getLogger(__name__)

LEASE = 15.0
"""Seconds after which a session ends that was not renewed."""

_LOOK_EVERY = 0.5


class DebuggingError(Exception):
    """A session can't be had; the message says why."""


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


_lock = threading.Lock()
_sessions: dict[str, Session] = {}
_watcher: threading.Thread | None = None


def install() -> None:
    """Send invocations of debugged functions their way; to be called once."""
    patch(AssignmentService.get_environment)(_get_environment)


def find(function: str) -> Session | None:
    """The session that takes the function's invocations."""
    with _lock:
        session = _sessions.get(function)
    return None if session is None or session.ending else session


def states() -> list[dict[str, Any]]:
    """Every session, also those that are ending."""
    with _lock:
        sessions = list(_sessions.values())
    return [
        {
            "function": session.request.function,
            "owner": session.request.owner,
            "port": session.request.port,
            "state": session.state,
            "error": session.error,
        }
        for session in sessions
    ]


def open_session(request: Request) -> None:
    """Begin a session, or renew the owner's.

    Raises:
        DebuggingError: Somebody else debugs the function, or it can't be debugged here.
    """
    global _watcher
    version = _version(request)
    with _lock:
        session = _sessions.get(request.function)
        if session is not None and not session.ending and session.request == request:
            session.renew()
            return
        if session is not None:
            raise DebuggingError(
                f"{request.function} is being debugged already, on port {session.request.port}."
            )
        if is_listening(request.port):
            raise DebuggingError(f"Port {request.port} is taken in the engine.")
        session = _sessions[request.function] = Session(request)
        if _watcher is None:
            _watcher = threading.Thread(target=_watch, name="debug-sessions", daemon=True)
            _watcher.start()
    threading.Thread(target=session.start, args=(version,), daemon=True).start()


def close_session(function: str, owner: str) -> None:
    """Begin to end the owner's session; `states` tells when it is gone."""
    with _lock:
        session = _sessions.get(function)
    if session is not None and session.request.owner == owner:
        session.until = 0.0


def updated(version: Any) -> None:
    """Take over new code of a function that is being debugged."""
    session = find(version.id.function_name)
    if session is not None and session.request.qualifier == version.id.qualifier:
        threading.Thread(target=session.start, args=(version,), daemon=True).start()


def _version(request: Request) -> Any:
    if not hasattr(get_runtime_executor(), "debugger"):
        raise DebuggingError("Handlers run in containers of their own here.")
    functions = lambda_stores[request.account][request.region].functions
    function = functions.get(request.function)
    version = function.versions.get(request.qualifier) if function else None
    if version is None:
        raise DebuggingError(f"There is no function {request.function} in the engine.")
    return version


def _watch() -> None:
    while True:
        time.sleep(_LOOK_EVERY)
        with _lock:
            over = [one for one in _sessions.values() if one.until < time.monotonic()]
        for session in over:
            if not session.ending:
                session.ending = True
                threading.Thread(target=_end, args=(session,), daemon=True).start()


def _end(session: Session) -> None:
    try:
        version = _version(session.request)
        session.end(float(version.config.timeout))
    except DebuggingError:
        session.end(0.0)
    finally:
        with _lock:
            del _sessions[session.request.function]


@contextlib.contextmanager
def _get_environment(
    fn: Any, self: Any, version_manager_id: str, function_version: Any, provisioning_type: Any
) -> Iterator[Any]:
    """The environment for an invocation: the session's, where there is one."""
    session = find(function_version.id.function_name)
    if session is not None:
        with session.turn() as lasts:
            if lasts:
                environment = session.environment(function_version)
                environment.reserve()
                try:
                    yield environment
                except BaseException:
                    session.drop()
                    raise
                with contextlib.suppress(InvalidStatusException):
                    environment.release()
                environment.keepalive_timer.cancel()
                return
    with fn(self, version_manager_id, function_version, provisioning_type) as environment:
        yield environment


def _end_adapter(port: int) -> None:
    """End debugpy's own process, which is a daemon and listens on the port."""
    if not is_listening(port):
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if "--for-server" in words and str(port) in words and "debugpy" in " ".join(words):
                process.kill()
