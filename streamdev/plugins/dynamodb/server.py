"""DynamoDB Local as LocalStack's database: the one server both of its providers use."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from localstack import config
from localstack.constants import DEFAULT_AWS_ACCOUNT_ID
from localstack.services.dynamodb.packages import DynamoDBLocalPackageInstaller
from localstack.services.dynamodb.server import DynamodbServer

from streamdev.plugins.dynamodb.client import (
    DynamoDbApiError,
    DynamoDbClient,
    DynamoDbUnavailableError,
    namespace_of,
)
from streamdev.plugins.dynamodb.files import DatabaseFiles
from streamdev.plugins.dynamodb.process import DatabaseProcess
from streamdev.plugins.settings import PluginSettings

LOG = logging.getLogger(__name__)

START_TIMEOUT = 60.0
# For a short life on a small machine: without the optimizing compiler the start takes less than
# half of the processor time, a write right after it a third, and 10,000 writes two thirds.
JVM_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
# A namespace of its own would be a file of its own on disk.
_PROBE_REGION = "us-east-1"
_PROBE_NAMESPACE = namespace_of(DEFAULT_AWS_ACCOUNT_ID, _PROBE_REGION)
STATE_STARTING, STATE_RUNNING, STATE_FAILED = "starting", "running", "failed"


class Database(DynamodbServer):  # type: ignore[misc]
    """LocalStack's ``DynamodbServer`` with our process, place of files and readiness check.

    Args:
        settings: Where DynamoDB Local, Java and the database are; where unset, LocalStack's own
            installation (the official image brings one) and its own choice of a folder.
    """

    def __init__(self, settings: PluginSettings) -> None:
        folder = str(settings.database_dir) if settings.database_dir else None
        super().__init__(config.DYNAMODB_LOCAL_PORT, host="127.0.0.1", db_path=folder)
        self.settings = settings
        self.files = DatabaseFiles(Path(self.db_path) if self.db_path else None)
        self.client = DynamoDbClient(self.host, self.port)
        self.failure: str | None = None
        self.prepared = False
        self._start_lock = threading.RLock()

    def start_in_background(self) -> None:
        """Start it beside LocalStack; failures are told by ``state``."""
        threading.Thread(
            target=self._start_and_report, name="streamdev-dynamodb-start", daemon=True
        ).start()

    def _start_and_report(self) -> None:
        try:
            self.start_dynamodb()
        except Exception as error:
            # The plugin must not take LocalStack down: other services may be all one needs.
            LOG.exception("DynamoDB Local did not start")
            self.failure = str(error)

    def start_dynamodb(self) -> bool:
        """Start it unless it runs, and wait until it answers.

        Raises:
            DynamoDbUnavailableError: It ended or did not answer in time.
            UnreadableDatabaseError: What it would work on is damaged.
        """
        with self._start_lock:
            if self.is_running():
                self.wait_for_dynamodb()
                return True
            self._started.clear()
            self._stopped.clear()
            if self.db_path:
                Path(self.db_path).mkdir(parents=True, exist_ok=True)
            self.failure = None
            self.files.prepare_all()
            started = bool(self.start())
            self.wait_for_dynamodb()
            # The first call has made the file.
            self.files.prepare(_PROBE_NAMESPACE, _PROBE_REGION)
            self.prepared = True
            return started

    def stop_dynamodb(self) -> None:
        """End it."""
        with self._start_lock:
            if self._thread is not None and not self._stopped.is_set():
                self.client.close()
                self.shutdown()

    def wait_for_dynamodb(self) -> None:
        """Wait until it answers.

        Raises:
            DynamoDbUnavailableError: It ended or did not answer in time.
        """
        deadline = time.monotonic() + START_TIMEOUT
        while not self.answers():
            process: DatabaseProcess | None = self._thread
            if process is None or process.failed or not process.running:
                why = process.failed if process else None
                raise DynamoDbUnavailableError(why or "DynamoDB Local is stopped")
            if time.monotonic() > deadline:
                raise DynamoDbUnavailableError(
                    f"DynamoDB Local did not answer within {START_TIMEOUT:.0f} s"
                )
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it answers a call."""
        try:
            self.client.call(
                "DynamoDB_20120810.ListTables", {"Limit": 1}, _PROBE_NAMESPACE, "us-east-1"
            )
        except (DynamoDbUnavailableError, DynamoDbApiError):
            return False
        return True

    @property
    def state(self) -> tuple[str, str | None]:
        """``starting``, ``running`` or ``failed``, and why."""
        process: DatabaseProcess | None = self._thread
        if failed := self.failure or (process.failed if process else None):
            return STATE_FAILED, failed
        if process is None or not self.prepared or not self.answers():
            return STATE_STARTING, None
        return STATE_RUNNING, f"port {self.port}, {self.db_path or 'in memory'}"

    def do_start_thread(self) -> DatabaseProcess:
        """LocalStack's hook: start the process."""
        installer = DynamoDBLocalPackageInstaller()
        if self.settings.dynamodb_dir is None:
            installer.install()
        environ = {**self._java_environ(installer), "DDB_LOCAL_TELEMETRY": "0"}
        process = DatabaseProcess(self._create_shell_command(), environ)
        process.start()
        return process

    def _java_environ(self, installer: Any) -> dict[str, str]:
        home = self.settings.java_home
        if home is None:
            return {} if self.settings.dynamodb_dir else dict(installer.get_java_env_vars())
        path = os.pathsep.join((str(home / "bin"), os.environ.get("PATH", "")))
        return {"JAVA_HOME": str(home), "PATH": path}

    def _create_shell_command(self) -> list[str]:
        folder = self.settings.dynamodb_dir
        if folder is None:
            command: list[str] = super()._create_shell_command()
            return command
        home = self.settings.java_home
        beside = (str(Path(__file__).parent), str(folder / "DynamoDBLocal.jar"))
        archive = self.settings.java_archive
        command = [
            str(home / "bin" / "java") if home else "java",
            *self._get_java_vm_options(),
            *JVM_OPTIONS,
            # One that does not fit is left alone.
            *([f"-XX:SharedArchiveFile={archive}"] if archive else []),
            f"-Xmx{self.heap_size}",
            f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}",
            *self._temporary_files(),
            # Loopback.java here: by itself DynamoDB Local listens on all the machine's addresses.
            "-cp",
            self.settings.class_path or os.pathsep.join(beside),
            "Loopback",
            "-port",
            str(self.port),
            "-disableTelemetry",
        ]
        command += ["-dbPath", self.db_path] if self.db_path else ["-inMemory"]
        if self.delay_transient_statuses:
            command.append("-delayTransientStatuses")
        if self.share_db:
            command.append("-sharedDb")
        return command

    def _temporary_files(self) -> list[str]:
        """It unpacks a library where it runs, and leaves it there when it is killed."""
        if not self.db_path:
            return []
        folder = Path(self.db_path) / "tmp"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return [f"-Djava.io.tmpdir={folder}"]
