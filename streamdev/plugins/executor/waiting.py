"""An execution environment whose process is started before the code it is to run is there."""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from streamdev.plugins.executor.environment import Environment
from streamdev.plugins.executor.function import Ahead, Function, Host, LogSettings, WriteOutput
from streamdev.plugins.executor.imports import Import, leading_imports
from streamdev.plugins.executor.spawn import search_path


class WaitingEnvironment(Environment):
    """Imports what the next version of a function will import first, and waits for that version.

    What it imports lies in the version before, and later in the new one: it finds it by a link
    that is pointed at the one and then at the other. What it prints meanwhile is held back, as it
    belongs to the init of the version.

    Args:
        function: The version before.
        host: Where.
        logs: The log group, and how its logger writes; the stream is the new version's.
        write: Takes all output.
        own: The top-level names of the function's own modules.

    Raises:
        ProcessStartError: No process could be started.
    """

    def __init__(
        self,
        function: Function,
        host: Host,
        logs: LogSettings,
        write: WriteOutput,
        own: tuple[str, ...],
    ) -> None:
        self._ahead = Ahead(_imports(function, own), own)
        self._pass_on = write
        self._held: list[tuple[str, str | None, bytes]] | None = []
        self._holding = threading.Lock()
        host.temp_root.mkdir(parents=True, exist_ok=True)
        # Named as LocalStack names the folders of code, so that stack traces are told as AWS's.
        scratch = tempfile.mkdtemp(prefix="awslambda-", suffix="-tasks", dir=host.temp_root)
        self._link = Path(scratch) / function.name / "code"
        self._link.parent.mkdir()
        self._link.symlink_to(function.task_root)
        linked = replace(function, task_root=self._link)
        super().__init__(linked, host, logs, self._write_or_hold)
        try:
            self._launch(self._ahead)
        except BaseException:
            self._dispose()
            raise

    @property
    def lives(self) -> bool:
        """Whether its process has not ended."""
        with self._lock:
            return self._process is not None and not self._process.exited

    @property
    def is_ready(self) -> bool:
        """Whether it has imported all that it can."""
        with self._lock:
            return self._process is not None and self._process.is_ready_for_code()

    @property
    def pid(self) -> int | None:
        """Its process."""
        with self._lock:
            return self._process.pid if self._process else None

    def take_over(self, function: Function, logs: LogSettings) -> bool:
        """Have it run this version, that `start` then starts; false if it can't any more."""
        process, done = self._process, self._ahead.imports
        if _imports(function, self._ahead.own)[: len(done)] != done:
            # It would import something else, or in another order, or do something before.
            return False
        if process is None or not process.is_ready_for_code(self._host.init_timeout):
            return False
        before, path_before = self._variables(process.api.address), self._search_path()
        scratch = self._link.with_name("next")
        scratch.symlink_to(function.task_root)
        scratch.replace(self._link)
        self._function, self._logs = function, logs
        after, path_after = self._variables(process.api.address), self._search_path()
        with self._holding:
            held, self._held = self._held or [], None
            for one in held:
                self._pass_on(*one)
        return process.hand_over(
            {
                "variables": {k: v for k, v in after.items() if before.get(k) != v},
                "folder": str(function.task_root),
                "search": dict(zip(path_before, path_after, strict=True)),
            }
        )

    def _search_path(self) -> list[str]:
        return search_path(self._function, self._host)

    def _write_or_hold(self, function: str, request_id: str | None, data: bytes) -> None:
        with self._holding:
            if self._held is not None:
                self._held.append((function, request_id, data))
                return
        self._pass_on(function, request_id, data)

    def _dispose(self, grace: float = 0.0) -> None:
        super()._dispose(grace)
        shutil.rmtree(self._link.parents[1], ignore_errors=True)


def _imports(function: Function, own: tuple[str, ...]) -> tuple[Import, ...]:
    return tuple(leading_imports(function.task_root, function.handler, own))
