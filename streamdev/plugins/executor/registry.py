"""All execution environments of this LocalStack process, so that none outlives it."""

from __future__ import annotations

import threading
from pathlib import Path
from weakref import WeakSet

from streamdev.plugins.executor.environment import Environment
from streamdev.plugins.executor.errors import EnvironmentStoppedError

_GRACE = 0.5

_lock = threading.Lock()
# Weak: one that LocalStack has let go of, and in which nothing runs any more, is gone.
_environments: WeakSet[Environment] = WeakSet()
_ending = False


def add(environment: Environment) -> None:
    """Take in an environment that is about to be started.

    Raises:
        EnvironmentStoppedError: The engine stops.
    """
    with _lock:
        if _ending:
            raise EnvironmentStoppedError("the engine stops")
        _environments.add(environment)


def users(task_root: Path) -> list[Environment]:
    """The environments that run the code in this folder."""
    with _lock:
        return [
            environment
            for environment in _environments
            if environment.task_root == task_root and not environment.ended.is_set()
        ]


def end_all() -> None:
    """End all environments, side by side, whatever they do; none can be added after."""
    global _ending
    with _lock:
        _ending = True
        environments = list(_environments)
        _environments.clear()
    threads = [
        threading.Thread(target=environment.kill, args=(_GRACE,)) for environment in environments
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
