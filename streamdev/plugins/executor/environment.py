"""One execution environment: it runs a function's handler, one invocation at a time.

The phases and their limits are those of the developer guide's page "Understanding the Lambda
execution environment lifecycle". After a timeout, a crash or a failed init the process is ended
and the next invocation starts a new one in the same environment (same log stream and temporary
folder, fresh modules), as on AWS. One difference: where init fails, AWS runs it a second time
before it answers; here only an init that took too long is run again.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from streamdev.plugins.executor import errors
from streamdev.plugins.executor.conversation import (
    FailedError,
    MakeFailure,
    exchange,
    initialize,
    is_waiting,
)
from streamdev.plugins.executor.errors import EnvironmentStoppedError, Failure
from streamdev.plugins.executor.function import (
    Ahead,
    Function,
    Host,
    InitializationType,
    LogSettings,
    Request,
    Result,
    WriteOutput,
)
from streamdev.plugins.executor.output import Output
from streamdev.plugins.executor.process import HandlerProcess
from streamdev.plugins.executor.report import report_line
from streamdev.plugins.executor.variables import handler_variables

_STOP_GRACE = 0.5
_EXIT_AFTER_OUTPUT = 1.0


class Environment:
    """Runs one function.

    Args:
        function: What to run.
        host: Where.
        logs: Its log group and stream, and how its logger writes.
        write: Takes all output.
        initialization_type: Why it is started.
    """

    def __init__(
        self,
        function: Function,
        host: Host,
        logs: LogSettings,
        write: WriteOutput,
        initialization_type: InitializationType = "on-demand",
    ) -> None:
        self._function = function
        self._host = host
        self._logs = logs
        self._initialization_type: InitializationType = initialization_type
        self._output = Output(function.name, write)
        # Guards the four below; whoever made the environment busy may use the process.
        self._lock = threading.Lock()
        self._process: HandlerProcess | None = None
        self._busy = False
        self._stopped = False
        self._killed = False
        self._init_failure: MakeFailure | None = None
        self._temp_dir: Path | None = None
        #: Set when it has ended: nothing runs in it any more, nor will.
        self.ended = threading.Event()

    @property
    def function_name(self) -> str:
        """Its function's name."""
        return self._function.name

    @property
    def task_root(self) -> Path:
        """Where its function's package is."""
        return self._function.task_root

    def start(self) -> Failure | None:
        """Start the process and wait until its handler is loaded.

        Returns:
            ``None``, or why init failed. That failure is also the answer to the next
            invocation. An init that takes too long is no failure yet: it is run again
            within the next invocation.

        Raises:
            ProcessStartError: No process could be started.
            EnvironmentStoppedError: The environment was ended meanwhile.
        """
        self._enter()
        try:
            deadline = time.monotonic() + self._host.init_timeout
            try:
                if not initialize(self._process or self._launch(), deadline):
                    self._end_process()
            except FailedError as failed:
                self._end_failed()
                self._init_failure = failed.failure
        finally:
            self._leave()
        return self._init_failure("") if self._init_failure else None

    def invoke(self, request: Request) -> Result:
        """Run one invocation.

        Raises:
            ProcessStartError: A new process was needed and could not be started.
            EnvironmentStoppedError: The environment was ended meanwhile.
        """
        self._enter()
        try:
            return self._invoke(request)
        finally:
            self._leave()

    def count_init(self) -> None:
        """Have the next invocation be no cold start."""
        with self._lock:
            if self._process is not None:
                self._process.used = True

    def stop(self) -> None:
        """End the environment; an invocation that runs is let finish, and not waited for."""
        with self._lock:
            self._stopped = True
            if self._busy:
                return
        self._dispose(_STOP_GRACE)

    def kill(self, grace: float = 0.0) -> None:
        """End the environment now, whatever it does.

        Args:
            grace: Seconds the process has to end by itself after SIGTERM.
        """
        with self._lock:
            self._stopped = self._killed = True
            process, busy = self._process, self._busy
        if process is not None:
            process.kill(grace)
        if not busy:
            self._dispose()

    def _enter(self) -> None:
        with self._lock:
            if self._stopped:
                raise EnvironmentStoppedError(f"{self._function.name}: the environment is stopped")
            self._busy = True

    def _leave(self) -> None:
        with self._lock:
            self._busy = False
            stopped = self._stopped
        if stopped:
            self._dispose(_STOP_GRACE)

    def _dispose(self, grace: float = 0.0) -> None:
        self._end_process(grace)
        if self._temp_dir is not None:
            shutil.rmtree(self._temp_dir, ignore_errors=True)
        self.ended.set()

    def _end_process(self, grace: float = 0.0) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.end(grace)

    def _end_failed(self) -> None:
        """End a process that can't go on, unless it was killed on purpose."""
        self._end_process()
        if self._killed:
            raise EnvironmentStoppedError(f"{self._function.name}: the engine stops")

    def _launch(self, ahead: Ahead | None = None) -> HandlerProcess:
        if self._temp_dir is None:
            self._host.temp_root.mkdir(parents=True, exist_ok=True)
            prefix = f"{self._function.name}-"
            self._temp_dir = Path(tempfile.mkdtemp(prefix=prefix, dir=self._host.temp_root))
        process = HandlerProcess(
            self._function, self._host, self._variables, self._output, self._ended_idle, ahead
        )
        with self._lock:
            self._process = process
        if self._killed:
            self._end_failed()
        return process

    def _variables(self, api_address: str) -> Mapping[str, str]:
        assert self._temp_dir is not None
        return handler_variables(
            self._function,
            self._host,
            self._logs,
            api_address=api_address,
            temp_dir=self._temp_dir,
            initialization_type=self._initialization_type,
        )

    def _ended_idle(self, process: HandlerProcess) -> None:
        """The process closed its output: if it ended while idle, clear it away."""
        if not process.ends_within(_EXIT_AFTER_OUTPUT):
            return
        with self._lock:
            if self._busy or self._process is not process:
                return
            self._process = None
        process.end()

    def _invoke(self, request: Request) -> Result:
        begun = time.monotonic()
        deadline = begun + self._function.timeout
        request_id = request.request_id
        self._output.begin(request_id)
        self._output.tell(f"START RequestId: {request_id} Version: {self._function.qualifier}")
        init_ms: float | None = None
        peak = 0
        failure: Failure | None = None
        try:
            early, self._init_failure = self._init_failure, None
            if early:
                raise FailedError(early)
            process = self._ready_process(deadline)
            init_ms = None if process.used else process.init_ms
            process.used = True
            try:
                payload, is_error = exchange(process, request, begun, self._function.timeout)
            finally:
                peak = process.memory.peak
        except FailedError as failed:
            self._end_failed()
            failure = failed.failure(request_id)
            payload, is_error = failure.payload, True
        duration_ms = (time.monotonic() - begun) * 1000
        if failure and failure.status == "timeout":
            duration_ms = self._function.timeout * 1000
        self._output.tell(
            *(failure.lines if failure else ()),
            f"END RequestId: {request_id}",
            report_line(request_id, duration_ms, init_ms, self._function.memory_mib, peak, failure),
        )
        return Result(request_id, payload, is_error, self._output.take())

    def _ready_process(self, deadline: float) -> HandlerProcess:
        """The process, ready for an invocation; a new one where there is none any more."""
        process = self._process
        if process is not None:
            if is_waiting(process, deadline):
                return process
            # It ended while it was idle: nothing is lost, a new one takes over.
            self._end_failed()
        process = self._launch()
        if not initialize(process, deadline):
            raise FailedError(partial(errors.timed_out, self._function.timeout))
        return process
