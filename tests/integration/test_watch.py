"""watch: what is saved runs, what is broken does not, and nothing is lost meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamdev.cli.exit_codes import ExitCode
from tests.support.project import Project, eventually, pipeline, unique
from tests.support.telling import Document, Telling, telling
from tests.support.terminal import at_a_terminal

HANDLER = """\
import os
import time

import boto3

VERSION = "{version}"


def lambda_handler(event, context):
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage", {{}})
        if "hold" in image:
            table = boto3.resource("dynamodb").Table(image["hold"]["S"])
            while "Item" not in table.get_item(Key={{"id": "go"}}):
                time.sleep(0.05)
            import late  # only now, and only this version has it
        print("handled by", VERSION, "in process", os.getpid())
"""


class Watched:
    """A pipeline of its own on the shared engine, and an untouched one beside it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.mark = unique("watched")
        self.config = f"{self.mark}.toml"
        self.folder = project.write_handler(self.mark, HANDLER.format(version="one"))
        (self.folder / "late.py").write_text("")
        project.write_handler(f"{self.mark}-other", "def lambda_handler(event, context): pass\n")
        self.write_pipelines(timeout=60)

    def write_pipelines(self, timeout: int) -> Path:
        names = (self.mark, f"{self.mark}-other")
        more = f"timeout = {timeout}"
        text = "".join(pipeline(n, table=n, source=n, function=more) for n in names)
        return self.project.write_pipelines(text, self.config)

    def save(self, code: str, file: str = "handler.py") -> None:
        """As careful editors do: beside the file first, then in its place."""
        (self.folder / f".{file}.swp").write_text("swap")
        (self.folder / f"{file}~").write_text("backup")
        scratch = self.folder / f"{file}.tmp"
        scratch.write_text(code)
        scratch.replace(self.folder / file)

    def put(self, key: str, **attributes: str) -> None:
        item = {"id": {"S": key}, **{name: {"S": value} for name, value in attributes.items()}}
        self.project.client("dynamodb").put_item(TableName=self.mark, Item=item)

    def state(self, function: str) -> dict[str, Any]:
        found: dict[str, Any] = self.project.client("lambda").get_function_configuration(
            FunctionName=function
        )
        return found

    def spare(self) -> int | None:
        """The process that waits for the next version of the function."""
        for spare in self.project.gateway.control.spares():
            if (spare["function"], spare["state"]) == (self.mark, "ready"):
                return int(spare["pid"])
        return None

    def watching(self, *args: str) -> Any:
        return telling(self.project, "watch", *args, "--config", self.config)

    def printed(self, request_id: str) -> str:
        lines = self.project.run("logs", "--raw", "--json", "--config", self.config).json_lines()
        return "\n".join(line["line"] for line in lines if line["request_id"] == request_id)

    def handled(self, told: Telling, key: str) -> Document:
        """Put an item, and its record as it was handled."""
        self.put(key)
        return told.next("record", lambda record: record["keys"] == {"id": key})


@pytest.fixture
def watched(project: Project) -> Watched:
    return Watched(project)


def reload_of(pipeline: str | None) -> Callable[[Document], bool]:
    return lambda document: document["pipeline"] == pipeline


def test_an_edit_runs_warm_and_what_is_broken_leaves_the_old_code(watched: Watched) -> None:
    with watched.watching() as told:
        told.says("Watching")
        assert watched.handled(told, "first")["outcome"] == "ok"
        other = watched.state(f"{watched.mark}-other")["CodeSha256"]

        waits = eventually(watched.spare, what="a process that waits for the edit")
        watched.save(HANDLER.format(version="two"))
        (watched.folder / "__pycache__").mkdir(exist_ok=True)
        (watched.folder / "__pycache__" / "handler.cpython-399.pyc").write_bytes(b"x")
        reloaded = told.next("reload")
        assert (reloaded["outcome"], reloaded["files"]) == ("reloaded", ["handler.py"])
        record = watched.handled(told, "second")
        # Its environment was started before: to the record it was no cold start.
        assert (record["outcome"], record["init_ms"]) == ("ok", None)
        # And that process had imported boto3 before the edit was made.
        told_by = f"handled by two in process {waits}\n"
        assert told_by in watched.printed(record["request_id"]) + "\n"

        watched.save("def lambda_handler(event, context):\n    return (\n")
        failed = told.next("reload")
        assert failed["outcome"] == "failed"
        assert f"{watched.folder}/handler.py:2: SyntaxError" in failed["error"]["message"]
        watched.save("import no_such_module\n\n\ndef lambda_handler(event, context): pass\n")
        failed = told.next("reload")
        assert "No module named 'no_such_module'" in failed["error"]["message"]
        record = watched.handled(told, "third")
        assert "handled by two" in watched.printed(record["request_id"])
        assert watched.state(watched.mark)["State"] == "Active"

        (watched.folder / "requirements.txt").write_text("no requirement at all\n")
        watched.save(HANDLER.format(version="three"))
        failed = told.next("reload", lambda one: "requirements.txt" in str(one["error"]))
        assert failed["outcome"] == "failed"
        (watched.folder / "requirements.txt").unlink()
        assert told.next("reload")["outcome"] == "reloaded"

        # A folder that vanishes, and one of its name that comes in its place.
        watched.folder.rename(watched.folder.with_name("away"))
        failed = told.next("reload")
        assert "does not exist" in failed["error"]["message"]
        shutil.copytree(watched.folder.with_name("away"), watched.folder)
        watched.save(HANDLER.format(version="four"))
        assert told.next("reload", lambda one: one["outcome"] != "failed")
        record = watched.handled(told, "fourth")
        assert "handled by four" in watched.printed(record["request_id"])

        assert watched.state(f"{watched.mark}-other")["CodeSha256"] == other
        assert {one["pipeline"] for one in told.documents if one["kind"] == "reload"} == {
            watched.mark
        }
        eventually(watched.spare, what="a process that waits for the next edit")
        assert told.interrupt() == ExitCode.INTERRUPTED
    eventually(lambda: not watched.spare(), what="nothing waits when nobody watches")


def test_pipelines_toml_is_deployed_when_it_is_saved(watched: Watched) -> None:
    with watched.watching(watched.mark) as told:
        told.says("Watching")
        watched.write_pipelines(timeout=7)
        assert told.next("reload")["files"] == [watched.config]
        assert watched.state(watched.mark)["Timeout"] == 7
        watched.project.write_pipelines("[pipelines.x]\ntabel = 1\n", watched.config)
        failed = told.next("reload")
        assert f"{watched.config}:" in failed["error"]["message"]
        watched.write_pipelines(timeout=8)
        assert told.next("reload")["outcome"] == "reloaded"
        assert watched.state(watched.mark)["Timeout"] == 8
        assert watched.handled(told, "after")["outcome"] == "ok"
        assert told.interrupt() == ExitCode.INTERRUPTED


def test_records_in_flight_finish_in_their_code_and_the_last_batch_is_replayed(
    watched: Watched,
) -> None:
    with watched.watching(watched.mark, "--replay") as told:
        told.says("Watching")
        before = watched.handled(told, "before")
        watched.put("held", hold=watched.mark)

        def in_flight() -> bool:
            mappings = watched.project.gateway.control.mappings()
            return any(one["table"] == watched.mark and one["in_flight"] for one in mappings)

        eventually(in_flight, what="the record that holds")
        (watched.folder / "late.py").unlink()
        watched.save(HANDLER.format(version="two"))
        assert told.next("reload", lambda one: one["files"] == ["handler.py", "late.py"])
        assert in_flight()
        # The batch that ended last; the held one has not.
        replayed = told.next("replay")
        assert (replayed["outcome"], replayed["records"]) == ("ok", 1)
        # The log may tell of it before the command does.
        again = told.find("record", lambda one: one["request_id"] != before["request_id"])
        assert again["keys"] == {"id": "before"}
        assert "handled by two" in watched.printed(again["request_id"])
        watched.put("go")
        held = told.next("record", lambda record: record["keys"] == {"id": "held"})
        assert (held["outcome"], held["attempt"]) == ("ok", 1)
        assert "handled by one" in watched.printed(held["request_id"])
        after = told.next("record", lambda record: record["keys"] == {"id": "go"})
        assert "handled by two" in watched.printed(after["request_id"])


def test_a_person_at_a_terminal_sees_it_and_ends_it_with_ctrl_c(watched: Watched) -> None:
    code, shown = at_a_terminal(
        watched.project,
        *("watch", "--config", watched.config),
        steps=[
            ("Watching", lambda: watched.save("def lambda_handler(event, context:\n")),
            ("handler.py:1: SyntaxError", lambda: watched.save(HANDLER.format(version="two"))),
            ("after the save", lambda: watched.put("seen")),
            ("seen", None),
        ],
    )
    assert code == ExitCode.INTERRUPTED
    assert "What ran before goes on running." in shown
    assert "reloaded" in shown
    assert "Traceback" not in shown


def test_what_it_can_not_watch_is_told_in_a_line(watched: Watched) -> None:
    for args in (("watch", "no-such"), ("watch", "--engine", "external", "--replay")):
        result = watched.project.run(*args, "--config", watched.config, check=False)
        assert result.exit_code == ExitCode.USAGE, str(result)
        assert len(result.stderr.strip().splitlines()) <= 2
