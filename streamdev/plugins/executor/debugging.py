"""Functions that are being debugged: one process each, which waits for a debugger on a port.

While a session lasts, every invocation of its function goes to that one process, one after the
other and without a timeout. The function's other environments are left as they are, so that
ending the session puts everything back. A session that its owner does not renew ends by itself.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from localstack.services.lambda_.invocation.assignment import (
    AssignmentService,
)
from localstack.services.lambda_.invocation.execution_environment import (
    InvalidStatusException,
)
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.invocation.runtime_executor import get_runtime_executor
from localstack.utils.patch import patch

from streamdev.plugins.executor.debug_session import Request, Session
from streamdev.plugins.executor.port import is_listening

_LOOK_EVERY = 0.5


class DebuggingError(Exception):
    """A session can't be had; the message says why."""


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
