"""LocalStack as a background process of this machine, with DynamoDB Local beside it."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from streamdev.aws.names import DEFAULT_REGION
from streamdev.engine import folders, logfile, ports, processes, readiness
from streamdev.engine.base import DEFAULT_PORT, HOST, EngineInfo, EngineName, Progress
from streamdev.engine.lock import engine_lock
from streamdev.engine.record import (
    EngineRecord,
    checkout_mark,
    forget_record,
    new_engine_id,
    read_record,
)
from streamdev.engine.variables import HostParts, host_variables
from streamdev.errors import EngineNotRunningError, EngineStartError, StreamdevError
from streamdev.paths import StateDir

START_TIMEOUT_S = 120.0
# What a batch in flight is given to finish when the engine is stopped.
STOP_PATIENCE_S = 20.0


@dataclass
class HostEngine:
    """The host engine of one checkout.

    Attributes:
        state: The checkout's state folder.
        port: Where to listen; ``None`` for the port of a crashed engine, else 4566.
        region: The engine's region.
        environ: The user's environment.
        start_timeout: Seconds a start may take after everything was fetched.
    """

    state: StateDir
    port: int | None = None
    region: str = DEFAULT_REGION
    environ: Mapping[str, str] = field(default_factory=dict)
    start_timeout: float = START_TIMEOUT_S
    name: EngineName = "host"

    def start(self, progress: Progress) -> EngineInfo:
        """Start LocalStack and DynamoDB Local, or do nothing if they run.

        Safe to call from several processes at once, and to interrupt: what was begun is
        ended then. Data of an engine that crashed, or was stopped with ``keep``, is gone on
        with.

        Raises:
            EngineStartError: It did not come up, or its port is taken.
        """
        with engine_lock(self.state, progress):
            record = read_record(self.state.engine_record)
            if record is not None and (process := self._process(record)) is not None:
                self._refuse_other_port(record)
                if (info := self._join(record, process, progress)) is not None:
                    return info
            self._clear_leftovers(progress)
            port = self.port or (record.port if record else DEFAULT_PORT)
            ports.require_free(port)
            return self._start_new(port, progress)

    def stop(self, *, keep: bool) -> bool:
        """End LocalStack, DynamoDB Local and all handlers; wipe the data unless ``keep``.

        Raises:
            StreamdevError: A process could not be ended.
        """
        with engine_lock(self.state):
            record = read_record(self.state.engine_record)
            main = self._process(record) if record else None
            ran = main is not None or bool(self._leftovers())
            self._end(main, patience=STOP_PATIENCE_S)
            forget_record(self.state.engine_record)
            if not keep:
                folders.wipe(self.state)
            return ran

    def running(self) -> EngineInfo | None:
        """The engine as its record tells, if its process lives (no request is made).

        Raises:
            EngineNotRunningError: It died, or it is still starting.
        """
        record = read_record(self.state.engine_record)
        if record is None or record.engine != self.name:
            return None
        if record.pid is None:
            raise EngineNotRunningError(
                f"The engine on port {record.port} is being started, or its start was cut off.",
                hint="Wait for it, or start it: ./dev.py up",
            )
        if self._process(record) is None:
            raise EngineNotRunningError(
                f"The engine ({_identity(record)}) is gone without having been stopped. "
                f"{self.recent_output()}",
                hint="Go on with its data: ./dev.py up    Or clean up: ./dev.py down",
            )
        if not record.ready:
            raise EngineNotRunningError(
                f"The engine ({_identity(record)}) is still starting.",
                hint="Wait for it: ./dev.py up",
            )
        return _info(record)

    def read_log(
        self, *, since: datetime | None, follow: bool, stop: threading.Event
    ) -> Iterator[str]:
        """Lines of ``.streamdev/engine.log`` and its rotated files, oldest first."""
        record = read_record(self.state.engine_record)
        if record is not None and since is not None and since <= record.started:
            since = None

        def alive() -> bool:
            return record is not None and self._process(record) is not None

        return logfile.read_lines(
            self.state.log, since=since, follow=follow, stop=stop, alive=alive
        )

    def debugger(self, progress: Progress) -> str:
        """The folder that ``debugpy`` is in."""
        from streamdev.engine.environment import debugger_folder

        return str(debugger_folder(progress))

    def recent_output(self) -> str:
        """The last lines of the log, as the end of an error message."""
        lines = logfile.tail(self.state.log)
        if not lines:
            return "Its log is empty."
        return "\n".join(["The last lines of its log:", *(f"  {line}" for line in lines)])

    # -- starting ------------------------------------------------------------------------

    def _join(
        self, record: EngineRecord, process: psutil.Process, progress: Progress
    ) -> EngineInfo | None:
        """The living engine once it is ready; ``None`` when it has to be replaced."""
        if record.ready:
            health = readiness.probe(record.endpoint_url)
            if health.ready:
                return _info(record)
        progress.step("Waiting for the engine that was started before")
        try:
            health = self._wait(
                record.endpoint_url,
                lambda: None if processes.is_alive(process) else "it was killed",
                progress,
            )
        except EngineStartError as error:
            progress.note(f"The engine that was running is replaced: {error.message}")
            self._end(process, patience=STOP_PATIENCE_S)
            return None
        return self._ready(record, health)

    def _start_new(self, port: int, progress: Progress) -> EngineInfo:
        from streamdev.engine.dynamodb_local import fetch_dynamodb_local, find_java
        from streamdev.engine.environment import engine_environment, handler_runtime
        from streamdev.engine.java_archive import java_classes
        from streamdev.engine.service_index import service_index

        environment = engine_environment(progress)
        index = service_index(environment, progress)
        dynamodb = fetch_dynamodb_local(progress)
        java = find_java(progress)
        parts = HostParts(
            runtime_dir=handler_runtime(progress),
            runtime_python=environment.base_python,
            dynamodb_dir=dynamodb.jar_dir,
            java_home=java,
            java_classes=java_classes(dynamodb.jar_dir, java, progress) if java else None,
        )
        progress.step("Starting LocalStack and DynamoDB Local")
        folders.prepare(self.state, index)
        record = EngineRecord(
            engine=self.name,
            engine_id=new_engine_id(self.state.root),
            endpoint_url=f"http://{HOST}:{port}",
            port=port,
            started_at=datetime.now(UTC).isoformat(),
            version=environment.localstack_version,
            debug_port=ports.debug_port(port),
            detail={
                "python": f"{environment.python_version} ({environment.base_python})",
                "java": str(parts.java_home or "LocalStack's own"),
                "database": f"{self.state.database} (DynamoDB Local {dynamodb.build})",
                "log": str(self.state.log),
            },
        )
        try:
            # Written first: should this process be killed now, the mark is already known.
            record.write(self.state.engine_record)
            child = self._launch(environment.python, record, parts, port)
            created = psutil.Process(child.pid).create_time()
            record = replace(record, pid=child.pid, pid_created=created)
            record.write(self.state.engine_record)
            health = self._wait(record.endpoint_url, lambda: _how_ended(child), progress)
            return self._ready(record, health)
        except BaseException:
            # Also Ctrl-C: nothing half-made stays. A second Ctrl-C waits until this is done.
            with processes.no_interrupts():
                self._end(None, patience=0)
                forget_record(self.state.engine_record)
            raise

    def _launch(
        self, python: Path, record: EngineRecord, parts: HostParts, port: int
    ) -> subprocess.Popen[bytes]:
        # -P: the working directory is no place to import from.
        return processes.launch(
            [str(python), "-P", "-m", "localstack.runtime.main"],
            environ=host_variables(
                self.state,
                parts,
                port=port,
                engine_id=record.engine_id,
                region=self.region,
                environ=self.environ,
            ),
            cwd=self.state.localstack,
            log=self.state.log,
        )

    def _wait(
        self, endpoint_url: str, alive: readiness.Alive, progress: Progress
    ) -> readiness.Health:
        return readiness.wait_until_ready(
            lambda: readiness.probe(endpoint_url),
            alive=alive,
            recent_output=self.recent_output,
            timeout=self.start_timeout,
            progress=progress,
        )

    def _ready(self, record: EngineRecord, health: readiness.Health) -> EngineInfo:
        record = replace(record, ready=True, version=health.version or record.version)
        record.write(self.state.engine_record)
        return _info(record)

    def _refuse_other_port(self, record: EngineRecord) -> None:
        if self.port is not None and self.port != record.port:
            raise EngineStartError(
                f"The engine of this checkout runs already, on port {record.port}.",
                hint=f"Stop it first: ./dev.py down --keep, then ./dev.py up --port {self.port}",
            )

    # -- ending --------------------------------------------------------------------------

    def _process(self, record: EngineRecord) -> psutil.Process | None:
        if record.pid is None:
            return None
        return processes.find_process(record.pid, record.pid_created, record.engine_id)

    def _leftovers(self) -> list[psutil.Process]:
        return processes.marked(checkout_mark(self.state.root))

    def _clear_leftovers(self, progress: Progress) -> None:
        if leftovers := self._leftovers():
            names = ", ".join(processes.describe(process) for process in leftovers)
            progress.note(f"Ending what an engine that died left behind: {names}")
            self._end(None, patience=0)

    def _end(self, main: psutil.Process | None, *, patience: float) -> None:
        remaining = processes.end(main, checkout_mark(self.state.root), patience=patience)
        if remaining:
            names = ", ".join(processes.describe(process) for process in remaining)
            raise StreamdevError(
                f"These processes of the engine could not be ended: {names}.",
                hint="They may hang in the system; see what they wait for: ps -o pid,stat,wchan",
            )


def _info(record: EngineRecord) -> EngineInfo:
    return EngineInfo(
        name=record.engine,
        endpoint_url=record.endpoint_url,
        version=record.version,
        started_at=record.started,
        has_plugins=True,
        detail={"pid": str(record.pid)} | record.detail,
        debug_port=record.debug_port,
    )


def _identity(record: EngineRecord) -> str:
    local = record.started.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return f"pid {record.pid}, started {local}, port {record.port}"


def _how_ended(child: subprocess.Popen[bytes]) -> str | None:
    code = child.poll()
    if code is None:
        return None
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
