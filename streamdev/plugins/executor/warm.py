"""Functions whose updates start warm: the new code is loaded before the old one is retired.

AWS starts an environment of updated code with the next invocation. Whoever edits a handler
(``./dev.py watch``) wants to see the edit at once, so for a function that was announced here the
first environment is started as a part of the update. If its init fails, the update fails, and the
function is what it was before: "If the update fails, ... invocations continue to use the
function's previous code and configuration" (developer guide, "Lambda function states").
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from pathlib import Path
from typing import Any

from localstack.aws.api.lambda_ import LastUpdateStatus, State, StateReasonCode
from localstack.services.lambda_.invocation import lambda_service
from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localstack.services.lambda_.invocation.lambda_models import UpdateStatus, VersionState
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.invocation.version_manager import LambdaVersionManager
from localstack.utils.patch import patch

from streamdev.plugins.executor import debugging, registry
from streamdev.plugins.executor.spares import Contents

LOG = logging.getLogger(__name__)

ANNOUNCED_FOR = 60.0
"""Seconds within which the announced update has to come."""

_lock = threading.Lock()
_announced: dict[str, tuple[float, Contents]] = {}


def announce(function: str, contents: Contents) -> None:
    """Updates of the function called ``function`` that come now are to start warm.

    Args:
        function: Its name.
        contents: Of the package that it will have, which a process that waits may run.
    """
    with _lock:
        _announced[function] = time.monotonic() + ANNOUNCED_FOR, contents


def install() -> None:
    """Change how LocalStack updates a function; to be called once."""
    patch(LambdaVersionManager.start)(_start)
    patch(LambdaService.update_version_state)(_update_version_state)
    patch(lambda_service.destroy_code_if_not_used)(_destroy_code)


def _is_announced(function: str) -> bool:
    with _lock:
        return function in _announced and _announced[function][0] > time.monotonic()


def _contents(version: Any) -> Contents | None:
    """What was announced for just this code."""
    with _lock:
        contents = _announced[version.id.function_name][1]
    code = version.config.code
    return contents if code is not None and code.code_sha256 == contents.sha256 else None


def _start(fn: Any, self: Any) -> Any:
    """Prepare a version; of an announced function start its first environment as well."""
    state = fn(self)
    name = self.function_version.id.function_name
    # The debugger's port can have one process only: there the old one has to go first.
    if state.state != State.Active or not _is_announced(name) or debugging.find(name):
        return state
    if failure := _warm(self):
        state = VersionState(State.Failed, code=StateReasonCode.FunctionError, reason=failure)
        self.state = state
    return state


def _warm(manager: Any) -> str | None:
    """Start an environment, ready for the next invocation; return why its init failed."""
    environment = ExecutionEnvironment(
        function_version=manager.function_version,
        initialization_type="on-demand",
        on_timeout=manager.assignment_service.on_timeout,
        version_manager_id=manager.id,
    )
    environment.runtime_executor.contents = _contents(manager.function_version)
    try:
        environment.start()
    except Exception as error:
        # The next invocation tries again, and is told.
        LOG.warning("%s was not warmed: %s", manager.function_arn, error)
        return None
    executor = environment.runtime_executor
    if executor.init_failure is not None:
        environment.stop()
        return str(executor.init_failure.words)
    executor.count_init()
    manager.assignment_service.environments[manager.id][environment.id] = environment
    # As after an invocation: from now on it is kept for as long as an idle one.
    environment.reserve()
    environment.release()
    return None


def _update_version_state(fn: Any, self: Any, function_version: Any, new_state: Any) -> None:
    """Take an update back whose init failed; LocalStack would call the whole function failed."""
    arn = function_version.qualified_arn
    old = self.lambda_running_versions.get(arn)
    if new_state.code != StateReasonCode.FunctionError or old is None:
        fn(self, function_version=function_version, new_state=new_state)
        debugging.updated(function_version)
        return
    identity = function_version.id
    function = lambda_stores[identity.account][identity.region].functions.get(
        identity.function_name
    )
    with self.lambda_version_manager_lock:
        self.task_executor.submit(self.lambda_starting_versions.pop(arn).stop)
    if function is None:
        return
    before = old.function_version
    update = UpdateStatus(LastUpdateStatus.Failed, new_state.code, new_state.reason)
    function.versions[identity.qualifier] = dataclasses.replace(
        before, config=dataclasses.replace(before.config, state=old.state, last_update=update)
    )
    self.task_executor.submit(
        lambda_service.destroy_code_if_not_used, function_version.config.code, function
    )


def _destroy_code(fn: Any, code: Any, function: Any) -> None:
    """Remove code when the last invocation of it has ended: it may still read its files."""
    folder = Path(code.get_unzipped_code_location())
    if not registry.users(folder):
        fn(code, function)
        return

    def wait_and_destroy() -> None:
        for environment in registry.users(folder):
            environment.ended.wait()
        fn(code, function)

    threading.Thread(target=wait_and_destroy, name="retired-code", daemon=True).start()
