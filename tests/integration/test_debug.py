"""debug: a debugger stops in a handler, and afterwards everything is as it was."""

from __future__ import annotations

import json
import signal
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamdev.cli.exit_codes import ExitCode
from tests.support.debug_adapter import DebugClient
from tests.support.project import Project, eventually, pipeline, unique
from tests.support.telling import Telling, telling

HANDLER = """\
import importlib.util
import time

LOADED = True


def lambda_handler(event, context):
    left = context.get_remaining_time_in_millis()
    for record in event["Records"]:
        key = record["dynamodb"]["Keys"]["id"]["S"]
        if key.startswith("slow"):
            time.sleep(3)
        print("handled", key, importlib.util.find_spec("debugpy"))
"""
LOADING, HANDLING = 4, 10


class Debugged:
    """Two pipelines on the shared engine, whose functions time out after a second."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.names = (unique("debugged"), unique("debugged"))
        self.config = f"{self.names[0]}.toml"
        for name in self.names:
            project.write_handler(name, HANDLER)
        text = "".join(pipeline(n, table=n, source=n, function="timeout = 1") for n in self.names)
        project.write_pipelines(text, self.config)
        project.run("deploy", *self.names, "--config", self.config)

    def handler(self, name: str) -> Path:
        return self.project.root / "lambda_src" / name / "handler.py"

    def put(self, name: str, key: str) -> None:
        self.project.client("dynamodb").put_item(TableName=name, Item={"id": {"S": key}})

    def debugging(self, *args: str) -> Any:
        return telling(self.project, "debug", *args, "--config", self.config)

    def outcomes(self, name: str, key: str) -> list[str]:
        """How the record of an item was handled, attempt by attempt."""
        found = self.project.run("logs", "-p", name, "--config", self.config, "--json")
        records = [one for one in found.json_lines() if one.get("keys") == {"id": key}]
        return [one["outcome"] for one in records]

    def printed(self, name: str, key: str) -> str:
        raw = self.project.run("logs", "--raw", "-p", name, "--config", self.config).stdout
        return next(line for line in raw.splitlines() if line.startswith(f"handled {key} "))


@pytest.fixture
def debugged(project: Project) -> Debugged:
    return Debugged(project)


def port_of(told: Telling, name: str) -> int:
    port: int = told.next("debugger", lambda one: one["pipeline"] == name)["port"]
    return port


def is_open(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_debugger_stops_in_the_handler_without_a_timeout(debugged: Debugged) -> None:
    name, path = debugged.names[0], debugged.handler(debugged.names[0])
    with debugged.debugging(name) as told:
        port = port_of(told, name)
        client = DebugClient(port)
        with closing(client):
            (found,) = client.attach({path: [HANDLING]})
            assert found["verified"]
            debugged.put(name, "stops")
            thread = client.event("stopped")["threadId"]
            stopped = time.monotonic()
            frame = client.top_frame(thread)
            # Known by its own path, although another folder's code runs.
            assert (frame["source"]["path"], frame["line"]) == (str(path), HANDLING)
            assert client.evaluate(frame, "record['dynamodb']['Keys']") == "{'id': {'S': 'stops'}}"
            assert int(client.evaluate(frame, "left")) > 3_600_000
            eventually(lambda: time.monotonic() > stopped + 2, what="longer than the timeout")
            client.request("continue", threadId=thread)
            record = told.next("record", lambda one: one["keys"] == {"id": "stops"})
            assert (record["outcome"], record["attempt"]) == ("ok", 1)

            # What stands at a breakpoint when the command ends goes on, and is handled once.
            debugged.put(name, "left")
            client.event("stopped")
            assert told.interrupt() == ExitCode.INTERRUPTED
        eventually(lambda: debugged.outcomes(name, "left"), interval=0.5)
        assert debugged.outcomes(name, "left") == ["ok"]
    assert not is_open(port) or debugged.project.engine == "compose"
    assert debugged.project.gateway.control.debugged() == []
    debugged.put(name, "slow")
    eventually(lambda: debugged.outcomes(name, "slow"), interval=0.5)
    assert debugged.outcomes(name, "slow")[0] == "timeout"
    debugged.put(debugged.names[1], "plain")
    eventually(lambda: debugged.outcomes(debugged.names[1], "plain"), interval=0.5)
    assert debugged.printed(debugged.names[1], "plain") == "handled plain None"


def test_several_wait_for_their_debuggers_before_they_load(debugged: Debugged) -> None:
    first, second = debugged.names
    path = debugged.handler(first)
    with debugged.debugging(first, second, "--wait-for-client") as told:
        launch = told.next("debugger", lambda one: one["pipeline"] == first)
        assert launch["launch"]["connect"] == {"host": "127.0.0.1", "port": launch["port"]}
        (mapping,) = launch["launch"]["pathMappings"]
        assert mapping["remoteRoot"] == "/var/task"
        # Handled only when a debugger has come.
        debugged.put(first, "early")
        other = port_of(told, second)
        assert other == launch["port"] + 1
        with closing(DebugClient(launch["port"])) as client:
            local = mapping["localRoot"].replace("${workspaceFolder}", str(debugged.project.root))
            client.attach(
                {path: [LOADING]},
                pathMappings=[{"localRoot": local, "remoteRoot": "/var/task"}],
            )
            thread = client.event("stopped")["threadId"]
            frame = client.top_frame(thread)
            assert (frame["name"], frame["line"]) == ("<module>", LOADING)
            assert debugged.outcomes(first, "early") == []
            client.request("continue", threadId=thread)
            told.next("record", lambda one: one["keys"] == {"id": "early"})
            with closing(DebugClient(other)) as beside:
                beside.attach({debugged.handler(second): [HANDLING]})
                debugged.put(second, "too")
                thread = beside.event("stopped")["threadId"]
                beside.request("continue", threadId=thread)
                told.next("record", lambda one: one["keys"] == {"id": "too"})

            # An edit is taken over by the debugged process: another debugger can attach.
            path.write_text(HANDLER.replace('"handled"', '"edited"'), encoding="utf-8")
            debugged.project.run("deploy", first, "--config", debugged.config)
            client.event("terminated")
        with closing(
            eventually(lambda: attached(launch["port"]), what="the new process") or client
        ):
            debugged.put(first, "edited")
            told.next("record", lambda one: one["keys"] == {"id": "edited"})

        # Its owner is gone without a word: the engine puts everything back by itself.
        told.process.send_signal(signal.SIGKILL)
        told.process.wait(timeout=30)
    eventually(lambda: debugged.project.gateway.control.debugged() == [], interval=0.5)
    debugged.put(second, "after")
    eventually(lambda: debugged.outcomes(second, "after") == ["ok"], interval=0.5)


def attached(port: int) -> DebugClient | None:
    """A debugger at a port that may not be there yet."""
    try:
        client = DebugClient(port)
    except OSError:
        return None
    try:
        client.attach({})
    except (OSError, AssertionError):
        client.close()
        return None
    return client


def test_what_can_not_be_debugged_is_told_in_a_line(debugged: Debugged) -> None:
    name = debugged.names[0]
    run = debugged.project.run
    with debugged.debugging(name) as told:
        port = port_of(told, name)
        taken = [
            run("debug", name, "--config", debugged.config, check=False),
            run(
                *("debug", debugged.names[1], "--debug-port", str(port)),
                *("--config", debugged.config),
                check=False,
            ),
            run("debug", "no-such", "--config", debugged.config, check=False),
        ]
        for result in taken:
            assert result.exit_code == ExitCode.USAGE, str(result)
            assert len(result.stderr.strip().splitlines()) <= 2, str(result)
            assert "Traceback" not in result.stderr
        assert str(port) in taken[0].stderr
        assert f"Port {port} is taken" in taken[1].stderr
        assert told.interrupt() == ExitCode.INTERRUPTED


def test_what_waits_for_a_debugger_is_handled_without_one_in_the_end(debugged: Debugged) -> None:
    name = debugged.names[0]
    with debugged.debugging(name, "--wait-for-client") as told:
        port_of(told, name)
        debugged.put(name, "waits")

        def in_flight() -> bool:
            mappings = debugged.project.gateway.control.mappings()
            return any(one["table"] == name and one["in_flight"] for one in mappings)

        eventually(in_flight, what="the record that waits")
        assert told.interrupt() == ExitCode.INTERRUPTED
    eventually(lambda: debugged.outcomes(name, "waits"), interval=0.5)
    assert debugged.outcomes(name, "waits") == ["ok"]


def test_a_person_gets_a_launch_configuration(debugged: Debugged) -> None:
    from tests.support.terminal import at_a_terminal

    name = debugged.names[0]
    code, shown = at_a_terminal(
        debugged.project,
        *("debug", name, "--config", debugged.config, "--no-color"),
        steps=[("Ctrl-C ends it", None)],
    )
    assert code == ExitCode.INTERRUPTED
    text = shown[shown.index("{") : shown.rindex("}") + 1]
    (configuration,) = json.loads(text.replace("\r", ""))["configurations"]
    assert configuration["name"] == f"streamdev: {name}"
    assert "Traceback" not in shown
