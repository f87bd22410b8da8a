"""Processes that wait for the next version of a function: one for each function that is watched.

Most of what a handler takes to load are libraries, and most edits don't change them. While
somebody watches a function (``./dev.py watch``), a process has imported them already
(``waiting``). It is used for a version whose package has the same libraries, byte for byte, and
is deployed with the same settings; for any other a process is started as ever. A spare that is
not asked for again for a while is ended.

What a package holds is told by whoever made it. It is known by the package's hash, so it can't
be mistaken for another one that was deployed meanwhile.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from dataclasses import dataclass, replace
from typing import Any

from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.invocation.runtime_executor import get_runtime_executor

from streamdev.plugins import log
from streamdev.plugins.executor import debugging, from_localstack, registry
from streamdev.plugins.executor.errors import EnvironmentStoppedError, ProcessStartError
from streamdev.plugins.executor.function import Function, Host, LogSettings
from streamdev.plugins.executor.waiting import WaitingEnvironment

LOG = logging.getLogger(__name__)

LEASE = 15.0
"""Seconds after which a spare ends that nobody asked for."""

_LOOK_EVERY = 0.5
_LATEST = "$LATEST"


@dataclass(frozen=True)
class Contents:
    """What a package holds.

    Attributes:
        sha256: Of its zip, as AWS shows it.
        own: The top-level names of the function's own modules.
        required: A hash of all that is not the function's own.
    """

    sha256: str
    own: tuple[str, ...]
    required: str

    @classmethod
    def from_json(cls, told: Any) -> Contents:
        """As the command line tells it.

        Raises:
            ValueError: That is something else.
        """
        try:
            return cls(str(told["sha256"]), tuple(map(str, told["own"])), str(told["required"]))
        except (TypeError, KeyError) as error:
            raise ValueError(f"No contents of a package: {told!r:.200}") from error


@dataclass(frozen=True)
class _Kind:
    """What a spare is good for; the folder of the code and the log stream may be others."""

    function: Function
    host: Host
    logs: LogSettings
    own: tuple[str, ...]
    required: str

    @classmethod
    def of(cls, function: Function, host: Host, logs: LogSettings, contents: Contents) -> _Kind:
        anywhere = replace(function, task_root=host.temp_root)
        return cls(anywhere, host, replace(logs, stream=""), contents.own, contents.required)


@dataclass
class _Spare:
    kind: _Kind
    environment: WaitingEnvironment
    until: float = 0.0

    @property
    def state(self) -> str:
        if not self.environment.lives:
            # It met something that has to be imported with the code, and so would another one.
            return "ended"
        return "ready" if self.environment.is_ready else "starting"


_lock = threading.Lock()
_spares: dict[str, _Spare] = {}
_watcher: threading.Thread | None = None


def states() -> list[dict[str, Any]]:
    """Every spare: ``function``, ``state`` (``starting``, ``ready``, ``ended``) and ``pid``."""
    with _lock:
        spares = dict(_spares)
    return [
        {"function": name, "state": spare.state, "pid": spare.environment.pid}
        for name, spare in spares.items()
    ]


def keep(name: str, account: str, region: str, contents: Contents) -> None:
    """Have a spare for the function called ``name`` for as long as a lease, where there can be one.

    Args:
        name: The function.
        account: Whose it is.
        region: Where it is.
        contents: Of its package; where another one is deployed, there is no spare.
    """
    global _watcher
    function = lambda_stores[account][region].functions.get(name)
    version = function.versions.get(_LATEST) if function else None
    if (
        version is None
        or version.config.code is None
        or version.config.code.code_sha256 != contents.sha256
        or not hasattr(get_runtime_executor(), "contents")
        or debugging.find(name)
        # These would be taken for the standard library's, which may be loaded before.
        or not sys.stdlib_module_names.isdisjoint(contents.own)
    ):
        return
    latest, host = from_localstack.function_of(version), from_localstack.host()
    kind = _Kind.of(latest, host, _logs_of(version), contents)
    with _lock:
        spare = _spares.get(name)
        if spare is None or spare.kind != kind:
            if spare is not None:
                spare.environment.kill()
                del _spares[name]
            spare = _start(latest, kind)
            if spare is None:
                return
            _spares[name] = spare
        spare.until = time.monotonic() + LEASE
        if _watcher is None:
            _watcher = threading.Thread(target=_watch, name="spare-handlers", daemon=True)
            _watcher.start()


def take(
    function: Function, host: Host, logs: LogSettings, contents: Contents
) -> WaitingEnvironment | None:
    """A spare that is to run this version now, or ``None`` where there is none for it."""
    with _lock:
        spare = _spares.pop(function.name, None)
    if spare is None:
        return None
    fits = spare.kind == _Kind.of(function, host, logs, contents)
    if fits and spare.environment.take_over(function, logs):
        return spare.environment
    spare.environment.kill()
    return None


def _start(latest: Function, kind: _Kind) -> _Spare | None:
    if not latest.task_root.is_dir():
        return None
    try:
        environment = WaitingEnvironment(latest, kind.host, kind.logs, log.output, kind.own)
        registry.add(environment)
    except (ProcessStartError, EnvironmentStoppedError, OSError) as error:
        LOG.warning("No process waits for %s: %s", latest.name, error)
        return None
    return _Spare(kind, environment)


def _logs_of(version: Any) -> LogSettings:
    """How an environment of the version logs, asked of one that is never started."""
    environment = ExecutionEnvironment(
        function_version=version,
        initialization_type="on-demand",
        on_timeout=lambda *_: None,
        version_manager_id="spare",
    )
    return from_localstack.log_settings(environment.get_environment_variables())


def _watch() -> None:
    global _watcher
    more = True
    while more:
        time.sleep(_LOOK_EVERY)
        with _lock:
            now = time.monotonic()
            over = [name for name, spare in _spares.items() if spare.until < now]
            ended = [_spares.pop(name) for name in over]
            more = bool(_spares)
            if not more:
                _watcher = None
        for spare in ended:
            spare.environment.kill()
