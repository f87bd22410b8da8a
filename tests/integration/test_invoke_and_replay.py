"""invoke, record and replay: what the function really got, as a file, and back through it."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from streamdev.cli import main
from streamdev.cli.context import Context
from streamdev.cli.exit_codes import ExitCode
from tests.support.project import Project, Result, eventually, unique

HANDLER = """\
import json
import os


def lambda_handler(event, context):
    print("EVENT " + json.dumps(event))
    failures = []
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage", {})
        mode = image.get("mode", {}).get("S")
        if mode == "fail":
            raise ValueError("asked to fail, pin " + image["pin"]["N"])
        if mode == "exit":
            os._exit(3)
        if mode == "loud":
            print("loud " * 4000)
        if mode == "report":
            failures.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    answer = {"batchItemFailures": failures}
    if "state" in event:
        answer["state"] = {"seen": event["state"].get("seen", 0) + len(event["Records"])}
    return answer
"""

PIPELINES = """\
[pipelines.things]
function = {{ name = "{mark}-things", source = "lambda_src/{mark}", {function} }}

[pipelines.things.table]
name = "{mark}-things"
key = "id:S"
sort-key = "at:N"
stream = "NEW_AND_OLD_IMAGES"
ttl = "ends"
redact = ["pin"]

[pipelines.things.mapping]
batch-size = 10
maximum-batching-window = 1
starting-position = "TRIM_HORIZON"
maximum-retry-attempts = 0
report-batch-item-failures = true

[pipelines.counts]
table = {{ name = "{mark}-counts", key = "id:S", stream = "NEW_IMAGE" }}
function = {{ name = "{mark}-counts", source = "lambda_src/{mark}", {function} }}

[pipelines.counts.mapping]
starting-position = "TRIM_HORIZON"
tumbling-window = 1
filter-criteria = [{{ eventName = ["INSERT"] }}]
"""
FUNCTION = 'handler = "handler.lambda_handler", runtime = "python3.13", timeout = 30'
BATCH = (
    {"id": "a", "at": 1, "name": "Zoë 💡 \u2028", "tags": ["x", None, True, 1.50]},
    {"id": "a", "at": 2, "long": "ü" * 3_000, "map": {"n": {"m": -1}}},
    {"id": "b", "at": 1},
)


class Things:
    """Two pipelines, ``things`` and ``counts`` (a tumbling window), under names of their own."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.mark = unique("invoked")
        self.deploy(HANDLER)

    def deploy(self, handler: str) -> None:
        self.project.write_handler(self.mark, handler)
        text = PIPELINES.format(mark=self.mark, function=FUNCTION)
        self.project.write_pipelines(text, f"{self.mark}.toml")
        self.run("deploy")

    def run(self, *args: str, **options: Any) -> Result:
        return self.project.run(*args, "--config", f"{self.mark}.toml", **options)

    def refused(self, *args: str, code: ExitCode = ExitCode.USAGE, stdin: str = "") -> str:
        """The one or two lines in which a command is refused."""
        told = io.StringIO()
        context = Context(
            environ=self.project.environ,
            stdin=io.TextIOWrapper(io.BytesIO(stdin.encode())),
            stdout=io.StringIO(),
            stderr=told,
            cwd=self.project.root,
        )
        # In this process: it is the words that count, and there are many.
        given = ("--port", str(self.project.port), "--engine", self.project.engine)
        config = self.project.root / f"{self.mark}.toml"
        ended = main.run([*args, *given, "--config", str(config)], context)
        assert ended == code, told.getvalue()
        assert len(told.getvalue().strip().splitlines()) <= 2, told.getvalue()
        return told.getvalue()

    def events(self, pipeline: str) -> dict[str, Any]:
        """What the function was given, as it printed it, by request id."""
        lines = self.run("logs", "--raw", "--json", "-p", pipeline).json_lines()
        return {
            line["request_id"]: json.loads(line["line"].removeprefix("EVENT "))
            for line in lines
            if line["line"].startswith("EVENT ")
        }

    def record(self, *args: str, **options: Any) -> list[tuple[Path, dict[str, Any]]]:
        """The files that were recorded, and what is in them."""
        told = self.run("record", "--json", *args, **options).json_lines()
        paths = [self.project.root / one["file"] for one in told]
        return [(path, json.loads(path.read_text(encoding="utf-8"))) for path in paths]


@pytest.fixture(scope="module")
def things(project: Project) -> Things:
    return Things(project)


def test_a_recorded_batch_is_what_the_function_got(things: Things, tmp_path: Path) -> None:
    lines = "".join(json.dumps(item) + "\n" for item in BATCH)
    things.run("put-item", "--file", "-", stdin=lines)
    things.run("update-item", "b", "1", "bin:B=AAEC", "numbers:NS=1,2.5", "--wait")
    things.run("put-item", "id=e", "at:=1", f"ends:={int(time.time()) - 60}", "--wait")
    things.run("ttl", "expire")
    things.run("put-item", "id=c", "at:=1", "mode=report", "pin:=4711", "--wait", check=False)
    things.run("put-item", "id=d", "at:=1", "mode=fail", "pin:=4711", "--wait", check=False)
    recorded = things.record("-n", "50", "-o", str(tmp_path))

    given = things.events("things")
    assert len(recorded) == len(given)
    by_key: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for _, fixture in recorded:
        event, whole = fixture["event"], given.pop(fixture["recorded"]["request_id"])
        for record, got in zip(event["Records"], whole["Records"], strict=True):
            by_key[record["dynamodb"]["Keys"]["id"]["S"] + record["eventName"]] = fixture, record
            image = got["dynamodb"].get("NewImage", {})
            if "pin" in image:
                image["pin"] = {"N": "1"}
        assert event == whole
    assert given == {}
    removed = by_key["eREMOVE"][1]
    assert removed["userIdentity"]["principalId"] == "dynamodb.amazonaws.com"
    failed, reported = by_key["dINSERT"][0], by_key["cINSERT"]
    assert failed["outcome"]["kind"] == "error"
    assert failed["outcome"]["error"]["type"] == "ValueError"
    assert failed["masked"] == ["pin"]
    assert reported[0]["outcome"]["kind"] == "partial"
    assert reported[0]["outcome"]["failures"] == [reported[1]["dynamodb"]["SequenceNumber"]]
    assert not [path for path, _ in recorded if "4711" in path.read_text(encoding="utf-8")]

    # Chosen by outcome and by key; again under the same names; another attribute masked.
    chosen = things.record("--failed", "-o", str(tmp_path))
    assert {fixture["outcome"]["kind"] for _, fixture in chosen} == {"error", "partial"}
    assert {path for path, _ in chosen} < {path for path, _ in recorded}
    ((_, masked),) = things.record(
        *("--key", "b", "--key", "1", "-n", "1", "--mask", "numbers"), "-o", str(tmp_path)
    )
    image = masked["event"]["Records"][-1]["dynamodb"]["NewImage"]
    assert (image["numbers"], image["bin"]) == ({"NS": ["1", "2"]}, {"B": "AAEC"})
    told = things.run("record", "-n", "1", "--mask", "pim", "-o", str(tmp_path)).stderr
    assert "no recorded item has an attribute 'pim'" in told


def test_a_window_is_recorded_with_its_state(things: Things, tmp_path: Path) -> None:
    for number in range(3):
        things.run("put-item", f"id={number}", "-p", "counts", "--wait")

    def closed() -> bool:
        return any(one.get("isFinalInvokeForWindow") for one in things.events("counts").values())

    eventually(closed, what="a window's final invocation")
    recorded = things.record("-p", "counts", "-n", "50", "-o", str(tmp_path))
    given = things.events("counts")
    for _, fixture in recorded:
        assert fixture["event"] == given[fixture["recorded"]["request_id"]]
    finals = [one for _, one in recorded if one["event"]["isFinalInvokeForWindow"]]
    assert finals
    assert finals[0]["event"]["state"]["seen"] > 0


def test_recording_goes_on_until_it_is_interrupted(things: Things, tmp_path: Path) -> None:
    config = ("--config", f"{things.mark}.toml")
    with things.project.running("record", "-f", "-o", str(tmp_path), *config) as process:
        assert process.stderr is not None
        assert "from now on" in process.stderr.readline()
        things.run("put-item", "id=followed", "at:=1", "--wait")
        eventually(lambda: list(tmp_path.glob("*-insert-*.json")), what="the recorded file")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert process.returncode == ExitCode.INTERRUPTED
        assert "Recorded 1 batch" in told


def test_a_generated_event_is_what_the_stream_makes(things: Things, tmp_path: Path) -> None:
    item = ("id=made", "at:=7.50", "name=Zoë", 'map:={"a":[1,null,true]}', "s:SS=a,b", "b:B=AAEC")
    things.run("put-item", *item, "--wait")
    things.run("update-item", "made", "7.5", "name=Zoe", "--wait")
    key = ("--key", "made", "--key", "7.5")
    modify = ("modify", *key, "--old", "name=Zoë")
    invoked = [
        things.run("invoke", "things", *event, "--json").json()
        for event in (("insert", *item), modify)
    ]
    things.run("delete-item", "made", "7.5", "--wait")
    recorded = things.record(*key, "-o", str(tmp_path))
    real = [one for _, fixture in recorded for one in fixture["event"]["Records"]]
    for told, record in zip(invoked, real[:2], strict=True):
        (made,) = told["event"]["Records"]
        assert told["outcome"] == "ok"
        assert told["logs"][1] == "EVENT " + json.dumps(told["event"])
        assert int(made["dynamodb"]["SequenceNumber"]) > int(record["dynamodb"]["SequenceNumber"])
        for one in (made, record):
            assert len(one.pop("eventID")) == 32
            assert len(one["dynamodb"].pop("SequenceNumber")) == 21
            assert isinstance(one["dynamodb"].pop("ApproximateCreationDateTime"), float)
        assert made == record

    expired = things.run("invoke", "things", "ttl", *item, "--json").json()
    (removed,) = expired["event"]["Records"]
    assert (removed["eventName"], removed["userIdentity"]["type"]) == ("REMOVE", "Service")
    assert removed["dynamodb"]["OldImage"] == real[0]["dynamodb"]["NewImage"]
    shown = things.run("invoke", "counts", "remove", "--item", '{"id": "x"}', check=False)
    assert "filter would have kept this" in shown.stderr


def test_invoke_shows_how_it_went(things: Things, tmp_path: Path) -> None:
    things.run("put-item", "id=last", "at:=1", "--wait")
    ended = things.run("invoke", "things")
    assert "INSERT last / 1 by things  ok" in ended.stdout
    assert 'result  {"batchItemFailures": []}' in ended.stdout
    assert "REPORT RequestId" in ended.stdout

    loud = things.run("invoke", "things", "insert", "id=l", "at:=1", "mode=loud", "--json").json()
    assert "loud " * 4000 in loud["logs"]
    assert loud["logs"][0].startswith("START RequestId: ")
    assert loud["duration_ms"] > 0

    failing = ("insert", "id=f", "at:=1", "mode=fail", "pin:=1")
    failed = things.run("invoke", "things", *failing, check=False)
    assert failed.exit_code == ExitCode.FAILED
    assert "error ValueError: asked to fail, pin 1" in failed.stdout
    item = '{"id": {"S": "r"}, "at": {"N": "1"}, "mode": {"S": "report"}}'
    reported = things.run("invoke", "things", "insert", "--item", item, "--json", check=False)
    assert reported.exit_code == ExitCode.FAILED
    assert len(reported.json()["failures"]) == 1

    event = {"Records": [], "of": "its own"}
    (tmp_path / "event.json").write_text(json.dumps(event))
    for name, stdin in ((str(tmp_path / "event.json"), ""), ("-", json.dumps(event))):
        told = things.run("invoke", "things", name, "--json", stdin=stdin).json()
        assert told["event"] == event
        assert told["result"] == {"batchItemFailures": []}


def test_what_can_not_be_invoked_is_told_in_a_line_or_two(things: Things, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("{")
    invoke = ("invoke", "things")
    assert "no pipeline 'thing'" in things.refused("invoke", "thing", "insert", "id=1")
    assert "needs an item" in things.refused(*invoke, "insert")
    assert "'at'" in things.refused(*invoke, "insert", "id=1")
    assert "goes with a generated event" in things.refused(*invoke, "last", "id=1")
    assert "--old" in things.refused(*invoke, "remove", "id=1", "at:=1", "--old", "n=1")
    assert "the same" in things.refused(*invoke, "modify", "id=1", "at:=1")
    assert "can't change" in things.refused(*invoke, "modify", "id=1", "at:=1", "--old", "id=2")
    assert "no JSON" in things.refused(*invoke, str(tmp_path / "no.json"))
    assert "no JSON" in things.refused(*invoke, "-", stdin="nothing")
    missing = ExitCode.NOT_FOUND
    assert "no item" in things.refused(*invoke, "ttl", "--key", "no", "--key", "1", code=missing)
    assert "no event 'nothing'" in things.refused(*invoke, "nothing", code=missing)
    assert "no such batch" in things.refused("record", "--key=no", "--key=1", code=missing)
    (tmp_path / "empty").mkdir()
    empty = str(tmp_path / "empty")
    assert "No batch is recorded" in things.refused("replay", empty, code=missing)
    assert "is no JSON" in things.refused("replay", str(tmp_path))
    assert "looks back" in things.refused("record", "-f", "--since", "5m")
    assert "no file or folder" in things.refused("replay", "gone.json", code=missing)


def test_replay_tells_what_an_edit_changes(things: Things) -> None:
    things.run("put-item", "id=p1", "at:=1", "mode=fail", "pin:=4711", "--wait", check=False)
    things.run("put-item", "id=p2", "at:=1", "mode=exit", "--wait", check=False)
    things.run("put-item", "id=p3", "at:=1", "mode=report", "--wait", check=False)
    files = [path for path, _ in things.record("-n", "3")]
    assert {path.parent for path in files} == {things.project.root / "fixtures" / "things"}
    # The masked pin is in the message of the recorded error too.
    same = things.run("replay", "--json").json_lines()
    assert [one["same"] for one in same] == [True, True, True], same
    assert [one["now"]["kind"] for one in same] == ["error", "crash", "partial"]

    things.deploy(HANDLER.replace('raise ValueError("asked', 'raise KeyError("asked'))
    found = things.run("replay", "--new-ids", check=False)
    assert found.exit_code == ExitCode.FAILED
    assert found.stdout.count("same ") == 2
    assert "error ValueError: asked to fail, pin 1 → error KeyError: " in found.stdout
    assert "2 of 3 the same" in found.stderr
    assert things.run("replay", *map(os.fspath, files[1:])).exit_code == ExitCode.OK
    # By the beginning of its name, through invoke.
    name = files[2].name.removesuffix(".json")
    told = things.run("invoke", "things", name[:-2], "--json", check=False).json()
    assert told["outcome"] == "partial"


def test_a_batch_outlives_its_stream_where_it_was_given_up(things: Things, tmp_path: Path) -> None:
    things.deploy(HANDLER)
    things.run("put-item", "id=kept", "at:=1", "mode=fail", "pin:=1", "--wait", check=False)
    things.run("put-item", "id=lost", "at:=1", "--wait")
    gateway, table = things.project.gateway, f"{things.mark}-things"
    for mapping in gateway.mappings.all():
        if mapping.function == table:
            gateway.mappings.delete(mapping.uuid)
    eventually(lambda: all(one["table"] != table for one in gateway.control.mappings()))
    gateway.tables.delete(table)
    ended = things.run("record", "-n", "2", "-o", str(tmp_path), check=False)
    assert ended.exit_code == ExitCode.FAILED, str(ended)
    assert "INSERT kept / 1  error ValueError: asked to fail, pin 1" in ended.stdout
    assert "can't be recorded" in ended.stderr
    assert len(list(tmp_path.glob("*.json"))) == 1
