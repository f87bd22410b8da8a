"""What the host engine is made of: record, processes, ports, plugin folder, variables."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from streamdev.engine import plugin_folder, ports, processes
from streamdev.engine.base import MARK
from streamdev.engine.lock import engine_lock
from streamdev.engine.record import (
    EngineRecord,
    checkout_mark,
    forget_record,
    new_engine_id,
    read_record,
)
from streamdev.engine.stored import stored_data
from streamdev.engine.variables import HostParts, client_variables, host_variables
from streamdev.errors import EngineStartError
from streamdev.paths import StateDir

RECORD = EngineRecord(
    engine="host",
    engine_id="0123456789ab-89abcdef",
    endpoint_url="http://127.0.0.1:4566",
    port=4566,
    started_at="2026-11-20T12:00:00+00:00",
    pid=4711,
    pid_created=1795226309.6,
    detail={"java": "/somewhere"},
)

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


@contextmanager
def marked_process(mark: str, code: str = SLEEP) -> Iterator[subprocess.Popen[str]]:
    """A process with an engine's mark that is past its start."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, MARK: mark},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "engine.json"
    RECORD.write(path)
    replace(RECORD, ready=True).write(path)
    assert read_record(path) == replace(RECORD, ready=True)
    assert [entry.name for entry in path.parent.iterdir()] == ["engine.json"]
    forget_record(path)
    forget_record(path)
    assert read_record(path) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"engine": "host"}', "\x00\x00"],
    ids=["empty", "cut", "list", "nothing", "fields missing", "zeros"],
)
def test_a_damaged_record_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "engine.json"
    path.write_text(text)
    assert read_record(path) is None


def test_an_engines_id_tells_its_checkout(tmp_path: Path) -> None:
    first, second = (tmp_path / name / ".streamdev" for name in ("first", "second"))
    assert new_engine_id(first).startswith(checkout_mark(first) + "-")
    assert new_engine_id(first) != new_engine_id(first)
    assert checkout_mark(first) != checkout_mark(second)


def test_a_process_is_the_engines_only_if_number_time_and_mark_fit() -> None:
    with marked_process("0123456789ab-00000001") as child:
        created = psutil.Process(child.pid).create_time()

        def found(created: float | None, mark: str) -> bool:
            return processes.find_process(child.pid, created, mark) is not None

        assert found(created, "0123456789ab-00000001")
        assert found(None, "0123456789ab-00000001")
        assert not found(created - 60, "0123456789ab-00000001")
        assert not found(created, "0123456789ab-00000002")
    assert not found(created, "0123456789ab-00000001")


def test_a_process_that_ended_uncollected_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(child.pid)
    processes.wait_gone([process], deadline=float("inf"))
    assert process.status() == psutil.STATUS_ZOMBIE
    assert not processes.is_alive(process)
    child.wait()


def test_ending_reaches_every_marked_process_and_no_other() -> None:
    prefix = new_engine_id(Path("/somewhere"))
    other = new_engine_id(Path("/elsewhere"))
    with (
        marked_process(prefix) as main,
        marked_process(prefix, STUBBORN) as stubborn,
        marked_process(other) as unrelated,
    ):
        remaining = processes.end(psutil.Process(main.pid), prefix, patience=5)

        assert remaining == []
        assert main.wait(timeout=10) == -signal.SIGTERM
        assert stubborn.wait(timeout=10) == -signal.SIGKILL
        assert unrelated.poll() is None


def test_ctrl_c_waits_until_cleaning_up_is_done() -> None:
    before = signal.getsignal(signal.SIGINT)
    with processes.no_interrupts():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_a_port_in_use_is_told_with_its_holder() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert not ports.is_free(port)
        with pytest.raises(EngineStartError) as raised:
            ports.require_free(port)
    assert f"Port {port} is taken by pid {os.getpid()}: " in raised.value.message
    assert "--port" in (raised.value.hint or "")
    assert ports.is_free(port)
    ports.require_free(port)


def test_the_plugin_folder_holds_the_code_and_its_entry_points(tmp_path: Path) -> None:
    plugin_folder.assemble(tmp_path)
    assert (tmp_path / "streamdev" / "plugins" / "hooks.py").is_file()
    assert (tmp_path / "streamdev" / "semantics" / "log.py").is_file()
    assert not (tmp_path / "streamdev" / "engine").exists()
    (info,) = tmp_path.glob("streamdev_localstack-*.dist-info")
    assert "on_infra_start" in (info / "entry_points.txt").read_text()
    assert "Name: streamdev-localstack" in (info / "METADATA").read_text()


def test_the_plugin_folder_is_brought_in_line_and_otherwise_left_alone(tmp_path: Path) -> None:
    plugin_folder.assemble(tmp_path)
    untouched = tmp_path / "streamdev" / "plugins" / "hooks.py"
    before = untouched.stat()
    changed = tmp_path / "streamdev" / "plugins" / "log.py"
    changed.write_text("# by hand\n")
    stale = tmp_path / "streamdev" / "plugins" / "removed" / "gone.py"
    stale.parent.mkdir()
    stale.touch()
    old_info = tmp_path / "streamdev_localstack-0.0.1.dist-info"
    old_info.mkdir()
    (old_info / "METADATA").touch()

    plugin_folder.assemble(tmp_path)

    after = untouched.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert changed.read_text() != "# by hand\n"
    assert not stale.parent.exists()
    assert not old_info.exists()


def variables(environ: dict[str, str], java_home: Path | None = None) -> dict[str, str]:
    parts = HostParts(Path("/runtime"), Path("/python"), Path("/jars"), java_home, None)
    return host_variables(
        StateDir(Path("/project/.streamdev")),
        parts,
        port=4567,
        engine_id="id",
        region="eu-west-1",
        environ=environ,
    )


def test_only_what_a_process_needs_is_taken_from_the_users_environment() -> None:
    made = variables(
        {
            "PATH": "/bin",
            "LC_ALL": "C.UTF-8",
            "HTTPS_PROXY": "http://proxy:3128",
            "AWS_PROFILE": "production",
            "AWS_ACCESS_KEY_ID": "AKIAREAL",
            "PYTHONPATH": "/elsewhere",
            "PERSISTENCE": "1",
            "GATEWAY_LISTEN": "0.0.0.0:80",
            "STREAMDEV_ENGINE_ID": "another",
        }
    )
    assert made["PATH"] == "/bin"
    assert made["LC_ALL"] == "C.UTF-8"
    assert made["HTTPS_PROXY"] == "http://proxy:3128"
    assert made["AWS_ACCESS_KEY_ID"] == "test"
    assert made["PYTHONPATH"] == "/project/.streamdev/plugins"
    assert made["GATEWAY_LISTEN"] == "127.0.0.1:4567"
    assert made[MARK] == "id"
    assert made["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert not {"AWS_PROFILE", "PERSISTENCE", "STREAMDEV_JAVA_HOME"} & set(made)


def test_the_engines_own_traffic_goes_past_a_proxy() -> None:
    assert variables({})["NO_PROXY"] == "127.0.0.1,localhost"
    given = variables({"no_proxy": "intranet, localhost"})
    assert given["NO_PROXY"] == given["no_proxy"] == "intranet,localhost,127.0.0.1"


def test_java_is_left_to_localstack_where_there_is_none() -> None:
    assert variables({}, Path("/java"))["STREAMDEV_JAVA_HOME"] == "/java"


def test_client_variables_point_every_sdk_at_the_engine() -> None:
    made = client_variables("http://127.0.0.1:4566", "us-east-1")
    assert made["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert made["LOCALSTACK_HOST"] == "127.0.0.1:4566"
    assert made["AWS_CONFIG_FILE"] == os.devnull


def database(state: StateDir, tables: dict[str, int]) -> None:
    """A file as DynamoDB Local keeps it: ``dm`` lists the tables, each is one of its own."""
    state.database.mkdir(parents=True)
    path = state.database / "000000000000_us-east-1.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE dm (TableName TEXT)")
        for name, count in tables.items():
            connection.execute("INSERT INTO dm VALUES (?)", (name,))
            connection.execute(f'CREATE TABLE "{name}" (hashKey TEXT)')
            connection.executemany(f'INSERT INTO "{name}" VALUES (?)', [("k",)] * count)


def test_what_a_wipe_would_lose_is_counted_from_the_files(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    assert not stored_data(state)
    database(state, {"Users": 1234, "empty.table-1": 0, "One": 1})
    batch = state.streams / "batches" / "m" / "1.json"
    batch.parent.mkdir(parents=True)
    batch.touch()

    held = stored_data(state)

    assert held.tables == {"Users": 1234, "empty.table-1": 0, "One": 1}
    assert held.items == 1235
    assert str(held) == "Users (1,234 items), One (1 item), 1 failed batch"


def test_empty_tables_are_no_data_and_unreadable_ones_are(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "empty")
    database(state, {"Users": 0})
    assert not stored_data(state)

    damaged = StateDir(tmp_path / "damaged")
    damaged.database.mkdir(parents=True)
    (damaged.database / "000000000000_us-east-1.db").write_text("no database")
    assert str(stored_data(damaged)) == "000000000000_us-east-1 (items not counted)"


class Notes:
    """A progress that remembers its steps."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.told = threading.Event()

    def step(self, message: str) -> None:
        self.steps.append(message)
        self.told.set()

    def download(self, what: str, done: int, total: int | None) -> None: ...

    def note(self, message: str) -> None: ...


def test_a_second_starter_waits_for_the_first_and_is_told(tmp_path: Path) -> None:
    state = StateDir(tmp_path / ".streamdev")
    progress, order = Notes(), list[str]()

    def second() -> None:
        with engine_lock(state, progress):
            order.append("second")

    thread = threading.Thread(target=second)
    with engine_lock(state):
        thread.start()
        assert progress.told.wait(timeout=10)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]
    assert "Waiting for another command" in progress.steps[0]
