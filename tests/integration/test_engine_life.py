"""The engine's life: started, stopped, killed, started twice, interrupted."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.project import COMMAND, Project, Result, eventually

ON_THIS_MACHINE = pytest.mark.only_on(
    "host",
    because="it is about processes and files of this machine; the container's life has tests of "
    "its own in tests/compose/test_container_life.py",
)


def put(project: Project, key: str) -> None:
    project.client("dynamodb").put_item(TableName="Things", Item={"id": {"S": key}})


def keys(project: Project) -> set[str]:
    items = project.client("dynamodb").scan(TableName="Things", ConsistentRead=True)["Items"]
    return {item["id"]["S"] for item in items}


def java_of(project: Project) -> psutil.Process:
    return next(p for p in project.processes() if "java" in p.name())


def test_up_is_quick_and_changes_nothing_when_all_runs(own_project: Project) -> None:
    own_project.run("up")
    record = own_project.record
    put(own_project, "1")

    again = own_project.run("up", "--json")

    assert own_project.record == record
    assert again.json()["engine"]["endpoint_url"] == own_project.endpoint
    assert keys(own_project) == {"1"}


@ON_THIS_MACHINE
def test_the_engine_listens_on_the_loopback_address_alone(project: Project) -> None:
    listening = [
        connection.laddr.ip
        for process in project.processes()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_nothing_of_the_users_aws_configuration_reaches_the_engine(own_project: Project) -> None:
    own_project.run(
        "up",
        environ={
            "AWS_PROFILE": "production",
            "AWS_ACCESS_KEY_ID": "AKIAREAL",
            "AWS_SECRET_ACCESS_KEY": "real-secret",
            "AWS_SESSION_TOKEN": "real-token",
            "AWS_ENDPOINT_URL": "https://example.com",
            "PYTHONSTARTUP": "/nowhere/startup.py",
            "PERSISTENCE": "1",
        },
    )

    put(own_project, "1")  # so that a handler runs, too

    for process in own_project.processes():
        environ = process.environ()
        assert "AWS_PROFILE" not in environ
        assert "PYTHONSTARTUP" not in environ
        assert "PERSISTENCE" not in environ
        values = "\n".join(environ.values())
        assert "real-" not in values
        assert "AKIAREAL" not in values
        assert "example.com" not in values


@ON_THIS_MACHINE
def test_down_leaves_no_process_and_no_data_and_says_what_is_lost(own_project: Project) -> None:
    own_project.run("up")
    put(own_project, "1")
    put(own_project, "2")
    before = own_project.processes()

    ended = own_project.run("down")

    assert "Things (2 items)" in ended.stderr
    assert "--keep" in ended.stderr
    assert own_project.processes() == []
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in before)
    assert not own_project.state.database.exists()
    assert not own_project.state.engine_record.exists()


def test_down_without_an_engine_says_so(own_project: Project) -> None:
    assert "No engine was running" in own_project.run("down").stderr


@ON_THIS_MACHINE
def test_down_keep_keeps_the_data_for_the_next_up(own_project: Project) -> None:
    own_project.run("up")
    put(own_project, "kept")
    stream = own_project.gateway.tables.find("Things")

    stopped = own_project.run("down", "--keep")
    assert "Wiping" not in stopped.stderr
    assert own_project.processes() == []

    own_project.run("up")
    assert keys(own_project) == {"kept"}
    assert own_project.gateway.tables.find("Things") == stream


@ON_THIS_MACHINE
def test_what_is_written_survives_kill_9_of_everything(own_project: Project) -> None:
    own_project.run("up")
    for number in range(20):
        put(own_project, str(number))

    for process in own_project.processes():
        process.kill()
    eventually(lambda: not own_project.processes())

    died = own_project.run("status", check=False)
    assert died.exit_code == 3
    assert "The last lines of its log" in died.stderr
    assert "./dev.py up" in died.stderr

    own_project.run("up")
    assert keys(own_project) == {str(number) for number in range(20)}


@ON_THIS_MACHINE
def test_doctor_up_and_down_see_to_what_a_killed_localstack_left_behind(
    own_project: Project,
) -> None:
    own_project.run("up")
    put(own_project, "1")
    java = java_of(own_project)
    psutil.Process(own_project.record["pid"]).kill()

    for command in (("status",), ("env",), ("reset",)):
        ended = own_project.run(*command, check=False)
        assert ended.exit_code == 3, ended
        assert "is gone" in ended.stderr
    found = {finding["name"]: finding for finding in own_project.run("doctor", "--json").json()}
    assert found["Engine"]["state"] == "warn"
    assert "is gone" in found["Engine"]["found"]

    own_project.run("up")
    assert not (java.is_running() and java.status() != psutil.STATUS_ZOMBIE)
    assert keys(own_project) == {"1"}

    psutil.Process(own_project.record["pid"]).kill()
    own_project.run("down")
    assert own_project.processes() == []


@ON_THIS_MACHINE
def test_up_and_down_cope_when_database_and_handlers_were_killed(own_project: Project) -> None:
    own_project.run("up")
    put(own_project, "1")
    java_of(own_project).kill()

    own_project.run("up")

    assert keys(own_project) == {"1"}
    java, localstack = java_of(own_project).pid, own_project.record["pid"]
    put(own_project, "2")

    def handlers() -> list[psutil.Process]:
        return [each for each in own_project.processes() if each.pid not in (java, localstack)]

    for process in (psutil.Process(java), *eventually(handlers, what="a handler runs")):
        process.kill()
    own_project.run("down")
    assert own_project.processes() == []


@ON_THIS_MACHINE
def test_a_stale_record_is_not_taken_for_a_running_engine(own_project: Project) -> None:
    """The record's pid belongs to another living process, as after a reboot."""
    record: dict[str, Any] = {
        "engine": "host",
        "engine_id": "0123456789ab-01234567",
        "endpoint_url": own_project.endpoint,
        "port": own_project.port,
        "started_at": "2026-01-01T00:00:00+00:00",
        "pid": os.getpid(),
        "pid_created": psutil.Process().create_time(),
        "ready": True,
    }
    own_project.state.root.mkdir()
    own_project.state.engine_record.write_text(json.dumps(record))

    assert own_project.run("status", check=False).exit_code == 3
    own_project.run("up")

    assert own_project.record["pid"] != os.getpid()


@ON_THIS_MACHINE
def test_a_damaged_record_does_not_hide_the_engine_from_down(own_project: Project) -> None:
    own_project.run("up")
    assert own_project.processes()
    own_project.state.engine_record.write_text("{ not JSON")

    own_project.run("down")

    assert own_project.processes() == []


def test_a_taken_port_is_named_with_its_holder_and_another_one(own_project: Project) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", own_project.port))
        holder.listen()

        ended = own_project.run("up", check=False)

    assert ended.exit_code == 4
    assert f"Port {own_project.port} is taken by pid {os.getpid()}" in ended.stderr
    assert "--port" in ended.stderr
    assert "STREAMDEV_PORT" in ended.stderr
    assert own_project.processes() == []


@ON_THIS_MACHINE
def test_a_port_held_by_another_checkouts_engine_is_told_as_such(
    own_project: Project, project: Project
) -> None:
    ended = own_project.run("up", "--port", str(project.port), check=False)
    assert ended.exit_code == 4
    assert f"streamdev engine of {project.root}" in ended.stderr


def test_another_port_than_the_running_engines_is_refused(project: Project) -> None:
    ended = project.run("up", "--port", "1234", check=False)
    assert ended.exit_code == 4
    assert f"on port {project.port}" in ended.stderr


@ON_THIS_MACHINE
def test_two_ups_at_once_end_in_one_engine(own_project: Project) -> None:
    results: list[Result] = []

    def up() -> None:
        results.append(own_project.run("up", check=False, timeout=280))

    threads = [threading.Thread(target=up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [result.exit_code for result in results] == [0, 0], "\n".join(map(str, results))
    engines = [p for p in own_project.processes() if "localstack.runtime.main" in p.cmdline()]
    assert len(engines) == 1
    assert engines[0].pid == own_project.record["pid"]


@ON_THIS_MACHINE
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing_half_made(
    own_project: Project, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [*COMMAND, "up"],
        cwd=own_project.root,
        env=own_project.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as up:
        eventually(own_project.processes, what="LocalStack was started")
        up.send_signal(number)
        _, errors = up.communicate(timeout=60)

    assert up.returncode == (130 if number == signal.SIGINT else 128 + number)
    assert "Traceback" not in errors
    assert own_project.processes() == []
    assert own_project.run("status", check=False).exit_code == 3
    own_project.run("up")


@ON_THIS_MACHINE
def test_an_up_that_was_killed_is_gone_on_with(own_project: Project) -> None:
    with subprocess.Popen(
        [*COMMAND, "up"],
        cwd=own_project.root,
        env=own_project.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as up:
        eventually(own_project.processes, what="LocalStack was started")
        up.kill()

    own_project.run("up")

    engines = [p for p in own_project.processes() if "localstack.runtime.main" in p.cmdline()]
    assert len(engines) == 1


@ON_THIS_MACHINE
def test_an_engine_that_can_not_start_says_why_and_leaves_nothing(own_project: Project) -> None:
    own_project.run("up")
    own_project.run("down", "--keep")
    for file in own_project.state.database.glob("*.db*"):  # its write-ahead log as well
        file.write_text("no database, whatever its name says")

    ended = own_project.run("up", check=False)

    assert ended.exit_code in (4, 5), ended
    assert "can't be read: file is not a database" in ended.stderr
    assert "Traceback" not in ended.stderr


@ON_THIS_MACHINE
def test_a_state_folder_that_can_not_be_used_is_told(own_project: Project) -> None:
    own_project.state.root.mkdir()
    own_project.state.database.write_text("a file where a folder must be")

    ended = own_project.run("up", check=False)

    assert ended.exit_code == 4
    assert str(own_project.state.root) in ended.stderr
    assert own_project.processes() == []
    own_project.run("down")
    own_project.run("up")


@ON_THIS_MACHINE
def test_two_checkouts_run_side_by_side(project: Project, own_project: Project) -> None:
    own_project.run("up")

    assert own_project.run("status", "--json").json()["engine"]["running"]
    assert project.run("status", "--json").json()["engine"]["running"]
    own_project.run("down")
    assert project.run("status", "--json").json()["engine"]["ready"]


def test_a_reset_empties_tables_without_a_restart(own_project: Project) -> None:
    own_project.run("up")
    record = own_project.record
    put(own_project, "1")
    queue = own_project.client("sqs").create_queue(QueueName="leftovers")["QueueUrl"]
    own_project.client("sqs").send_message(QueueUrl=queue, MessageBody="old")

    own_project.run("reset")

    assert keys(own_project) == set()
    attributes = own_project.client("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0"
    assert own_project.record == record
    mappings = own_project.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert len(mappings) == 1


@ON_THIS_MACHINE
def test_the_state_folder_can_be_removed_under_a_running_engine(own_project: Project) -> None:
    import shutil

    own_project.run("up")
    assert own_project.processes()
    shutil.rmtree(own_project.state.root, ignore_errors=True)
    assert not Path(own_project.state.engine_record).exists()

    own_project.run("down")

    assert own_project.processes() == []
